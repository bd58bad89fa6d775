package judge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/informers"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/resolver"
	policystrategy "k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicy"
	bindingstrategy "k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicybinding"
	namespacestrategy "k8s.io/kubernetes/pkg/registry/core/namespace"
	accountstrategy "k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	saadmission "k8s.io/kubernetes/plugin/pkg/admission/serviceaccount"
	podsecurityadmission "k8s.io/pod-security-admission/admission"
	podsecurityload "k8s.io/pod-security-admission/admission/api/load"
	podsecurity "k8s.io/pod-security-admission/api"
	podsecuritymetrics "k8s.io/pod-security-admission/metrics"
)

// cluster is as much of an API server as a pod meets on its way in. Its listers
// read the stores of informers that are never started, so there is no client.
type cluster struct {
	interfaces   admission.ObjectInterfaces
	accounts     *saadmission.Plugin
	dispatcher   generic.Dispatcher[validating.PolicyHook]
	hooks        []validating.PolicyHook
	matcher      generic.PolicyMatcher
	security     *podsecurityadmission.Admission
	params       params
	evaluation   *evaluation
	unstructured bool

	factory informers.SharedInformerFactory
	lock    sync.Mutex // for making what is missing
}

// newCluster stores the objects as the server would, and compiles policies.
func (j *Judge) newCluster(request Cluster) (*cluster, []Object, error) {
	objects, err := documents(request.Objects)
	if err != nil {
		return nil, nil, err
	}
	c := &cluster{
		interfaces:   admission.NewObjectInterfacesFromScheme(legacyscheme.Scheme),
		accounts:     saadmission.NewServiceAccount(),
		unstructured: request.Unstructured,
		factory:      informers.NewSharedInformerFactory(nil, 0),
	}
	c.accounts.SetExternalKubeInformerFactory(c.factory)
	if c.params, err = newParams(c.factory, objects); err != nil {
		return nil, nil, err
	}
	report, err := c.store(objects)
	if err != nil {
		return nil, report, err
	}
	checked, err := c.usePolicies(j.compiled, request.Minor)
	report = append(report, checked...)
	if err != nil {
		return nil, report, err
	}
	if err := c.usePodSecurity(j); err != nil {
		return nil, report, err
	}
	if request.Evaluate != nil {
		if c.evaluation, err = newEvaluation(*request.Evaluate, c); err != nil {
			return nil, report, err
		}
	}
	return c, report, nil
}

// store creates each object; its report holds those with errors or warnings.
func (c *cluster) store(objects []*unstructured.Unstructured) ([]Object, error) {
	var report []Object
	var refused []string
	for _, object := range objects {
		warned, err := c.storeOne(object)
		if len(warned) == 0 && err == nil {
			continue
		}
		o := Object{Kind: object.GetKind(), Name: object.GetName(), Warnings: warned}
		if namespace := object.GetNamespace(); namespace != "" {
			o.Name = namespace + "/" + o.Name
		}
		if err != nil {
			o.Refused = err.Error()
			refused = append(refused, o.Kind+" "+o.Name)
		}
		report = append(report, o)
	}
	if len(refused) > 0 {
		return report, fmt.Errorf("the server refuses %s", strings.Join(refused, ", "))
	}
	return report, nil
}

// resources resolves no resource: only authorization needs it, and there is none.
type resources struct{}

// Resolve implements resolver.ResourceResolver.
func (resources) Resolve(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	return schema.GroupVersionResource{}, fmt.Errorf("resolving %s: not needed", kind)
}

var _ resolver.ResourceResolver = resources{}

// strategyOf returns what validates objects of a kind, or nil.
func strategyOf(kind schema.GroupKind) rest.RESTCreateStrategy {
	switch kind {
	case schema.GroupKind{Group: admissionregistrationv1.GroupName, Kind: "ValidatingAdmissionPolicy"}:
		return policystrategy.NewStrategy(nil, resources{})
	case schema.GroupKind{Group: admissionregistrationv1.GroupName, Kind: "ValidatingAdmissionPolicyBinding"}:
		return bindingstrategy.NewStrategy(nil, nil, resources{})
	case schema.GroupKind{Kind: "Namespace"}:
		return namespacestrategy.Strategy
	case schema.GroupKind{Kind: "ServiceAccount"}:
		return accountstrategy.Strategy
	}
	return nil
}

