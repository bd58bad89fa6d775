package psp

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Restricted fields:

	metadata.annotations["container.apparmor.security.beta.kubernetes.io/*"]

Allowed values: the profiles in use if every container sets one, otherwise any: no
annotation. A list denies a container without a profile, and has no wildcard
(pkg/security/podsecuritypolicy/apparmor/strategy.go).

There is never a default profile: it would break nodes without AppArmor.
*/

// appArmorAllowedAnnotation is the list of AppArmor profiles that a policy allows.
const appArmorAllowedAnnotation = "apparmor.security.beta.kubernetes.io/allowedProfileNames"

func (d *draft) appArmor() {
	used := d.profile.AppArmor
	if !used.All(func(n profile.Name) bool { return validAppArmor(string(n)) }) {
		return
	}
	var names []string
	for _, it := range used.Items() {
		names = append(names, string(it.Value))
		d.because("metadata.annotations."+appArmorAllowedAnnotation, generate.Short(string(it.Value))+": used by", it.Uses)
	}
	d.annotate(appArmorAllowedAnnotation, strings.Join(names, ","))
}

// validAppArmor reports whether the list can contain the profile
// (pkg/apis/core/validation/validation.go, ValidateAppArmorProfileFormat).
func validAppArmor(n string) bool {
	switch {
	case strings.Contains(n, ","):
		return false
	case n == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault, n == corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return true
	default:
		return strings.HasPrefix(n, corev1.DeprecatedAppArmorBetaProfileNamePrefix)
	}
}
