package profile

import corev1 "k8s.io/api/core/v1"

// procMount returns the container's proc mount type, Default when absent
// (pkg/securitycontext/accessors.go, ProcMount).
func (c container) procMount() Name {
	if c.sc.ProcMount == nil {
		return Name(corev1.DefaultProcMount)
	}
	return Name(*c.sc.ProcMount)
}
