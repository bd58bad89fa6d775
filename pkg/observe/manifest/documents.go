package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"unicode/utf8"
)

// document is one document of a file.
type document struct {
	text []byte
	line int // where it begins, counted from 1
	err  error
}

// documents splits a stream into its documents. YAML is split where a line
// begins with a marker, "---" or "...": YAML allows none inside a document, so
// neither a block nor a quoted string is ever cut. Lines end where they do for
// the parser, which leaves out without a word what follows a marker. A stream
// that begins with { is JSON, one value after the other.
func documents(data []byte) iter.Seq2[int, document] {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if isJSON(data) {
		return jsonDocuments(data)
	}
	return yamlDocuments(data)
}

func isJSON(data []byte) bool {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) || hasMarker(data) {
		return false
	}
	var first json.RawMessage
	if json.NewDecoder(bytes.NewReader(data)).Decode(&first) == nil {
		return true
	}
	// An object in braces may be YAML. What is neither is broken JSON.
	_, err := toJSON(data)
	return err != nil
}

// lineEnds end a line in YAML; a carriage return and newline are one end.
const lineEnds = "\n\r\u0085\u2028\u2029"

// lines is bytes.Lines with the line ends of YAML.
func lines(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			end := len(data)
			if i := bytes.IndexAny(data, lineEnds); i >= 0 {
				_, size := utf8.DecodeRune(data[i:])
				end = i + size
				if bytes.HasPrefix(data[i:], []byte("\r\n")) {
					end++
				}
			}
			if !yield(data[:end]) {
				return
			}
			data = data[end:]
		}
	}
}

func hasMarker(data []byte) bool {
	for line := range lines(data) {
		if isMarker(line) {
			return true
		}
	}
	return false
}

func isMarker(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	if !ok {
		rest, ok = bytes.CutPrefix(line, []byte("..."))
	}
	return ok && (len(rest) == 0 || bytes.IndexAny(rest, " \t"+lineEnds) == 0)
}

func yamlDocuments(data []byte) iter.Seq2[int, document] {
	return func(yield func(int, document) bool) {
		n, line, doc := 0, 0, document{line: 1}
		flush := func() bool {
			if len(content(doc.text)) == 0 {
				return true
			}
			n++
			return yield(n-1, doc)
		}
		for text := range lines(data) {
			line++
			if isMarker(text) {
				if !flush() {
					return
				}
				doc = document{line: line}
				// The marker's line may go on with the document.
				text = bytes.TrimLeft(text[len("---"):], " \t")
			}
			doc.text = append(doc.text, text...)
		}
		flush()
	}
}

// content returns what follows the comments, directives and white space at the
// beginning of a document.
func content(text []byte) []byte {
	for line := range lines(text) {
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) > 0 && trimmed[0] != '#' && trimmed[0] != '%' {
			break
		}
		text = text[len(line):]
	}
	return bytes.TrimSpace(text)
}

func jsonDocuments(data []byte) iter.Seq2[int, document] {
	return func(yield func(int, document) bool) {
		d := json.NewDecoder(bytes.NewReader(data))
		for n := 0; ; n++ {
			// What separates values belongs to none.
			start := d.InputOffset()
			start += int64(len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n")))
			var raw json.RawMessage
			err := d.Decode(&raw)
			if errors.Is(err, io.EOF) {
				return
			}
			doc := document{text: raw, line: 1 + bytes.Count(data[:start], []byte("\n")), err: err}
			// Past an error there is no telling where the next value begins.
			if !yield(n, doc) || err != nil {
				return
			}
		}
	}
}
