package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Restricted fields:

	spec.containers[*].securityContext.seLinuxOptions
	spec.securityContext.seLinuxOptions

Allowed values: the options in use if every pod sets the same ones at pod level and no
container differs, otherwise any.

MustRunAs would change a pod without pod-level options, even if all its containers set
them (provider.go, MutatePod). MustRunAs always has options: without them the API
accepts the policy and admission ignores it
(pkg/security/podsecuritypolicy/selinux/mustrunas.go).
*/

func (d *draft) seLinux() {
	used := d.profile.SELinux.Values()
	if len(used) > 0 {
		want := used[0].Pod
		if want.Set && d.profile.SELinux.All(func(s profile.SELinux) bool { return allSame(s, want) }) {
			d.spec.SELinux = seLinuxRule{
				Rule:           mustRunAs,
				SELinuxOptions: &corev1.SELinuxOptions{User: want.User, Role: want.Role, Type: want.Type, Level: want.Level},
			}
			return
		}
	}
	d.spec.SELinux.Rule = runAsAny
	d.because("spec.seLinux", "options set by", d.profile.SELinux.Uses(func(s profile.SELinux) bool {
		return s.Pod.Set || !allSame(s, s.Pod)
	}))
}

func allSame(s profile.SELinux, want profile.SELinuxOptions) bool {
	return sameOptions(s.Pod, want) &&
		!slices.ContainsFunc(s.Containers, func(c profile.SELinuxOptions) bool { return !sameOptions(c, want) })
}

// sameOptions compares as mustrunas.go does: the categories of a level can be in any
// order, and ranges of categories are not expanded.
func sameOptions(a, b profile.SELinuxOptions) bool {
	sameLevel := a.Level == b.Level || sameCategories(a.Level, b.Level)
	a.Level, b.Level = "", ""
	return a == b && sameLevel
}

func sameCategories(a, b string) bool {
	sensitivityA, categoriesA, okA := strings.Cut(a, ":")
	sensitivityB, categoriesB, okB := strings.Cut(b, ":")
	return okA && okB && sensitivityA == sensitivityB && slices.Equal(sortedSplit(categoriesA), sortedSplit(categoriesB))
}

func sortedSplit(list string) []string {
	parts := strings.Split(list, ",")
	slices.Sort(parts)
	return parts
}
