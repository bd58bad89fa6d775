package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Restricted fields:

	spec.containers[*].securityContext.procMount

Allowed values: the types in use. Without a list only Default is allowed, and a list
without Default denies it (provider.go, validateContainer).
*/

func (d *draft) procMount() {
	used := d.profile.ProcMount
	if !used.Any(func(n profile.Name) bool { return n != profile.Name(corev1.DefaultProcMount) }) {
		return
	}
	for i, it := range used.Items() {
		d.spec.AllowedProcMountTypes = append(d.spec.AllowedProcMountTypes, corev1.ProcMountType(it.Value))
		d.usedBy(generate.Item("spec.allowedProcMountTypes", i), it.Uses)
	}
}
