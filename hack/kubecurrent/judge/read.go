package judge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install" // policies and bindings
	_ "k8s.io/kubernetes/pkg/apis/apps/install"                  // workloads
	_ "k8s.io/kubernetes/pkg/apis/batch/install"                 // Job, CronJob
	_ "k8s.io/kubernetes/pkg/apis/core/install"                  // Pod, Namespace, ServiceAccount
	"sigs.k8s.io/yaml"
)

// documents splits YAML text into objects, and takes lists apart.
func documents(text string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("splitting documents: %w", err)
		}
		raw, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, fmt.Errorf("reading document %d: %w", n, err)
		}
		if string(raw) == "null" {
			continue
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return nil, fmt.Errorf("reading document %d: %w", n, err)
		}
		if !object.IsList() {
			objects = append(objects, object)
			continue
		}
		list, err := object.ToList()
		if err != nil {
			return nil, fmt.Errorf("reading document %d: %w", n, err)
		}
		for i := range list.Items {
			objects = append(objects, &list.Items[i])
		}
	}
}

// object reads an object that is given as JSON, or as a JSON string of YAML, the
// way the server reads the body of a request: known kinds only, defaulted.
func object(raw json.RawMessage) (runtime.Object, error) {
	raw = bytes.TrimSpace(raw)
	if bytes.HasPrefix(raw, []byte(`"`)) {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("reading an object: %w", err)
		}
		var err error
		if raw, err = yaml.YAMLToJSON([]byte(text)); err != nil {
			return nil, fmt.Errorf("reading an object: %w", err)
		}
	}
	return decode(raw)
}

// decode turns JSON into a defaulted internal object.
func decode(raw []byte) (runtime.Object, error) {
	external, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	return toInternal(external)
}

// toInternal defaults a versioned object and converts it to the internal version
// of its group.
func toInternal(external runtime.Object) (runtime.Object, error) {
	legacyscheme.Scheme.Default(external)
	internal, err := legacyscheme.Scheme.ConvertToVersion(external, runtime.InternalGroupVersioner)
	if err != nil {
		return nil, fmt.Errorf("converting: %w", err)
	}
	return internal, nil
}

// toVersion converts an internal object to a version of its group, and states it.
func toVersion(internal runtime.Object, version schema.GroupVersion) (runtime.Object, error) {
	external, err := legacyscheme.Scheme.ConvertToVersion(internal, version)
	if err != nil {
		return nil, fmt.Errorf("converting: %w", err)
	}
	return external, nil
}
