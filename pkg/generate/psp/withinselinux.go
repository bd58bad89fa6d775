package psp

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Compared fields:

	spec.seLinux

Admitted values: with MustRunAs the options of the policy, which it sets for a pod
without options of its own; so it does if all containers have options (provider.go,
MutatePod; pkg/security/podsecuritypolicy/selinux/mustrunas.go).
*/

func (c *comparison) admitSELinux() {
	const field = "spec.seLinux"
	rule := c.policy.Spec.SELinux
	if rule.Rule != mustRunAs || rule.SELinuxOptions == nil {
		return
	}
	want := seLinuxOptions(rule.SELinuxOptions)
	differs := func(o profile.SELinuxOptions) bool { return o.Set && !sameOptions(o, want) }
	for _, it := range c.profile.SELinux.Items() {
		all := append([]profile.SELinuxOptions{it.Value.Pod}, it.Value.Containers...)
		if i := slices.IndexFunc(all, differs); i >= 0 {
			c.exceeds(field+".seLinuxOptions", quote(all[i].String()), it.Uses)
		}
	}
	c.changes(field, "sets "+quote(want.String()), c.profile.SELinux.Uses(func(s profile.SELinux) bool { return !s.Pod.Set }))
}

func seLinuxOptions(o *corev1.SELinuxOptions) profile.SELinuxOptions {
	return profile.SELinuxOptions{Set: true, User: o.User, Role: o.Role, Type: o.Type, Level: o.Level}
}

func (c *comparison) checkSELinux() {
	switch rule := c.policy.Spec.SELinux; {
	case rule.Rule != mustRunAs && rule.Rule != runAsAny:
		c.fault("spec.seLinux.rule", quote(rule.Rule)+" is no rule: want MustRunAs, RunAsAny")
	case rule.Rule == mustRunAs && rule.SELinuxOptions == nil:
		c.fault("spec.seLinux.seLinuxOptions", "required with MustRunAs: admission ignores the policy")
	}
}

func (c *comparison) tightenSELinux() {
	if need := c.need.spec.SELinux; c.policy.Spec.SELinux.Rule == runAsAny && need.Rule == mustRunAs {
		c.tighter("spec.seLinux", "RunAsAny is written, MustRunAs "+quote(seLinuxOptions(need.SELinuxOptions).String())+" is enough")
	}
}
