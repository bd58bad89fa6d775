package psp

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
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
	for _, it := range used.Items() {
		names = append(names, string(it.Value))
		d.because("metadata.annotations."+appArmorAllowedAnnotation, printable.Short(string(it.Value), maxName)+": used by", it.Uses)
	}
	d.annotate(appArmorAllowedAnnotation, strings.Join(names, ","))
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
