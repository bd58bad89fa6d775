package observe

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Record is what the observation needs of one object.
type Record struct {
	Namespace string
	Name      string
	UID       types.UID
	// Kind of the object, with the API group that serves it today.
	Kind schema.GroupKind
	// Controller of the object, if any.
	Controller *Owner
	// ServiceAccount of the pod; empty for a mirror pod.
	ServiceAccount string
	// Token says whether admission adds a token volume, which is not in Profile yet.
	Token Token
	// Idle is true for a template that creates no pods now, such as that of a
	// ReplicaSet without replicas.
	Idle bool
	// Profile of the pod, or of the pods that the template creates. Nil for an object
	// that only links a pod to its workload.
	Profile *profile.Profile
	// Place of the object in files; nil on a server.
	Place *Place
	// More is the number of further pods that the record stands for: they differ from
	// this one in their names only.
	More int
}

// Alike is what two pods of one controller must have in common to be counted by one
// record: all that an observation shows of them.
type Alike struct {
	Namespace, ServiceAccount string
	Controller                Owner
	Token                     Token
	Profile                   *profile.Profile
}

// Alike returns what the record has in common with those of pods that are alike; ok is
// false for what is not the pod of a controller, whose name is shown.
func (r *Record) Alike() (a Alike, ok bool) {
	if !r.isPod() || r.Controller == nil {
		return Alike{}, false
	}
	return Alike{r.Namespace, r.ServiceAccount, *r.Controller, r.Token, r.Profile}, true
}

// Owner is a reference to the controller of an object.
type Owner struct {
	Kind schema.GroupKind
	Name string
	UID  types.UID
	// Deployment that controls the owner, a ReplicaSet, according to the labels of the
	// pod; empty if unknown.
	Deployment string
}

func (r *Record) isPod() bool { return r.Kind.Kind == "Pod" }

// shows reports whether a template shows all that another one does.
func (r *Record) shows(o *Record) bool {
	if r.Profile == nil || o.Profile == nil || r.ServiceAccount != o.ServiceAccount || r.Token < o.Token {
		return false
	}
	// Both are of one pod, so what the other one asks for together is a part of what this
	// one does, if each of it is.
	other := *o.Profile
	other.PodPrivileges = r.Profile.PodPrivileges
	other.Containers = r.Profile.Containers // an image is nothing to permit
	return r.Profile.Covers(&other)
}

// Recorder makes records of objects, which it does not change.
type Recorder struct {
	Scope    Scope
	Interner *profile.Interner
}

// Record returns the record of an object of a kind that is read: a link if it shows no
// pods, and nil if it makes no difference.
func (r Recorder) Record(object metav1.Object, kind schema.GroupKind) *Record {
	switch x := object.(type) {
	case *corev1.Pod:
		return r.Pod(x)
	case *corev1.ServiceAccount:
		if !OptsOut(x) {
			return nil
		}
	case *corev1.PodTemplate:
		return r.Template(x, kind, &x.Template)
	case *corev1.ReplicationController:
		if x.Spec.Template != nil {
			return r.Template(x, kind, x.Spec.Template)
		}
	case *appsv1.Deployment:
		return r.Template(x, kind, &x.Spec.Template)
	case *appsv1.StatefulSet:
		return r.Template(x, kind, withClaims(x))
	case *appsv1.DaemonSet:
		return r.Template(x, kind, &x.Spec.Template)
	case *appsv1.ReplicaSet:
		record := r.Template(x, kind, &x.Spec.Template)
		record.Idle = x.Spec.Replicas != nil && *x.Spec.Replicas == 0
		return record
	case *batchv1.Job:
		if !ended(x) {
			return r.Template(x, kind, &x.Spec.Template)
		}
	case *batchv1.CronJob:
		return r.Template(x, kind, &x.Spec.JobTemplate.Spec.Template)
	}
	return Link(object, kind)
}

// ended reports whether a Job has completed or failed, and so creates no more pods.
func ended(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed)
	})
}

// Link returns the record of an object that only links a pod to its workload.
func Link(meta metav1.Object, kind schema.GroupKind) *Record {
	return &Record{
		Namespace: meta.GetNamespace(), Name: meta.GetName(), UID: meta.GetUID(),
		Kind: kind, Controller: controllerOf(meta),
	}
}

// controllerOf returns the controller of an object.
func controllerOf(meta metav1.Object) *Owner {
	c := metav1.GetControllerOfNoCopy(meta)
	if c == nil {
		return nil
	}
	return &Owner{Kind: GroupKind(c.APIVersion, c.Kind), Name: c.Name, UID: c.UID}
}

// Pod returns the record of a pod, or nil if it has completed or is not selected. The
// record of a manifest, which has no uid, is that of the pod that the API server would
// create from it.
func (r Recorder) Pod(pod *corev1.Pod) *Record {
	if !r.Scope.matches(pod.Labels) {
		return nil
	}
	return r.PodOf(r.Shape(pod, ""), pod)
}