// storeOne creates an object and puts it into the store from which it is read.
func (c *cluster) storeOne(object *unstructured.Unstructured) ([]string, error) {
	kind := object.GroupVersionKind()
	if kind.Version == "" {
		return nil, errors.New("apiVersion: required")
	}
	if !legacyscheme.Scheme.Recognizes(kind) {
		return nil, c.params.add(object, object)
	}
	raw, err := object.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	internal, err := decode(raw)
	if err != nil {
		return nil, err
	}
	var warned []string
	if strategy := strategyOf(kind.GroupKind()); strategy != nil {
		if warned, err = create(context.Background(), strategy, kind.GroupVersion(), internal); err != nil {
			return warned, err
		}
	}
	// Informers hold the first version, and objects without their kind.
	external, err := toVersion(internal, kind.GroupVersion())
	if err != nil {
		return warned, err
	}
	external.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	switch o := external.(type) {
	case *corev1.Namespace:
		return warned, c.factory.Core().V1().Namespaces().Informer().GetIndexer().Update(o)
	case *corev1.ServiceAccount:
		return warned, c.factory.Core().V1().ServiceAccounts().Informer().GetIndexer().Update(o)
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		return warned, c.factory.Admissionregistration().V1().ValidatingAdmissionPolicies().Informer().GetIndexer().Update(o)
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		return warned, c.factory.Admissionregistration().V1().ValidatingAdmissionPolicyBindings().Informer().GetIndexer().Update(o)
	}
	return warned, c.params.add(object, external)
}

// usePolicies checks and compiles the policies, and joins them with their
// bindings.
func (c *cluster) usePolicies(compiled *compiler, minor string) ([]Object, error) {
	var report []Object
	hooks := map[string]validating.PolicyHook{}
	bindings, err := c.bindings()
	if err != nil {
		return nil, err
	}
	policies, err := c.policies()
	if err != nil {
		return nil, err
	}
	for _, policy := range policies {
		p, err := compiled.compile(policy, minor)
		if err != nil {
			return report, err
		}
		if len(p.object.Warnings)+len(p.object.Newer) > 0 {
			report = append(report, p.object)
		}
		if len(bindings[policy.Name]) == 0 {
			continue
		}
		hook := validating.PolicyHook{Policy: policy, Bindings: bindings[policy.Name], Evaluator: p.validator}
		hook.ParamInformer, hook.ParamScope, hook.ConfigurationError = c.params.find(policy.Spec.ParamKind)
		hooks[policy.Name] = hook
		c.hooks = append(c.hooks, hook)
	}
	c.matcher = matcher{
		PolicyMatcher: generic.NewPolicyMatcher(matching.NewMatcher(c.factory.Core().V1().Namespaces().Lister(), nil)),
		hooks:         hooks,
	}
	c.dispatcher = validating.NewDispatcher(authorizerfactory.NewAlwaysDenyAuthorizer(), c.matcher)
	return report, nil
}

// usePodSecurity starts Pod Security admission with the configuration of a server
// that has none: what is not labelled is privileged, and nothing is exempt.
func (c *cluster) usePodSecurity(j *Judge) error {
	configuration, err := podsecurityload.LoadFromReader(nil)
	if err != nil {
		return fmt.Errorf("configuring Pod Security admission: %w", err)
	}
	lister := c.factory.Core().V1().Namespaces().Lister()
	c.security = &podsecurityadmission.Admission{
		Configuration:    configuration,
		Evaluator:        j.security,
		Metrics:          podsecuritymetrics.NewPrometheusRecorder(podsecurity.GetAPIVersion()),
		PodSpecExtractor: podsecurityadmission.DefaultPodSpecExtractor{},
		NamespaceGetter:  podsecurityadmission.NamespaceGetterFromListerAndClient(lister, nil),
		PodLister:        podsecurityadmission.PodListerFromInformer(c.factory.Core().V1().Pods().Lister()),
	}
	if err := errors.Join(c.security.CompleteConfiguration(), c.security.ValidateConfiguration()); err != nil {
		return fmt.Errorf("configuring Pod Security admission: %w", err)
	}
	return nil
}
