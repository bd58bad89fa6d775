package replay

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// form is how a client wants objects.
type form struct {
	json, metadata bool
}

func (f form) mediaType() string {
	if f.json {
		return "application/json"
	}
	return "application/vnd.kubernetes.protobuf"
}

// kinds returns the type of a list and of its items.
func (f form) kinds(r fleet.Resource) (apiVersion, list, item string) {
	if f.metadata {
		return "meta.k8s.io/v1", "PartialObjectMetadataList", "PartialObjectMetadata"
	}
	return r.APIVersion, r.Kind + "List", r.Kind
}

// spool has the encoded objects of a resource, one after the other in a file, so that any
// page of them is a part of the file, which the kernel sends.
type spool struct {
	resource fleet.Resource
	form     form
	file     *os.File
	// keys are the namespaces and names, sorted, and offsets where the objects begin; the
	// last one is the end of the file.
	keys    []string
	offsets []int64
}

// newSpool encodes a resource into a file that has no name.
func newSpool(f fleet.Fleet, r fleet.Resource, as form) (*spool, error) {
	file, err := os.CreateTemp("", "bench-")
	if err != nil {
		return nil, fmt.Errorf("creating a file for %s: %w", r.Name, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("removing the name of a file: %w", err)
	}
	s := &spool{resource: r, form: as, file: file, offsets: []int64{0}}
	w := bufio.NewWriterSize(file, 1<<20)
	end := int64(0)
	for object := range f.Objects(r) {
		data, err := as.encode(object)
		if err != nil {
			return nil, fmt.Errorf("encoding %s %s: %w", r.Name, object.GetName(), err)
		}
		n, err := w.Write(as.item(data))
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", r.Name, err)
		}
		end += int64(n)
		s.keys, s.offsets = append(s.keys, object.GetNamespace()+"/"+object.GetName()), append(s.offsets, end)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("writing %s: %w", r.Name, err)
	}
	return s, nil
}

// encode returns an object as it is in a list: without its type.
func (f form) encode(object fleet.Object) ([]byte, error) {
	var wanted any = object
	if f.metadata {
		m, err := meta.Accessor(object)
		if err != nil {
			return nil, err //nolint:wrapcheck // wrapped by the caller
		}
		wanted = meta.AsPartialObjectMetadata(m)
	}
	if f.json {
		return json.Marshal(wanted) //nolint:wrapcheck // wrapped by the caller
	}
	m, ok := wanted.(interface{ Marshal() ([]byte, error) })
	if !ok {
		return nil, errors.New("it has no protobuf encoding")
	}
	return m.Marshal() //nolint:wrapcheck // wrapped by the caller
}

// The field numbers of items in all lists, of the parts of runtime.Unknown, which is
// around every object, and of a WatchEvent (generated.proto in k8s.io/apimachinery).
const (
	listMeta, listItems           = 1, 2
	typeMeta, raw, encoding, kind = 1, 2, 3, 4
	apiVersionOf, kindOf          = 1, 2
	eventType, eventObject        = 1, 2
	extensionRaw                  = 1
)

// item returns an encoded object as it stands in the file.
func (f form) item(data []byte) []byte {
	if f.json {
		return append(data, ',')
	}
	return field(listItems, data)
}

// field returns a protobuf field of bytes.
func field(number int, data []byte) []byte { return append(fieldOf(number, len(data)), data...) }

// fieldOf returns the beginning of a field of that many bytes.
func fieldOf(number, length int) []byte {
	return binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(length)) //nolint:gosec // small numbers
}

// envelope returns what stands before and after an encoded object of that length.
func envelope(apiVersion, kindName string, length int) (before, after []byte) {
	types := append(field(apiVersionOf, []byte(apiVersion)), field(kindOf, []byte(kindName))...)
	before = append([]byte("k8s\x00"), field(typeMeta, types)...)
	before = append(before, fieldOf(raw, length)...)
	return before, append(fieldOf(encoding, 0), fieldOf(kind, 0)...)
}

// in returns which objects are in a namespace; all, if it is empty.
func (s *spool) in(namespace string) (first, end int) {
	if namespace == "" {
		return 0, len(s.keys)
	}
	// 0 is the character after the slash.
	return sort.SearchStrings(s.keys, namespace+"/"), sort.SearchStrings(s.keys, namespace+"0")
}

// find returns the number of an object.
func (s *spool) find(namespace, name string) (int, bool) {
	i := sort.SearchStrings(s.keys, namespace+"/"+name)
	return i, i < len(s.keys) && s.keys[i] == namespace+"/"+name
}

// list returns a list of some objects, and its length.
func (s *spool) list(first, end int, m metav1.ListMeta) (io.Reader, int64, error) {
	from, to := s.offsets[first], s.offsets[end]
	apiVersion, list, _ := s.form.kinds(s.resource)
	var before, after []byte
	if s.form.json {
		types, err := json.Marshal(m)
		if err != nil {
			return nil, 0, fmt.Errorf("encoding the metadata of a list: %w", err)
		}
		before = fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":%s,"items":[`, list, apiVersion, types)
		after = []byte("]}")
		if first < end {
			to-- // the comma
		}
	} else {
		metadata, err := m.Marshal()
		if err != nil {
			return nil, 0, fmt.Errorf("encoding the metadata of a list: %w", err)
		}
		metadata = field(listMeta, metadata)
		before, after = envelope(apiVersion, list, len(metadata)+int(to-from))
		before = append(before, metadata...)
	}
	body := io.MultiReader(strings.NewReader(string(before)), io.NewSectionReader(s.file, from, to-from), strings.NewReader(string(after)))
	return body, int64(len(before)) + to - from + int64(len(after)), nil
}

// object returns an object, without its type.
func (s *spool) object(i int) ([]byte, error) {
	data := make([]byte, s.offsets[i+1]-s.offsets[i])
	if _, err := s.file.ReadAt(data, s.offsets[i]); err != nil {
		return nil, fmt.Errorf("reading an object: %w", err)
	}
	return s.form.unframed(data), nil
}

// unframed is the inverse of item.
func (f form) unframed(data []byte) []byte {
	if f.json {
		return data[:len(data)-1]
	}
	_, n := binary.Uvarint(data[1:])
	return data[1+n:]
}

// whole returns an object that stands alone, with its type.
func (f form) whole(r fleet.Resource, data []byte) []byte {
	apiVersion, _, item := f.kinds(r)
	if f.json {
		return append(fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,`, item, apiVersion), data[1:]...)
	}
	before, after := envelope(apiVersion, item, len(data))
	return append(append(before, data...), after...)
}

// event returns an event of a watch (apimachinery/pkg/runtime/serializer: frames of JSON
// are lines, those of protobuf have their length first).
func (f form) event(kind string, object []byte) []byte {
	if f.json {
		return append(append(fmt.Appendf(nil, `{"type":%q,"object":`, kind), object...), "}\n"...)
	}
	extension := field(extensionRaw, object)
	event := append(field(eventType, []byte(kind)), field(eventObject, extension)...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...) //nolint:gosec // it fits
}
