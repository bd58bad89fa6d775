package manifest

import (
	"fmt"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkPodSecurity is ValidatePodSecurityContext, with validateSysctls.
func checkPodSecurity(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	sc := pod.Spec.SecurityContext
	if sc == nil {
		return nil
	}
	path = path.Child("spec", "securityContext")
	errs = append(errs, checkID(path.Child("fsGroup"), sc.FSGroup, validation.IsValidGroupID)...)
	errs = append(errs, checkID(path.Child("runAsUser"), sc.RunAsUser, validation.IsValidUserID)...)
	errs = append(errs, checkID(path.Child("runAsGroup"), sc.RunAsGroup, validation.IsValidGroupID)...)
	for i, id := range sc.SupplementalGroups {
		errs = append(errs, checkID(path.Child("supplementalGroups").Index(i), &id, validation.IsValidGroupID)...)
	}
	for i, s := range sc.Sysctls {
		path := path.Child("sysctls").Index(i).Child("name")
		switch {
		case s.Name == "":
			errs = append(errs, field.Required(path, ""))
		case len(s.Name) > maxSysctl || !sysctl.MatchString(s.Name):
			errs = append(errs, field.Invalid(path, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", maxSysctl, sysctlFormat)))
		}
	}
	return append(errs, checkSeccomp(sc.SeccompProfile, path.Child("seccompProfile"))...)
}

// What IsValidSysctlName accepts, where a name is new. Later versions accept slashes as
// well, which no PodSecurityPolicy can name.
const (
	maxSysctl    = 253
	sysctlFormat = `([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-_a-z0-9]*[a-z0-9])?`
)

var sysctl = regexp.MustCompile("^" + sysctlFormat + "$")

// checkContainers is ValidateSecurityContext and validateContainerPorts.
func checkContainers(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	eachContainer(pod, path, func(c *corev1.Container, path *field.Path) {
		for i, p := range c.Ports {
			path := path.Child("ports").Index(i)
			if p.ContainerPort == 0 {
				errs = append(errs, field.Required(path.Child("containerPort"), ""))
			} else {
				errs = append(errs, invalid(path.Child("containerPort"), p.ContainerPort, validation.IsValidPortNum(int(p.ContainerPort)))...)
			}
			if p.HostPort != 0 {
				errs = append(errs, invalid(path.Child("hostPort"), p.HostPort, validation.IsValidPortNum(int(p.HostPort)))...)
			}
		}
		if c.SecurityContext != nil {
			errs = append(errs, checkSecurity(c.SecurityContext, path.Child("securityContext"))...)
		}
	})
	return errs
}

func checkSecurity(sc *corev1.SecurityContext, path *field.Path) (errs field.ErrorList) {
	errs = append(errs, checkID(path.Child("runAsUser"), sc.RunAsUser, validation.IsValidUserID)...)
	errs = append(errs, checkID(path.Child("runAsGroup"), sc.RunAsGroup, validation.IsValidGroupID)...)
	known := []corev1.ProcMountType{corev1.DefaultProcMount, corev1.UnmaskedProcMount}
	if p := sc.ProcMount; p != nil && !slices.Contains(known, *p) {
		errs = append(errs, field.NotSupported(path.Child("procMount"), *p, known))
	}
	errs = append(errs, checkSeccomp(sc.SeccompProfile, path.Child("seccompProfile"))...)
	if sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation {
		return errs
	}
	if sc.Privileged != nil && *sc.Privileged {
		errs = append(errs, field.Forbidden(path, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
	}
	if sc.Capabilities != nil && slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN") {
		errs = append(errs, field.Forbidden(path, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
	}
	return errs
}

// checkHostNetwork is validateHostNetwork. A port that is not set gets a value
// before.
func checkHostNetwork(pod *corev1.PodTemplateSpec, path *field.Path) (errs field.ErrorList) {
	if !pod.Spec.HostNetwork {
		return nil
	}
	for i, c := range pod.Spec.Containers {
		for j, p := range c.Ports {
			if p.HostPort != 0 && p.HostPort != p.ContainerPort {
				path := path.Child("spec", "containers").Index(i).Child("ports").Index(j).Child("containerPort")
				errs = append(errs, field.Invalid(path, p.ContainerPort, "must match `hostPort` when `hostNetwork` is true"))
			}
		}
	}
	return errs
}
