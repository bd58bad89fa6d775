package profile

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
)

/*
Observed fields:

	spec.containers[*].securityContext.seccompProfile
	spec.securityContext.seccompProfile
	metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"]
	metadata.annotations["container.seccomp.security.alpha.kubernetes.io/*"]

Values: a Seccomp per pod. That of the attribute Seccomp has the effective profiles
in the spelling of the annotations: runtime/default, unconfined, localhost/PATH.
That of SeccompField has the fields only: RuntimeDefault, Unconfined,
Localhost/PATH.
*/

// Seccomp has the profiles of a pod and of its containers. They are one value,
// because admission checks the pod's own profile as well as each container's
// (pkg/security/podsecuritypolicy/seccomp/strategy.go).
type Seccomp struct {
	Pod Name `json:"pod"`
	// Containers are the distinct effective profiles of the containers.
	Containers Names `json:"containers"`
}

// seccompOf returns the effective profiles. For the pod the annotation precedes the
// field, for a container the field precedes the annotation: the order of ValidatePod
// and profileForContainer in pkg/security/podsecuritypolicy/seccomp/strategy.go.
func seccompOf(pod *corev1.Pod, containers []container) Seccomp {
	s := Seccomp{Pod: Name(pod.Annotations[corev1.SeccompPodAnnotationKey])}
	if sc := pod.Spec.SecurityContext; s.Pod == "" && sc != nil {
		s.Pod = seccompAnnotation(sc.SeccompProfile)
	}
	var used []Name
	for _, c := range containers {
		used = append(used, c.seccomp())
	}
	s.Containers = namesOf(used)
	return s
}

// seccompFieldOf returns what the fields set, without the annotations.
func seccompFieldOf(podSC *corev1.PodSecurityContext, containers []container) Seccomp {
	s := Seccomp{Pod: seccompOwn(podSC.SeccompProfile)}
	var used []Name
	for _, c := range containers {
		used = append(used, seccompOwn(either(c.sc.SeccompProfile, podSC.SeccompProfile)))
	}
	s.Containers = namesOf(used)
	return s
}

func seccompOwn(f *corev1.SeccompProfile) Name {
	if f == nil {
		return ""
	}
	return fieldOf(f.Type, f.LocalhostProfile)
}

// fieldOf returns a profile field as one name: its type, followed by a slash and the
// path of a local profile.
func fieldOf[T ~string](profileType T, path *string) Name {
	if path == nil {
		return Name(profileType)
	}
	return Name(profileType) + "/" + Name(*path)
}

func (c container) seccomp() Name {
	if f := c.sc.SeccompProfile; f != nil {
		return seccompAnnotation(f)
	}
	if a, ok := c.pod.Annotations[corev1.SeccompContainerAnnotationKeyPrefix+c.Name]; ok {
		return Name(a)
	}
	if f := c.podSC.SeccompProfile; f != nil {
		return seccompAnnotation(f)
	}
	return Name(c.pod.Annotations[corev1.SeccompPodAnnotationKey])
}

// seccompAnnotation returns a field in the spelling of the annotations
// (pkg/api/pod/util.go, SeccompAnnotationForField).
func seccompAnnotation(f *corev1.SeccompProfile) Name {
	if f == nil {
		return ""
	}
	switch f.Type {
	case corev1.SeccompProfileTypeUnconfined:
		return Name(corev1.SeccompProfileNameUnconfined)
	case corev1.SeccompProfileTypeRuntimeDefault:
		return Name(corev1.SeccompProfileRuntimeDefault)
	case corev1.SeccompProfileTypeLocalhost:
		if f.LocalhostProfile != nil {
			return Name(corev1.SeccompLocalhostProfileNamePrefix + *f.LocalhostProfile)
		}
	}
	return ""
}

// Compare orders by the pod's profile, then by the containers'.
func (s Seccomp) Compare(o Seccomp) int {
	return cmp.Or(s.Pod.Compare(o.Pod), s.Containers.Compare(o.Containers))
}

// Append appends the text of the profiles.
func (s Seccomp) Append(b []byte) []byte {
	b = s.Pod.Append(append(b, "pod "...))
	return s.Containers.Append(append(b, "; containers "...))
}

func (s Seccomp) String() string { return string(s.Append(nil)) }
