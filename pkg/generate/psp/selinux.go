package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// seLinux: MustRunAs when every pod sets the same options for the whole pod and
// no container differs; a pod without options of its own would be changed even
// where all its containers have some (provider.go, MutatePod). Else RunAsAny.
// MustRunAs always carries options: without them the API accepts the policy and
// admission ignores it (pkg/security/podsecuritypolicy/selinux/mustrunas.go).
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
	d.because("spec.seLinux", "options of their own:", d.profile.SELinux.Uses(func(s profile.SELinux) bool {
		return s.Pod.Set || !allSame(s, s.Pod)
	}))
}

func allSame(s profile.SELinux, want profile.SELinuxOptions) bool {
	return sameOptions(s.Pod, want) &&
		!slices.ContainsFunc(s.Containers, func(c profile.SELinuxOptions) bool { return !sameOptions(c, want) })
}

// sameOptions compares as mustrunas.go does: the categories of a level may
// stand in any order, and ranges of them are not expanded.
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
