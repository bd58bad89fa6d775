package profile

import (
	"cmp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Where the values of other attributes stand in a manifest, so that somebody can change
them there.

Observed fields:

	spec.containers[*].image
	spec.containers[*].ports[*]
	spec.containers[*].volumeMounts[*]
	spec.containers[*].env[*].valueFrom.secretKeyRef
	spec.containers[*].envFrom[*].secretRef
	spec.volumes[*].{name,hostPath}
	spec.securityContext.sysctls[*]

Values: of ports, those with a host port; of mounts, those of hostPath volumes and those
with a mount propagation, a hostPath volume that nothing mounts, and a volume with the
token of the service account that the manifest has itself.
*/

// Kind is the kind of a container.
type Kind string

// The kinds of containers.
const (
	Regular        Kind = "regular"
	InitContainer  Kind = "init"
	DebugContainer Kind = "ephemeral"
)

// Container is what a container is, beside what it may do.
type Container struct {
	Kind  Kind   `json:"kind"`
	Image string `json:"image,omitempty"`
	// Template is true if the container is in the manifest of the workload. Others were
	// added to a running pod, by a webhook or by a person.
	Template bool `json:"template,omitempty"`
}

// Compare orders by kind, then image, those of templates last.
func (c Container) Compare(o Container) int {
	return cmp.Or(cmp.Compare(c.Kind, o.Kind), strings.Compare(c.Image, o.Image), presence(c.Template).Compare(presence(o.Template)))
}

// Append appends the text of the container.
func (c Container) Append(b []byte) []byte {
	b = append(append(b, c.Kind...), " image "...)
	b = appendQuoted(b, c.Image)
	if c.Template {
		b = append(b, " in the template"...)
	}
	return b
}

func (c Container) String() string { return string(c.Append(nil)) }

// Mount is a mount of a volume.
type Mount struct {
	Volume string `json:"volume"`
	// HostPath is the path of a hostPath volume; empty for one of another type.
	HostPath string `json:"hostPath,omitempty"`
	// MountPath is empty for a volume that nothing mounts, and for one with a token.
	MountPath   string `json:"mountPath,omitempty"`
	ReadOnly    bool   `json:"readOnly,omitempty"`
	Propagation string `json:"mountPropagation,omitempty"`
	// Template is true if the mount is in the manifest of the workload.
	Template bool `json:"template,omitempty"`
}

// Compare orders by volume and path.
func (m Mount) Compare(o Mount) int {
	return cmp.Or(
		strings.Compare(m.Volume, o.Volume), strings.Compare(m.HostPath, o.HostPath), strings.Compare(m.MountPath, o.MountPath),
		presence(m.ReadOnly).Compare(presence(o.ReadOnly)), strings.Compare(m.Propagation, o.Propagation),
		presence(m.Template).Compare(presence(o.Template)),
	)
}

// Append appends the text of the mount.
func (m Mount) Append(b []byte) []byte {
	b = appendQuoted(b, m.Volume)
	b = appendQuoted(append(b, " of "...), m.HostPath)
	b = appendQuoted(append(b, " at "...), m.MountPath)
	if m.ReadOnly {
		b = append(b, " read-only"...)
	}
	if m.Propagation != "" {
		b = appendQuoted(append(b, " with propagation "...), m.Propagation)
	}
	if m.Template {
		b = append(b, " in the template"...)
	}
	return b
}

func (m Mount) String() string { return string(m.Append(nil)) }

// Port is a port of a container that is a port of the host.
type Port struct {
	HostPort      int64 `json:"hostPort"`
	ContainerPort int64 `json:"containerPort"`
	// Protocol is empty if it is left to its default, TCP.
	Protocol string `json:"protocol,omitempty"`
	HostIP   string `json:"hostIP,omitempty"`
}

// Compare orders by host port, container port and protocol.
func (p Port) Compare(o Port) int {
	return cmp.Or(cmp.Compare(p.HostPort, o.HostPort), cmp.Compare(p.ContainerPort, o.ContainerPort),
		strings.Compare(p.Protocol, o.Protocol), strings.Compare(p.HostIP, o.HostIP))
}

// Append appends the text of the port.
func (p Port) Append(b []byte) []byte {
	b = strconv.AppendInt(b, p.HostPort, 10)
	b = strconv.AppendInt(append(b, " to "...), p.ContainerPort, 10)
	b = appendQuoted(append(b, ' '), p.Protocol)
	return appendQuoted(append(b, " on "...), p.HostIP)
}

func (p Port) String() string { return string(p.Append(nil)) }

// Variable is an environment variable that has a value of a Secret.
type Variable struct {
	// Name is empty if each key of the Secret is a variable.
	Name   string `json:"name,omitempty"`
	Secret string `json:"secret"`
	Key    string `json:"key,omitempty"`
}

// Compare orders by name, Secret and key.
func (v Variable) Compare(o Variable) int {
	return cmp.Or(strings.Compare(v.Name, o.Name), strings.Compare(v.Secret, o.Secret), strings.Compare(v.Key, o.Key))
}

// Append appends the text of the variable.
func (v Variable) Append(b []byte) []byte {
	b = append(appendQuoted(b, v.Name), " from "...)
	b = append(appendQuoted(b, v.Secret), " key "...)
	return appendQuoted(b, v.Key)
}

func (v Variable) String() string { return string(v.Append(nil)) }

// Setting is a sysctl with its value.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Compare orders by name, then by value.
func (s Setting) Compare(o Setting) int {
	return cmp.Or(strings.Compare(s.Name, o.Name), strings.Compare(s.Value, o.Value))
}

// Append appends the text of the setting.
func (s Setting) Append(b []byte) []byte {
	return appendQuoted(append(appendQuoted(b, s.Name), '='), s.Value)
}

func (s Setting) String() string { return string(s.Append(nil)) }

// TokenVolumePrefix is how the name of the volume with the token begins that admission
// adds to a pod, and of those that it considers as one, whatever their source. Five random
// characters follow (plugin/pkg/admission/serviceaccount/admission.go,
// ServiceAccountVolumeName; apiserver/pkg/storage/names/generate.go).
const TokenVolumePrefix = "kube-api-access-"

// addMounts adds where the volumes of a pod are mounted.
func (p *Profile) addMounts(pod *corev1.Pod, containers []container, o Options) {
	paths, mounted := map[string]string{}, map[string]bool{}
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.HostPath != nil {
			paths[v.Name] = v.HostPath.Path
		}
	}
	for _, c := range containers {
		for _, m := range c.VolumeMounts {
			path, onHost := paths[m.Name]
			mounted[m.Name] = true
			if onHost || m.MountPropagation != nil && *m.MountPropagation != corev1.MountPropagationNone {
				p.Mounts.add(Mount{m.Name, path, m.MountPath, m.ReadOnly, string(nameOf(m.MountPropagation)), o.Template}, c.Name)
			}
		}
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.HostPath != nil && !mounted[v.Name] {
			p.Mounts.add(Mount{Volume: v.Name, HostPath: v.HostPath.Path, Template: o.Template}, "")
		}
		if volumeType(v) == ServiceAccountToken && !strings.HasPrefix(v.Name, TokenVolumePrefix) {
			p.Mounts.add(Mount{Volume: v.Name, Template: o.Template}, "")
		}
	}
}
