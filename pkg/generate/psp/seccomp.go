package psp

import (
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Restricted fields:

	spec.containers[*].securityContext.seccompProfile
	spec.securityContext.seccompProfile
	metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"]
	metadata.annotations["container.seccomp.security.alpha.kubernetes.io/*"]

Allowed values: unset if nothing sets a profile; the profiles in use if every pod sets
one at pod level and for every container; otherwise any.

Without the annotation a pod must not set a profile, not even unconfined. With a list,
the profile of the pod and that of each container must be in it
(pkg/security/podsecuritypolicy/seccomp/strategy.go, ValidatePod and
ValidateContainer), so a pod that sets only some of them needs the wildcard.
docker/default and runtime/default allow each other.
*/

// seccompAllowedAnnotation is the list of seccomp profiles that a policy allows.
const seccompAllowedAnnotation = "seccomp.security.alpha.kubernetes.io/allowedProfileNames"

// shares reports whether a pod of the member has a pod-level seccompProfile field. For
// such a pod admission considers every policy as mutating, because it writes the field
// as an annotation (provider.go, MutatePod). So it uses the alphabetically first policy
// that admits the pod, even one that changes it, and the account must not have two
// policies. A pod that has only the annotation is not affected.
func shares(m aggregate.Member) bool {
	return m.Profile.SeccompField.Any(func(s profile.Seccomp) bool { return s.Pod != "" })
}

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
			d.because(path, generate.Short(n)+": used by", profile.Uses(uses[n]...))
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
	d.because(path, "missing at pod level or in a container:", profile.Uses(uses[""]...))
	d.because(path, "set to a profile that cannot be listed:", profile.Uses(unlisted...))
}

// seccompNames returns the profiles of a pod and of its containers, with
// docker/default as runtime/default; the empty name means unset.
func seccompNames(s profile.Seccomp) []string {
	names := append([]string{string(s.Pod)}, s.Containers...)
	for i, n := range names {
		if n == corev1.DeprecatedSeccompProfileDockerDefault {
			names[i] = corev1.SeccompProfileRuntimeDefault
		}
	}
	return names
}

// validSeccomp reports whether the list can contain the profile, one of seccompNames:
// it is set, the API accepts it (pkg/apis/core/validation/validation.go,
// ValidateSeccompProfile), and it has no comma, which separates the list.
func validSeccomp(n string) bool {
	switch {
	case strings.Contains(n, ","):
		return false
	case n == corev1.SeccompProfileNameUnconfined, n == corev1.SeccompProfileRuntimeDefault:
		return true
	default:
		file, ok := strings.CutPrefix(n, corev1.SeccompLocalhostProfileNamePrefix)
		return ok && !strings.HasPrefix(file, "/") && !slices.Contains(strings.Split(file, "/"), "..")
	}
}
