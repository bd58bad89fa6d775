package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kinds are those of the objects that stand for a pod, for the judge.
var kinds = []string{"Pod", "PodTemplate", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}

// podsOf returns the pods of a manifest as a server would store them, and the number
// of those that it refuses. Their namespaces get a prefix, so that those of several
// manifests do not mix.
func (s server) podsOf(file objects.Source, prefix string) (pods []*corev1.Pod, refused int, err error) {
	list, err := objects.Split(file.Text)
	if err != nil {
		return nil, 0, fmt.Errorf("splitting %s: %w", file.Name, err)
	}
	var accounts bytes.Buffer
	ask := request{ReturnPods: true}
	for _, o := range list {
		kind, _ := o["kind"].(string)
		if metadata, ok := o["metadata"].(objects.Object); ok && metadata["namespace"] == nil && kind == "ServiceAccount" {
			metadata["namespace"] = metav1.NamespaceDefault
		}
		raw, err := json.Marshal(o)
		if err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", file.Name, err)
		}
		switch {
		case kind == "ServiceAccount":
			fmt.Fprintf(&accounts, "---\n%s\n", raw)
		case slices.Contains(kinds, kind):
			ask.Pods = append(ask.Pods, podRequest{Object: raw})
		}
	}
	if _, err := s.ask(request{Cluster: &clusterRequest{Objects: accounts.String()}}); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", file.Name, err)
	}
	a, err := s.ask(ask)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", file.Name, err)
	}
	for _, v := range a.Pods {
		if v.Outcome != "admitted" || v.Pod == nil {
			refused++
			continue
		}
		v.Pod.Namespace = strings.TrimRight((prefix + v.Pod.Namespace)[:min(len(prefix+v.Pod.Namespace), 63)], "-")
		pods = append(pods, v.Pod)
	}
	return pods, refused, nil
}
