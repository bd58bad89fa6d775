package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Compared fields:

	spec.allowedProcMountTypes
	spec.runtimeClass

Admitted values: the types, or Default without a list; the classes, any without a rule,
and always unset, which becomes the default class of the policy (provider.go,
validateContainer, validateRuntimeClassName, MutatePod).
*/

func (s *writtenSpec) procMountTypes() []corev1.ProcMountType {
	if len(s.AllowedProcMountTypes) == 0 {
		return []corev1.ProcMountType{corev1.DefaultProcMount}
	}
	return s.AllowedProcMountTypes
}

func (c *comparison) admitProcMount() {
	exceedsEach(c, "spec.allowedProcMountTypes", c.profile.ProcMount, func(n profile.Name) string { return quote(n) }, func(n profile.Name) bool {
		return slices.Contains(c.policy.Spec.procMountTypes(), corev1.ProcMountType(n))
	})
}

func (c *comparison) admitRuntimeClass() {
	const field = "spec.runtimeClass"
	rule := c.policy.Spec.RuntimeClass
	if rule == nil {
		return
	}
	exceedsEach(c, field+".allowedRuntimeClassNames", c.profile.RuntimeClass, func(n profile.Name) string { return quote(n) }, func(n profile.Name) bool {
		return n == "" || slices.Contains(rule.AllowedRuntimeClassNames, string(n)) || slices.Contains(rule.AllowedRuntimeClassNames, wildcard)
	})
	if rule.DefaultRuntimeClassName != nil {
		c.changes(field+".defaultRuntimeClassName", "sets "+quote(*rule.DefaultRuntimeClassName), c.profile.RuntimeClass.Uses(is[profile.Name]("")))
	}
}

func (c *comparison) checkClasses() {
	for _, p := range unique(c.policy.Spec.AllowedProcMountTypes) {
		if p != corev1.DefaultProcMount && p != corev1.UnmaskedProcMount {
			c.fault("spec.allowedProcMountTypes", quote(p)+" is no type: want Default, Unmasked")
		}
	}
	rule := c.policy.Spec.RuntimeClass
	if rule == nil {
		return
	}
	names := rule.AllowedRuntimeClassNames
	if len(unique(names)) < len(names) {
		c.fault("spec.runtimeClass.allowedRuntimeClassNames", "a name is there twice")
	}
	if len(names) > 1 && slices.Contains(names, wildcard) {
		c.fault("spec.runtimeClass.allowedRuntimeClassNames", "'*' must be the only item")
	}
	if d := rule.DefaultRuntimeClassName; d != nil && !slices.Contains(names, *d) && !slices.Contains(names, wildcard) {
		c.fault("spec.runtimeClass.defaultRuntimeClassName", quote(*d)+" must be allowed, too")
	}
}

func (c *comparison) tightenProcMount() {
	needed := c.need.profile.ProcMount
	for _, p := range unique(c.policy.Spec.procMountTypes()) {
		if !needed.Has(profile.Name(p)) {
			c.unneeded("spec.allowedProcMountTypes", string(p))
		}
	}
}

func (c *comparison) tightenRuntimeClass() {
	const field = "spec.runtimeClass.allowedRuntimeClassNames"
	rule, needed := c.policy.Spec.RuntimeClass, c.need.spec.RuntimeClass.AllowedRuntimeClassNames
	if rule == nil || slices.Contains(rule.AllowedRuntimeClassNames, wildcard) {
		only := "no class"
		if len(needed) > 0 {
			only = "only " + enough(needed)
		}
		c.tighter(field, "every class is allowed, "+only+" is needed")
		return
	}
	for _, name := range rule.AllowedRuntimeClassNames {
		byDefault := rule.DefaultRuntimeClassName != nil && *rule.DefaultRuntimeClassName == name && c.need.profile.RuntimeClass.Has("")
		if !slices.Contains(needed, name) && !byDefault {
			c.unneeded(field, name)
		}
	}
}
