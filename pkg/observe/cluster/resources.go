package cluster

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// accountKind is the kind of the objects that decide which pods get a token.
const accountKind = "ServiceAccount"

// resource is a kind of object that is listed from a server.
type resource struct {
	schema.GroupVersionResource
	kind string
	// metadata requests only the metadata.
	metadata bool
	// fields is a field selector.
	fields string
}

func (r resource) String() string { return r.GroupResource().String() }

func (r resource) groupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.Group, Kind: r.kind}
}

// The server excludes completed pods
// (pkg/apis/core/v1/conversion.go, 1.24: status.phase is a field label of pods).
var podResource = resource{
	GroupVersionResource: corev1.SchemeGroupVersion.WithResource("pods"), kind: "Pod",
	fields: "status.phase!=Succeeded,status.phase!=Failed",
}

// linkResources link pods to workloads. Their metadata is enough, except for the few
// whose own template is observed (see lister.fetched).
var linkResources = []resource{
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("replicasets"), kind: "ReplicaSet", metadata: true},
	{GroupVersionResource: batchv1.SchemeGroupVersion.WithResource("jobs"), kind: "Job", metadata: true},
}

// isLink reports whether objects of a kind are links.
func isLink(kind schema.GroupKind) bool {
	return slices.ContainsFunc(linkResources, func(r resource) bool { return r.groupKind() == kind })
}

// templateResources create pods from a template. The service accounts decide which of
// these get a token.
var templateResources = []resource{
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("deployments"), kind: "Deployment"},
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("statefulsets"), kind: "StatefulSet"},
	{GroupVersionResource: appsv1.SchemeGroupVersion.WithResource("daemonsets"), kind: "DaemonSet"},
	{GroupVersionResource: batchv1.SchemeGroupVersion.WithResource("cronjobs"), kind: "CronJob"},
	{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("replicationcontrollers"), kind: "ReplicationController"},
	{GroupVersionResource: corev1.SchemeGroupVersion.WithResource("serviceaccounts"), kind: accountKind},
}

// resourcesOf returns the resources to list for a scope.
func resourcesOf(s observe.Scope) []resource {
	var list []resource
	if s.Pods {
		list = append(list, podResource)
	}
	if s.Pods || s.Templates {
		list = append(list, linkResources...)
	}
	if s.Templates {
		list = append(list, templateResources...)
	}
	return list
}

// namespacesOf returns the namespaces to list; an empty name is the whole cluster.
func namespacesOf(s observe.Scope) []string {
	if len(s.Namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return s.ListedNamespaces()
}

// fieldSelector returns the field selector for a list in that namespace.
func (r resource) fieldSelector(s observe.Scope, namespace string) string {
	var terms []fields.Selector
	if r.fields != "" {
		terms = append(terms, fields.ParseSelectorOrDie(r.fields))
	}
	if namespace == metav1.NamespaceAll {
		for _, excluded := range s.ExcludedNamespaces {
			terms = append(terms, fields.OneTermNotEqualSelector("metadata.namespace", excluded))
		}
	}
	return fields.AndSelectors(terms...).String()
}
