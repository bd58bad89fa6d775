package psp

import "github.com/psp-advisor/psp-advisor/pkg/generate"

// runtimeClass: the classes used, an empty list when none is; without the field
// any class would do. A pod that names none is always admitted (provider.go,
// validateRuntimeClassName).
func (d *draft) runtimeClass() {
	names := []string{}
	for _, it := range d.profile.RuntimeClass.Items() {
		if it.Value == "" {
			continue
		}
		d.usedBy(generate.Item("spec.runtimeClass.allowedRuntimeClassNames", len(names)), it.Uses)
		names = append(names, string(it.Value))
	}
	d.spec.RuntimeClass = runtimeClassRule{AllowedRuntimeClassNames: names}
}
