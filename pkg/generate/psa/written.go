package psa

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/pod-security-admission/api"
)

// Written has the levels that labels of Namespaces enforce. The zero value has none.
type Written struct{ permits map[string]Permit }

// Read adds an object of a type if it is a Namespace with an enforced level; others are
// ignored. Decode decodes the object.
func (w *Written) Read(t metav1.TypeMeta, decode func(into any) error) error {
	if schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind() != (schema.GroupKind{Kind: "Namespace"}) {
		return nil
	}
	var o metav1.PartialObjectMetadata
	if err := decode(&o); err != nil {
		return err
	}
	if o.Labels[api.EnforceLevelLabel] == "" {
		return nil
	}
	level, err := api.ParseLevel(o.Labels[api.EnforceLevelLabel])
	if err != nil {
		return fmt.Errorf("the Namespace %q: the label %s %w", o.Name, api.EnforceLevelLabel, err)
	}
	version, err := api.ParseVersion(cmp.Or(o.Labels[api.EnforceVersionLabel], api.VersionLatest))
	if err != nil {
		return fmt.Errorf("the Namespace %q: the label %s %w", o.Name, api.EnforceVersionLabel, err)
	}
	if w.permits == nil {
		w.permits = map[string]Permit{}
	}
	minor := podsecurity.Latest
	if !version.Latest() {
		minor = min(max(version.Minor(), podsecurity.First), podsecurity.Latest)
	}
	w.permits[o.Name] = Permit{level, minor}
	return nil
}

// Empty reports whether no level was read.
func (w *Written) Empty() bool { return len(w.permits) == 0 }

// Permits returns what the pods of a namespace may ask for, whatever their service account;
// nothing if its level was not read.
func (w *Written) Permits(namespace, _ string) []Permit {
	if p, known := w.permits[namespace]; known {
		return []Permit{p}
	}
	return nil
}

// Permit is what a level permits in a minor of Kubernetes: a line if the level admits a pod
// that asks for it and for nothing else. So a pod that the level refuses for what is missing
// in its manifest, such as runAsNonRoot beside runAsUser, is no escalation. The zero Permit
// permits everything.
type Permit struct {
	level api.Level
	minor int
}

// Lines returns nothing: what a level admits is not a list.
func (p Permit) Lines() []string { return nil }

// Excess returns the lines of what a pod asks for that are not permitted, sorted.
func (p Permit) Excess(asked privilege.Set) []string {
	if p.level == "" || p.level == api.LevelPrivileged {
		return nil
	}
	// Some checks permit more in a user namespace.
	confined := !slices.Contains(asked.Lines(), "hostUsers")
	var excess []string
	for _, line := range asked.Lines() {
		if !slices.ContainsFunc(asking(line), func(pod *corev1.Pod) bool { return p.admits(pod, confined) }) {
			excess = append(excess, line)
		}
	}
	return excess
}

func (p Permit) admits(pod *corev1.Pod, confined bool) bool {
	if confined {
		pod.Spec.HostUsers = new(false)
	}
	for verdict := range podsecurity.Judge(&pod.ObjectMeta, &pod.Spec) {
		if verdict.Refuses(p.level, p.minor) {
			return false
		}
	}
	return true
}

// asking returns pods that ask for a line and for nothing else that a check refuses, in each
// of the ways in which a pod can; none for a line that this version does not know.
func asking(line string) []*corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{Name: "c", SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}}},
	}}
	spec, podSC, container := &pod.Spec, pod.Spec.SecurityContext, &pod.Spec.Containers[0]
	sc := container.SecurityContext
	form, value := formOf(line)
	switch form {
	case "privileged":
		sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil
	case "hostNetwork":
		spec.HostNetwork = true
	case "hostPID":
		spec.HostPID = true
	case "hostIPC":
		spec.HostIPC = true
	case "windows hostProcess":
		sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
	case "allowPrivilegeEscalation":
		sc.AllowPrivilegeEscalation = nil
	case "default capabilities":
		sc.Capabilities = nil
	case "capability ":
		return capable(pod, value)
	case "hostPort ":
		port, _, _ := strings.Cut(value, "/")
		n, _ := strconv.ParseInt(port, 10, 32) // of a line: valid
		container.Ports = []corev1.ContainerPort{{HostPort: int32(n)}}
	case "probe host ":
		container.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: value}}}
	case "sysctl ":
		podSC.Sysctls = []corev1.Sysctl{{Name: value}}
	case "procMount ":
		sc.ProcMount = new(corev1.ProcMountType(value))
	case "root user":
		podSC.RunAsUser = new(int64(0))
	case "image user root":
		podSC.RunAsNonRoot = nil
	case "no seccomp profile":
		podSC.SeccompProfile = nil
	case "seccomp ":
		kind, file, local := strings.Cut(value, "/")
		podSC.SeccompProfile.Type = corev1.SeccompProfileTypeUnconfined
		if local && kind == "localhost" {
			podSC.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &file}
		}
	case "appArmor ":
		kind, file, local := strings.Cut(value, "/")
		sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		if local && kind == "localhost" {
			sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &file}
		}
	case "seLinux", "seLinux ":
		podSC.SELinuxOptions = seLinux(value)
	case "hostPath ", "write hostPath ":
		spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: value}}}}
	case "csi ":
		spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: value}}}}
	case "flexVolume ":
		spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: value}}}}
	case "volume ":
		source := volume(value)
		if source == nil {
			return nil
		}
		spec.Volumes = []corev1.Volume{{VolumeSource: *source}}
	}
	return []*corev1.Pod{pod}
}

// formOf returns the form of a line, and its value.
func formOf(line string) (form, value string) {
	for _, f := range privilege.Forms {
		if line == f {
			return f, ""
		}
		if rest, ok := strings.CutPrefix(line, f); ok && strings.HasSuffix(f, " ") {
			return f, rest
		}
	}
	return "", ""
}

// capable returns pods that have a capability: because they add it, or because they do not
// drop it, if runtimes give it by default.
func capable(pod *corev1.Pod, name string) []*corev1.Pod {
	added := pod.DeepCopy()
	added.Spec.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{corev1.Capability(name)}
	if !slices.Contains(privilege.DefaultCapabilities, name) {
		return []*corev1.Pod{added}
	}
	kept := pod.DeepCopy()
	kept.Spec.Containers[0].SecurityContext.Capabilities = nil
	return []*corev1.Pod{added, kept}
}

// seLinux returns the options of a line.
func seLinux(value string) *corev1.SELinuxOptions {
	o := &corev1.SELinuxOptions{}
	for word := range strings.SplitSeq(value, " ") {
		name, option, _ := strings.Cut(word, "=")
		switch name {
		case "user":
			o.User = option
		case "role":
			o.Role = option
		case "type":
			o.Type = option
		case "level":
			o.Level = option
		}
	}
	return o
}

// volume returns the source of a kind; nil if there is none of that name.
func volume(kind string) *corev1.VolumeSource {
	if kind == privilege.ServiceAccountToken {
		kind = "projected"
	}
	source := &corev1.VolumeSource{}
	fields := reflect.ValueOf(source).Elem()
	for i := range fields.NumField() {
		if name, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ","); name == kind {
			fields.Field(i).Set(reflect.New(fields.Type().Field(i).Type.Elem()))
			return source
		}
	}
	return nil
}
