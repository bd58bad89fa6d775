package psp

import (
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// seccompAllowedAnnotation lists the seccomp profiles that a policy allows.
const seccompAllowedAnnotation = "seccomp.security.alpha.kubernetes.io/allowedProfileNames"

// shares is true of a member with a seccompProfile field for a whole pod. Such a pod
// makes every policy count as mutating (1.24 writes the field as an annotation
// during admission, pkg/security/podsecuritypolicy/provider.go, MutatePod), so
// that the alphabetically first policy that admits it wins, even one that really
// changes it. An account must not have two to choose from. With the annotation there
// already, nothing is written.
func shares(m aggregate.Member) bool {
	return m.Profile.SeccompField.Any(func(s profile.Seccomp) bool { return s.Pod != "" })
}

// seccomp: without the annotation a pod may set no profile at all, not even
// unconfined. With a list, the pod's own profile and each container's must stand
// in it, so a pod that sets some of them only fits the wildcard
// (pkg/security/podsecuritypolicy/seccomp/strategy.go, ValidatePod and
// ValidateContainer). docker/default and runtime/default allow each other.
func (d *draft) seccomp() {
	const path = "metadata.annotations." + seccompAllowedAnnotation
	uses := map[string][][]profile.Use{}
	for _, it := range d.profile.Seccomp.Items() {
		for _, n := range seccompNames(it.Value) {
			uses[n] = append(uses[n], it.Uses)
		}
	}
	names := slices.Sorted(maps.Keys(uses))
	if len(names) == 0 || slices.Equal(names, []string{""}) {
		return
	}
	if !slices.ContainsFunc(names, func(n string) bool { return !validSeccomp(n) }) {
		d.annotate(seccompAllowedAnnotation, strings.Join(names, ","))
		for _, n := range names {
			d.because(path, printable.Short(n, maxName)+": used by", profile.Uses(uses[n]...))
		}
		return
	}
	d.annotate(seccompAllowedAnnotation, wildcard)
	var unlisted [][]profile.Use
	for _, n := range names {
		if n != "" && !validSeccomp(n) {
			unlisted = append(unlisted, uses[n]...)
		}
	}
	d.because(path, "not set for the whole pod and every container:", profile.Uses(uses[""]...))
	d.because(path, "set to what a list cannot name:", profile.Uses(unlisted...))
}

// maxName bounds a profile's name in a comment.
const maxName = 120

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
