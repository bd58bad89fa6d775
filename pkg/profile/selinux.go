package profile

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Observed fields:

	spec.containers[*].securityContext.seLinuxOptions
	spec.securityContext.seLinuxOptions

Values: an SELinux per pod.
*/

// SELinuxOptions are the options of a pod or of a container.
type SELinuxOptions struct {
	Set                     bool
	User, Role, Type, Level string
}

// SELinux has the options of a pod and of its containers. They are one value,
// because admission checks the pod's own options as well as each container's
// (pkg/security/podsecuritypolicy/provider.go, ValidatePod).
type SELinux struct {
	Pod SELinuxOptions `json:"pod"`
	// Containers are the distinct effective options of the containers.
	Containers []SELinuxOptions `json:"containers"`
}

func seLinuxOf(podSC *corev1.PodSecurityContext, containers []container) SELinux {
	s := SELinux{Pod: seLinuxOptionsOf(podSC.SELinuxOptions)}
	for _, c := range containers {
		s.Containers = append(s.Containers, seLinuxOptionsOf(either(c.sc.SELinuxOptions, podSC.SELinuxOptions)))
	}
	slices.SortFunc(s.Containers, SELinuxOptions.Compare)
	s.Containers = slices.Compact(s.Containers)
	return s
}

func seLinuxOptionsOf(o *corev1.SELinuxOptions) SELinuxOptions {
	if o == nil {
		return SELinuxOptions{}
	}
	return SELinuxOptions{Set: true, User: o.User, Role: o.Role, Type: o.Type, Level: o.Level}
}

// Compare orders unset first, then by user, role, type and level.
func (s SELinuxOptions) Compare(o SELinuxOptions) int {
	return cmp.Or(
		presence(s.Set).Compare(presence(o.Set)),
		strings.Compare(s.User, o.User),
		strings.Compare(s.Role, o.Role),
		strings.Compare(s.Type, o.Type),
		strings.Compare(s.Level, o.Level),
	)
}

// Append appends the text of the options.
func (s SELinuxOptions) Append(b []byte) []byte {
	if !s.Set {
		return append(b, unset...)
	}
	b = append(b, '{')
	separator := ""
	for _, f := range [...]struct{ name, value string }{
		{"user ", s.User}, {"role ", s.Role}, {"type ", s.Type}, {"level ", s.Level},
	} {
		if f.value != "" {
			b = appendQuoted(append(append(b, separator...), f.name...), f.value)
			separator = " "
		}
	}
	return append(b, '}')
}

func (s SELinuxOptions) String() string { return string(s.Append(nil)) }

// Compare orders by the pod's options, then by the containers'.
func (s SELinux) Compare(o SELinux) int {
	return cmp.Or(s.Pod.Compare(o.Pod), slices.CompareFunc(s.Containers, o.Containers, SELinuxOptions.Compare))
}

// Append appends the text of the options.
func (s SELinux) Append(b []byte) []byte {
	b = append(s.Pod.Append(append(b, "pod "...)), ", containers"...)
	for _, c := range s.Containers {
		b = c.Append(append(b, ' '))
	}
	return b
}

func (s SELinux) String() string { return string(s.Append(nil)) }
