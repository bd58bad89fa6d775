package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// text joins objects to YAML documents; strings are taken as they are.
func text(t *testing.T, objects ...any) string {
	t.Helper()
	var b strings.Builder
	for _, o := range objects {
		b.WriteString("---\n")
		if s, ok := o.(string); ok {
			b.WriteString(s + "\n")
			continue
		}
		data, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

// policy makes a policy named p for new pods, with one validation.
func policy(expression string, tweak func(*admissionregistrationv1.ValidatingAdmissionPolicy)) *admissionregistrationv1.ValidatingAdmissionPolicy {
	p := &admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{
				rule(admissionregistrationv1.Create, "pods"),
			}},
			Validations: []admissionregistrationv1.Validation{{Expression: expression}},
		},
	}
	if tweak != nil {
		tweak(p)
	}
	return p
}

func rule(operation admissionregistrationv1.OperationType, resource string) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{operation},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource}},
	}}
}

// binding binds the policy p, to deny unless tweaked.
func binding(tweak func(*admissionregistrationv1.ValidatingAdmissionPolicyBinding)) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	b := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: "b"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: "p", ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	if tweak != nil {
		tweak(b)
	}
	return b
}

// pod makes a pod of namespace a with one container.
func pod(tweak func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x"}}},
	}
	if tweak != nil {
		tweak(p)
	}
	return p
}

func raw(t *testing.T, object any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// setUp starts a judge with a cluster, which must be without fault.
func setUp(t *testing.T, cluster Cluster) *Judge {
	t.Helper()
	j, err := New()
	if err != nil {
		t.Fatal(err)
	}
	answer := j.Answer(Request{Cluster: &cluster})
	if answer.Error != "" {
		t.Fatalf("cluster: %s\n%+v", answer.Error, answer.Objects)
	}
	return j
}

// ask has one pod judged, both ways of handing it to CEL, and wants one verdict.
func ask(t *testing.T, cluster Cluster, pod Pod) Verdict {
	t.Helper()
	verdict := setUp(t, cluster).Answer(Request{Pods: []Pod{pod}}).Pods[0]
	cluster.Unstructured = true
	other := setUp(t, cluster).Answer(Request{Pods: []Pod{pod}}).Pods[0]
	if a, b := string(raw(t, verdict)), string(raw(t, other)); a != b {
		t.Errorf("verdict depends on how CEL gets the pod:\n%s\n%s", a, b)
	}
	return verdict
}

// want compares an outcome.
func want(t *testing.T, v Verdict, outcome Outcome) {
	t.Helper()
	if v.Outcome != outcome || v.Admitted != (outcome == Admitted) {
		t.Errorf("outcome %s, want %s: %s", v.Outcome, outcome, raw(t, v))
	}
}

// wantText wants a part in a text.
func wantText(t *testing.T, name, got, part string) {
	t.Helper()
	if !strings.Contains(got, part) {
		got = got[:min(len(got), 1000)]
		t.Errorf("%s %q does not contain %q", name, got, part)
	}
}

func TestDenial(t *testing.T) {
	cluster := Cluster{Objects: text(t, policy("!variables.host", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.Variables = []admissionregistrationv1.Variable{{Name: "host", Expression: "object.spec.?hostNetwork.orValue(false)"}}
		p.Spec.Validations[0].MessageExpression = `"no host network for " + request.userInfo.username`
	}), binding(nil))}

	want(t, ask(t, cluster, Pod{Object: raw(t, pod(nil))}), Admitted)
	v := ask(t, cluster, Pod{
		Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true })),
		User:   &User{Username: "mallory"},
	})
	want(t, v, Denied)
	if v.ID != "a/Pod/p" {
		t.Errorf("id %q", v.ID)
	}
	wantText(t, "message", v.Message, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no host network for mallory")
	if len(v.Errors) > 0 || len(v.Denials) != 1 || v.Denials[0] != (Denial{
		Policy: "p", Binding: "b", Message: "no host network for mallory", Reason: "Invalid",
	}) {
		t.Errorf("denials %+v, errors %+v", v.Denials, v.Errors)
	}
	if c := v.Costs["p"]; c.Total <= c.Worst || c.Worst == 0 || c.Expression == "" {
		t.Errorf("cost %+v", c)
	}
}

