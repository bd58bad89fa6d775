package judge

import (
	"context"
	"maps"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/warning"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

// plugin starts the server's own admission plugin on the objects of a cluster.
func plugin(t *testing.T, c *cluster, custom ...runtime.Object) *validating.Plugin {
	t.Helper()
	var objects []runtime.Object
	for _, store := range []interface{ List() []any }{
		c.factory.Core().V1().Namespaces().Informer().GetStore(),
		c.factory.Core().V1().ConfigMaps().Informer().GetStore(),
		c.factory.Admissionregistration().V1().ValidatingAdmissionPolicies().Informer().GetStore(),
		c.factory.Admissionregistration().V1().ValidatingAdmissionPolicyBindings().Informer().GetStore(),
	} {
		for _, object := range store.List() {
			objects = append(objects, object.(runtime.Object).DeepCopyObject())
		}
	}
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	p, err := validating.NewPlugin(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.SetExternalKubeInformerFactory(factory)
	p.SetExternalKubeClientSet(client)
	p.SetDynamicClient(dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{{Group: "example.com", Version: "v1", Resource: "limits"}: "LimitList"}, custom...))
	p.SetRESTMapper(c.params.mapper)
	p.SetDrainedNotification(t.Context().Done())
	p.SetUnconditionalAuthorizer(authorizerfactory.NewAlwaysDenyAuthorizer())
	if err := p.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	if !p.WaitForReady() {
		t.Fatal("the plugin does not get ready")
	}
	return p
}

// The plugin, with its informers, compiler and queue, gives the same verdicts.
func TestPlugin(t *testing.T) {
	deny := admissionregistrationv1.DenyAction
	p := policy("variables.host", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "example.com/v1", Kind: "Limit"}
		p.Spec.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "users", Expression: "!('system:nodes' in request.userInfo.groups)"}}
		p.Spec.MatchConstraints.ResourceRules = append(p.Spec.MatchConstraints.ResourceRules, rule(admissionregistrationv1.Update, "pods/ephemeralcontainers"))
		p.Spec.Variables = []admissionregistrationv1.Variable{
			{Name: "wanted", Expression: "object.spec.?hostNetwork.orValue(false)"},
			{Name: "host", Expression: "bool(params.spec.host) || !variables.wanted"},
		}
		p.Spec.Validations[0].MessageExpression = `"no host network in " + namespaceObject.metadata.name`
		p.Spec.Validations = append(p.Spec.Validations, admissionregistrationv1.Validation{Expression: "object.spec.containers[0].command.size() > 0"})
		p.Spec.AuditAnnotations = []admissionregistrationv1.AuditAnnotation{{Key: "limit", ValueExpression: "string(params.metadata.name)"}}
	})
	b := binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		b.Spec.ParamRef = &admissionregistrationv1.ParamRef{Name: "limit", ParameterNotFoundAction: &deny}
	})
	warns := b.DeepCopy()
	warns.Name = "warns"
	// A parameter that is missing denies whatever the actions are, in random order.
	allow := admissionregistrationv1.AllowAction
	warns.Spec.ParamRef.ParameterNotFoundAction = &allow
	warns.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
	limit := func(namespace, host string) string {
		return "apiVersion: example.com/v1\nkind: Limit\nmetadata: {name: limit, namespace: " + namespace + "}\nspec: {host: " + host + "}"
	}
	objects := text(t, crd, p, b, warns, limit("a", "true"), limit("b", "false"),
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: a}", "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: c}")
	j := setUp(t, Cluster{Objects: objects})
	var custom []runtime.Object
	all, err := documents(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range all {
		if object.GetKind() == "Limit" {
			custom = append(custom, &unstructured.Unstructured{Object: object.Object})
		}
	}
	server := plugin(t, j.cluster, custom...)

	outcomes := map[Outcome]int{}
	for _, namespace := range []string{"a", "b", "c"} {
		for _, host := range []bool{false, true} {
			for _, command := range [][]string{nil, {"x"}} {
				for _, groups := range [][]string{nil, {"system:nodes"}} {
					for _, subresource := range []string{"", debugging} {
						request := Pod{
							Namespace: namespace, Subresource: subresource, User: &User{Username: "u", Groups: groups},
							Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.HostNetwork, p.Spec.Containers[0].Command = host, command })),
						}
						verdict := j.Answer(Request{Pods: []Pod{request}}).Pods[0]
						outcomes[verdict.Outcome]++
						compare(t, j.cluster, server, request, verdict)
					}
				}
			}
		}
	}
	if outcomes[Admitted] == 0 || outcomes[Denied] == 0 || len(outcomes) != 2 {
		t.Errorf("outcomes %v", outcomes)
	}
}

// compare shows the plugin the same request.
func compare(t *testing.T, c *cluster, server *validating.Plugin, request Pod, verdict Verdict) {
	t.Helper()
	read, err := object(request.Object)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := podOf(request, read)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.arrive(context.Background(), request, p)
	if err != nil {
		t.Fatal(err)
	}
	var old runtime.Object
	if a.old != nil {
		old = a.old
	}
	attributes := &annotated{Attributes: a.attributes(a.pod, old), annotations: map[string]string{}}
	var warned warnings
	message := ""
	if err := server.Validate(warning.WithWarningRecorder(context.Background(), &warned), attributes, c.interfaces); err != nil {
		message = err.Error()
	}
	if message != verdict.Message {
		t.Errorf("%+v:\nthe plugin %q\nthe judge  %q", request, message, verdict.Message)
	}
	sorted := slices.Sorted(slices.Values(verdict.Warnings))
	if slices.Sort(warned); !slices.Equal(warned, sorted) {
		t.Errorf("%+v:\nthe plugin %q\nthe judge  %q", request, warned, sorted)
	}
	delete(verdict.AuditAnnotations, "pod-security.kubernetes.io/enforce-policy")
	if !maps.Equal(attributes.annotations, verdict.AuditAnnotations) {
		t.Errorf("%+v:\nthe plugin %q\nthe judge  %q", request, attributes.annotations, verdict.AuditAnnotations)
	}
}

// annotated remembers annotations for the audit log.
type annotated struct {
	admission.Attributes
	annotations map[string]string
}

func (a *annotated) AddAnnotation(key, value string) error {
	a.annotations[key] = value
	return nil
}
