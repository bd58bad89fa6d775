package judge

import (
	"context"
	"fmt"
	"strings"

	policyv1beta1 "k8s.io/api/policy/v1beta1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apiserver/pkg/admission"
	genericinitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/client-go/informers"
	api "k8s.io/kubernetes/pkg/apis/core"
	podstrategy "k8s.io/kubernetes/pkg/registry/core/pod"
	psputil "k8s.io/kubernetes/pkg/security/podsecuritypolicy/util"
	pspadmission "k8s.io/kubernetes/plugin/pkg/admission/security/podsecuritypolicy"
	saadmission "k8s.io/kubernetes/plugin/pkg/admission/serviceaccount"
)

// server is as much of an API server as a pod meets on its way in.
type server struct {
	policies *policies
	accounts *saadmission.Plugin
	// plugins holds the PodSecurityPolicy plugin per account and creator,
	// with the policies which they may use.
	plugins map[string]*pspadmission.Plugin
}

// newServer gives the plugin its lister by filling the informer's store; no
// informer is ever started, so there is no client.
func newServer(c *cluster, p *policies) (*server, error) {
	factory := informers.NewSharedInformerFactory(nil, 0)
	for _, account := range c.accounts {
		if err := factory.Core().V1().ServiceAccounts().Informer().GetIndexer().Add(account); err != nil {
			return nil, fmt.Errorf("storing service account %s/%s: %w", account.Namespace, account.Name, err)
		}
	}
	s := &server{policies: p, accounts: saadmission.NewServiceAccount(), plugins: map[string]*pspadmission.Plugin{}}
	s.accounts.SetExternalKubeInformerFactory(factory)
	return s, nil
}

// plugin is the real admission plugin, with its real authorizer. Its lister
// leaves out the policies which neither the pod's account nor its creator may
// use: admission tries each policy of the cluster before it asks for the
// grant, which changes no result and takes quadratic time.
func (s *server) plugin(f form, pod *api.Pod) (*pspadmission.Plugin, error) {
	key := pod.Namespace + "/" + pod.Spec.ServiceAccountName + " " + f.creator.GetName()
	if plugin := s.plugins[key]; plugin != nil {
		return plugin, nil
	}
	factory := informers.NewSharedInformerFactory(nil, 0)
	store := factory.Policy().V1beta1().PodSecurityPolicies().Informer().GetIndexer()
	usable := s.usable(f, pod)
	if len(usable) == 0 {
		usable = s.policies.psps // so that the plugin itself says that none is granted
	}
	for _, psp := range usable {
		if err := store.Add(psp); err != nil {
			return nil, fmt.Errorf("storing policy %s: %w", psp.Name, err)
		}
	}
	plugins := admission.NewPlugins()
	pspadmission.Register(plugins)
	plugin, err := plugins.InitPlugin(pspadmission.PluginName, nil, genericinitializer.New(nil, factory, s.policies.authorizer, nil))
	if err != nil {
		return nil, fmt.Errorf("starting the admission plugin: %w", err)
	}
	s.plugins[key] = plugin.(*pspadmission.Plugin)
	return s.plugins[key], nil
}

// usable gives the policies which the pod's account or its creator may use.
func (s *server) usable(f form, pod *api.Pod) []*policyv1beta1.PodSecurityPolicy {
	var usable []*policyv1beta1.PodSecurityPolicy
	account := pod.Spec.ServiceAccountName
	for _, psp := range s.policies.psps {
		if s.policies.uses(f.creator, pod.Namespace, psp.Name) ||
			account != "" && s.policies.uses(serviceaccount.UserInfo(pod.Namespace, account, ""), pod.Namespace, psp.Name) {
			usable = append(usable, psp)
		}
	}
	return usable
}

// attributes describe a request for the pod to the plugins.
func attributes(f form, pod, old *api.Pod) admission.Attributes {
	operation, previous := admission.Create, runtime.Object(nil)
	if old != nil {
		operation, previous = admission.Update, old
	}
	return admission.NewAttributesRecord(pod, previous, api.Kind("Pod").WithVersion("v1"), pod.Namespace, pod.Name,
		api.Resource("pods").WithVersion("v1"), "", operation, nil, false, f.creator)
}

// prepare is what the registry does to a new pod after mutating admission.
func prepare(pod *api.Pod) {
	if pod.Name == "" {
		// As names.SimpleNameGenerator does, but for the random suffix, which
		// would make two results differ.
		pod.Name = pod.GenerateName[:min(len(pod.GenerateName), 58)] + "xxxxx"
	}
	podstrategy.Strategy.PrepareForCreate(context.Background(), pod)
}

// arrive runs everything before PodSecurityPolicy, and says why a server
// without policies would refuse the pod. It gives the pod as PSP admission
// meets it, and as it would be stored without policies.
func (s *server) arrive(f form) (request, plain *api.Pod, err error) {
	request = f.pod.DeepCopy()
	if err := s.accounts.Admit(context.Background(), attributes(f, request, nil), nil); err != nil {
		return nil, nil, err
	}
	plain = request.DeepCopy()
	prepare(plain)
	if errs := podstrategy.Strategy.Validate(context.Background(), plain); len(errs) > 0 {
		return nil, nil, errs.ToAggregate()
	}
	return request, plain, nil
}

