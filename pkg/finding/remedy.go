package finding

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Confidence is how sure it is that a workload runs as before after a remedy.
type Confidence string

// The confidences, the surest first.
const (
	// Safe by construction: what is taken away is not in effect.
	Safe Confidence = "safe"
	// Likely safe: few programs need what is taken away.
	Likely Confidence = "likely"
	// Test: it may break the workload.
	Test Confidence = "test"
)

// Text returns the confidence in words.
func (c Confidence) Text() string {
	return map[Confidence]string{Safe: "safe by construction", Likely: "likely safe", Test: "may break: test"}[c]
}

// Remedy is a change of the manifest of a workload.
type Remedy struct {
	Confidence Confidence `json:"confidence"`
	// Changes are the fields that change, sorted by path.
	Changes []Change `json:"changes"`
	// Patch is the strategic merge patch with these changes, which kubectl patch and
	// kustomize take; nil for kinds that they cannot patch, such as custom resources, and
	// for workloads whose manifest was not observed.
	Patch Patch `json:"patch,omitempty"`
	// unnamed is true if a patch cannot name an item of a list.
	unnamed bool
}

// Change is a field that gets a value, or is removed.
type Change struct {
	// Path of the field in the manifest. An item of a list is named by its key:
	// spec.template.spec.containers[name=web].image.
	Path string `json:"path"`
	// Value of the field; none if it is removed.
	Value any `json:"value,omitempty"`
	// Remove is true if the field, or the item of a list, is removed.
	Remove bool `json:"remove,omitempty"`
}

// templates are where the kinds of workloads have the template of their pods.
var templates = map[schema.GroupKind][]string{
	{Kind: "Pod"}:                        {},
	{Kind: "PodTemplate"}:                {"template"},
	{Kind: "ReplicationController"}:      {"spec", "template"},
	{Group: "apps", Kind: "Deployment"}:  {"spec", "template"},
	{Group: "apps", Kind: "StatefulSet"}: {"spec", "template"},
	{Group: "apps", Kind: "DaemonSet"}:   {"spec", "template"},
	{Group: "apps", Kind: "ReplicaSet"}:  {"spec", "template"},
	{Group: "batch", Kind: "Job"}:        {"spec", "template"},
	{Group: "batch", Kind: "CronJob"}:    {"spec", "jobTemplate", "spec", "template"},
}

// in returns a remedy, whose patch is that of a pod template, as one of the manifest of
// a workload; nil if nothing of the manifest changes, as where a webhook has added to the
// pods what is wrong with them.
func (r *Remedy) in(s *subject, container string) *Remedy {
	if r.Patch == nil || s.injected(container) {
		return nil
	}
	at, known := templates[schema.GroupKind{Group: s.Group, Kind: s.Kind}]
	if !known && s.template {
		at = []string{"spec", "template"} // by which such kinds are recognized
	}
	whole := r.Patch
	for _, field := range slices.Backward(at) {
		whole = Patch{field: whole}
	}
	done := &Remedy{Confidence: r.Confidence, Changes: changesOf(nil, "", "", whole)}
	// Without its manifest, nobody knows which containers it has.
	if known && !r.unnamed && (s.template || s.Kind == "Pod") {
		done.Patch = whole
	}
	return done
}

// changesOf appends the changes of what a patch has at a path.
func changesOf(list []Change, path, key string, value any) []Change {
	switch x := value.(type) {
	case nil:
		return append(list, Change{Path: path, Remove: true})
	case Patch:
		if x[directive] == deletion {
			return append(list, Change{Path: path, Remove: true})
		}
		for _, field := range slices.Sorted(maps.Keys(x)) {
			if slices.Contains(mergeKeys[key], field) {
				continue // names the item
			}
			list = changesOf(list, join(path, field), field, x[field])
		}
		return list
	case []any:
		keys := mergeKeys[key]
		if len(keys) == 0 {
			return append(list, Change{Path: path, Value: x})
		}
		for _, item := range x {
			fields, _ := item.(Patch)
			var named []string
			for _, k := range keys {
				if v, ok := fields[k]; ok {
					named = append(named, k+"="+word(textOf(v)))
				}
			}
			list = changesOf(list, path+"["+strings.Join(named, ",")+"]", key, fields)
		}
		return list
	default:
		return append(list, Change{Path: path, Value: x})
	}
}

func textOf(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case int64:
		return strconv.FormatInt(x, 10)
	default:
		return ""
	}
}

func join(path, field string) string {
	switch {
	case strings.ContainsAny(field, "./[]"):
		return path + "[" + strconv.Quote(field) + "]"
	case path == "":
		return field
	default:
		return path + "." + field
	}
}

// word returns a key of a list as it stands in a path.
func word(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._/", r)
	}) {
		return s
	}
	return strconv.Quote(s)
}
