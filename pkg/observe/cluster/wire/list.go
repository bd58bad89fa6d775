// Package wire reads the protobuf form of API objects without decoding what nobody
// reads: most of a pod is environment, probes, status and managed fields.
//
// Input is the response to a list (ReadList), read as it arrives, or one object
// (Message.Append); output is, object by object, its protobuf without the fields that are
// not wanted, for the generated decoder. The package knows no kind of object. Laws, each
// tested:
//   - What Append leaves decodes to the object without the other fields, whatever values
//     the fields have.
//   - A list that ends early is an error, wherever it ends.
//   - No more than one object of a list is in memory.
package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// magic begins each response in protobuf
// (apimachinery/pkg/runtime/serializer/protobuf/protobuf.go, protoEncodingPrefix).
const magic = "k8s\x00"

// The fields of the envelope after it (apimachinery/pkg/runtime/generated.proto, Unknown).
const (
	envelopeType     = 1
	envelopeObject   = 2
	envelopeEncoding = 3
)

// The fields of every list.
const (
	listMetadata = 1
	listItems    = 2
)

// IsProtobuf reports whether a response is in protobuf.
func IsProtobuf(response *bufio.Reader) bool {
	begin, err := response.Peek(len(magic))
	return err == nil && string(begin) == magic
}

// Open returns the type and the protobuf of an object in its envelope; ok is false if that
// is not what data has.
func Open(data []byte) (kind runtime.TypeMeta, object []byte, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	for ok && len(rest) > 0 {
		number, wireType, n := protowire.ConsumeTag(rest)
		value, size := protowire.ConsumeBytes(rest[max(0, n):])
		if n < 0 || size < 0 || wireType != protowire.BytesType {
			return kind, nil, false
		}
		switch number { //nolint:exhaustive // of all numbers
		case envelopeType:
			ok = kind.Unmarshal(value) == nil
		case envelopeObject:
			object = value
		case envelopeEncoding:
			ok = len(value) == 0
		}
		rest = rest[n+size:]
	}
	return kind, object, ok && object != nil
}

// Head is what a list says of itself.
type Head struct {
	runtime.TypeMeta
	metav1.ListMeta
}

// ReadList reads a list in protobuf. It calls head as soon as that was read, which is
// before the items on every known server, and item with the protobuf of each item, which
// is valid until item returns.
func ReadList(response *bufio.Reader, head func(Head) error, item func([]byte) error) error {
	r := &reader{Reader: response, left: math.MaxInt64}
	if err := r.skip(int64(len(magic))); err != nil {
		return err
	}
	found := false
	var h Head
	for {
		number, size, err := r.field()
		switch {
		case errors.Is(err, io.EOF) && found:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("it has no content: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return unexpected(err)
		}
		switch number {
		case envelopeType:
			err = r.message(size, &h.TypeMeta)
		case envelopeObject:
			found = true
			err = r.list(size, &h, head, item)
		case envelopeEncoding:
			if size > 0 {
				return errors.New("the object has an encoding that is not known")
			}
		default:
			err = r.skip(size)
		}
		if err != nil {
			return err
		}
	}
}

// reader reads fields, of which left bytes belong to the current message.
type reader struct {
	*bufio.Reader
	left   int64
	buffer bytes.Buffer
}

// list reads the fields of a list of that size.
func (r *reader) list(size int64, h *Head, head func(Head) error, item func([]byte) error) error {
	r.left = size
	for r.left > 0 {
		number, size, err := r.field()
		if err != nil {
			return unexpected(err)
		}
		switch number {
		case listMetadata:
			if err = r.message(size, &h.ListMeta); err == nil {
				err = head(*h)
			}
		case listItems:
			var raw []byte
			if raw, err = r.bytes(size); err == nil {
				err = item(raw)
			}
		default:
			err = r.skip(size)
		}
		if err != nil {
			return err
		}
	}
	r.left = math.MaxInt64
	return nil
}

// message reads the value of a field into a message.
func (r *reader) message(size int64, into interface{ Unmarshal([]byte) error }) error {
	raw, err := r.bytes(size)
	if err != nil {
		return err
	}
	return into.Unmarshal(raw) //nolint:wrapcheck // the caller says of what
}

// field reads the number of a field and the size of what follows. The error is io.EOF
// only before a field.
func (r *reader) field() (number protowire.Number, size int64, err error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0, err //nolint:wrapcheck // io.EOF has a meaning
	}
	number, kind := protowire.DecodeTag(tag)
	if kind != protowire.BytesType {
		return 0, 0, fmt.Errorf("field %d has type %d, which no list has", number, kind)
	}
	length, err := binary.ReadUvarint(r)
	switch {
	case err != nil:
		return 0, 0, unexpected(err)
	case length > uint64(r.left): //nolint:gosec // never negative
		return 0, 0, fmt.Errorf("field %d is longer than its message", number)
	default:
		return number, int64(length), nil //nolint:gosec // not above left
	}
}

// ReadByte implements io.ByteReader.
func (r *reader) ReadByte() (byte, error) {
	if r.left == 0 {
		return 0, errors.New("a field is longer than its message")
	}
	r.left--
	return r.Reader.ReadByte() //nolint:wrapcheck // io.EOF has a meaning
}

// bytes reads the value of a field, which is valid until the next one is read. It is copied
// only if the reader's buffer is too small for it: into one that grows with what arrives,
// not with what the size promises.
func (r *reader) bytes(size int64) ([]byte, error) {
	r.left -= size
	if size <= int64(r.Size()) {
		value, err := r.Peek(int(size))
		if err != nil {
			return nil, unexpected(err)
		}
		_, err = r.Discard(len(value))
		return value, err //nolint:wrapcheck // there is none: they are in the buffer
	}
	r.buffer.Reset()
	if _, err := io.CopyN(&r.buffer, r.Reader, size); err != nil {
		return nil, unexpected(err)
	}
	return r.buffer.Bytes(), nil
}

func (r *reader) skip(size int64) error {
	r.left -= size
	if _, err := io.CopyN(io.Discard, r.Reader, size); err != nil {
		return unexpected(err)
	}
	return nil
}

// unexpected returns the error of a response that is not complete.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
