package manifest

import (
	"bytes"
	"errors"
	"io"
	"regexp"

	goyaml "go.yaml.in/yaml/v2"
)

// plainHead matches what stands above the items of a List, as kubectl prints it: fields of
// one plain word each, so that the items are those of the List and no part of a string.
var plainHead = regexp.MustCompile(`^(?:(?:[a-zA-Z]+: [a-zA-Z][a-zA-Z0-9./]*)?\n)*items:\n- `)

// errSplit is returned for a List that cannot be parsed item by item.
var errSplit = errors.New("not a List of items that stand for themselves")

// parseList is parse for a large List, item by item: the values of the parser take ten
// times the memory of the text. It takes a List without aliases whose items begin with a dash
// at the beginning of a line. Any problem, with an item or with what is around the items, is
// one of the List: then it is parsed as a whole, for what is said of it.
//
// It is the same value: an item that can be parsed for itself is complete where it ends, so
// that there is no string, no brackets and no block which the dash of the next item, not
// indented, could belong to.
func (d document) parseList() (data []byte, err error) {
	head := plainHead.Find(d.text)
	if head == nil || aliased.Match(d.text) {
		return nil, errSplit
	}
	start := len(head) - len("- ")
	end := start + itemsLength(d.text[start:])
	items := d.text[start:end]
	around := bytes.Join([][]byte{d.text[:start-len("\n")], []byte(" []\n"), d.text[end:]}, nil)
	value, err := parseOne[map[any]any](around)
	if err != nil {
		return nil, err
	}
	if list, ok := value["items"].([]any); !ok || len(list) > 0 {
		return nil, errSplit
	}
	value["items"] = appender(func(out []byte) ([]byte, error) { return appendItems(out, items) })
	return appendJSON(make([]byte, 0, len(d.text)), value)
}

// itemsLength returns where the items end: before a line that is not indented and is
// neither an item, a comment nor empty.
func itemsLength(text []byte) int {
	end := 0
	for line := range bytes.Lines(text) {
		switch {
		case bytes.IndexByte([]byte(" #\r\n"), line[0]) >= 0, isItem(line):
			end += len(line)
		default:
			return end
		}
	}
	return end
}

func isItem(line []byte) bool {
	return line[0] == '-' && (len(line) == 1 || bytes.IndexByte([]byte(" \t\r\n"), line[1]) >= 0)
}

// appendItems appends a list of items.
func appendItems(out, items []byte) ([]byte, error) {
	out = append(out, '[')
	flush := func(item []byte) error {
		value, err := parseOne[[]any](item)
		if err != nil {
			return err
		}
		if len(value) != 1 {
			return errSplit
		}
		if out[len(out)-1] != '[' {
			out = append(out, ',')
		}
		out, err = appendJSON(out, value[0])
		return err
	}
	start, end := 0, 0
	for line := range bytes.Lines(items) {
		if isItem(line) && end > 0 {
			if err := flush(items[start:end]); err != nil {
				return nil, err
			}
			start = end
		}
		end += len(line)
	}
	if err := flush(items[start:end]); err != nil {
		return nil, err
	}
	return append(out, ']'), nil
}

// parseOne returns the only value of a text, without a key that is given twice.
func parseOne[T any](text []byte) (value T, err error) {
	decoder := goyaml.NewDecoder(bytes.NewReader(text))
	decoder.SetStrict(true)
	if err := decoder.Decode(&value); err != nil {
		return value, err
	}
	var rest any
	if err := decoder.Decode(&rest); !errors.Is(err, io.EOF) {
		return value, errSplit
	}
	return value, nil
}
