package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Compared fields:

	spec.allowedCapabilities
	spec.defaultAddCapabilities
	spec.requiredDropCapabilities

Admitted values: added capabilities that are allowed, or added by default. The policy
adds its default to each container that does not drop it, and what must be dropped to
the drops of each (pkg/security/podsecuritypolicy/capabilities/capabilities.go).
*/

func (c *comparison) admitCapabilities() {
	spec := &c.policy.Spec
	if !slices.Contains(spec.AllowedCapabilities, wildcard) {
		exceedsEach(c, "spec.allowedCapabilities", c.profile.AddedCapabilities, func(n profile.Name) string { return generate.Short(string(n)) }, func(n profile.Name) bool {
			return slices.Contains(spec.AllowedCapabilities, corev1.Capability(n)) || slices.Contains(spec.DefaultAddCapabilities, corev1.Capability(n))
		})
	}
	for _, added := range unique(spec.DefaultAddCapabilities) {
		c.changes("spec.defaultAddCapabilities", "adds "+quote(added), c.addedByDefault(added))
	}
	for _, required := range unique(spec.RequiredDropCapabilities) {
		c.changes("spec.requiredDropCapabilities", "drops "+quote(required), c.keeping(required))
	}
}

// addedByDefault returns the containers to which the policy adds a capability.
func (c *comparison) addedByDefault(added corev1.Capability) []profile.Use {
	if !slices.Contains(c.policy.Spec.DefaultAddCapabilities, added) {
		return nil
	}
	return without(c.keeping(added), c.profile.AddedCapabilities.Uses(is(profile.Name(added))))
}

// keeping returns the containers that do not drop a capability, in that spelling.
func (c *comparison) keeping(capability corev1.Capability) []profile.Use {
	return c.profile.DroppedCapabilities.Uses(func(drops profile.Names) bool { return !slices.Contains(drops, string(capability)) })
}

func (c *comparison) checkCapabilities() {
	spec := &c.policy.Spec
	if len(spec.RequiredDropCapabilities) > 0 && slices.Contains(spec.AllowedCapabilities, wildcard) {
		c.fault("spec.requiredDropCapabilities", "must be empty when '*' is allowed")
	}
	for _, required := range unique(spec.RequiredDropCapabilities) {
		if slices.Contains(spec.AllowedCapabilities, required) || slices.Contains(spec.DefaultAddCapabilities, required) {
			c.fault("spec.requiredDropCapabilities", quote(required)+" is allowed or added by default, too")
		}
	}
}

func (c *comparison) tightenCapabilities() {
	spec, need := &c.policy.Spec, &c.need.spec
	for _, f := range []struct {
		field string
		list  []corev1.Capability
	}{{"spec.allowedCapabilities", spec.AllowedCapabilities}, {"spec.defaultAddCapabilities", spec.DefaultAddCapabilities}} {
		for _, written := range unique(f.list) {
			switch {
			case slices.Contains(need.AllowedCapabilities, written):
			case written == wildcard && len(need.AllowedCapabilities) > 0:
				c.tighter(f.field, "'*' is written, only "+enough(need.AllowedCapabilities)+" is needed")
			default:
				c.unneeded(f.field, string(written))
			}
		}
	}
	for _, dropped := range need.RequiredDropCapabilities {
		if !slices.Contains(spec.RequiredDropCapabilities, dropped) && !slices.Contains(spec.RequiredDropCapabilities, all) {
			c.tighter("spec.requiredDropCapabilities", quote(dropped)+" is not required, every container drops it")
		}
	}
}

// unique returns the items of a list in order, each once.
func unique[S ~string](list []S) []S {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// maxEnough is how many needed items one line lists.
const maxEnough = 8

// enough names the items that are needed.
func enough[S ~string](items []S) string {
	var names []string
	for _, item := range items[:min(len(items), maxEnough)] {
		names = append(names, quote(item))
	}
	if len(items) > len(names) {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
