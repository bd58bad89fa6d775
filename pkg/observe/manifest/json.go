package manifest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// errKey is what the JSON form cannot have as a key.
var errKey = errors.New("a key must be a string, a number or a boolean")

// appender is a value that appends its JSON form by itself.
type appender func(out []byte) ([]byte, error)

// appendJSON appends the JSON form of a value that the YAML parser returned. It is
// what sigs.k8s.io/yaml makes of it, in one step and without reflection; a test
// holds it against that.
func appendJSON(out []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case appender:
		return value(out)
	case map[any]any:
		return appendObject(out, value)
	case []any:
		out = append(out, '[')
		for i, item := range value {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendJSON(out, item); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case string:
		if isPlain(value) {
			return append(append(append(out, '"'), value...), '"'), nil
		}
	}
	data, err := json.Marshal(value)
	return append(out, data...), err
}

// isPlain reports whether JSON, as encoding/json writes it, has the text as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// appendObject appends the fields in the order of their keys. Keys that become one
// are an error: which of them is the last is not known.
func appendObject(out []byte, object map[any]any) ([]byte, error) {
	type entry struct {
		key   string
		value any
	}
	entries := make([]entry, 0, len(object))
	for k, v := range object {
		key, err := keyOf(k)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{key, v})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	out = append(out, '{')
	for i, e := range entries {
		if i > 0 {
			if e.key == entries[i-1].key {
				return nil, fmt.Errorf("the key %q is given twice, once not as a string", e.key)
			}
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(out, e.key); err != nil {
			return nil, err
		}
		if out, err = appendJSON(append(out, ':'), e.value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func keyOf(key any) (string, error) {
	switch key := key.(type) {
	case string:
		return key, nil
	case int:
		return strconv.Itoa(key), nil
	case int64:
		return strconv.FormatInt(key, 10), nil
	case float64:
		return floatKey(key), nil
	case bool:
		return strconv.FormatBool(key), nil
	default:
		return "", errKey
	}
}

// floatKey writes a number as YAML does.
func floatKey(key float64) string {
	switch text := strconv.FormatFloat(key, 'g', -1, 32); text {
	case "+Inf":
		return ".inf"
	case "-Inf":
		return "-.inf"
	case "NaN":
		return ".nan"
	default:
		return text
	}
}