// What the messageExpression cannot say is reported, for denied pods alone.
func TestMessageError(t *testing.T) {
	cluster := Cluster{Objects: text(t, policy("!object.spec.?hostNetwork.orValue(false)", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.Validations[0].Message = "plain"
		p.Spec.Validations[0].MessageExpression = `string(object.spec.containers[1].name)`
	}), binding(nil))}
	want(t, ask(t, cluster, Pod{Object: raw(t, pod(nil))}), Admitted)
	v := ask(t, cluster, Pod{Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }))})
	want(t, v, Denied)
	if len(v.Denials) != 1 || v.Denials[0].Message != "plain" {
		t.Fatalf("denials %+v", v.Denials)
	}
	wantText(t, "message error", v.Denials[0].MessageError, "index")
}

func TestEvaluationErrors(t *testing.T) {
	loop := "[1,2,3,4,5,6,7,8,9,10]"
	for range 6 {
		loop = "[1,2,3,4,5,6,7,8,9,10].map(x, " + loop + ")"
	}
	for name, tc := range map[string]struct {
		expression string
		costs      bool
		part       string
	}{
		"a missing field":           {expression: "object.spec.nodeName != ''", part: "no such key: nodeName"},
		"the limit of expressions":  {expression: "variables.long.size() > 0", costs: true, part: "cost limit exceeded"},
		"a plain denial is no such": {expression: "false"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := Cluster{Objects: text(t, policy(tc.expression, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
				p.Spec.Variables = []admissionregistrationv1.Variable{{Name: "long", Expression: loop}}
			}), binding(nil))}
			v := ask(t, cluster, Pod{Object: raw(t, pod(nil))})
			want(t, v, Denied)
			if tc.part == "" {
				if len(v.Errors) > 0 || len(v.Denials) != 1 {
					t.Errorf("errors %+v, denials %+v", v.Errors, v.Denials)
				}
				return
			}
			if len(v.Errors) != 1 || len(v.Denials) > 0 || v.Errors[0].CostExceeded != tc.costs || v.Errors[0].Configuration {
				t.Fatalf("errors %+v, denials %+v", v.Errors, v.Denials)
			}
			wantText(t, "error", v.Errors[0].Message, tc.part)
			if c := v.Costs["p"]; tc.costs && (c.Worst < 1_000_000 || c.Expression != "variables.long") {
				t.Errorf("cost %+v", c)
			}
		})
	}
}

// Many expressions, each within its limit, use up the budget of the policy.
func TestBudget(t *testing.T) {
	long := "[1,2,3,4,5,6,7,8,9,10]"
	for range 5 {
		long = "[1,2,3,4,5,6,7,8,9,10].map(x, " + long + ")"
	}
	cluster := Cluster{Objects: text(t, policy("true", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		for range 32 {
			p.Spec.Validations = append(p.Spec.Validations, admissionregistrationv1.Validation{Expression: long + ".size() > 0"})
		}
	}), binding(nil))}
	v := ask(t, cluster, Pod{Object: raw(t, pod(nil))})
	want(t, v, Denied)
	if len(v.Errors) != 1 || !v.Errors[0].CostExceeded {
		t.Fatalf("errors %+v", v.Errors)
	}
	if c := v.Costs["p"]; c.Total < 10_000_000 || c.Worst >= 1_000_000 {
		t.Errorf("cost %+v", c)
	}
}

// A policy that the server does not store must not look like one that admits all.
func TestRefusedObjects(t *testing.T) {
	for name, tc := range map[string]struct {
		object any
		part   string
	}{
		"does not compile": {policy("object.spec.hostNetwork ==", nil), "Syntax error"},
		"not a condition":  {policy("'text'", nil), "must evaluate to bool"},
		"too long":         {policy("true || '"+strings.Repeat("x", 100_001)+"' == ''", nil), "code point size exceeds limit"},
		"binding without actions": {
			binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) { b.Spec.ValidationActions = nil }), "validationActions",
		},
		"annotations of a namespace": {
			&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{
				Name: "a", Annotations: map[string]string{"a": strings.Repeat("x", 256*1024)},
			}}, "Too long",
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := New()
			if err != nil {
				t.Fatal(err)
			}
			answer := j.Answer(Request{Cluster: &Cluster{Objects: text(t, tc.object)}, Pods: []Pod{{Object: raw(t, pod(nil))}}})
			if answer.Error == "" || len(answer.Pods) > 0 || len(answer.Objects) != 1 {
				t.Fatalf("answer %+v", answer)
			}
			wantText(t, "refusal", answer.Objects[0].Refused, tc.part)
		})
	}
}