// admit sends one pod through the server, in the server's order: mutating
// admission, the registry's preparation and validation, validating admission;
// then an update that touches nothing but a label.
func (s *server) admit(f form, request, plain *api.Pod) Pod {
	ctx := context.Background()
	verdict := Pod{Pod: f.id, Form: f.kind}
	fail := func(outcome Outcome, format string, args ...any) Pod {
		verdict.Outcome, verdict.Detail = outcome, fmt.Sprintf(format, args...)
		return verdict
	}

	plugin, err := s.plugin(f, request)
	if err != nil {
		return fail(Denied, "%v", err)
	}
	got := request.DeepCopy()
	if err := plugin.Admit(ctx, attributes(f, got, nil), nil); err != nil {
		if len(s.usable(f, request)) == 0 {
			return fail(Ungranted, "account %q may use none of %d policies", request.Spec.ServiceAccountName, len(s.policies.psps))
		}
		return fail(Denied, "%v", err)
	}
	verdict.Policy = got.Annotations[psputil.ValidatedPSPAnnotation]
	prepare(got)
	if errs := podstrategy.Strategy.Validate(ctx, got); len(errs) > 0 {
		return fail(Denied, "admission made it invalid: %v", errs.ToAggregate())
	}
	if err := plugin.Validate(ctx, attributes(f, got, nil), nil); err != nil {
		return fail(Denied, "validating: %v", err)
	}

	bare := got.DeepCopy()
	setPolicy(bare, plain.Annotations[psputil.ValidatedPSPAnnotation])
	if !apiequality.Semantic.DeepEqual(plain, bare) {
		if apiequality.Semantic.DeepEqual(effect(plain), effect(bare)) {
			return fail(Neutral, "%s", differences(plain, bare))
		}
		return fail(Changed, "%s", differences(effect(plain), effect(bare)))
	}

	old := got
	if f.kind == "stored" {
		// As 1.24 would hold it, if it comes from a later server: with the
		// annotations that PodSecurityPolicy would else write.
		old = plain
	}
	if err := update(plugin, f, old); err != nil {
		return fail(Stuck, "%v", err)
	}
	verdict.Outcome = Unchanged
	return verdict
}

// differences lists what two forms of a pod do not share, a line each.
func differences(before, after *api.Pod) string {
	var lines []string
	for line := range strings.SplitSeq(diff.ObjectReflectDiff(
		map[string]any{"annotations": before.Annotations, "spec": before.Spec},
		map[string]any{"annotations": after.Annotations, "spec": after.Spec},
	), "\n") {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// update changes a label of a running pod. Admission refuses that when the
// policies it may use would mutate the pod, even neutrally
// (plugin/pkg/admission/security/podsecuritypolicy/admission.go:268, v1.24.17).
func update(plugin *pspadmission.Plugin, f form, old *api.Pod) error {
	updated := old.DeepCopy()
	metav1.SetMetaDataLabel(&updated.ObjectMeta, "judge", "updated")
	return plugin.Validate(context.Background(), attributes(f, updated, old), nil)
}

// setPolicy sets or removes the annotation with the admitting policy.
func setPolicy(pod *api.Pod, name string) {
	if name != "" {
		pod.Annotations[psputil.ValidatedPSPAnnotation] = name
		return
	}
	delete(pod.Annotations, psputil.ValidatedPSPAnnotation)
	if len(pod.Annotations) == 0 {
		pod.Annotations = nil
	}
}

// effect reduces a pod to what decides how it runs, so that two pods with
// equal effects run alike: container values win over the pod's, and unset
// values take the meaning which the kubelet gives them.
func effect(pod *api.Pod) *api.Pod {
	pod = pod.DeepCopy()
	if pod.Spec.SecurityContext == nil {
		pod.Spec.SecurityContext = &api.PodSecurityContext{}
	}
	level := pod.Spec.SecurityContext
	for _, containers := range [][]api.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			if containers[i].SecurityContext == nil {
				containers[i].SecurityContext = &api.SecurityContext{}
			}
			containerEffect(containers[i].SecurityContext, level)
		}
	}
	level.RunAsUser, level.RunAsGroup, level.RunAsNonRoot, level.SELinuxOptions = nil, nil, nil, nil
	return pod
}

func containerEffect(sc *api.SecurityContext, level *api.PodSecurityContext) {
	yes, no := true, false
	if sc.RunAsUser == nil {
		sc.RunAsUser = level.RunAsUser
	}
	if sc.RunAsGroup == nil {
		sc.RunAsGroup = level.RunAsGroup
	}
	if sc.RunAsNonRoot == nil {
		sc.RunAsNonRoot = level.RunAsNonRoot
	}
	if sc.RunAsNonRoot == nil || sc.RunAsUser != nil && *sc.RunAsUser != 0 {
		// A fixed uid decides alone; the kubelet has nothing to check.
		sc.RunAsNonRoot = &no
	}
	if sc.SELinuxOptions == nil {
		sc.SELinuxOptions = level.SELinuxOptions
	}
	if sc.AllowPrivilegeEscalation == nil {
		sc.AllowPrivilegeEscalation = &yes
	}
	if sc.ReadOnlyRootFilesystem == nil {
		sc.ReadOnlyRootFilesystem = &no
	}
	if sc.Privileged == nil {
		sc.Privileged = &no
	}
	if sc.Capabilities == nil || *sc.Privileged {
		sc.Capabilities = &api.Capabilities{} // a privileged container has them all
	}
	sc.Capabilities.Add = capabilityEffect(sc.Capabilities.Add)
	sc.Capabilities.Drop = capabilityEffect(sc.Capabilities.Drop)
}

// capabilityEffect spells capabilities as runtimes read them: in capitals,
// without prefix, in any order, and ALL includes the others.
func capabilityEffect(list []api.Capability) []api.Capability {
	set := map[string]bool{}
	for _, c := range list {
		set[strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_")] = true
	}
	if set["ALL"] {
		return []api.Capability{"ALL"}
	}
	var out []api.Capability
	for _, name := range sortedKeys(set) {
		out = append(out, api.Capability(name))
	}
	return out
}
