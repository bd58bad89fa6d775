package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	goyaml "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

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