// Shape is the part of the record of a pod that does not depend on its names, labels,
// owners and node: the pods of one template have it in common.
type Shape struct {
	// ServiceAccount, Token and Profile are those of the Record.
	ServiceAccount string
	Token          Token
	Profile        *profile.Profile
	// Completed is true for a pod that will not run again, which has no record.
	Completed bool
	// Mirror is true for the mirror of a static pod.
	Mirror bool
	// Mentions is true if the shape depends on a given text other than by which of the
	// pod's values have it in common.
	Mentions bool
}

// Shape returns the shape of a pod. text is of letters, digits and dashes; it may be empty.
func (r Recorder) Shape(pod *corev1.Pod, text string) Shape {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return Shape{Completed: true}
	}
	var s Shape
	manifest := pod.UID == ""
	// A mirror pod has no service account
	// (plugin/pkg/admission/serviceaccount/admission.go, 1.24).
	if _, s.Mirror = pod.Annotations[corev1.MirrorPodAnnotationKey]; !s.Mirror {
		s.ServiceAccount = accountOf(&pod.Spec)
		if manifest {
			s.Token = tokenOf(&pod.Spec)
		}
	}
	if manifest {
		pod = withHostPorts(pod)
	}
	s.Profile, s.Mentions = r.profile(pod, !manifest, manifest, text)
	s.Mentions = s.Mentions || text != "" && strings.Contains(s.ServiceAccount, text)
	return s
}

// PodOf returns the record of a pod with that shape, or nil if it has completed or is not
// selected. Of the pod itself it reads only the metadata and the name of the node.
func (r Recorder) PodOf(s Shape, pod *corev1.Pod) *Record {
	if s.Completed || !r.Scope.matches(pod.Labels) {
		return nil
	}
	record := Link(pod, schema.GroupKind{Kind: "Pod"})
	record.ServiceAccount, record.Token, record.Profile = s.ServiceAccount, s.Token, s.Profile
	if s.Mirror {
		// The mirror of a static pod has the names of its manifest and node, and is owned
		// by the node.
		record.Name = strings.TrimSuffix(pod.Name, "-"+pod.Spec.NodeName)
		record.Controller = nil
	}
	if record.Controller != nil && record.Controller.Kind == replicaSet {
		record.Controller.Deployment = deploymentOf(record.Controller.Name, pod.Labels)
	}
	return record
}

// Template returns the record of an object that creates pods from a template; a link
// if its pods are not selected.
func (r Recorder) Template(meta metav1.Object, kind schema.GroupKind, template *corev1.PodTemplateSpec) *Record {
	record := Link(meta, kind)
	if !r.Scope.matches(template.Labels) {
		return record
	}
	pod := withHostPorts(&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec})
	record.ServiceAccount = accountOf(&pod.Spec)
	record.Token = tokenOf(&pod.Spec)
	record.Profile, _ = r.profile(pod, meta.GetUID() != "" && Reads(kind), true, "")
	return record
}

// profile returns the profile of a pod. If a server stores it, each of its volumes has a
// source (pkg/apis/core/v1/defaults.go, SetDefaults_Volume): where none is to be seen, it
// is one that this version does not know. A template is the manifest of its workload. It also
// reports whether the profile mentions a text.
func (r Recorder) profile(pod *corev1.Pod, stored, template bool, text string) (*profile.Profile, bool) {
	o := profile.Options{EphemeralContainers: r.Scope.EphemeralContainers, Template: template}
	unknown := func(v corev1.Volume) bool { return v.VolumeSource == corev1.VolumeSource{} }
	if !stored || !slices.ContainsFunc(pod.Spec.Volumes, unknown) {
		return r.Interner.InternWith(profile.Of(pod, o), text)
	}
	known := *pod
	known.Spec.Volumes = slices.DeleteFunc(slices.Clone(pod.Spec.Volumes), unknown)
	return r.Interner.InternWith(profile.Of(&known, o).WithVolume(profile.UnknownVolume), text)
}

// deploymentOf returns the name of the Deployment that controls the ReplicaSet with
// that name: what precedes the value of the label that the controller of Deployments
// gives their pods (pkg/controller/deployment/sync.go, getNewReplicaSet).
func deploymentOf(replicaSet string, labels map[string]string) string {
	hash := labels["pod-template-hash"] // apps/v1, DefaultDeploymentUniqueLabelKey
	if name, ok := strings.CutSuffix(replicaSet, "-"+hash); ok && hash != "" {
		return name
	}
	return ""
}

// accountOf returns the service account of the pod: the field, its deprecated alias,
// or default (pkg/apis/core/v1/conversion.go; plugin/pkg/admission/serviceaccount).
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

// withHostPorts returns the pod with the host ports that default to the container
// ports if it uses the network of the host, also in init containers
// (pkg/apis/core/v1/defaults.go, defaultHostNetworkPorts).
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
