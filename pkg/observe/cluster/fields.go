package cluster

import (
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster/wire"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What records are made of: the fields that package profile, package privilege and
// upstream's Pod Security checks read, see "Observed fields" there, and those that say
// whose pod it is. Tests compare the record of a whole object with that of what is left of
// it, for objects with random values in all fields, and see that none is superfluous.
var (
	annotationFields = wire.Fields{
		corev1.MirrorPodAnnotationKey:                                   wire.Whole,
		corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "*": wire.Whole,
		corev1.SeccompPodAnnotationKey:                                  wire.Whole,
		corev1.SeccompContainerAnnotationKeyPrefix + "*":                wire.Whole,
	}
	isThere       = wire.Fields{}
	handlerFields = wire.Fields{
		"httpGet": {"host": wire.Whole}, "tcpSocket": {"host": wire.Whole},
	}
	probeFields     = wire.Fields{"handler": handlerFields}
	containerFields = wire.Fields{
		"name": wire.Whole, "image": wire.Whole, "ports": wire.Whole, "securityContext": wire.Whole,
		"volumeMounts": {"name": wire.Whole, "readOnly": wire.Whole, "mountPath": wire.Whole, "mountPropagation": wire.Whole},
		"env":          {"name": wire.Whole, "valueFrom!": {"secretKeyRef!": wire.Whole}},
		"envFrom":      {"secretRef!": wire.Whole},

		"livenessProbe": probeFields, "readinessProbe": probeFields, "startupProbe": probeFields,
		"lifecycle": {"postStart": handlerFields, "preStop": handlerFields},
	}
	specFields = wire.Fields{
		"containers": containerFields, "initContainers": containerFields, "ephemeralContainers": {"EphemeralContainerCommon": containerFields},
		"volumes": {"name": wire.Whole, "volumeSource": {
			"hostPath": {"path": wire.Whole}, "csi": {"driver": wire.Whole}, "flexVolume": {"driver": wire.Whole},
			"projected": {"sources": wire.Whole},
			"*":         isThere,
		}},
		"serviceAccountName": wire.Whole, "serviceAccount": wire.Whole, "automountServiceAccountToken": wire.Whole,
		"hostNetwork": wire.Whole, "hostPID": wire.Whole, "hostIPC": wire.Whole, "hostUsers": wire.Whole,
		"shareProcessNamespace": wire.Whole, "securityContext": wire.Whole, "runtimeClassName": wire.Whole, "os": wire.Whole,
	}
	userFields   = wire.Fields{"name": wire.Whole, "user": wire.Whole}
	statusFields = wire.Fields{"phase": wire.Whole, "containerStatuses": userFields, "initContainerStatuses": userFields}

	// shapeFields are what the pods of a template have in common; see observe.Shape.
	shapeFields = wire.Fields{"metadata": {"annotations": annotationFields}, "spec": specFields, "status": statusFields}
)

// tables say what is read of the objects of each kind.
type tables struct {
	// kinds are those of other objects than pods.
	kinds map[string]kind
	// podNames and podShape are the two parts of a pod.
	podNames, podShape *wire.Message
	// podOwner is what the pods of a controller have in common besides their shape.
	podOwner *wire.Message
}

// metadataKind is the kind of objects of which only the metadata was requested.
const metadataKind = "PartialObjectMetadata"

// kind is what is read of the objects of one kind.
type kind struct {
	message *wire.Message
	empty   func() unmarshaler
}

// tablesFor returns the tables for a scope: a selector needs all labels.
func tablesFor(scope observe.Scope) *tables {
	labels := wire.Fields{appsv1.DefaultDeploymentUniqueLabelKey: wire.Whole}
	if scope.Selector != nil {
		labels = wire.Whole
	}
	metadata := wire.Fields{
		"name": wire.Whole, "namespace": wire.Whole, "uid": wire.Whole, "resourceVersion": wire.Whole,
		"labels": labels, "ownerReferences": wire.Whole,
		"annotations": {metav1.InitialEventsAnnotationKey: wire.Whole}, // of a bookmark
	}
	template := wire.Fields{"metadata": {"labels": labels, "annotations": annotationFields}, "spec": specFields}
	workload := wire.Fields{"metadata": metadata, "spec": {"template": template}}
	return &tables{
		kinds: map[string]kind{
			metadataKind:            kindOf[metav1.PartialObjectMetadata](wire.Fields{"metadata": metadata}),
			"ServiceAccount":        kindOf[corev1.ServiceAccount](wire.Fields{"metadata": metadata, "automountServiceAccountToken": wire.Whole}),
			"ReplicationController": kindOf[corev1.ReplicationController](workload),
			"Deployment":            kindOf[appsv1.Deployment](workload),
			"DaemonSet":             kindOf[appsv1.DaemonSet](workload),
			"StatefulSet": kindOf[appsv1.StatefulSet](wire.Fields{"metadata": metadata, "spec": {
				"template": template, "volumeClaimTemplates": {"metadata": {"name": wire.Whole}},
			}}),
			"ReplicaSet": kindOf[appsv1.ReplicaSet](wire.Fields{"metadata": metadata, "spec": {"replicas": wire.Whole, "template": template}}),
			"Job": kindOf[batchv1.Job](wire.Fields{
				"metadata": metadata, "spec": {"template": template}, "status": {"conditions": wire.Whole},
			}),
			"CronJob": kindOf[batchv1.CronJob](wire.Fields{"metadata": metadata, "spec": {"jobTemplate": {"spec": {"template": template}}}}),
		},
		podNames: messageOf[corev1.Pod](wire.Fields{"metadata": metadata, "spec": {"nodeName": wire.Whole}}),
		podOwner: messageOf[corev1.Pod](wire.Fields{"metadata": {"namespace": wire.Whole, "labels": labels, "ownerReferences": wire.Whole}}),
		podShape: messageOf[corev1.Pod](shapeFields),
	}
}

func kindOf[T any, P interface {
	*T
	unmarshaler
}](fields wire.Fields) kind {
	return kind{messageOf[T](fields), func() unmarshaler { return P(new(T)) }}
}

func messageOf[T any](fields wire.Fields) *wire.Message {
	var example T
	m, err := wire.MessageOf(example, fields)
	if err != nil {
		panic(err) // a mistake in the tables
	}
	return m
}

// has reports whether objects of that kind are read.
func (t *tables) has(name string) bool {
	_, ok := t.kinds[name]
	return ok || name == podResource.kind
}
