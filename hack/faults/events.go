package faults

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// events is the body of a watch that goes wrong after some events.
type events struct {
	body     io.ReadCloser
	frames   *bufio.Reader
	protobuf bool
	ctx      context.Context
	closed   chan struct{}
	fault    Fault
	left     int
	pending  []byte
	err      error // after pending
}

// inEvents puts the fault into a watch.
func (f Fault) inEvents(ctx context.Context, response *http.Response) {
	if response.StatusCode != http.StatusOK {
		return
	}
	response.Body = &events{
		body: response.Body, frames: bufio.NewReader(response.Body), ctx: ctx, closed: make(chan struct{}), fault: f, left: max(f.At, 0),
		protobuf: strings.Contains(response.Header.Get("Content-Type"), "protobuf"),
	}
}

// Close implements io.Closer.
func (e *events) Close() error {
	select {
	case <-e.closed:
	default:
		close(e.closed)
	}
	return e.body.Close() //nolint:wrapcheck // a body must not change errors
}

// Read implements io.Reader.
func (e *events) Read(p []byte) (int, error) {
	for len(e.pending) == 0 {
		if e.err != nil {
			if e.err == errReset { //nolint:errorlint // it is this one
				resetConnection(e.ctx)
			}
			return 0, e.err
		}
		e.pending, e.err = e.next()
	}
	n := copy(p, e.pending)
	e.pending = e.pending[n:]
	return n, nil
}

// next returns what comes next, and how it goes on.
func (e *events) next() ([]byte, error) {
	if e.left != 0 { // before the fault, or after it
		frame, err := e.frame()
		e.left--
		return frame, err
	}
	switch e.fault.Kind {
	case Ended:
		return nil, io.EOF
	case ErrorEvent:
		frame, err := e.errorEvent()
		if err == nil {
			err = io.EOF
		}
		return frame, err
	case Silent:
		select {
		case <-e.ctx.Done():
		case <-e.closed:
		}
		return nil, io.ErrUnexpectedEOF
	default:
	}
	frame, err := e.frame()
	e.left--
	if err != nil {
		return frame, err
	}
	switch e.fault.Kind {
	case Reset:
		return frame[:len(frame)/2], errReset
	case Truncated:
		return frame[:len(frame)/2], io.ErrUnexpectedEOF
	case Shortened:
		return frame[:len(frame)/2], io.EOF
	case Corrupted:
		if e.protobuf {
			copy(frame, "\xff\xff\xff\xff") // its length
		} else {
			frame = corrupt(frame, e.fault.At)
		}
		return frame, nil
	default:
		return frame, nil
	}
}

// frame reads an event with its frame. Client-go's framers are in
// apimachinery/pkg/util/framer and apimachinery/pkg/runtime/serializer.
func (e *events) frame() ([]byte, error) {
	if !e.protobuf {
		return e.frames.ReadBytes('\n') //nolint:wrapcheck // a body must not change errors
	}
	frame := make([]byte, 4)
	if _, err := io.ReadFull(e.frames, frame); err != nil {
		return nil, err //nolint:wrapcheck // a body must not change errors
	}
	content := make([]byte, binary.BigEndian.Uint32(frame))
	_, err := io.ReadFull(e.frames, content)
	return append(frame, content...), err //nolint:wrapcheck // a body must not change errors
}

// errorEvent returns the event of a server that cannot continue the watch.
func (e *events) errorEvent() ([]byte, error) {
	status := e.fault.status(request{verb: Watch})
	if !e.protobuf {
		object, err := json.Marshal(status)
		if err != nil {
			return nil, err //nolint:wrapcheck // not of this type
		}
		return fmt.Appendf(nil, "{\"type\":\"ERROR\",\"object\":%s}\n", object), nil
	}
	scheme := runtime.NewScheme()
	v1 := schema.GroupVersion{Version: "v1"}
	metav1.AddToGroupVersion(scheme, v1)
	codecs := serializer.NewCodecFactory(scheme)
	info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	object, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, v1), &status)
	if err != nil {
		return nil, fmt.Errorf("encoding the status: %w", err)
	}
	event := &metav1.WatchEvent{Type: "ERROR", Object: runtime.RawExtension{Raw: object}}
	content, err := runtime.Encode(codecs.EncoderForVersion(info.StreamSerializer.Serializer, v1), event)
	if err != nil {
		return nil, fmt.Errorf("encoding the event: %w", err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), content...), nil //nolint:gosec // it is short
}
