package judge

import (
	"context"
	"fmt"
	"maps"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/warning"
	api "k8s.io/kubernetes/pkg/apis/core"
	podsecurity "k8s.io/pod-security-admission/api"
)

// judge answers for one pod.
func (c *cluster) judge(request Pod, returnPod bool) Verdict {
	ctx := context.Background()
	verdict := Verdict{ID: request.ID}
	read, err := object(request.Object)
	if err != nil {
		verdict.Outcome, verdict.Reason = Refused, err.Error()
		return verdict
	}
	pod, id, err := podOf(request, read)
	if verdict.ID == "" {
		verdict.ID = id
	}
	if err != nil {
		verdict.Outcome, verdict.Reason = Failed, err.Error()
		return verdict
	}
	a, err := c.arrive(ctx, request, pod)
	if err != nil {
		verdict.Outcome, verdict.Reason = Refused, err.Error()
		return verdict
	}
	if err := c.admit(ctx, a, &verdict, returnPod); err != nil {
		verdict.Outcome, verdict.Admitted, verdict.Reason = Failed, false, err.Error()
	}
	return verdict
}

// admit sends a pod through validating admission.
func (c *cluster) admit(ctx context.Context, a arrival, verdict *Verdict, returnPod bool) error {
	pod, err := versioned(a.pod)
	if err != nil {
		return err
	}
	var old *corev1.Pod
	if a.old != nil {
		if old, err = versioned(a.old); err != nil {
			return err
		}
	}
	r, err := c.record(a, pod, old, verdict)
	if err != nil {
		return err
	}
	var warned warnings
	if err := c.dispatcher.Dispatch(warning.WithWarningRecorder(ctx, &warned), r, c.interfaces, c.hooks); err != nil {
		verdict.Message = err.Error()
	}
	verdict.Warnings = warned
	c.secure(ctx, a, pod, old, verdict)
	if c.evaluation != nil {
		if err := c.evaluation.values(ctx, c, r); err != nil {
			return err
		}
	}
	if returnPod {
		verdict.Pod = pod
	}
	verdict.Outcome = Denied
	if verdict.Message == "" && verdict.PodSecurity == "" {
		verdict.Outcome, verdict.Admitted = Admitted, true
	}
	return nil
}

// versioned is a pod in the form that clients and policies see.
func versioned(pod *api.Pod) (*corev1.Pod, error) {
	external, err := toVersion(pod, corev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return external.(*corev1.Pod), nil
}

// record describes the request to the dispatcher.
func (c *cluster) record(a arrival, pod, old *corev1.Pod, verdict *Verdict) (*record, error) {
	object, previous := runtime.Object(a.pod), runtime.Object(nil)
	if a.old != nil {
		previous = a.old
	}
	if c.unstructured {
		var err error
		if object, err = admission.ConvertObjectToUnstructured(pod); err != nil {
			return nil, fmt.Errorf("converting: %w", err)
		}
		if old != nil {
			if previous, err = admission.ConvertObjectToUnstructured(old); err != nil {
				return nil, fmt.Errorf("converting: %w", err)
			}
		}
	}
	return &record{Attributes: a.attributes(object, previous), verdict: verdict}, nil
}

// secure asks Pod Security admission.
func (c *cluster) secure(ctx context.Context, a arrival, pod, old *corev1.Pod, verdict *Verdict) {
	attributes := &podsecurity.AttributesRecord{
		Name: pod.Name, Namespace: pod.Namespace, Kind: podKind, Resource: podResource,
		Operation: admissionv1.Create, Object: pod, Username: a.user.GetName(),
	}
	if old != nil {
		attributes.Subresource, attributes.Operation, attributes.OldObject = a.subresource, admissionv1.Update, old
	}
	response := c.security.Validate(ctx, attributes)
	verdict.Warnings = append(verdict.Warnings, response.Warnings...)
	for _, key := range slices.Sorted(maps.Keys(response.AuditAnnotations)) {
		verdict.annotate(podsecurity.AuditAnnotationPrefix+key, response.AuditAnnotations[key])
	}
	if !response.Allowed {
		verdict.PodSecurity = "not allowed by Pod Security"
		if response.Result != nil && response.Result.Message != "" {
			verdict.PodSecurity = response.Result.Message
		}
	}
}

// matcher is the plugin's, which also writes down the binding that is evaluated
// next, and errors in finding its parameters: a client is shown the first alone.
type matcher struct {
	generic.PolicyMatcher
	hooks map[string]validating.PolicyHook
}

// DefinitionMatches implements generic.PolicyMatcher.
func (m matcher) DefinitionMatches(a admission.Attributes, o admission.ObjectInterfaces, definition generic.PolicyAccessor) (bool, schema.GroupVersionResource, schema.GroupVersionKind, error) {
	matches, resource, kind, err := m.PolicyMatcher.DefinitionMatches(a, o, definition)
	r := a.(*record)
	r.binding = ""
	if err == nil && matches {
		r.misconfigured(definition.GetName(), m.hooks[definition.GetName()].ConfigurationError)
	}
	r.misconfigured(definition.GetName(), err)
	return matches, resource, kind, err
}

// BindingMatches implements generic.PolicyMatcher.
func (m matcher) BindingMatches(a admission.Attributes, o admission.ObjectInterfaces, binding generic.BindingAccessor) (bool, error) {
	matches, err := m.PolicyMatcher.BindingMatches(a, o, binding)
	r := a.(*record)
	r.binding = binding.GetName()
	policy := binding.GetPolicyName().Name
	if err == nil && matches {
		hook := m.hooks[policy]
		_, missing := generic.CollectParams(hook.Policy.Spec.ParamKind, hook.ParamInformer, hook.ParamScope,
			binding.GetParamRef(), a.GetNamespace(), nil, nil)
		r.misconfigured(policy, missing)
	}
	r.misconfigured(policy, err)
	return matches, err
}

// misconfigured writes down why a policy or binding cannot be used, if so.
func (r *record) misconfigured(policy string, err error) {
	if err == nil {
		return
	}
	r.verdict.Errors = append(r.verdict.Errors, EvaluationError{
		Policy: policy, Binding: r.binding, Message: err.Error(), Configuration: true,
	})
}
