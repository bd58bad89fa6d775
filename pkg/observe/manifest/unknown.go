package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// UnknownKinds says what becomes of objects of kinds that are not read but run pods.
type UnknownKinds string

const (
	// NameUnknown names each in Unread. The zero value does, too.
	NameUnknown UnknownKinds = "name"
	// ReadUnknown reads the pod templates that they hold. What controllers of theirs
	// add is not known.
	ReadUnknown UnknownKinds = "read"
)

// readUnknown records an object of a kind that is not read.
func (r *reader) readUnknown(o object, kind schema.GroupKind) error {
	templates, others, runsPods := findPods(kind, o.data)
	var meta struct {
		metav1.ObjectMeta `json:"metadata"`
	}
	if runsPods {
		_, err := decode(o.data, &meta)
		if meta.Namespace == "" {
			meta.Namespace = r.namespace
		}
		runsPods = r.recorder.Scope.Templates && r.recorder.Scope.Includes(meta.Namespace)
		if runsPods && len(templates) > 0 && r.options.UnknownKinds == ReadUnknown {
			if err == nil {
				err = r.readTemplates(&meta, kind, templates, o.at)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", describe(kind.Kind, o.data), err)
			}
			if !others {
				return nil
			}
		}
	}
	unread := r.unread[kind]
	unread.Group, unread.Kind = kind.Group, kind.Kind
	unread.Objects++
	if runsPods {
		name := cmp.Or(meta.Name, meta.GenerateName)
		unread.Places = append(unread.Places, meta.Namespace+"/"+name+", "+o.at.String())
	}
	r.unread[kind] = unread
	return nil
}

// readTemplates records the pod templates of an object that stands at a place, all under
// its identity.
func (r *reader) readTemplates(meta metav1.Object, kind schema.GroupKind, templates []template, at observe.Place) error {
	for _, t := range templates {
		pod, err := t.decode()
		if err == nil {
			err = validate(meta, pod, t.path)
		}
		if err != nil {
			return err
		}
		record := r.recorder.Template(meta, kind, pod)
		record.Place = &at
		r.records = append(r.records, record)
	}
	return nil
}

// template is a pod template that was found in an object.
type template struct {
	path *field.Path
	data map[string]any
}

func (t template) decode() (*corev1.PodTemplateSpec, error) {
	pod := &corev1.PodTemplateSpec{}
	data, err := json.Marshal(t.data)
	if err == nil {
		_, err = decode(data, pod)
	}
	if err != nil && t.path != nil {
		err = fmt.Errorf("%s: %w", t.path, err)
	}
	return pod, err
}

// findPods returns the pod templates that an object holds and that can be read,
// whether it has the shape of other pods beside them, and whether it runs pods at all:
// by its kind, or by the shape of what it holds.
func findPods(kind schema.GroupKind, data []byte) (templates []template, others, runsPods bool) {
	paths, known := templatePaths[kind]
	switch {
	case known && len(paths) == 0:
		return nil, false, true
	case slices.Contains(matchers, kind.Group), !mayHoldPods(data):
		return nil, false, false
	case !known:
		paths = anyKind
	}
	var value map[string]any
	if kjson.UnmarshalCaseSensitivePreserveInts(data, &value) != nil {
		return nil, false, false
	}
	pods := countPods(value)
	for _, path := range paths {
		steps := strings.FieldsFunc(path, func(r rune) bool { return r == '.' })
		for _, t := range findTemplates(value, nil, steps) {
			templates = append(templates, t)
			if spec, _ := t.data["spec"].(map[string]any); isPodSpec(spec, "image") {
				pods--
			}
		}
	}
	return templates, pods > 0, len(templates) > 0 || pods > 0
}

// mayHoldPods is a quick look at what most objects are: without containers. JSON may
// write any letter of a key as an escape.
func mayHoldPods(data []byte) bool {
	return bytes.Contains(data, []byte(`"containers"`)) || bytes.Contains(data, []byte(`\u`))
}

// findTemplates returns the templates at a path below a value, which stands at
// another one.
func findTemplates(value any, at *field.Path, path []string) []template {
	if len(path) == 0 {
		object, _ := value.(map[string]any)
		if spec, _ := object["spec"].(map[string]any); isPodSpec(spec, "image", "name") {
			return []template{{at, object}}
		}
		return nil
	}
	var templates []template
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if path[0] == key || path[0] == "*" {
				templates = append(templates, findTemplates(value[key], at.Child(key), path[1:])...)
			}
		}
	case []any:
		for i, item := range value {
			if path[0] == "*" {
				templates = append(templates, findTemplates(item, at.Index(i), path[1:])...)
			}
		}
	}
	return templates
}

// countPods returns how many values below one, or itself, have the shape of a pod's
// spec.
func countPods(value any) int {
	n := 0
	switch value := value.(type) {
	case map[string]any:
		if isPodSpec(value, "image") {
			n++
		}
		for _, v := range value {
			n += countPods(v)
		}
	case []any:
		for _, v := range value {
			n += countPods(v)
		}
	}
	return n
}

// isPodSpec reports whether an object has the shape of a pod's spec: a list of
// containers, of which one has one of the fields. Where a pod template is expected,
// an image may be missing, because some controllers set it.
func isPodSpec(object map[string]any, fields ...string) bool {
	containers, _ := object["containers"].([]any)
	return slices.ContainsFunc(containers, func(c any) bool {
		container, _ := c.(map[string]any)
		return slices.ContainsFunc(fields, func(f string) bool {
			_, ok := container[f].(string)
			return ok
		})
	})
}

// unreadKinds returns the kinds that were not read.
func (r *reader) unreadKinds() []observe.Unread {
	return slices.SortedFunc(maps.Values(r.unread), observe.Unread.Compare)
}