// crd defines a kind of parameters.
const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: limits.example.com}
spec:
  group: example.com
  names: {kind: Limit, plural: limits, singular: limit, listKind: LimitList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {host: {type: boolean}}}}}}
`

func TestParams(t *testing.T) {
	deny, allow := admissionregistrationv1.DenyAction, admissionregistrationv1.AllowAction
	p := policy("params.spec.host || !object.spec.?hostNetwork.orValue(false)", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "example.com/v1", Kind: "Limit"}
	})
	bound := func(missing admissionregistrationv1.ParameterNotFoundActionType) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
		return binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			b.Spec.ParamRef = &admissionregistrationv1.ParamRef{Name: "limit", ParameterNotFoundAction: &missing}
		})
	}
	limit := func(namespace string, host bool) string {
		return fmt.Sprintf("apiVersion: example.com/v1\nkind: Limit\nmetadata: {name: limit, namespace: %s}\nspec: {host: %v}", namespace, host)
	}
	host := Pod{Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }))}

	want(t, ask(t, Cluster{Objects: text(t, crd, p, bound(deny), limit("a", true))}, host), Admitted)
	v := ask(t, Cluster{Objects: text(t, crd, p, bound(deny), limit("a", false), limit("b", true))}, host)
	want(t, v, Denied)
	if len(v.Denials) != 1 || len(v.Errors) > 0 {
		t.Errorf("denials %+v, errors %+v", v.Denials, v.Errors)
	}

	for name, objects := range map[string]string{
		"no parameter":   text(t, crd, p, bound(deny), limit("b", true)),
		"no such kind":   text(t, p, bound(deny)),
		"no object":      text(t, crd, p, bound(deny)),
		"of another one": text(t, crd, p, bound(deny), strings.ReplaceAll(limit("a", true), "name: limit", "name: other")),
	} {
		v := ask(t, Cluster{Objects: objects}, host)
		want(t, v, Denied)
		if len(v.Denials) > 0 || len(v.Errors) != 1 || !v.Errors[0].Configuration || v.Costs != nil {
			t.Errorf("%s: denials %+v, errors %+v", name, v.Denials, v.Errors)
		}
	}
	want(t, ask(t, Cluster{Objects: text(t, crd, p, bound(allow))}, host), Admitted)
}

// A parameter of a kind that the server has comes with its kind.
func TestBuiltInParams(t *testing.T) {
	allow := admissionregistrationv1.AllowAction
	objects := text(t, policy("params.kind == 'ConfigMap' && params.data.host == 'yes'", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}
	}), binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		b.Spec.ParamRef = &admissionregistrationv1.ParamRef{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, ParameterNotFoundAction: &allow}
	}), `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "a", "labels": {"a": "b"}}, "data": {"host": "yes"}}`)
	v := ask(t, Cluster{Objects: objects}, Pod{Object: raw(t, pod(nil))})
	want(t, v, Admitted)
	if v.Costs["p"].Total == 0 {
		t.Error("not evaluated")
	}
	want(t, ask(t, Cluster{Objects: strings.ReplaceAll(objects, `"yes"`, `"no"`)}, Pod{Object: raw(t, pod(nil))}), Denied)
}

func TestNamespaces(t *testing.T) {
	objects := text(t, policy("namespaceObject.metadata.?annotations[?'permits'].orValue('') == 'all'", nil),
		binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			b.Spec.MatchResources = &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"covered": "yes"}}}
		}),
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: covered, labels: {covered: 'yes'}}",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: permitted, labels: {covered: 'yes'}, annotations: {permits: all}}",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: free}")
	for namespace, outcome := range map[string]Outcome{"covered": Denied, "permitted": Admitted, "free": Admitted, "unknown": Admitted} {
		v := ask(t, Cluster{Objects: objects}, Pod{Namespace: namespace, Object: raw(t, pod(nil))})
		want(t, v, outcome)
		if evaluated := v.Costs != nil; evaluated != (namespace == "covered" || namespace == "permitted") {
			t.Errorf("%s: evaluated %v", namespace, evaluated)
		}
	}

	named := strings.ReplaceAll(objects, `covered: "yes"`, "kubernetes.io/metadata.name: unknown")
	want(t, ask(t, Cluster{Objects: named}, Pod{Namespace: "unknown", Object: raw(t, pod(nil))}), Denied)
	want(t, ask(t, Cluster{Objects: named}, Pod{Namespace: "covered", Object: raw(t, pod(nil))}), Admitted)
}

func TestActions(t *testing.T) {
	p := policy("false", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.Validations[0].Message = "never"
		p.Spec.AuditAnnotations = []admissionregistrationv1.AuditAnnotation{{Key: "pod", ValueExpression: "string(object.metadata.name)"}}
		p.Spec.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "users", Expression: "!('system:nodes' in request.userInfo.groups)"}}
	})
	b := binding(func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
	})
	v := ask(t, Cluster{Objects: text(t, p, b)}, Pod{Object: raw(t, pod(nil))})
	want(t, v, Admitted)
	if !slices.Equal(v.Warnings, []string{"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': never"}) {
		t.Errorf("warnings %q", v.Warnings)
	}
	wantText(t, "audit annotation", v.AuditAnnotations["validation.policy.admission.k8s.io/validation_failure"], `"message":"never"`)
	if got := v.AuditAnnotations["p/pod"]; got != "p" {
		t.Errorf("audit annotation %q", got)
	}
	if len(v.Denials) != 1 {
		t.Errorf("denials %+v", v.Denials)
	}

	v = ask(t, Cluster{Objects: text(t, p, binding(nil))}, Pod{Object: raw(t, pod(nil)), User: &User{Username: "system:node:n", Groups: []string{"system:nodes"}}})
	want(t, v, Admitted)
	if v.Denials != nil || v.Costs["p"].Expression != "matchConditions.users" {
		t.Errorf("denials %+v, costs %+v", v.Denials, v.Costs)
	}
}

func TestFailurePolicy(t *testing.T) {
	ignore := admissionregistrationv1.Ignore
	p := policy("object.spec.nodeName != ''", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) { p.Spec.FailurePolicy = &ignore })
	v := ask(t, Cluster{Objects: text(t, p, binding(nil))}, Pod{Object: raw(t, pod(nil))})
	want(t, v, Admitted)
	if len(v.Errors) != 1 {
		t.Errorf("errors %+v", v.Errors)
	}
}

func TestEphemeralContainers(t *testing.T) {
	debugged := func(privileged bool) json.RawMessage {
		return raw(t, pod(func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debugger", Image: "x", SecurityContext: &corev1.SecurityContext{Privileged: &privileged},
			}}}
		}))
	}
	p := policy(`request.operation == "UPDATE" && request.subResource == "ephemeralcontainers"
		&& object.spec.ephemeralContainers.all(c, !c.securityContext.privileged)
		&& !has(oldObject.spec.ephemeralContainers) && oldObject.spec.containers == object.spec.containers`,
		func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
			p.Spec.MatchConstraints.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{
				rule(admissionregistrationv1.Update, "pods/ephemeralcontainers"),
			}
		})
	cluster := Cluster{Objects: text(t, p, binding(nil),
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: baseline, labels: {pod-security.kubernetes.io/enforce: baseline}}")}

	v := ask(t, cluster, Pod{Object: debugged(false), Subresource: "ephemeralcontainers"})
	want(t, v, Admitted)
	if v.Costs["p"].Total == 0 {
		t.Error("not evaluated")
	}
	want(t, ask(t, cluster, Pod{Object: debugged(true), Subresource: "ephemeralcontainers"}), Denied)
	want(t, ask(t, cluster, Pod{Object: debugged(false), Subresource: "ephemeralcontainers", OldObject: raw(t, pod(nil))}), Admitted)
	want(t, ask(t, cluster, Pod{Object: debugged(false), Subresource: "ephemeralcontainers", OldObject: debugged(false)}), Denied)
	want(t, ask(t, cluster, Pod{Object: debugged(false)}), Refused) // nobody creates it
	v = ask(t, cluster, Pod{Object: debugged(true), Namespace: "baseline", Subresource: "ephemeralcontainers"})
	wantText(t, "Pod Security", v.PodSecurity, "privileged (container \"debugger\"")
	want(t, ask(t, cluster, Pod{Object: raw(t, pod(nil)), Subresource: "status"}), Refused)
}

func TestPodSecurity(t *testing.T) {
	cluster := Cluster{Objects: `
