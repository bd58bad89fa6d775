package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// seccompAllowedAnnotation lists the seccomp profiles that a policy allows.
const seccompAllowedAnnotation = "seccomp.security.alpha.kubernetes.io/allowedProfileNames"

// Shares reports whether the workloads of the member's account need one policy
// together: a pod of it sets a seccomp profile for the whole pod. Such a pod makes
// every policy count as mutating (1.24 writes the annotation during admission,
// pkg/security/podsecuritypolicy/provider.go, MutatePod), so that the
// alphabetically first policy that admits it wins, even one that really changes
// it.
func Shares(m aggregate.Member) bool {
	return m.Profile.Seccomp.Any(func(s profile.Seccomp) bool { return s.Pod != "" })
}

// seccomp: without the annotation a pod may set no profile at all, not even
// unconfined. With a list, the pod's own profile and each container's must stand
// in it, so a pod that sets some of them only fits the wildcard
// (pkg/security/podsecuritypolicy/seccomp/strategy.go, ValidatePod and
// ValidateContainer). docker/default and runtime/default allow each other.
func (d *draft) seccomp() {
	var profiles []string
	partly := false
	for _, s := range d.profile.Seccomp.Values() {
		for _, n := range seccompNames(s) {
			partly = partly || !validSeccomp(n)
			profiles = append(profiles, n)
		}
	}
	slices.Sort(profiles)
	profiles = slices.Compact(profiles)
	if len(profiles) == 0 || slices.Equal(profiles, []string{""}) {
		return
	}
	set := func(p *profile.Profile) profile.Set[profile.Seccomp] { return p.Seccomp }
	if partly {
		d.annotations[seccompAllowedAnnotation] = wildcard
		because(d, seccompAllowedAnnotation, "not set for the whole pod and every container:", set, func(s profile.Seccomp) bool {
			return slices.Contains(seccompNames(s), "")
		})
		because(d, seccompAllowedAnnotation, "set to what a list cannot name:", set, func(s profile.Seccomp) bool {
			return slices.ContainsFunc(seccompNames(s), func(n string) bool { return n != "" && !validSeccomp(n) })
		})
		return
	}
	d.annotations[seccompAllowedAnnotation] = strings.Join(profiles, ",")
	for _, n := range profiles {
		because(d, seccompAllowedAnnotation, usedBy(n), set, func(s profile.Seccomp) bool {
			return slices.Contains(seccompNames(s), n)
		})
	}
}

// seccompNames returns the profiles of a pod, at both levels, by their present
// names; the empty one means unset.
func seccompNames(s profile.Seccomp) []string {
	names := append([]string{string(s.Pod)}, s.Containers...)
	for i, n := range names {
		if n == corev1.DeprecatedSeccompProfileDockerDefault {
			names[i] = corev1.SeccompProfileRuntimeDefault
		}
	}
	return names
}

// validSeccomp reports whether a list may name the profile, one of seccompNames:
// it is set, the API accepts it (pkg/apis/core/validation/validation.go,
// ValidateSeccompProfile) and it does not hold the comma that separates the list.
func validSeccomp(n string) bool {
	switch {
	case strings.Contains(n, ","):
		return false
	case n == corev1.SeccompProfileNameUnconfined, n == corev1.SeccompProfileRuntimeDefault:
		return true
	default:
		return strings.HasPrefix(n, corev1.SeccompLocalhostProfileNamePrefix)
	}
}
