// Package psp turns a group of pods into the tightest PodSecurityPolicy that
// admits all of them unchanged, and the RBAC that lets their service accounts
// use it.
//
// In goes an aggregate.Group, out come Kubernetes objects and, per field of the
// policy, the reasons for its value. Laws, checked with Kubernetes 1.24's own
// admission code:
//   - sound: every member of the group is admitted and not changed;
//   - minimal: no field can be tightened by one step and still be sound.
//
// Each file holds one field family and opens with its rule. "Unchanged" is
// strict: a policy never even fills in a default, since admission prefers
// policies that do not mutate and refuses updates of running pods under one
// that would (plugin/pkg/admission/security/podsecuritypolicy/admission.go,
// computeSecurityContext).
package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The label that every generated object carries, so that all of them can be
// selected and pruned.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "psp-advisor"
)

// Policy is the generated policy of one group.
type Policy struct {
	// Group is what the policy was made from.
	Group aggregate.Group
	// Object is the policy itself.
	Object *pspv1beta1.PodSecurityPolicy
	// Grants let the group's accounts use the policy: a Role and RoleBinding in
	// the group's namespace, or a ClusterRole and ClusterRoleBinding.
	Grants []any
	// Why has the reasons for a field's value, by the name of the spec field or
	// annotation: lines of text, safe to print in a YAML comment.
	Why map[string][]string
}

// Objects returns the policy and its grants in the order to apply them in.
func (p Policy) Objects() []any {
	return append([]any{p.Object}, p.Grants...)
}

// draft is a policy in the making.
type draft struct {
	group       aggregate.Group
	profile     *profile.Profile
	annotations map[string]string
	spec        pspv1beta1.PodSecurityPolicySpec
	why         map[string][]string
}

// Generate returns the policy of a group.
func Generate(g aggregate.Group) Policy {
	d := &draft{group: g, profile: g.Profile, annotations: map[string]string{}, why: map[string][]string{}}
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
	name := nameOf(g)
	object := &pspv1beta1.PodSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: pspv1beta1.APIVersion, Kind: pspv1beta1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels()},
		Spec:       d.spec,
	}
	if len(d.annotations) > 0 {
		object.Annotations = d.annotations
	}
	return Policy{Group: g, Object: object, Grants: grants(g, name), Why: d.why}
}

// All returns the policies of groups, in the order of the groups.
func All(groups []aggregate.Group) []Policy {
	policies := make([]Policy, len(groups))
	for i, g := range groups {
		policies[i] = Generate(g)
	}
	return policies
}

func labels() map[string]string { return map[string]string{ManagedByLabel: ManagedBy} }
