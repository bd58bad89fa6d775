package psp

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// appArmorAllowedAnnotation lists the AppArmor profiles that a policy allows.
const appArmorAllowedAnnotation = "apparmor.security.beta.kubernetes.io/allowedProfileNames"

// appArmor: the profiles used when every container sets one; else no
// annotation, which allows any, since a list denies a container without a
// profile (pkg/security/podsecuritypolicy/apparmor/strategy.go). There is no
// wildcard. A default is never given: it would break nodes without AppArmor.
func (d *draft) appArmor() {
	used := d.profile.AppArmor
	if !used.All(func(n profile.Name) bool { return validAppArmor(string(n)) }) {
		return
	}
	var names []string
	for _, n := range used.Values() {
		names = append(names, string(n))
		because(d, appArmorAllowedAnnotation, usedBy(string(n)),
			func(p *profile.Profile) profile.Set[profile.Name] { return p.AppArmor }, is(n))
	}
	d.annotations[appArmorAllowedAnnotation] = strings.Join(names, ",")
}

// validAppArmor reports whether a list may name the profile
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
