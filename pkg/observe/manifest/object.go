package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// check returns err, said of what stands at that observe.Place, where it ends the
// reading. With SkipInvalid it is noted instead.
func (r *reader) check(at observe.Place, err error) error {
	if err == nil {
		return nil
	}
	skipped := observe.Skipped{Place: at, Problem: err.Error()}
	if !r.options.SkipInvalid {
		return skipped
	}
	r.skipped = append(r.skipped, skipped)
	return nil
}

// warn notes what was read and is probably not meant.
func (r *reader) warn(at observe.Place, problem string) {
	r.warnings = append(r.warnings, observe.Warning{Place: at, Problem: problem})
}

// object takes in the object at that observe.Place, or the objects of a List.
func (r *reader) object(at observe.Place, data []byte) error {
	var meta struct {
		metav1.TypeMeta `json:",inline"`
		Items           json.RawMessage `json:"items"`
	}
	err := decode(data, &meta)
	switch {
	case err != nil:
	case meta.Kind == "":
		err = errors.New("kind: required, this is no Kubernetes object")
	case meta.APIVersion == "":
		err = fmt.Errorf("apiVersion: required for %s", meta.Kind)
	default:
		// A kind of one's own may end in List as well.
		itemKind, isList := strings.CutSuffix(meta.Kind, "List")
		if isList && (meta.Kind == "List" || observe.Reads(observe.GroupKind(meta.APIVersion, itemKind)) || bytes.HasPrefix(meta.Items, []byte("["))) {
			return r.list(at, metav1.TypeMeta{APIVersion: meta.APIVersion, Kind: itemKind}, meta.Items)
		}
		err = r.typed(meta.TypeMeta, data)
	}
	return r.check(at, err)
}

// maxNested is how many Lists may hold each other. Each is read once for every
// List around it.
const maxNested = 10

// list takes in the items of a List. Items of a typed list may leave their type
// out: then it is the list's.
func (r *reader) list(at observe.Place, itemType metav1.TypeMeta, data []byte) error {
	if strings.Count(at.Item, "items[") >= maxNested {
		return r.check(at, fmt.Errorf("a List is nested more than %d deep", maxNested))
	}
	var items []json.RawMessage
	if len(data) > 0 {
		if err := decode(data, &items); err != nil {
			return r.check(at, errors.New("items: want a list"))
		}
	}
	for i, item := range items {
		at := at
		at.Item = strings.TrimPrefix(fmt.Sprintf("%s: items[%d]", at.Item, i), ": ")
		var own metav1.TypeMeta
		err := decode(item, &own)
		switch {
		case err != nil:
			err = r.check(at, err)
		case own.Kind == "" && itemType.Kind != "":
			err = r.check(at, r.typed(itemType, item))
		default:
			err = r.object(at, item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) typed(t metav1.TypeMeta, data []byte) error {
	if observe.IsDocument(t.APIVersion, t.Kind) {
		document, err := observe.Decode(data)
		if err == nil {
			r.documents = append(r.documents, document)
		}
		return err
	}
	kind := observe.GroupKind(t.APIVersion, t.Kind)
	if !observe.Reads(kind) {
		if err := checkKind(t); err != nil {
			return fmt.Errorf("%s: %w", describe(t.Kind, data), err)
		}
		r.unread[kind]++
		return nil
	}
	switch kind.Kind {
	case "ServiceAccount":
		return r.serviceAccount(data)
	case "Pod":
		return r.pod(data)
	default:
		return r.workload(kind, data)
	}
}

// checkKind returns an error for a kind that is not read but can only be meant as
// one that is: it differs in case or group alone, and the group has no dot, as
// those of custom resources have.
func checkKind(t metav1.TypeMeta) error {
	if strings.Contains(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).Group, ".") {
		return nil
	}
	for _, name := range observe.Kinds() {
		if !strings.EqualFold(t.Kind, name) {
			continue
		}
		if observe.Reads(observe.GroupKind(t.APIVersion, name)) {
			return fmt.Errorf("kind: %q: want %s", t.Kind, name)
		}
		return fmt.Errorf("apiVersion: %q has no %s", t.APIVersion, name)
	}
	return nil
}

// describe names an object in an error, as far as it can be read.
func describe(kind string, data []byte) string {
	var named struct {
		Metadata struct {
			Namespace, Name string
		} `json:"metadata"`
	}
	// A name that cannot be decoded is left out: the caller's error says why.
	_ = json.Unmarshal(data, &named)
	name := named.Metadata.Name
	if named.Metadata.Namespace != "" {
		name = named.Metadata.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %q", kind, name)
}
