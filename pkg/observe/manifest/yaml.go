package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	goyaml "go.yaml.in/yaml/v2"
)

// toJSON returns the JSON form of a document, as kubectl would send it; nil for
// one that says null.
func (d document) toJSON() ([]byte, error) {
	if !utf8.Valid(d.text) || bytes.ContainsRune(d.text, 0) {
		return nil, errors.New("not a text file")
	}
	data := content(d.text)
	if len(data) == 0 || data[0] != '{' || !json.Valid(data) {
		value, err := d.parse()
		if err == nil {
			data, err = json.Marshal(value)
		}
		switch {
		case err != nil && isTemplate(d.text):
			return nil, fmt.Errorf("parsing: %w: it looks like a Helm template: render it first: helm template CHART | advisor inspect -f -", err)
		case err != nil:
			return nil, fmt.Errorf("parsing: %w", err)
		}
	}
	switch {
	case bytes.Equal(data, []byte("null")):
		return nil, nil
	case data[0] != '{':
		return nil, errors.New("want an object, found " + kindOf(data))
	default:
		return data, nil
	}
}

var quoted = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)

// isTemplate reports whether a document that cannot be parsed looks like a template
// of Helm: it has an action outside of a string.
func isTemplate(text []byte) bool {
	return bytes.Contains(text, []byte("{{")) && bytes.Contains(quoted.ReplaceAll(text, nil), []byte("{{"))
}

// parse returns the value of a YAML document, with objects as JSON has them.
func (d document) parse() (any, error) {
	if err := checkAliases(d.text); err != nil {
		return nil, err
	}
	var value, rest any
	decoder := goyaml.NewDecoder(bytes.NewReader(d.text))
	if err := decoder.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
		return nil, plainly(err)
	}
	// The parser ends a document where a line is indented less than its first one
	// or begins with a directive, and after a closing brace. kubectl ignores what
	// follows, other clients do not.
	if err := decoder.Decode(&rest); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: the document's value ends before this line: indent it like the lines above, or begin a document with ---", d.line-1+lineOf(err))
	}
	return jsonable(value)
}

var errorLine = regexp.MustCompile(`^yaml: line (\d+): .*`)

// lineOf returns the line, counted from 1, of what follows the value of a document:
// err is the parser's error about it, or nil.
func lineOf(err error) int {
	match := errorLine.FindStringSubmatch(fmt.Sprint(err))
	if match == nil {
		return 1
	}
	line, _ := strconv.Atoi(match[1]) // digits
	if strings.Contains(match[0], "document") {
		// The parser counts the lines of its own errors from 0, and those of the
		// scanner from 1.
		line++
	}
	return line
}

// errKey is what the JSON form cannot have as a key.
var errKey = errors.New("a key must be a string, a number or a boolean")

// plainly returns an error of the parser without the Go values in it.
func plainly(err error) error {
	if strings.HasPrefix(err.Error(), "yaml: invalid map key") {
		return errKey
	}
	return err
}

// jsonable returns the value with objects whose keys are strings, as
// sigs.k8s.io/yaml makes them (convertToJSONableObject); a test holds it against
// that. Keys that become one are an error: the last cannot be told.
func jsonable(value any) (any, error) {
	switch value := value.(type) {
	case map[any]any:
		object := make(map[string]any, len(value))
		for k, v := range value {
			key, err := keyOf(k)
			if err != nil {
				return nil, err
			}
			if _, twice := object[key]; twice {
				return nil, fmt.Errorf("the key %q is given twice, once not as a string", key)
			}
			if object[key], err = jsonable(v); err != nil {
				return nil, err
			}
		}
		return object, nil
	case []any:
		for i, v := range value {
			item, err := jsonable(v)
			if err != nil {
				return nil, err
			}
			value[i] = item
		}
		return value, nil
	default:
		return value, nil
	}
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