apiVersion: v1
kind: Namespace
metadata:
  name: a
  labels: {pod-security.kubernetes.io/enforce: baseline, pod-security.kubernetes.io/enforce-version: v1.33, pod-security.kubernetes.io/warn: restricted}
`}
	v := ask(t, cluster, Pod{Object: raw(t, pod(nil))})
	want(t, v, Admitted)
	if len(v.Warnings) != 1 {
		t.Fatalf("warnings %q", v.Warnings)
	}
	wantText(t, "warning", v.Warnings[0], `would violate PodSecurity "restricted:latest"`)
	if got := v.AuditAnnotations["pod-security.kubernetes.io/enforce-policy"]; got != "baseline:v1.33" {
		t.Errorf("annotation %q", got)
	}
	v = ask(t, cluster, Pod{Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.HostPID = true }))})
	want(t, v, Denied)
	wantText(t, "Pod Security", v.PodSecurity, `pods "p" is forbidden: violates PodSecurity "baseline:v1.33": host namespaces (hostPID=true)`)
	if v.Message != "" {
		t.Errorf("message %q", v.Message)
	}

	// Probe hosts are checked since 1.34 only.
	probe := pod(func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "example.com"}}}
		p.Spec.Containers[0].LivenessProbe.TCPSocket.Port.IntVal = 80
	})
	want(t, ask(t, cluster, Pod{Object: raw(t, probe)}), Admitted)
	cluster.Objects = strings.ReplaceAll(cluster.Objects, "v1.33", "v1.34")
	want(t, ask(t, cluster, Pod{Object: raw(t, probe)}), Denied)
}

func TestValidation(t *testing.T) {
	for name, tc := range map[string]struct {
		tweak   func(*corev1.Pod)
		outcome Outcome
		part    string
	}{
		"privileged": {tweak: func(p *corev1.Pod) {
			yes := true
			p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: &yes}
		}, outcome: Admitted},
		"no container": {tweak: func(p *corev1.Pod) { p.Spec.Containers = nil }, outcome: Refused, part: "spec.containers: Required"},
		"unmounted volume": {tweak: func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
		}, outcome: Refused, part: "Not found"},
		"a mirror pod with a service account": {tweak: func(p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			p.Spec.NodeName, p.Spec.ServiceAccountName = "n", "robot"
		}, outcome: Refused, part: "a mirror pod may not reference service accounts"},
		"a mirror pod": {tweak: func(p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			p.Spec.NodeName = "n"
		}, outcome: Admitted},
	} {
		t.Run(name, func(t *testing.T) {
			v := ask(t, Cluster{}, Pod{Object: raw(t, pod(tc.tweak))})
			want(t, v, tc.outcome)
			wantText(t, "reason", v.Reason, tc.part)
		})
	}
	want(t, ask(t, Cluster{}, Pod{Object: json.RawMessage(`{"apiVersion":"v1","kind":"Pod","spec":[]}`)}), Refused)
	want(t, ask(t, Cluster{}, Pod{Object: json.RawMessage(`{"apiVersion":"extensions/v1beta1","kind":"Deployment"}`)}), Refused)
	want(t, ask(t, Cluster{}, Pod{Object: json.RawMessage(`{"apiVersion":"v1","kind":"Service"}`)}), Failed)
}

// made returns the pod as admission sees it.
func made(t *testing.T, objects string, request Pod) *corev1.Pod {
	t.Helper()
	v := setUp(t, Cluster{Objects: objects}).Answer(Request{Pods: []Pod{request}, ReturnPods: true}).Pods[0]
	if v.Pod == nil {
		t.Fatalf("no pod: %+v", v)
	}
	return v.Pod
}

func TestMakingPods(t *testing.T) {
	p := made(t, "", Pod{Object: raw(t, pod(func(p *corev1.Pod) {
		p.Spec.HostNetwork = true
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80}}
		p.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/c": "localhost/x"}
	}))})
	if p.Spec.Containers[0].Ports[0].HostPort != 80 {
		t.Error("host network does not make host ports")
	}
	if p.Spec.ServiceAccountName != "default" || len(p.Spec.Volumes) != 1 || p.Spec.Volumes[0].Name != tokenVolume ||
		len(p.Spec.Volumes[0].Projected.Sources) != 3 || p.Spec.Containers[0].VolumeMounts[0].Name != tokenVolume {
		t.Errorf("service account %q, volumes %+v", p.Spec.ServiceAccountName, p.Spec.Volumes)
	}
	if sc := p.Spec.Containers[0].SecurityContext; sc == nil || sc.AppArmorProfile == nil || *sc.AppArmorProfile.LocalhostProfile != "x" {
		t.Errorf("the annotation does not make a field: %+v", sc)
	}

	no := false
	p = made(t, "", Pod{Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = &no }))})
	if len(p.Spec.Volumes) > 0 {
		t.Error("a token that the pod does not want")
	}
	p = made(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: a}\nautomountServiceAccountToken: false", Pod{Object: raw(t, pod(nil))})
	if len(p.Spec.Volumes) > 0 {
		t.Error("a token that the account does not want")
	}

	p = made(t, "", Pod{Namespace: "n", Object: raw(t, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  selector: {matchLabels: {a: b}}
  serviceName: s
  template: {metadata: {labels: {a: b}, annotations: {c: d}}, spec: {serviceAccountName: robot, volumes: [{name: data, emptyDir: {}}], containers: [{name: c, image: x}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
`)})
	if p.Namespace != "n" || p.Name != "s-xxxxx" || p.Annotations["c"] != "d" || p.Spec.ServiceAccountName != "robot" ||
		len(p.Spec.Volumes) != 2 || p.Spec.Volumes[0].PersistentVolumeClaim == nil {
		t.Errorf("pod %+v", p)
	}
}

