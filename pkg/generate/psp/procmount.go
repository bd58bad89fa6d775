package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// procMount: the types used. The absent list means Default only, and a list
// without Default denies it (provider.go, validateContainer).
func (d *draft) procMount() {
	used := d.profile.ProcMount
	if !used.Any(func(n profile.Name) bool { return n != profile.Name(corev1.DefaultProcMount) }) {
		return
	}
	for _, n := range used.Values() {
		d.spec.AllowedProcMountTypes = append(d.spec.AllowedProcMountTypes, corev1.ProcMountType(n))
		because(d, "allowedProcMountTypes", usedBy(string(n)),
			func(p *profile.Profile) profile.Set[profile.Name] { return p.ProcMount }, is(n))
	}
}
