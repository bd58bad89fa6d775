package manifest

import (
	"bytes"
	"errors"
	"io"
)

const (
	// partSize is the size, in bytes, of the parts that a stream of documents is read in.
	partSize = 4 << 20
	// firstRead is how much is read at first of what has no known size.
	firstRead = 64 << 10
)

// parts reads a source in parts that begin where a document does, so that of a stream of
// documents only a few are in memory. JSON, and one large document, is one part.
type parts struct {
	in io.Reader
	// size of what is read, if known; else 0. It may be wrong.
	size int64
	// part is how large parts are at least.
	part int
	// rest was read and belongs to the next part. It is nil before the first one.
	rest []byte
	// done is true if everything was read.
	done bool
}

func newParts(in io.Reader, size int64) *parts { return &parts{in: in, size: size, part: partSize} }

// next returns the next part.
func (p *parts) next() ([]byte, error) {
	first, all := p.rest == nil, int(p.size)+bytes.MinRead // which has room to see that it is all
	room := max(p.part, 2*len(p.rest))
	switch {
	case first && p.size == 0:
		room = min(firstRead, p.part)
	case first && all < p.part:
		room = all
	}
	data := append(make([]byte, 0, room), p.rest...)
	for {
		n, err := p.in.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			p.done = true
			return data, nil
		case err != nil:
			return nil, err //nolint:wrapcheck // the caller knows of what
		case len(data) < cap(data):
			continue
		}
		if len(data) >= p.part && (!first || !beginsLikeJSON(bytes.TrimPrefix(data, []byte(byteOrderMark)))) {
			if end := lastMarker(data); end > 0 {
				p.rest = data[end:]
				return data[:end:end], nil
			}
		}
		room = 2 * len(data)
		if first && len(data) >= p.part && len(data) < all {
			room = all
		}
		data = append(make([]byte, 0, room), data...)
	}
}

// lastMarker returns where the last marker of a YAML document begins; 0 if there is none
// but at the beginning. What may be one at the end is not: its line may go on.
func lastMarker(data []byte) int {
	for end := len(data); ; {
		newline := bytes.LastIndex(data[:end], []byte("\n---"))
		switch start := newline + 1; {
		case newline < 0:
			return 0
		case start+len("---") < len(data) && isMarker(data[start:]):
			return start
		default:
			end = start
		}
	}
}