func TestTypeChecking(t *testing.T) {
	j, err := New()
	if err != nil {
		t.Fatal(err)
	}
	answer := j.Answer(Request{Cluster: &Cluster{Objects: text(t, policy("object.spec.hostNetworks == true", nil))}})
	if answer.Error != "" || len(answer.Objects) != 1 || len(answer.Objects[0].Warnings) != 1 {
		t.Fatalf("answer %+v", answer)
	}
	wantText(t, "warning", answer.Objects[0].Warnings[0], "spec.validations[0].expression: /v1, Kind=Pod: ")
	wantText(t, "warning", answer.Objects[0].Warnings[0], "undefined field 'hostNetworks'")
}

func TestNewerCEL(t *testing.T) {
	twoVariables := policy("object.spec.containers.all(i, c, i >= 0 && c.name != '')", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
		p.Spec.Validations[0].MessageExpression = `"cidr " + string(isCIDR("10.0.0.0/8"))`
	})
	for minor, parts := range map[string][]string{
		"":     {"validations[0].expression: "},
		"1.30": {"validations[0].expression: "},
		"1.29": {"validations[0].expression: ", "validations[0].messageExpression: "},
		"1.32": {},
	} {
		j, err := New()
		if err != nil {
			t.Fatal(err)
		}
		answer := j.Answer(Request{Cluster: &Cluster{Objects: text(t, twoVariables), Minor: minor}})
		if answer.Error != "" {
			t.Fatal(answer.Error)
		}
		var got []string
		for _, o := range answer.Objects {
			got = append(got, o.Newer...)
		}
		if len(got) != len(parts) {
			t.Errorf("%q: %q, want %q", minor, got, parts)
			continue
		}
		for i, part := range parts {
			wantText(t, "newer in "+minor, got[i], part)
		}
	}
}

