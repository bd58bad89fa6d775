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

// toJSON returns the JSON form of a document, as kubectl would send it, nil for one
// that says null; and the paths of keys that were given twice.
func (d document) toJSON() (data []byte, twice []string, err error) {
	if !utf8.Valid(d.text) || bytes.ContainsRune(d.text, 0) {
		return nil, nil, errors.New("not a text file")
	}
	if d.scanned {
		return d.text, nil, nil
	}
	data = content(d.text)
	if len(data) == 0 || data[0] != '{' || !json.Valid(data) {
		data, twice, err = d.parse()
		switch {
		case err != nil && isTemplate(d.text):
			return nil, nil, fmt.Errorf("parsing: %w: it looks like a Helm template: render it first: helm template CHART | advisor inspect -f -", err)
		case err != nil:
			return nil, nil, fmt.Errorf("parsing: %w", err)
		}
	}
	switch {
	case bytes.Equal(data, []byte("null")):
		return nil, nil, nil
	case data[0] != '{':
		return nil, nil, errors.New("want an object, found " + kindOf(data))
	default:
		return data, twice, nil
	}
}

var quoted = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)

// isTemplate reports whether a document that cannot be parsed looks like a template
// of Helm: it has an action outside of a string.
func isTemplate(text []byte) bool {
	return bytes.Contains(text, []byte("{{")) && bytes.Contains(quoted.ReplaceAll(text, nil), []byte("{{"))
}

// parse returns the JSON form of a YAML document, and the paths of keys that were
// given twice.
func (d document) parse() (data []byte, twice []string, err error) {
	if data, err := d.parseList(); err == nil {
		return data, nil, nil
	}
	if err := checkAliases(d.text); err != nil {
		return nil, nil, err
	}
	decoder := goyaml.NewDecoder(bytes.NewReader(d.text))
	decoder.SetStrict(true)
	var value, rest any
	err = decoder.Decode(&value)
	if _, ok := errors.AsType[*goyaml.TypeError](err); ok {
		// Of keys that are given twice the last one is used, but the first in strict
		// mode.
		twice = duplicates(d.text)
		value = nil
		err = goyaml.Unmarshal(d.text, &value)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, plainly(err)
	}
	// The parser ends a document where a line is indented less than its first one
	// or begins with a directive, and after a closing brace. kubectl ignores what
	// follows, other clients do not.
	if err := decoder.Decode(&rest); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("line %d: the document's value ends before this line: indent it like the lines above, or begin a document with ---", d.line-1+lineOf(err))
	}
	data, err = appendJSON(make([]byte, 0, len(d.text)), value)
	return data, twice, err
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

// plainly returns an error of the parser without the Go values in it.
func plainly(err error) error {
	if strings.HasPrefix(err.Error(), "yaml: invalid map key") {
		return errKey
	}
	return err
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
