package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// object is a Kubernetes object as JSON gives it.
type object = map[string]any

// kinds are those of the objects that stand for a pod, for the judge.
var kinds = []string{"Pod", "PodTemplate", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}

// manifests returns the names of the manifests in a directory, in order.
func manifests(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return files, nil
}

// podsOf returns the pods of a manifest as a server would store them, and the number
// of those that it refuses. Their namespaces get a prefix, so that those of several
// manifests do not mix.
func (j *judge) podsOf(file, prefix string) (pods []*corev1.Pod, refused int, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // the file is the caller's
	if err != nil {
		return nil, 0, fmt.Errorf("reading pods: %w", err)
	}
	objects, err := split(string(text))
	if err != nil {
		return nil, 0, fmt.Errorf("splitting %s: %w", file, err)
	}
	var accounts bytes.Buffer
	ask := request{ReturnPods: true}
	for _, o := range objects {
		kind, _ := o["kind"].(string)
		if metadata, ok := o["metadata"].(object); ok && metadata["namespace"] == nil && kind == "ServiceAccount" {
			metadata["namespace"] = metav1.NamespaceDefault
		}
		raw, err := json.Marshal(o)
		if err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", file, err)
		}
		switch {
		case kind == "ServiceAccount":
			fmt.Fprintf(&accounts, "---\n%s\n", raw)
		case slices.Contains(kinds, kind):
			ask.Pods = append(ask.Pods, podRequest{Object: raw})
		}
	}
	if _, err := j.ask(request{Cluster: &clusterRequest{Objects: accounts.String()}}); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", file, err)
	}
	a, err := j.ask(ask)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", file, err)
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

// split splits text into objects, and lists into their items.
func split(text string) ([]object, error) {
	var objects []object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a document: %w", err)
		}
		var o object
		if err := yaml.Unmarshal(document, &o); err != nil {
			return nil, fmt.Errorf("reading a document: %w", err)
		}
		items, isList := o["items"].([]any)
		if !isList {
			objects = append(objects, o)
			continue
		}
		for _, item := range items {
			if inner, ok := item.(object); ok {
				objects = append(objects, inner)
			}
		}
	}
}