func TestEvaluate(t *testing.T) {
	cluster := Cluster{
		Objects: "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, annotations: {permits: 'a b'}}",
		Evaluate: &Evaluate{
			Variables: []admissionregistrationv1.Variable{
				{Name: "names", Expression: "object.spec.containers.map(c, c.name)"},
				{Name: "asks", Expression: `variables.names.map(n, {"name": dyn(n), "asks": dyn([1, 2]), "ok": dyn(true)})`},
				{Name: "permits", Expression: `namespaceObject.metadata.annotations["permits"].split(" ")`},
				{Name: "group", Expression: "object.spec.?securityContext.?fsGroup"},
				{Name: "broken", Expression: "object.spec.containers[7].name"},
				{Name: "whole", Expression: "object.spec.containers"},
			},
			Values: []string{"asks", "permits", "group", "broken", "whole"},
		},
	}
	v := ask(t, cluster, Pod{Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.Containers[0].Name = "d" }))})
	for name, wanted := range map[string]string{
		"asks":    `[{"asks":[1,2],"name":"d","ok":true}]`,
		"permits": `["a","b"]`,
		"group":   `null`,
	} {
		if got := string(raw(t, v.Values[name].JSON)); got != wanted || v.Values[name].Error != "" {
			t.Errorf("%s: %s (%s), want %s", name, got, v.Values[name].Error, wanted)
		}
	}
	wantText(t, "error", v.Values["broken"].Error, "index")
	wantText(t, "whole", string(raw(t, v.Values["whole"].JSON)), `"image":"x"`)
	if v.ValuesCost == 0 {
		t.Error("no cost")
	}

	for name, evaluate := range map[string]Evaluate{
		"no such variable": {Values: []string{"none"}},
		"does not compile": {Variables: []admissionregistrationv1.Variable{{Name: "v", Expression: "("}}, Values: []string{"v"}},
		"no such policy":   {Policy: "none", Values: []string{"v"}},
	} {
		j, err := New()
		if err != nil {
			t.Fatal(err)
		}
		if answer := j.Answer(Request{Cluster: &Cluster{Evaluate: &evaluate}}); answer.Error == "" {
			t.Errorf("%s: no error", name)
		}
	}
}

