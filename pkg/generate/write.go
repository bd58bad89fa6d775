package generate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// YAML returns the objects of outputs as YAML documents for kubectl apply, ordered by
// namespace, position in the output, and name. If explain is true, comments name the
// workloads that an object is for and those that need what it permits.
func YAML(outputs []Output, explain bool) ([]byte, error) {
	var out bytes.Buffer
	err := WriteYAML(&out, outputs, explain)
	return out.Bytes(), err
}

// WriteYAML writes what YAML returns, a document at a time.
func WriteYAML(out io.Writer, outputs []Output, explain bool) error {
	var document bytes.Buffer
	for o := range ordered(outputs) {
		document.Reset()
		if !explain {
			o.Title, o.Reasons = "", nil
		}
		document.WriteString("---\n")
		if o.Title != "" {
			document.WriteString("# " + o.Title + "\n")
		}
		if err := writeYAML(&document, o); err != nil {
			return err
		}
		if _, err := out.Write(document.Bytes()); err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
	}
	return nil
}

// JSON returns the objects of outputs as one List, in the order of YAML.
func JSON(outputs []Output) ([]byte, error) {
	list := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}{"v1", "List", []any{}}
	for o := range ordered(outputs) {
		list.Items = append(list.Items, o.Value)
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

// ordered returns the objects by namespace, then by position in their output, then by
// name: a policy comes before the objects that grant it. Those of one namespace are in
// memory at a time.
func ordered(outputs []Output) iter.Seq[Object] {
	sorted := slices.Clone(outputs)
	slices.SortStableFunc(sorted, func(a, b Output) int {
		return cmp.Or(strings.Compare(a.Group.Namespace, b.Group.Namespace), strings.Compare(a.Name, b.Name))
	})
	return func(yield func(Object) bool) {
		for rest := sorted; len(rest) > 0; {
			end := slices.IndexFunc(rest, func(o Output) bool { return o.Group.Namespace != rest[0].Group.Namespace })
			if end < 0 {
				end = len(rest)
			}
			if !yieldByPosition(rest[:end], yield) {
				return
			}
			rest = rest[end:]
		}
	}
}

// yieldByPosition yields the objects of outputs: the first one of each, then the second
// one of each, and so on. It reports whether yield wants more.
func yieldByPosition(outputs []Output, yield func(Object) bool) bool {
	objects, longest := make([][]Object, len(outputs)), 0
	for i, o := range outputs {
		objects[i] = o.Objects()
		longest = max(longest, len(objects[i]))
	}
	for position := range longest {
		for _, list := range objects {
			if position < len(list) && !yield(list[position]) {
				return false
			}
		}
	}
	return true
}
