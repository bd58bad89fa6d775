package judge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"       // workloads, also in their old versions
	_ "k8s.io/kubernetes/pkg/apis/batch/install"      // Job, CronJob
	_ "k8s.io/kubernetes/pkg/apis/core/install"       // Pod, ReplicationController, ServiceAccount
	_ "k8s.io/kubernetes/pkg/apis/extensions/install" // workloads and policies before they had groups
	_ "k8s.io/kubernetes/pkg/apis/policy/install"     // PodSecurityPolicy
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"       // Role and the like
	"sigs.k8s.io/yaml"
)

// decode turns YAML or JSON text into defaulted internal objects, the way the
// API server reads a request body. Lists are taken apart; kinds which 1.24
// does not serve are skipped. A document that does not decode is in skipped.
func decode(text string) (objects []runtime.Object, skipped []error, err error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, skipped, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("splitting documents: %w", err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		raw, err := yaml.YAMLToJSON(document)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("document %d: %w", n, err))
			continue
		}
		found, errs := decodeJSON(raw, schema.GroupVersionKind{})
		objects = append(objects, found...)
		for _, err := range errs {
			skipped = append(skipped, fmt.Errorf("document %d: %w", n, err))
		}
	}
}

// header is what every document must have to be recognised.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"metadata"`
	Items []json.RawMessage `json:"items"`
}

// decodeJSON decodes one document; defaults is the kind of an item in a typed
// list, which may leave it out.
func decodeJSON(raw []byte, defaults schema.GroupVersionKind) ([]runtime.Object, []error) {
	if string(raw) == "null" {
		return nil, nil
	}
	var head header
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, []error{err}
	}
	gvk := schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)
	if gvk.Kind == "" {
		gvk = defaults
	}
	if item, ok := strings.CutSuffix(gvk.Kind, "List"); ok {
		var objects []runtime.Object
		var errs []error
		for _, itemRaw := range head.Items {
			found, itemErrs := decodeJSON(itemRaw, gvk.GroupVersion().WithKind(item))
			objects, errs = append(objects, found...), append(errs, itemErrs...)
		}
		return objects, errs
	}
	if !legacyscheme.Scheme.Recognizes(gvk) {
		return nil, nil
	}
	external, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(raw, &gvk, nil)
	if err != nil {
		return nil, []error{fmt.Errorf("%s %s/%s: %w", gvk.Kind, head.Metadata.Namespace, head.Metadata.Name, err)}
	}
	internal, err := toInternal(external)
	if err != nil {
		return nil, []error{fmt.Errorf("%s %s/%s: %w", gvk.Kind, head.Metadata.Namespace, head.Metadata.Name, err)}
	}
	return []runtime.Object{internal}, nil
}

// toInternal defaults a versioned object and converts it to the internal
// version of its group.
func toInternal(external runtime.Object) (runtime.Object, error) {
	legacyscheme.Scheme.Default(external)
	return legacyscheme.Scheme.UnsafeConvertToVersion(external, runtime.InternalGroupVersioner)
}
