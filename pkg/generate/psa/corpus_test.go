package psa

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
)

// Manifests of other projects, beside the repository.
const corpora = "../../../../shared"

// object is a manifest of a pod, of what has a template of one, or of a list.
type object struct {
	Kind     string            `json:"kind"`
	Metadata json.RawMessage   `json:"metadata"`
	Spec     json.RawMessage   `json:"spec"`
	Template json.RawMessage   `json:"template"` // of a PodTemplate
	Items    []json.RawMessage `json:"items"`
}

// podsOf returns the pods and templates of a document. What is none has no containers.
func podsOf(t *testing.T, document json.RawMessage) (namespace string, pods []*corev1.Pod) {
	t.Helper()
	var o object
	var meta struct {
		Namespace string `json:"namespace"`
	}
	if json.Unmarshal(document, &o) != nil {
		return "", nil
	}
	_ = json.Unmarshal(o.Metadata, &meta)
	template := func(under json.RawMessage) json.RawMessage {
		var spec struct {
			Template json.RawMessage `json:"template"`
		}
		_ = json.Unmarshal(under, &spec)
		return spec.Template
	}
	pod := template(o.Spec)
	switch o.Kind {
	case "Pod":
		pod = document
	case "PodTemplate":
		pod = o.Template
	case "CronJob":
		var spec struct {
			JobTemplate struct {
				Spec json.RawMessage `json:"spec"`
			} `json:"jobTemplate"`
		}
		_ = json.Unmarshal(o.Spec, &spec)
		pod = template(spec.JobTemplate.Spec)
	}
	var p corev1.Pod
	if len(pod) == 0 || json.Unmarshal(pod, &p) != nil || len(p.Spec.Containers) == 0 {
		return meta.Namespace, nil
	}
	return meta.Namespace, []*corev1.Pod{&p}
}

// The levels of the namespaces of real manifests hold in each minor.
func TestCorpus(t *testing.T) {
	var files []string
	for _, directory := range []string{"corpus", "corpus-live"} {
		list, err := filepath.Glob(filepath.Join(corpora, directory, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	if len(files) == 0 {
		t.Skipf("NOT RUN: no manifests in %s", corpora)
	}
	e, n := evaluator(t), 0
	levels, namespaces := map[api.Level]int{}, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pods := map[string][]*corev1.Pod{}
		add := func(document json.RawMessage) {
			namespace, list := podsOf(t, document)
			if n += len(list); len(list) > 0 {
				pods["n"+namespace] = append(pods["n"+namespace], list...)
			}
		}
		for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
			var document json.RawMessage
			if err := d.Decode(&document); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			add(document)
			var list object
			if json.Unmarshal(document, &list) == nil {
				for _, item := range list.Items {
					add(item)
				}
			}
		}
		if len(pods) == 0 {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			for level, n := range holds(t, e, pods) {
				levels[level] += n
			}
		})
		namespaces += len(pods)
	}
	t.Logf("%d pods and templates in %d namespaces; levels in all minors: %v", n, namespaces, levels)
	if n < 1500 || len(levels) != 3 {
		t.Errorf("%d pods and templates, levels %v: the test sees too little", n, levels)
	}
}
