package observe

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is a kind of object that is listed from a server.
type resource struct {
	schema.GroupVersionResource
	kind string
	// metadata asks for the metadata alone.
	metadata bool
	// fields selects objects on the server.
	fields string
}

func (r resource) String() string { return r.GroupResource().String() }

func (r resource) groupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.Group, Kind: r.kind}
}

// What has run its course is left out by the server already
// (pkg/apis/core/v1/conversion.go, 1.24: status.phase is a field label of pods).
var podResource = resource{
	GroupVersionResource: corev1.SchemeGroupVersion.WithResource("pods"), kind: "Pod",
	fields: "status.phase!=Succeeded,status.phase!=Failed",
}

// linkResources are links between pods and workloads: their metadata will do,
// but for the few without a controller (see listWatch.fetch).
var linkResources = []resource{
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("replicasets"), kind: "ReplicaSet", metadata: true},
	{GroupVersionResource: batchv1.SchemeGroupVersion.WithResource("jobs"), kind: "Job", metadata: true},
}

// templateResources are what creates pods from a template, and the accounts that
// say which of those get a token.
var templateResources = []resource{
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("deployments"), kind: "Deployment"},
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("statefulsets"), kind: "StatefulSet"},
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("daemonsets"), kind: "DaemonSet"},
	{GroupVersionResource: batchv1.SchemeGroupVersion.WithResource("cronjobs"), kind: "CronJob"},
	{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("replicationcontrollers"), kind: "ReplicationController"},
	{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("serviceaccounts"), kind: "ServiceAccount"},
}

// resources returns what must be listed for the sources that count.
func (o Options) resources() []resource {
	var list []resource
	if o.Pods {
		list = append(list, podResource)
	}
	if o.Pods || o.Templates {
		list = append(list, linkResources...)
	}
	if o.Templates {
		list = append(list, templateResources...)
	}
	return list
}

// namespaces returns where to list, sorted; one empty name is the whole cluster.
func (o Options) namespaces() []string {
	if len(o.Namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	list := slices.DeleteFunc(slices.Clone(o.Namespaces), func(ns string) bool { return !o.wantsNamespace(ns) })
	slices.Sort(list)
	return slices.Compact(list)
}

// fieldSelector returns what the server selects in that namespace.
func (o Options) fieldSelector(r resource, namespace string) string {
	var terms []fields.Selector
	if r.fields != "" {
		terms = append(terms, fields.ParseSelectorOrDie(r.fields))
	}
	if namespace == metav1.NamespaceAll {
		for _, excluded := range o.ExcludeNamespaces {
			terms = append(terms, fields.OneTermNotEqualSelector("metadata.namespace", excluded))
		}
	}
	return fields.AndSelectors(terms...).String()
}

// recordOf returns the record of an object that a server returned, or nil when
// there is nothing to keep of it.
func (r resource) recordOf(object runtime.Object, interner *profile.Interner, o Options) *Record {
	template := func(meta metav1.Object, template *corev1.PodTemplateSpec) *Record {
		return templateRecord(meta, r.groupKind(), template, interner, o)
	}
	switch x := object.(type) {
	case *corev1.Pod:
		return podRecord(x, interner, o)
	case *appsv1.Deployment:
		return template(x, &x.Spec.Template)
	case *appsv1.StatefulSet:
		var claims []string
		for _, c := range x.Spec.VolumeClaimTemplates {
			claims = append(claims, c.Name)
		}
		return template(x, withClaims(&x.Spec.Template, claims))
	case *appsv1.DaemonSet:
		return template(x, &x.Spec.Template)
	case *batchv1.CronJob:
		return template(x, &x.Spec.JobTemplate.Spec.Template)
	case *corev1.ReplicationController:
		if x.Spec.Template != nil {
			return template(x, x.Spec.Template)
		}
	case *appsv1.ReplicaSet:
		if createsPods(r.groupKind(), metav1.GetControllerOfNoCopy(x) != nil, false) {
			return template(x, &x.Spec.Template)
		}
	case *batchv1.Job:
		if createsPods(r.groupKind(), metav1.GetControllerOfNoCopy(x) != nil, finished(x)) {
			return template(x, &x.Spec.Template)
		}
	case *corev1.ServiceAccount:
		// Only the accounts that opt out make a difference.
		if x.AutomountServiceAccountToken == nil || *x.AutomountServiceAccountToken {
			return nil
		}
	}
	meta, ok := object.(metav1.Object)
	if !ok {
		return nil
	}
	return linkRecord(meta, r.groupKind())
}

// finished reports whether a Job has run its course.
func finished(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return endsJob(c.Type, c.Status) })
}
