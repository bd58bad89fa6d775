package generate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// YAML writes the objects of outputs as YAML documents that kubectl applies as they
// are, ordered by namespace, kind and name. With explain, comments say whom an
// object is for and who needs what it permits.
func YAML(outputs []Output, explain bool) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range ordered(outputs) {
		if !explain {
			o.Title, o.Reasons = "", nil
		}
		doc, err := toYAML(o.Value, o.Reasons)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		if o.Title != "" {
			out.WriteString("# " + o.Title + "\n")
		}
		out.Write(doc)
	}
	return out.Bytes(), nil
}

// JSON writes the objects of outputs as one List, in the order of YAML.
func JSON(outputs []Output) ([]byte, error) {
	list := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}{"v1", "List", []any{}}
	for _, o := range ordered(outputs) {
		list.Items = append(list.Items, o.Value)
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

// ordered returns the objects by namespace, then in the order in which an output
// has them, then by name: what is granted stands before the grant.
func ordered(outputs []Output) []Object {
	type entry struct {
		output   Output
		position int
		Object
	}
	var list []entry
	for _, o := range outputs {
		for i, object := range o.Objects {
			list = append(list, entry{o, i, object})
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		return cmp.Or(
			strings.Compare(a.output.Group.Namespace, b.output.Group.Namespace),
			cmp.Compare(a.position, b.position),
			strings.Compare(a.output.Name, b.output.Name),
		)
	})
	objects := make([]Object, len(list))
	for i, e := range list {
		objects[i] = e.Object
	}
	return objects
}
