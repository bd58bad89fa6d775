package psp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// The YAML writer for generated objects. Every value is on one line: a string
// either is a plain word or is quoted, with everything that is not printable
// escaped. So whatever a cluster's strings hold, they neither begin a line, nor
// drive a terminal, nor change the order in which it shows the text.

// encoder writes one object. Names of fields are our own and short: YAML takes
// none above 1,024 characters on one line.
type encoder struct {
	out bytes.Buffer
	// why returns the comment lines of the field that is reached by path.
	why func(path []string) []string
}

// toYAML writes the JSON form of object, map keys sorted.
func toYAML(object any, why func(path []string) []string) ([]byte, error) {
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
	e := &encoder{why: why}
	e.fields(fields, nil, "", "")
	return e.out.Bytes(), nil
}

// fields writes a map: its first line behind first, the others behind indent.
func (e *encoder) fields(fields map[string]any, path []string, first, indent string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := append(slices.Clone(path), name)
		for _, reason := range e.why(path) {
			e.out.WriteString(indent + "# " + reason + "\n")
		}
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
func (e *encoder) items(items []any, path []string, indent string) {
	if len(items) == 0 {
		e.out.WriteString(" []\n")
		return
	}
	e.out.WriteString("\n")
	for _, item := range items {
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

// word matches strings that mean themselves without quotes: no indicator, no
// number, and a colon only within.
var word = regexp.MustCompile(`^[A-Za-z/]([A-Za-z0-9_./,-]|:[A-Za-z0-9_./,-])*$`)

// notWords are the words that YAML 1.1 takes for something else than a string.
var notWords = map[string]bool{
	"y": true, "n": true, "yes": true, "no": true, "true": true, "false": true,
	"on": true, "off": true, "null": true,
}

// scalar writes a string. Go's escapes are YAML's.
func scalar(s string) string {
	if word.MatchString(s) && !notWords[strings.ToLower(s)] {
		return s
	}
	return strconv.Quote(s)
}

// printableJSON escapes what is not printable in JSON, where it can stand within
// strings only. The encoder escapes none but the ASCII control characters.
func printableJSON(data []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(data) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}
