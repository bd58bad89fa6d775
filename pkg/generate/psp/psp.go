// Package psp generates the tightest PodSecurityPolicy that admits a group of pods
// unchanged, and the RBAC that lets their service accounts use it.
//
// Input is an aggregate.Group; output is a generate.Output, with a reason for
// everything that the policy permits. Laws, checked with the admission code of
// Kubernetes 1.24:
//   - sound: every pod of the group is admitted and not changed;
//   - minimal: no field can be tightened by one step without breaking soundness.
//
// Each file has one family of fields and opens with the restricted fields, the values
// that the policy allows, and why. Source files are those of Kubernetes 1.24;
// provider.go is in pkg/security/podsecuritypolicy.
//
// A policy never sets a default either: admission prefers policies that do not
// change the pod, and denies updates of running pods under one that would
// (plugin/pkg/admission/security/podsecuritypolicy/admission.go,
// computeSecurityContext).
package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Engine returns the engine of PodSecurityPolicy.
func Engine() generate.Engine {
	return generate.Engine{
		Name:          "psp",
		Resource:      schema.GroupVersionResource{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"},
		Note:          "Kubernetes 1.24 was the last release that serves them",
		Outputs:       generate.PerGroup(generateOutput, shares),
		Findings:      findings,
		Inexpressible: inexpressible,
	}
}

// draft is a policy while it is generated.
type draft struct {
	group       aggregate.Group
	profile     *profile.Profile
	annotations map[string]string
	spec        policySpec
	reasons     generate.Reasons
}

// newDraft returns the policy of a group, whose reasons it adds to those given; nil: to
// none.
func newDraft(g aggregate.Group, reasons generate.Reasons) *draft {
	d := &draft{group: g, profile: g.Profile(), reasons: reasons}
	for _, decide := range []func(){
		d.privileged,
		d.hostNamespaces,
		d.hostPorts,
		d.allowPrivilegeEscalation,
		d.readOnlyRootFilesystem,
		d.capabilities,
		d.volumes,
		d.hostPaths,
		d.drivers,
		d.sysctls,
		d.procMount,
		d.runtimeClass,
		d.seLinux,
		d.runAsUser,
		d.groups,
		d.seccomp,
		d.appArmor,
	} {
		decide()
	}
	return d
}

func generateOutput(g aggregate.Group) generate.Output {
	name := generate.Name(g)
	return generate.Output{Group: g, Name: name, Objects: func() []generate.Object { return objects(g, name) }}
}

// objects returns the policy of a group, and the objects that grant it.
func objects(g aggregate.Group, name string) []generate.Object {
	d := newDraft(g, generate.Reasons{})
	policy := &podSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1beta1", Kind: "PodSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: generate.Labels(), Annotations: d.annotations},
		Spec:       d.spec,
	}
	title := generate.For(g)
	if g.Level == aggregate.ByWorkload && g.Workload == nil {
		title += "; one policy for all of them, because of several admission could choose the wrong one for a pod-level seccomp profile"
	}
	list := []generate.Object{{Value: policy, Title: title, Reasons: d.reasons}}
	for _, grant := range grants(g, name) {
		list = append(list, generate.Object{Value: grant})
	}
	return list
}

func (d *draft) annotate(key, value string) {
	if d.annotations == nil {
		d.annotations = map[string]string{}
	}
	d.annotations[key] = value
}

// is returns the predicate "equals v".
func is[T profile.Value[T]](v T) func(T) bool {
	return func(o T) bool { return o.Compare(v) == 0 }
}

// because adds a reason at path: lead, followed by the workloads and containers of
// uses. Without uses it adds nothing.
func (d *draft) because(path, lead string, uses []profile.Use) {
	if d.reasons != nil && len(uses) > 0 {
		d.note(path, lead+" "+generate.Who(d.group, uses))
	}
}

// usedBy adds a reason at path: the workloads and containers of uses.
func (d *draft) usedBy(path string, uses []profile.Use) { d.because(path, "used by", uses) }

// note adds a line at path.
func (d *draft) note(path, line string) {
	if d.reasons != nil {
		d.reasons[path] = append(d.reasons[path], line)
	}
}
