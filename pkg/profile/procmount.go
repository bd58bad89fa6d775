package profile

import corev1 "k8s.io/api/core/v1"

/*
Observed fields:

	spec.containers[*].securityContext.procMount

Values: Default, also if unset (pkg/securitycontext/accessors.go, ProcMount), or
Unmasked.
*/

func (c container) procMount() Name {
	if c.sc.ProcMount == nil {
		return Name(corev1.DefaultProcMount)
	}
	return Name(*c.sc.ProcMount)
}
