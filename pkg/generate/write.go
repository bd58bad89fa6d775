package generate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

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

// WriteYAML writes what YAML returns, a namespace at a time. Several namespaces are
// encoded at once.
func WriteYAML(out io.Writer, outputs []Output, explain bool) error {
	texts := make([]bytes.Buffer, 2*runtime.GOMAXPROCS(0))
	for batch := range slices.Chunk(ByNamespace(outputs), len(texts)) {
		errs := make([]error, len(batch))
		var all sync.WaitGroup
		for i, outputs := range batch {
			texts[i].Reset()
			all.Go(func() { errs[i] = encodeNamespace(&texts[i], outputs, explain) })
		}
		all.Wait()
		for i := range batch {
			if errs[i] != nil {
				return errs[i]
			}
			if _, err := out.Write(texts[i].Bytes()); err != nil {
				return fmt.Errorf("writing YAML: %w", err)
			}
		}
	}
	return nil
}

// encodeNamespace encodes the objects of outputs for one namespace.
func encodeNamespace(out *bytes.Buffer, outputs []Output, explain bool) error {
	for _, o := range ordered(outputs) {
		if !explain {
			o.Title, o.Reasons = "", nil
		}
		out.WriteString("---\n")
		if o.Title != "" {
			out.WriteString("# " + o.Title + "\n")
		}
		if err := writeYAML(out, o); err != nil {
			return err
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
	for _, outputs := range ByNamespace(outputs) {
		for _, o := range ordered(outputs) {
			list.Items = append(list.Items, o.Value)
		}
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

// ByNamespace returns the outputs for each namespace, in their order, sorted by name. Those
// for all namespaces come first.
func ByNamespace(outputs []Output) [][]Output {
	sorted := slices.Clone(outputs)
	slices.SortStableFunc(sorted, func(a, b Output) int {
		return cmp.Or(strings.Compare(a.Group.Namespace, b.Group.Namespace), strings.Compare(a.Name, b.Name))
	})
	var list [][]Output
	begin := 0
	for i := range sorted {
		if end := i + 1; end == len(sorted) || sorted[end].Group.Namespace != sorted[begin].Group.Namespace {
			list, begin = append(list, sorted[begin:end]), end
		}
	}
	return list
}

// ordered returns the objects of outputs for one namespace by position in their output,
// then by name: a policy comes before the objects that grant it.
func ordered(outputs []Output) []Object {
	lists, longest := make([][]Object, len(outputs)), 0
	for i, o := range outputs {
		lists[i] = o.Objects()
		longest = max(longest, len(lists[i]))
	}
	var objects []Object
	for position := range longest {
		for _, list := range lists {
			if position < len(list) {
				objects = append(objects, list[position])
			}
		}
	}
	return objects
}
