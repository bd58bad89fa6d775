package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
)

// object is one object that stands at a place.
type object struct {
	at   observe.Place
	data []byte // JSON
	// duplicates are the paths of fields that were given twice and are not any
	// more in data.
	duplicates []string
	// items are those of a List, if they have been found already.
	items listItems
}

// item returns an item of a List.
func (o object) item(i int, data []byte) object {
	step := fmt.Sprintf("items[%d]", i)
	item := object{at: o.at, data: data}
	item.at.Item = strings.TrimPrefix(o.at.Item+": "+step, ": ")
	for _, d := range o.duplicates {
		if path, ok := strings.CutPrefix(d, step+"."); ok {
			item.duplicates = append(item.duplicates, path)
		}
	}
	return item
}

// check returns err with its place, or records it in Skipped if SkipInvalid is set.
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

// head is the part of an object that says what it is. It is an alias, because the decoder
// names the type in what it says of a value that is no object.
type head = struct {
	metav1.TypeMeta `json:",inline"`
	Items           json.RawMessage `json:"items"`
}

// head returns the head of an object, and which of its fields are given twice.
func (o *object) head() (h head, duplicates []string, err error) {
	if !o.items.found() {
		o.items, _ = scanItems(o.data)
	}
	if o.items.found() {
		// What the items say makes no difference here.
		if duplicates, err = decode(o.items.without(o.data), &h, kjson.DisallowDuplicateFields); err == nil {
			return h, duplicates, nil
		}
	}
	h = head{}
	duplicates, err = decode(o.data, &h, kjson.DisallowDuplicateFields)
	return h, duplicates, err
}

// readObject records an object, or the objects of a List. Items of a typed list
// may lack a type: then it is itemType.
func (r *reader) readObject(o object, itemType metav1.TypeMeta) error {
	if r.visit == nil {
		if t, x, fields := r.decodeFirst(o, itemType); x != nil {
			return r.check(o.at, r.readDecoded(o, t, x, fields))
		}
	}
	meta, duplicates, err := o.head()
	if err != nil {
		return r.check(o.at, err)
	}
	if meta.Kind == "" {
		meta.TypeMeta = itemType
	}
	switch {
	case meta.Kind == "":
		return r.check(o.at, errors.New("kind: required: this is not a Kubernetes object"))
	case meta.APIVersion == "":
		return r.check(o.at, fmt.Errorf("apiVersion: required for %s", meta.Kind))
	case r.visit == nil && observe.Reads(observe.GroupKind(meta.APIVersion, meta.Kind)):
		return r.check(o.at, r.readTyped(o, meta.TypeMeta))
	}
	for _, d := range o.duplicates {
		if slices.Contains([]string{"apiVersion", "kind", "items"}, d) {
			duplicates = append(duplicates, duplicateField(d))
		}
	}
	// Another kind may end in List as well.
	itemKind, isList := strings.CutSuffix(meta.Kind, "List")
	if isList && (meta.Kind == "List" || observe.Reads(observe.GroupKind(meta.APIVersion, itemKind)) || bytes.HasPrefix(meta.Items, []byte("["))) {
		if err := r.checkFields(o, meta.Kind, duplicates); err != nil {
			return r.check(o.at, err)
		}
		return r.readList(o, metav1.TypeMeta{APIVersion: meta.APIVersion, Kind: itemKind}, meta.Items)
	}
	if r.visit != nil {
		return r.check(o.at, r.visit(Object{o.at, meta.TypeMeta, o.data}))
	}
	return r.check(o.at, r.readOther(o, meta.TypeMeta, duplicates))
}

// maxNested is how many Lists may hold each other. Each is read once for every
// List around it.
const maxNested = 10

// readList records the items of a List.
func (r *reader) readList(o object, itemType metav1.TypeMeta, data []byte) error {
	if strings.Count(o.at.Item, "items[") >= maxNested {
		return r.check(o.at, fmt.Errorf("a List is nested more than %d deep", maxNested))
	}
	if o.items.found() {
		return r.readItems(o, itemType, o.items.each)
	}
	var items []json.RawMessage
	if len(data) > 0 {
		if _, err := decode(data, &items); err != nil {
			return r.check(o.at, errors.New("items: want a list"))
		}
	}
	return r.readItems(o, itemType, items)
}

func (r *reader) readItems(o object, itemType metav1.TypeMeta, items []json.RawMessage) error {
	for i, data := range items {
		if err := r.readObject(o.item(i, data), itemType); err != nil {
			return err
		}
	}
	return nil
}

// readOther records an object that is no List and of no kind that is read.
func (r *reader) readOther(o object, t metav1.TypeMeta, duplicates []string) error {
	if observe.IsDocument(t.APIVersion, t.Kind) {
		if len(o.duplicates) > 0 {
			return fmt.Errorf("reading the observation: duplicate field %q", o.duplicates[0])
		}
		obs, err := observe.Decode(o.data)
		if err == nil {
			r.documents = append(r.documents, readObservation{o.at, obs})
		}
		return err
	}
	if err := checkKind(t); err != nil {
		return fmt.Errorf("%s: %w", describe(t.Kind, o.data), err)
	}
	if err := r.checkFields(o, t.Kind, duplicates); err != nil {
		return err
	}
	return r.readUnknown(o, observe.GroupKind(t.APIVersion, t.Kind))
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
	// A name that cannot be decoded is omitted: the caller's error says why.
	_ = json.Unmarshal(data, &named)
	name := named.Metadata.Name
	if named.Metadata.Namespace != "" {
		name = named.Metadata.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %q", kind, name)
}
