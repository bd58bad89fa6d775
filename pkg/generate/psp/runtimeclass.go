package psp

import "github.com/psp-advisor/psp-advisor/pkg/generate"

/*
Restricted fields:

	spec.runtimeClassName

Allowed values: the classes in use; unset is always allowed (provider.go,
validateRuntimeClassName).

If there are none, the list is empty, not absent: without it every class is allowed.
*/

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
