package manifest

import (
	"bytes"
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listItems are the items of a List, and where they begin and end in its text.
type listItems struct {
	each       []json.RawMessage
	start, end int
}

// found reports whether there is a list of items.
func (l listItems) found() bool { return l.end > 0 }

// without returns the text of the List with a list of no items.
func (l listItems) without(data []byte) []byte { return slices.Concat(data[:l.start], data[l.end:]) }

// scanItems finds the items of a List, as its text has them, and where the object ends that
// data begins with: in one pass, because a List may be most of a file. The object may be
// none, and the items too many levels deep: then nothing is found. A key that is written
// with an escape may be any: then no items are found.
func scanItems(data []byte) (items listItems, end int) {
	if len(data) == 0 || data[0] != '{' {
		return listItems{}, none
	}
	s := &scanner{data: data}
	escaped := false
	end = s.object(0, func(key []byte, i int) int {
		escaped = escaped || bytes.IndexByte(key, '\\') >= 0
		if string(key) != `"items"` {
			return s.value(i)
		}
		// Of several, the last one is used.
		items = listItems{}
		if s.at(i) != '[' {
			return s.value(i)
		}
		end := s.list(i, func(i int) int {
			end := s.value(i)
			if end != none {
				items.each = append(items.each, data[i:end:end])
			}
			return end
		})
		items.start, items.end = i+1, end-1
		return end
	})
	if end == none || escaped {
		items = listItems{}
	}
	return items, end
}

// typeAtStart returns what the first fields of an object say about its type.
func typeAtStart(data []byte) (t metav1.TypeMeta) {
	if len(data) == 0 || data[0] != '{' {
		return t
	}
	s := &scanner{data: data}
	s.object(0, func(key []byte, i int) int {
		end := s.text(i)
		if end == none {
			return none
		}
		text := string(data[i+1 : end-1])
		switch string(key) {
		case `"apiVersion"`:
			t.APIVersion = text
		case `"kind"`:
			t.Kind = text
		}
		if t.APIVersion != "" && t.Kind != "" {
			return none
		}
		return end
	})
	return t
}
