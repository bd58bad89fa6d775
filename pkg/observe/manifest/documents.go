package manifest

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
	"unicode/utf8"
)

// document is one document of a file.
type document struct {
	text []byte
	line int // where it begins, counted from 1
	err  error
	// scanned is true for a text that is a JSON object, and items are those of the List
	// that it may be.
	scanned bool
	items   listItems
}

// position is how many documents and lines precede a part of a stream.
type position struct{ documents, lines int }

// documents splits a stream into its documents, or a part of one that begins at a position,
// which it moves to the end of the part. YAML is split where a line
// begins with a marker, "---" or "...": YAML allows none inside a document, so
// neither a block nor a quoted string is ever cut. Lines end where they do for
// the parser, which ignores without a word what follows a marker. A stream that
// begins like JSON is one value after the other.
func documents(data []byte, at *position) iter.Seq2[int, document] {
	if *at != (position{}) {
		return yamlDocuments(data, at) // of JSON there is only one part
	}
	if data = bytes.TrimPrefix(data, []byte(byteOrderMark)); beginsLikeJSON(data) && !hasMarker(data) {
		return jsonDocuments(data)
	}
	return yamlDocuments(data, at)
}

// byteOrderMark may be at the beginning of a stream.
const byteOrderMark = "\ufeff"

// beginsLikeJSON reports whether an object begins that has a key in quotes or none.
func beginsLikeJSON(data []byte) bool {
	object, ok := bytes.CutPrefix(bytes.TrimSpace(data), []byte("{"))
	object = bytes.TrimSpace(object)
	return ok && (len(object) == 0 || object[0] == '"' || object[0] == '}')
}

// lineEnds end a line in YAML; a carriage return and newline are one end.
const lineEnds = "\n\r\u0085\u2028\u2029"

// lines is bytes.Lines with the line ends of YAML.
func lines(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			end := lineLength(data)
			if !yield(data[:end]) {
				return
			}
			data = data[end:]
		}
	}
}

// lineLength returns the length of the first line with its end. It looks no further:
// to search for each of the ends takes quadratic time where one of them is missing.
func lineLength(data []byte) int {
	for i, c := range data {
		switch c {
		case '\n':
			return i + 1
		case '\r':
			if bytes.HasPrefix(data[i+1:], []byte("\n")) {
				return i + 2
			}
			return i + 1
		case "\u0085"[0], "\u2028"[0]:
			// The others begin so.
			if r, size := utf8.DecodeRune(data[i:]); strings.ContainsRune(lineEnds, r) {
				return i + size
			}
		}
	}
	return len(data)
}

// hasMarker reports whether a line is a marker. It looks for what may be one, and then
// whether a line begins there.
func hasMarker(data []byte) bool {
	for _, marker := range []string{"---", "..."} {
		for start := 0; ; start++ {
			i := bytes.Index(data[start:], []byte(marker))
			if i < 0 {
				break
			}
			start += i
			if before, _ := utf8.DecodeLastRune(data[:start]); (start == 0 || strings.ContainsRune(lineEnds, before)) && isMarker(data[start:]) {
				return true
			}
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

func yamlDocuments(data []byte, at *position) iter.Seq2[int, document] {
	return func(yield func(int, document) bool) {
		doc := document{line: at.lines + 1}
		start, end := 0, 0 // of the document's text
		flush := func() bool {
			doc.text = data[start:end]
			if len(content(doc.text)) == 0 {
				return true
			}
			at.documents++
			return yield(at.documents-1, doc)
		}
		for text := range lines(data) {
			at.lines++
			if isMarker(text) {
				if !flush() {
					return
				}
				doc = document{line: at.lines}
				// The marker's line may go on with the document.
				start = end + len(text) - len(bytes.TrimLeft(text[len("---"):], " \t"))
			}
			end += len(text)
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

// isYAML reports whether an object that begins like JSON is one of YAML: what is
// neither is broken JSON.
func isYAML(data []byte) bool {
	_, _, err := document{text: data}.toJSON()
	return err == nil
}

func jsonDocuments(data []byte) iter.Seq2[int, document] {
	return func(yield func(int, document) bool) {
		line, counted, end := 1, 0, 0 // the line of a value, where it was counted, and where the last one ends
		for n := 0; ; n++ {
			// What separates values belongs to none.
			start := len(data) - len(bytes.TrimLeft(data[end:], " \t\r\n"))
			if start == len(data) {
				return
			}
			doc, length := jsonDocument(data[start:])
			if doc.err != nil && n == 0 && isYAML(data) {
				yamlDocuments(data, &position{})(yield)
				return
			}
			line += bytes.Count(data[counted:start], []byte("\n"))
			counted, end = start, start+length
			doc.line = line
			// After an error there is no telling where the next value begins.
			if !yield(n, doc) || doc.err != nil {
				return
			}
		}
	}
}

// jsonDocument returns the value that data begins with, and its length.
func jsonDocument(data []byte) (doc document, length int) {
	if items, end := scanItems(data); end != none {
		return document{text: data[:end], scanned: true, items: items}, end
	}
	d := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	err := d.Decode(&raw)
	return document{text: raw, err: err}, int(d.InputOffset())
}
