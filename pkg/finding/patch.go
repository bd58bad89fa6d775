package finding

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Patch is a strategic merge patch, or a part of one: as JSON decodes it, but for the
// type of objects.
type Patch map[string]any

// UnmarshalJSON implements json.Unmarshaler.
func (p *Patch) UnmarshalJSON(data []byte) error {
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		return err //nolint:wrapcheck // the decoder names the place
	}
	*p, _ = patchOf(plain).(Patch)
	return nil
}

// patchOf returns decoded JSON with the type of a patch for its objects.
func patchOf(value any) any {
	switch x := value.(type) {
	case map[string]any:
		p := make(Patch, len(x))
		for key, v := range x {
			p[key] = patchOf(v)
		}
		return p
	case []any:
		list := make([]any, len(x))
		for i, v := range x {
			list[i] = patchOf(v)
		}
		return list
	default:
		return value
	}
}

// The directive that removes an item of a list.
const (
	directive = "$patch"
	deletion  = "delete"
)

// mergeKeys are the keys of the lists of a pod whose items are merged one by one
// (k8s.io/api/core/v1/types.go, patchMergeKey). Other lists are replaced.
var mergeKeys = map[string][]string{
	"containers": {"name"}, "initContainers": {"name"}, "ephemeralContainers": {"name"},
	"volumes": {"name"}, "volumeMounts": {"mountPath"}, "env": {"name"},
	"ports": {"containerPort", "protocol"},
}

// lists are the fields of a pod with its containers.
var lists = map[profile.Kind]string{
	profile.Regular: "containers", profile.InitContainer: "initContainers", profile.DebugContainer: "ephemeralContainers",
}

// ofPod returns the patch of a pod template that changes the spec of its pods.
func ofPod(spec Patch) Patch { return Patch{"spec": spec} }

// ofContainer returns the patch that changes a container.
func (s *subject) ofContainer(name string, fields Patch) Patch {
	item := maps.Clone(fields)
	item["name"] = name
	spec := Patch{}
	for _, c := range s.containers[name] {
		if list, known := lists[c.Kind]; known {
			spec[list] = []any{item} // one list, unless the manifest is invalid
		}
	}
	if len(spec) == 0 {
		spec[lists[profile.Regular]] = []any{item} // an observation of another version
	}
	return ofPod(spec)
}

// security returns the patch that changes the security context of a container, or that
// of the pod if its name is empty.
func (s *subject) security(container string, fields Patch) Patch {
	context := Patch{"securityContext": fields}
	if container == "" {
		return ofPod(context)
	}
	return s.ofContainer(container, context)
}

// Combine returns the patch that makes the changes of all; nil if none has a patch.
func Combine(remedies ...*Remedy) Patch {
	var all any
	for _, r := range remedies {
		if r == nil || r.Patch == nil {
			continue
		}
		if all == nil {
			all = r.Patch
			continue
		}
		all = merge("", all, r.Patch)
	}
	combined, _ := all.(Patch)
	return combined
}

// merge returns what makes the changes of two patches of the field key.
func merge(key string, a, b any) any {
	switch x := a.(type) {
	case Patch:
		y, ok := b.(Patch)
		switch {
		case !ok || y[directive] == deletion:
			return b
		case x[directive] == deletion:
			return a
		}
		both := maps.Clone(x)
		for field, value := range y {
			if known, ok := both[field]; ok {
				value = merge(field, known, value)
			}
			both[field] = value
		}
		return both
	case []any:
		y, ok := b.([]any)
		if !ok {
			return b
		}
		return mergeLists(key, x, y)
	default:
		return b
	}
}

func mergeLists(key string, a, b []any) []any {
	switch {
	case len(mergeKeys[key]) > 0:
		both := slices.Clone(a)
		for _, item := range b {
			at := slices.IndexFunc(both, func(known any) bool { return sameItem(mergeKeys[key], known, item) })
			if at < 0 {
				both = append(both, item)
				continue
			}
			both[at] = merge("", both[at], item)
		}
		return both
	case key == "drop":
		both := slices.Clone(a)
		for _, item := range b {
			if !slices.Contains(both, item) {
				both = append(both, item)
			}
		}
		return both
	default:
		// Each keeps all but one: what both keep.
		both := []any{}
		for _, item := range a {
			if slices.ContainsFunc(b, func(other any) bool { return reflect.DeepEqual(item, other) }) {
				both = append(both, item)
			}
		}
		return both
	}
}

func sameItem(keys []string, a, b any) bool {
	x, _ := a.(Patch)
	y, _ := b.(Patch)
	return !slices.ContainsFunc(keys, func(k string) bool { return x[k] != y[k] })
}
