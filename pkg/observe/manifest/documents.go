package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v2"
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

// toJSON returns the JSON form of a document; nil for one that says null.
func toJSON(text []byte) ([]byte, error) {
	if !utf8.Valid(text) || bytes.ContainsRune(text, 0) {
		return nil, errors.New("not a text file")
	}
	value := content(text)
	if len(value) > 0 && value[0] == '{' && json.Valid(value) {
		return value, nil
	}
	data, err := yaml.YAMLToJSON(text)
	if err == nil && len(value) > 0 && bytes.ContainsAny(value[:1], "{&!") {
		err = oneValue(text)
	}
	if err != nil {
		return nil, fmt.Errorf("parsing: %w", err)
	}
	if bytes.Equal(data, []byte("null")) {
		return nil, nil
	}
	if data[0] != '{' {
		return nil, errors.New("want an object, found " + kindOf(data))
	}
	return data, nil
}

// oneValue returns an error for a document that goes on behind its value. A block
// goes on to the end of the document, but the parser does not look at what
// stands behind a closing brace.
func oneValue(text []byte) error {
	d := goyaml.NewDecoder(bytes.NewReader(text))
	var value any
	if err := d.Decode(&value); err != nil {
		return err
	}
	if err := d.Decode(&value); !errors.Is(err, io.EOF) {
		return errors.New("more than one object in a document")
	}
	return nil
}

func kindOf(data []byte) string {
	switch data[0] {
	case '[':
		return "a list"
	case '"':
		return "a string"
	default:
		return "a number or a boolean"
	}
}
