package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Restricted fields:

	spec.containers[*].securityContext.capabilities.add
	spec.containers[*].securityContext.capabilities.drop

Allowed values: add, every capability that a container adds; drop, required for
every capability that all containers drop. defaultAddCapabilities is never set.

Admission compares literally, so the spelling of the pods is kept
(pkg/security/podsecuritypolicy/capabilities/capabilities.go). The API rejects a
capability in both lists, and any required drop together with the wildcard
(pkg/apis/policy/validation/validation.go).
*/

// A container drops every capability with all; a policy allows every capability with
// wildcard.
const (
	all      = "ALL"
	wildcard = "*"
)

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
		// It includes the others.
		d.spec.RequiredDropCapabilities = []corev1.Capability{all}
	}
}

// commonDrops returns the capabilities that every container drops.
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
