package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// slowBytes is the number of bytes that arrive one by one.
const slowBytes = 200

// slowBody is a body whose first bytes arrive one by one.
type slowBody struct {
	io.ReadCloser
	ctx   context.Context
	pause int // milliseconds
	left  int
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 || len(p) == 0 {
		return b.ReadCloser.Read(p) //nolint:wrapcheck // a body must not change errors
	}
	b.left--
	select {
	case <-time.After(time.Duration(b.pause) * time.Millisecond):
	case <-b.ctx.Done():
		return 0, b.ctx.Err() //nolint:wrapcheck // a body must not change errors
	}
	return b.ReadCloser.Read(p[:1]) //nolint:wrapcheck // a body must not change errors
}

// brokenBody ends with an error.
type brokenBody struct {
	data []byte
	err  error
	ctx  context.Context
}

// Read implements io.Reader.
func (b *brokenBody) Read(p []byte) (int, error) {
	if len(b.data) == 0 {
		if b.err == errReset { //nolint:errorlint // it is this one
			resetConnection(b.ctx)
		}
		return 0, b.err
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *brokenBody) Close() error { return nil }

// connectionKey is that of the client's connection, in the context of a request to a
// proxy that listens.
type connectionKey struct{}

// resetConnection has the client's connection, if there is one, end with RST instead of
// FIN.
func resetConnection(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*net.TCPConn); ok {
		_ = c.SetLinger(0) // else the client sees an end instead
	}
}

// protobufPrefix begins every protobuf response
// (apimachinery/pkg/runtime/serializer/protobuf).
const protobufPrefix = "k8s\x00"

// field is a field of a protobuf message: where its tag and its content begin, and where
// it ends.
type field struct {
	number             uint64
	tag, content, next int
	message            bool // perhaps
}

// fields returns the fields of the message in data[begin:end], as far as they can be
// read.
func fields(data []byte, begin, end int) []field {
	var list []field
	for at := begin; at < end; {
		tag, n := binary.Uvarint(data[at:end])
		if n <= 0 {
			return list
		}
		f := field{number: tag >> 3, tag: at, content: at + n}
		switch tag & 7 {
		case 0:
			_, n := binary.Uvarint(data[f.content:end])
			if n <= 0 {
				return list
			}
			f.next = f.content + n
		case 2:
			length, n := binary.Uvarint(data[f.content:end])
			if n <= 0 || length > uint64(end-f.content-n) { //nolint:gosec // n bytes were there
				return list
			}
			f.content += n
			f.next = f.content + int(length) //nolint:gosec // compared above
			f.message = true
		default: // Kubernetes has no others where this looks
			return list
		}
		list = append(list, f)
		at = f.next
	}
	return list
}

// fieldEnd returns where the n-th field of the outermost message ends. The second one has
// the object.
func fieldEnd(body []byte, n int) int {
	if !bytes.HasPrefix(body, []byte(protobufPrefix)) {
		return len(body) / 2
	}
	outer := fields(body, len(protobufPrefix), len(body))
	if len(outer) < n {
		return len(protobufPrefix)
	}
	return outer[n-1].next
}

// corrupt returns the body with some bytes of its framing overwritten so that any decoder
// notices; at says which, per mille of the places.
func corrupt(body []byte, at int) []byte {
	body = bytes.Clone(body)
	if len(body) == 0 {
		return body
	}
	if !bytes.HasPrefix(body, []byte(protobufPrefix)) {
		places := syntax(body)
		if len(places) == 0 {
			return []byte("\x01")
		}
		body[places[at%1000*len(places)/1000]] = 1
		return body
	}
	var places []field
	for _, outer := range fields(body, len(protobufPrefix), len(body)) {
		places = append(places, outer)
		if outer.number != 2 {
			continue
		}
		for _, inner := range fields(body, outer.content, outer.next) { // of an object or a list
			places = append(places, inner)
			if inner.number == 2 && inner.message { // an item, or the spec
				places = append(places, fields(body, inner.content, inner.next)...)
			}
		}
	}
	if len(places) == 0 {
		body[0] ^= 0xff
		return body
	}
	place := places[at%1000*len(places)/1000]
	if huge := []byte("\xff\xff\xff\xff\x0f"); at%2 == 1 && place.message && len(body)-place.tag > len(huge)+1 {
		copy(body[place.tag+1:], huge) // a length beyond the end
		return body
	}
	body[place.tag] = 7 // neither a number nor a type of a field
	return body
}

// syntax returns where JSON has its syntax: not within strings, numbers and words.
func syntax(body []byte) []int {
	var places []int
	quoted := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte("{}[]:,", c) >= 0:
			places = append(places, i)
		}
	}
	return places
}

// leaseTimes are the times of a Lease in JSON.
var leaseTimes = regexp.MustCompile(`"(acquireTime|renewTime)":"([^"]+)"`)

// skew changes the times in a response by hours.
func skew(response *http.Response, q request, hours int) error {
	by := time.Duration(hours) * time.Hour
	response.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
	if q.resource != "leases" || q.verb != Get {
		return nil
	}
	return rewrite(response, leaseTimes, func(found []string) string {
		at, err := time.Parse(time.RFC3339Nano, found[2])
		if err != nil {
			return found[0]
		}
		return fmt.Sprintf("%q:%q", found[1], at.Add(by).UTC().Format("2006-01-02T15:04:05.000000Z07:00"))
	})
}

// versions are those in the response at /version.
var versions = regexp.MustCompile(`"(gitVersion|minor)":\s*"[^"]*"`)

// upgrade changes the version of the server in a response.
func upgrade(response *http.Response) error {
	return rewrite(response, versions, func(found []string) string {
		return fmt.Sprintf("%q: %q", found[1], map[string]string{"gitVersion": "v1.37.2", "minor": "37"}[found[1]])
	})
}

// rewrite replaces what is found in a body that is JSON.
func rewrite(response *http.Response, what *regexp.Regexp, by func(found []string) string) error {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return err //nolint:wrapcheck // as the server has it
	}
	setBody(response, what.ReplaceAllFunc(body, func(match []byte) []byte {
		return []byte(by(what.FindStringSubmatch(string(match))))
	}))
	return nil
}
