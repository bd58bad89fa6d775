package wire

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields are the fields of a message that stay, each with those of its own message. A
// name is that of the protobuf definition, or of the Go field if that has none. Further
// names mean:
//
//   - "name!": a message without this field is left out as a whole;
//   - "*": each other field that is a message;
//   - in a map, the names are keys, and "prefix*" each key with this beginning.
type Fields map[string]Fields

// Whole is the value of a field that stays with everything in it. An empty Fields, in
// contrast, says no more than that the field is there.
var Whole Fields

// Message is a message with the fields that stay.
type Message struct {
	// fields by number.
	fields []field
	// keys that stay if the message is an entry of a map; nil otherwise.
	keys []key
	// required has a bit for each field that must be there.
	required uint64
}

// key is a key of a map, or with what some begin.
type key struct {
	text  string
	begin bool
}

// field is what becomes of one field.
type field struct {
	kept bool
	// message is nil if the field stays as it is.
	message *Message
	// bit of the field in Message.required, or 0.
	bit uint64
}

// MessageOf returns the message of a type that protobuf has been generated for, such as
// corev1.Pod. A name that the type does not have is an error.
func MessageOf(example any, fields Fields) (*Message, error) {
	return messageOf(reflect.TypeOf(example), fields)
}

func messageOf(t reflect.Type, fields Fields) (*Message, error) {
	m := &Message{}
	known := map[string]bool{}
	for f := range t.Fields() {
		number, name := tagOf(f)
		if number == 0 {
			continue
		}
		kept, ok := fields[name]
		required := false
		if !ok {
			kept, required = fields[name+"!"]
		}
		inner := elementOf(f.Type)
		if !ok && !required {
			if kept, ok = fields["*"]; !ok || inner.Kind() != reflect.Struct {
				continue
			}
		}
		known[name] = true
		stays := field{kept: true}
		if required {
			known[name+"!"] = true
			stays.bit = 1 << len(known)
			m.required |= stays.bit
		}
		var err error
		switch {
		case kept == nil:
		case inner.Kind() == reflect.Map:
			stays.message = &Message{keys: keysOf(kept)}
		case inner.Kind() == reflect.Struct:
			stays.message, err = messageOf(inner, kept)
		default:
			err = errors.New("has no fields")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m.fields = append(m.fields, make([]field, max(0, number+1-len(m.fields)))...)
		m.fields[number] = stays
	}
	for name := range fields {
		if name != "*" && !known[name] {
			return nil, fmt.Errorf("%s has no field %q", t, name)
		}
	}
	return m, nil
}

// tagOf returns the number and the name of a field in protobuf; 0 if it has none.
func tagOf(f reflect.StructField) (number int, name string) {
	parts := strings.Split(f.Tag.Get("protobuf"), ",")
	name = f.Name // if the tag has none
	for _, part := range parts {
		if rest, ok := strings.CutPrefix(part, "name="); ok {
			name = rest
		}
	}
	if len(parts) > 1 {
		number, _ = strconv.Atoi(parts[1]) // generated
	}
	return number, name
}

// elementOf returns the type of a field without its pointer or list.
func elementOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

func keysOf(fields Fields) []key {
	keys := []key{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text, begin := strings.CutSuffix(name, "*")
		keys = append(keys, key{text, begin})
	}
	return keys
}

// Append appends to dst what stays of a message. The result decodes to the message
// without the other fields; it is the same for equal messages, though not the shortest
// form of it. It is an error if the message is malformed where fields stay.
func (m *Message) Append(dst, message []byte) ([]byte, error) {
	dst, _, err := m.append(dst, message)
	return dst, err
}

// lengthSize is the size of the length before a message that was changed, which is
// written before the length is known: a varint may have more bytes than it needs.
const lengthSize = 4

// append also reports whether the message itself stays.
func (m *Message) append(dst, message []byte) (out []byte, kept bool, err error) {
	if m.keys != nil {
		if !m.hasKey(message) {
			return dst, false, nil
		}
		return append(dst, message...), true, nil
	}
	missing := m.required
	for len(message) > 0 {
		number, kind, n, size := split(message)
		if size < 0 {
			return dst, false, protowire.ParseError(size)
		}
		whole := message[:n+size]
		message = message[n+size:]
		f := m.field(number)
		switch {
		case !f.kept:
			continue
		case f.message == nil || kind != protowire.BytesType:
			dst = append(dst, whole...) // of another type than expected: the decoder says so
		default:
			content, _ := protowire.ConsumeBytes(whole[n:])
			if f.message.lacks(content) {
				continue
			}
			before := len(dst)
			dst = append(append(dst, whole[:n]...), 0, 0, 0, 0) // lengthSize
			begin := len(dst)
			if dst, kept, err = f.message.append(dst, content); err != nil {
				return dst, false, err
			}
			if !kept {
				dst = dst[:before]
				continue
			}
			putLength(dst[begin-lengthSize:begin], len(dst)-begin)
		}
		missing &^= f.bit
	}
	return dst, missing == 0, nil
}

// split returns the number and the type of the first field of a message, where its value
// begins and how long that is, its own length included; a negative size is an error of
// protowire. Most fields have a number below 16 and are shorter than 16 KiB: they are read
// at once.
func split(message []byte) (number protowire.Number, kind protowire.Type, begin, size int) {
	if len(message) > 2 && message[0] < 0x80 && protowire.Type(message[0]&7) == protowire.BytesType && message[0] > 7 {
		end := 0
		switch low, high := int(message[1]), int(message[2]); {
		case low < 0x80:
			end = 2 + low
		case high < 0x80:
			end = 3 + low&0x7f + high<<7
		}
		if 0 < end && end <= len(message) {
			return protowire.Number(message[0] >> 3), protowire.BytesType, 1, end - 1
		}
	}
	number, kind, begin = protowire.ConsumeTag(message)
	if begin < 0 {
		return 0, 0, 0, begin
	}
	return number, kind, begin, protowire.ConsumeFieldValue(number, kind, message[begin:])
}

func (m *Message) field(number protowire.Number) *field {
	if int(number) < len(m.fields) {
		return &m.fields[number]
	}
	return &field{}
}

// lacks reports whether a message lacks a field that must be there: most variables, of
// which a pod has dozens, do, and are not even begun.
func (m *Message) lacks(message []byte) bool {
	missing := m.required
	for missing != 0 && len(message) > 0 {
		number, _, n, size := split(message)
		if size < 0 {
			return false // append says what is wrong
		}
		missing &^= m.field(number).bit
		message = message[n+size:]
	}
	return missing != 0
}

// putLength writes a length as a varint that fills its place. Objects are far below its
// limit of 256 MiB (etcd and the API server have limits of a few).
func putLength(place []byte, length int) {
	for i := range place {
		place[i] = byte(length&0x7f) | 0x80
		length >>= 7
	}
	place[len(place)-1] &= 0x7f
}

// hasKey reports whether the key of a map's entry, its first field, stays.
func (m *Message) hasKey(entry []byte) bool {
	for len(entry) > 0 {
		number, kind, n, size := split(entry)
		if size < 0 {
			return true // the decoder says what is wrong
		}
		if number == 1 && kind == protowire.BytesType {
			name, _ := protowire.ConsumeBytes(entry[n:])
			return slices.ContainsFunc(m.keys, func(k key) bool {
				return string(name) == k.text || k.begin && bytes.HasPrefix(name, []byte(k.text))
			})
		}
		entry = entry[n+size:]
	}
	return false
}
