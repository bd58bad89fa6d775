package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
)

// The YAML writer for generated objects. Every value is on one line: a string is
// either a plain word or quoted, with all characters escaped that are not printable.
// So no string of a cluster can start a line, control a terminal or change the
// reading direction. Only a text that an engine has made of lines is written as lines;
// the engine has escaped what it quotes.

// encoder writes one object. Its field names are ours and short: YAML allows at most
// 1,024 characters for a key on one line.
type encoder struct {
	out     *bytes.Buffer
	reasons Reasons
	text    []string
}

// writeYAML writes the fields that the object has in JSON as YAML, map keys sorted,
// with the reasons for a field or list item above it.
func writeYAML(out *bytes.Buffer, object Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object.Value)
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	e := &encoder{out, object.Reasons, object.Text}
	e.fields(fields, nil, "", "")
	return nil
}

// Document returns a value as one YAML document, with the fields that it has in JSON.
func Document(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	var fields map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &fields); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	var out bytes.Buffer
	out.WriteString("---\n")
	e := &encoder{out: &out}
	e.fields(fields, nil, "", "")
	return out.Bytes(), nil
}

func (e *encoder) write(parts ...string) {
	for _, p := range parts {
		e.out.WriteString(p)
	}
}

func (e *encoder) comments(path []byte, indent string) {
	for _, reason := range e.reasons[string(path)] {
		e.write(indent, "# ", reason, "\n")
	}
}

// fields writes a map: its first line after first, the others after indent. A path is
// that of Reasons, in memory that those of all fields share.
func (e *encoder) fields(fields map[string]any, path []byte, first, indent string) {
	names := slices.AppendSeq(make([]string, 0, len(fields)), maps.Keys(fields))
	slices.Sort(names)
	for _, name := range names {
		path := path
		if len(path) > 0 {
			path = append(path, '.')
		}
		path = append(path, name...)
		e.comments(path, indent)
		e.write(first, scalar(name), ":")
		first = indent
		switch value := fields[name].(type) {
		case map[string]any:
			if len(value) == 0 {
				e.write(" {}\n")
				continue
			}
			e.write("\n")
			e.fields(value, path, indent+"  ", indent+"  ")
		case []any:
			e.items(value, path, indent)
		default:
			text, ok := value.(string)
			if ok && slices.Contains(e.text, string(path)) && isText(text) {
				e.lines(text, indent+"  ")
				continue
			}
			e.write(" ", plain(value), "\n")
		}
	}
}

// lines writes a text as a block of lines.
func (e *encoder) lines(text, indent string) {
	e.write(" |")
	if !strings.HasSuffix(text, "\n") {
		e.write("-")
	}
	e.write("\n")
	for line := range strings.Lines(strings.TrimSuffix(text, "\n") + "\n") {
		if line != "\n" {
			e.write(indent)
		}
		e.write(line)
	}
}

// isText reports whether a string reads back from a block of lines: it has no
// character that is not printable, no line feed at its start nor two at its end, and
// its first line, which sets the indentation, starts with no space.
func isText(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.HasPrefix(s, "\n") && !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, "\n\n") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !printable.IsPrint(r) })
}

// items writes a list, with its items at the indentation of its name.
func (e *encoder) items(items []any, path []byte, indent string) {
	if len(items) == 0 {
		e.write(" []\n")
		return
	}
	e.write("\n")
	for i, item := range items {
		path := appendItem(path, i)
		e.comments(path, indent)
		if fields, ok := item.(map[string]any); ok && len(fields) > 0 {
			e.fields(fields, path, indent+"- ", indent+"  ")
			continue
		}
		e.write(indent, "- ", plain(item), "\n")
	}
}

// plain returns a value that is neither a map with fields nor a list.
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

// isWord reports whether a string needs no quotes: it has no indicator, is no number,
// and has a colon only in the middle.
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

// notWords are the words that are not strings in YAML 1.1.
var notWords = map[string]bool{
	"y": true, "n": true, "yes": true, "no": true, "true": true, "false": true,
	"on": true, "off": true, "null": true,
}

// longestNotWord is the length of the longest of them.
const longestNotWord = len("false")

// scalar returns a string as YAML. Go's escapes are valid YAML. A byte that is not
// UTF-8 becomes U+FFFD, as in JSON: \xff is another character in YAML.
func scalar(s string) string {
	if isWord(s) && (len(s) > longestNotWord || !notWords[strings.ToLower(s)]) {
		return s
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !printable.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return strconv.Quote(s)
}
