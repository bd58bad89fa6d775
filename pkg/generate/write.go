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

// YAML returns the objects of outputs as YAML documents for kubectl apply, ordered by
// namespace, position in the output, and name. If explain is true, comments name the
// workloads that an object is for and those that need what it permits.
func YAML(outputs []Output, explain bool) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range ordered(outputs) {
		if !explain {
			o.Title, o.Reasons = "", nil
		}
		out.WriteString("---\n")
		if o.Title != "" {
			out.WriteString("# " + o.Title + "\n")
		}
		if err := writeYAML(&out, o); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// JSON returns the objects of outputs as one List, in the order of YAML.
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

// ordered returns the objects by namespace, then by position in their output, then by
// name: a policy comes before the objects that grant it.
func ordered(outputs []Output) []Object {
	type entry struct {
		output   *Output
		position int
		Object
	}
	var list []entry
	for n := range outputs {
		o := &outputs[n]
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
