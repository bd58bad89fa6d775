package psp

import (
	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// runtimeClass: the classes used, an empty list when none is; without the field
// any class would do. A pod that names none is always admitted (provider.go,
// validateRuntimeClassName).
func (d *draft) runtimeClass() {
	names := []string{}
	for _, n := range d.profile.RuntimeClass.Values() {
		if n == "" {
			continue
		}
		names = append(names, string(n))
		because(d, "runtimeClass", usedBy(string(n)),
			func(p *profile.Profile) profile.Set[profile.Name] { return p.RuntimeClass }, is(n))
	}
	d.spec.RuntimeClass = &pspv1beta1.RuntimeClassStrategyOptions{AllowedRuntimeClassNames: names}
}
