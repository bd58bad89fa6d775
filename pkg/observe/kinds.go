package observe

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// replicaSet is the kind that stands between a Deployment and its pods.
var replicaSet = schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}

// builtIn are the kinds that are observed, by the API group that serves each today;
// older groups (extensions, apps/v1beta1) held the same objects.
var builtIn = map[string]string{
	"Pod": "", "ReplicationController": "", "PodTemplate": "",
	"Deployment": "apps", "ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps",
	"Job": "batch", "CronJob": "batch",
	"ServiceAccount": "",
}

// Kinds returns the names of the kinds that are observed.
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

// linking are the kinds that usually have a controller of their own: where one
// of them was not observed, the real workload may be another one.
var linking = map[schema.GroupKind]bool{
	replicaSet:                    true,
	{Group: "batch", Kind: "Job"}: true,
}
