package observe

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// replicaSet is the kind between a Deployment and its pods.
var replicaSet = schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}

// builtIn are the observed kinds with the API group that serves them today. Older
// groups (extensions, apps/v1beta1) served the same objects.
var builtIn = map[string]string{
	"Pod": "", "ReplicationController": "", "PodTemplate": "",
	"Deployment": "apps", "ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps",
	"Job": "batch", "CronJob": "batch",
	"ServiceAccount": "",
}

// Kinds returns the names of the observed kinds, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(builtIn)) }

// GroupKind returns the kind with the group that serves it today.
func GroupKind(apiVersion, kind string) schema.GroupKind {
	group := schema.FromAPIVersionAndKind(apiVersion, kind).Group
	if current, ok := builtIn[kind]; ok && (group == current || group == "extensions") {
		group = current
	}
	return schema.GroupKind{Group: group, Kind: kind}
}

// Reads reports whether objects of that kind, with the group that serves it today,
// are observed.
func Reads(kind schema.GroupKind) bool {
	group, known := builtIn[kind.Kind]
	return known && group == kind.Group
}

// linking are the kinds that usually have a controller themselves: if one of them was
// not observed, its controller may be the workload.
var linking = map[schema.GroupKind]bool{
	replicaSet:                    true,
	{Group: "batch", Kind: "Job"}: true,
}
