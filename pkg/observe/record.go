package observe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Record is what is kept of one observed object.
type Record struct {
	Namespace string
	Name      string
	UID       types.UID
	// Kind is the object's own kind, with the API group that serves it today.
	Kind schema.GroupKind
	// Controller is the object that created this one, if any.
	Controller *Owner
	// ServiceAccount is the pod's account; empty for a mirror pod.
	ServiceAccount string
	// Token says whether the pod gets a service-account token volume on
	// admission that the profile does not hold yet.
	Token Token
	// Profile of the pod or of the pods that the template makes. Nil for an
	// object that is only a link between a pod and its workload.
	Profile *profile.Profile
}

// Owner is a reference to the controller of an object.
type Owner struct {
	Kind schema.GroupKind
	Name string
	UID  types.UID
}

// Token says whether admission adds a service-account token volume.
type Token int8

const (
	// NoToken : none is added, or the pod has it already.
	NoToken Token = iota
	// TokenByAccount : one is added unless the account opts out.
	TokenByAccount
	// TokenAlways : the pod asks for it, whatever the account says.
	TokenAlways
)

// groups are the API groups that serve the built-in kinds today; older ones
// (extensions, apps/v1beta1) held the same objects.
var groups = map[string]string{
	"Pod": "", "ReplicationController": "", "PodTemplate": "",
	"Deployment": "apps", "ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps",
	"Job": "batch", "CronJob": "batch",
	"ServiceAccount": "",
}

// groupKind returns the kind with the group that serves it today.
func groupKind(apiVersion, kind string) schema.GroupKind {
	group := schema.FromAPIVersionAndKind(apiVersion, kind).Group
	if current, ok := groups[kind]; ok && (group == current || group == "extensions") {
		group = current
	}
	return schema.GroupKind{Group: group, Kind: kind}
}

// isRead reports whether objects of that kind, with the group that serves it
// today, are read from files.
func isRead(kind schema.GroupKind) bool {
	group, known := groups[kind.Kind]
	return known && group == kind.Group
}

// checkKind returns an error for a kind that is not read but can only be meant as
// one that is: it differs in case or group alone, and the group has no dot, as
// those of custom resources have.
func checkKind(t metav1.TypeMeta) error {
	if strings.Contains(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).Group, ".") {
		return nil
	}
	for name := range groups {
		if !strings.EqualFold(t.Kind, name) {
			continue
		}
		if isRead(groupKind(t.APIVersion, name)) {
			return fmt.Errorf("kind: %q: want %s", t.Kind, name)
		}
		return fmt.Errorf("apiVersion: %q has no %s", t.APIVersion, name)
	}
	return nil
}

func (r *Record) isPod() bool { return r.Kind.Kind == "Pod" }

// controllerOf returns the controller of an object.
func controllerOf(meta metav1.Object) *Owner {
	c := metav1.GetControllerOfNoCopy(meta)
	if c == nil {
		return nil
	}
	return &Owner{Kind: groupKind(c.APIVersion, c.Kind), Name: c.Name, UID: c.UID}
}

// linkRecord is the record of an object that only links a pod to its workload.
func linkRecord(meta metav1.Object, kind schema.GroupKind) *Record {
	return &Record{
		Namespace: meta.GetNamespace(), Name: meta.GetName(), UID: meta.GetUID(),
		Kind: kind, Controller: controllerOf(meta),
	}
}

// podRecord is the record of a pod, or nil for one that has run its course. A
// pod that a server returned is taken as it is; of a manifest, the pod that the
// API server would make of it is recorded.
func podRecord(pod *corev1.Pod, interner *profile.Interner, o Options) *Record {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	if o.Selector != nil && !o.Selector.Matches(labels.Set(pod.Labels)) {
		return nil
	}
	r := linkRecord(pod, schema.GroupKind{Kind: "Pod"})
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case mirror:
		// The kubelet's copy of a static pod: named after its manifest and node,
		// owned by the node, and without an account
		// (plugin/pkg/admission/serviceaccount/admission.go, 1.24).
		r.Name = strings.TrimSuffix(pod.Name, "-"+pod.Spec.NodeName)
		r.Controller = nil
	case pod.UID != "":
		r.ServiceAccount = accountOf(&pod.Spec)
	default:
		r.ServiceAccount = accountOf(&pod.Spec)
		r.Token = tokenOf(&pod.Spec)
	}
	if pod.UID == "" {
		pod = withHostPorts(pod)
	}
	r.Profile = interner.Intern(profile.Of(pod, o.Profile))
	return r
}

// templateRecord is the record of an object that creates pods from a template,
// or nil when the selector does not want its pods.
func templateRecord(meta metav1.Object, kind schema.GroupKind, template *corev1.PodTemplateSpec, interner *profile.Interner, o Options) *Record {
	r := linkRecord(meta, kind)
	if o.Selector != nil && !o.Selector.Matches(labels.Set(template.Labels)) {
		return r
	}
	pod := withHostPorts(&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec})
	r.ServiceAccount = accountOf(&pod.Spec)
	r.Token = tokenOf(&pod.Spec)
	r.Profile = interner.Intern(profile.Of(pod, o.Profile))
	return r
}

// accountOf returns the pod's account: the field, its deprecated twin, or the
// default one (pkg/apis/core/v1/conversion.go; plugin/pkg/admission/serviceaccount).
func accountOf(spec *corev1.PodSpec) string {
	switch {
	case spec.ServiceAccountName != "":
		return spec.ServiceAccountName
	case spec.DeprecatedServiceAccount != "":
		return spec.DeprecatedServiceAccount
	default:
		return "default"
	}
}

// tokenMountPath is where a container expects its token; one that mounts
// something there itself gets none.
const tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path, no credential

// tokenVolumePrefix starts the name of a volume that admission takes for the
// token's, whatever it holds.
const tokenVolumePrefix = "kube-api-access-"

// tokenOf says whether admission adds a token volume: when some init or regular
// container has nothing at the token's path and no volume has a token volume's
// name, unless automount is off on the pod or, where the pod does not say, on
// its account
// (plugin/pkg/admission/serviceaccount/admission.go, mountServiceAccountToken).
func tokenOf(spec *corev1.PodSpec) Token {
	hasMount := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenMountPath })
	}
	needs := func(c corev1.Container) bool { return !hasMount(c) }
	named := func(v corev1.Volume) bool { return strings.HasPrefix(v.Name, tokenVolumePrefix) }
	switch automount := spec.AutomountServiceAccountToken; {
	case slices.ContainsFunc(spec.Volumes, named):
		return NoToken
	case !slices.ContainsFunc(spec.InitContainers, needs) && !slices.ContainsFunc(spec.Containers, needs):
		return NoToken
	case automount == nil:
		return TokenByAccount
	case *automount:
		return TokenAlways
	default:
		return NoToken
	}
}

// withHostPorts returns pod as the API server stores it when it uses the host's
// network: every container port is a host port then, those of init containers
// too (pkg/apis/core/v1/defaults.go, defaultHostNetworkPorts).
func withHostPorts(pod *corev1.Pod) *corev1.Pod {
	if !pod.Spec.HostNetwork {
		return pod
	}
	pod = pod.DeepCopy()
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for j := range containers[i].Ports {
				if p := &containers[i].Ports[j]; p.HostPort == 0 {
					p.HostPort = p.ContainerPort
				}
			}
		}
	}
	return pod
}