// The variables of a stored policy can be evaluated with a parameter.
func TestEvaluatePolicy(t *testing.T) {
	deny := admissionregistrationv1.DenyAction
	cluster := Cluster{
		Objects: text(t, crd, policy("variables.host", func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
			p.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "example.com/v1", Kind: "Limit"}
			p.Spec.Variables = []admissionregistrationv1.Variable{{Name: "host", Expression: "bool(params.spec.host)"}}
		}), "apiVersion: example.com/v1\nkind: Limit\nmetadata: {name: limit, namespace: a}\nspec: {host: true}"),
		Evaluate: &Evaluate{
			Policy: "p", Values: []string{"host"},
			ParamRef: &admissionregistrationv1.ParamRef{Name: "limit", ParameterNotFoundAction: &deny},
		},
	}
	if v := ask(t, cluster, Pod{Object: raw(t, pod(nil))}); v.Values["host"].JSON != true {
		t.Errorf("values %+v", v.Values)
	}
	want(t, ask(t, cluster, Pod{Object: raw(t, pod(nil)), Namespace: "b"}), Failed)
}

// Many pods at once get the verdicts that they get alone, in their order.
func TestManyPods(t *testing.T) {
	j := setUp(t, Cluster{Objects: text(t, policy("!object.spec.?hostNetwork.orValue(false)", nil), binding(nil))})
	var pods []Pod
	for i := range 200 {
		pods = append(pods, Pod{ID: fmt.Sprint(i), Namespace: fmt.Sprint("n", i%7), Object: raw(t, pod(func(p *corev1.Pod) { p.Spec.HostNetwork = i%3 == 0 }))})
	}
	first := j.Answer(Request{Name: "many", Pods: pods})
	if first.Name != "many" || len(first.Pods) != len(pods) {
		t.Fatalf("answer %+v", first)
	}
	for i, v := range first.Pods {
		outcome := Admitted
		if i%3 == 0 {
			outcome = Denied
		}
		if v.ID != fmt.Sprint(i) {
			t.Fatalf("verdict %d has id %s", i, v.ID)
		}
		want(t, v, outcome)
	}
	if a, b := string(raw(t, first)), string(raw(t, j.Answer(Request{Name: "many", Pods: pods}))); a != b {
		t.Error("the same request got another answer")
	}
}

func TestNoCluster(t *testing.T) {
	j, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if answer := j.Answer(Request{Pods: []Pod{{Object: raw(t, pod(nil))}}}); answer.Error == "" || answer.Pods != nil {
		t.Errorf("answer %+v", answer)
	}
}

// An update of a pod that runs is judged as such, and refused where the server itself
// refuses it.
func TestUpdate(t *testing.T) {
	cluster := Cluster{Objects: text(t, policy("false", nil), binding(nil))}
	stored := setUp(t, Cluster{}).Answer(Request{Pods: []Pod{{Object: raw(t, pod(nil))}}, ReturnPods: true}).Pods[0].Pod
	changed := func(change func(*corev1.Pod)) Pod {
		p := stored.DeepCopy()
		change(p)
		return Pod{Object: raw(t, p), OldObject: raw(t, stored), Update: true}
	}
	image := changed(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "y" })
	want(t, ask(t, cluster, image), Admitted) // by a policy that denies all creations
	v := ask(t, cluster, changed(func(p *corev1.Pod) { p.Spec.HostPID = true }))
	want(t, v, Refused)
	wantText(t, "reason", v.Reason, "pod updates may not change fields other than")
	image.OldObject = nil
	v = ask(t, cluster, image)
	want(t, v, Refused)
	wantText(t, "reason", v.Reason, "needs an old object")
}
