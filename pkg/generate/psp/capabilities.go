package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// all is the literal with which a container drops every capability, wildcard the
// one with which a policy allows every capability.
const (
	all      = "ALL"
	wildcard = "*"
)

// capabilities: the union of what containers add is allowed, what all of them
// drop must be dropped, and nothing is ever added by default. Admission compares
// literally, so the pods' spelling is kept
// (pkg/security/podsecuritypolicy/capabilities/capabilities.go). The API refuses
// a capability in both lists, and any required drop beside the wildcard
// (pkg/apis/policy/validation/validation.go).
func (d *draft) capabilities() {
	added := d.profile.AddedCapabilities
	const path = "spec.allowedCapabilities"
	if added.Has(wildcard) {
		d.spec.AllowedCapabilities = []corev1.Capability{wildcard}
		d.usedBy(generate.Item(path, 0), added.Uses(is[profile.Name](wildcard)))
		return
	}
	for i, it := range added.Items() {
		d.spec.AllowedCapabilities = append(d.spec.AllowedCapabilities, corev1.Capability(it.Value))
		d.usedBy(generate.Item(path, i), it.Uses)
	}
	for _, c := range commonDrops(d.profile.DroppedCapabilities) {
		if !added.Has(profile.Name(c)) {
			d.spec.RequiredDropCapabilities = append(d.spec.RequiredDropCapabilities, corev1.Capability(c))
		}
	}
	if slices.Contains(d.spec.RequiredDropCapabilities, all) {
		// Whatever else they drop is dropped already.
		d.spec.RequiredDropCapabilities = []corev1.Capability{all}
	}
}

// commonDrops returns what every container drops.
func commonDrops(lists profile.Set[profile.Names]) []string {
	var common []string
	for i, list := range lists.Values() {
		if i == 0 {
			common = slices.Clone(list)
		}
		common = slices.DeleteFunc(common, func(c string) bool { return !slices.Contains(list, c) })
	}
	return common
}
