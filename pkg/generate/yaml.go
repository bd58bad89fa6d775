package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The YAML writer for generated objects. Every value is on one line: a string
// either is a plain word or is quoted, with everything that is not printable
// escaped. So whatever a cluster's strings hold, they neither begin a line, nor
// drive a terminal, nor change the order in which it shows the text.

// encoder writes one object. Names of fields are our own and short: YAML takes
// none above 1,024 characters on one line.
type encoder struct {
	out     bytes.Buffer
	reasons Reasons
}

// toYAML writes the JSON form of object, map keys sorted, with the reasons for a
// field above it.
func toYAML(object any, reasons Reasons) ([]byte, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	e := &encoder{reasons: reasons}
	e.fields(fields, "", "", "")
	return e.out.Bytes(), nil
}

func (e *encoder) comments(path, indent string) {
	for _, reason := range e.reasons[path] {
		e.out.WriteString(indent + "# " + reason + "\n")
	}
}

// fields writes a map: its first line behind first, the others behind indent.
func (e *encoder) fields(fields map[string]any, path, first, indent string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := strings.TrimPrefix(path+"."+name, ".")
		e.comments(path, indent)
		e.out.WriteString(first + scalar(name) + ":")
		first = indent
		switch value := fields[name].(type) {
		case map[string]any:
			if len(value) == 0 {
				e.out.WriteString(" {}\n")
				continue
			}
			e.out.WriteString("\n")
			e.fields(value, path, indent+"  ", indent+"  ")
		case []any:
			e.items(value, path, indent)
		default:
			e.out.WriteString(" " + plain(value) + "\n")
		}
	}
}

// items writes a list, whose items stand at the indentation of its name.
func (e *encoder) items(items []any, path, indent string) {
	if len(items) == 0 {
		e.out.WriteString(" []\n")
		return
	}
	e.out.WriteString("\n")
	for i, item := range items {
		path := Item(path, i)
		e.comments(path, indent)
		if fields, ok := item.(map[string]any); ok && len(fields) > 0 {
			e.fields(fields, path, indent+"- ", indent+"  ")
			continue
		}
		e.out.WriteString(indent + "- " + plain(item) + "\n")
	}
}

// plain writes what is neither a map with fields nor a list.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return scalar(v)
	case map[string]any:
		return "{}"
	case nil:
		return "null"
	default:
		return fmt.Sprint(v) // a number or a boolean
	}
}

// isWord reports whether a string means itself without quotes: no indicator, no
// number, and a colon only within.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '/':
		case '0' <= c && c <= '9', c == '_', c == '.', c == ',', c == '-':
			if i == 0 {
				return false
			}
		case c == ':':
			if i == 0 || s[i-1] == ':' || i == len(s)-1 {
				return false
			}
		default:
			return false
		}
	}
	return s != ""
}

// notWords are the words that YAML 1.1 takes for something else than a string.
var notWords = map[string]bool{
	"y": true, "n": true, "yes": true, "no": true, "true": true, "false": true,
	"on": true, "off": true, "null": true,
}

// scalar writes a string. Go's escapes are YAML's.
func scalar(s string) string {
	if isWord(s) && !notWords[strings.ToLower(s)] {
		return s
	}
	return strconv.Quote(s)
}
