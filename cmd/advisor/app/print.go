package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// formats are what --output of inspect may be.
var formats = []string{formatYAML, formatJSON, formatName, formatObservation, formatWide}

const (
	formatYAML        = "yaml"
	formatJSON        = "json"
	formatName        = "name"
	formatWide        = "wide"
	formatObservation = "observation"
)

func writeOut(out io.Writer, data []byte) error { return writeTo(out, "", bytes.NewReader(data)) }

// encode returns what was observed, or the policies made from it, in the format that
// was asked for. The policies of several engines stand one after the other; what they
// set on one Namespace is one object.
func (o inspectOptions) encode(obs *observe.Observation, results []generate.Result) ([]byte, error) {
	switch o.output {
	case formatObservation:
		return observe.Encode(obs)
	case formatWide:
		return wideTable(obs, o.level, results)
	case formatJSON, formatName:
		return encodeJSON(o.output, generate.Merge(results))
	default:
		var all bytes.Buffer
		for _, r := range generate.Merge(results) {
			if err := generate.WriteYAML(&all, r.Outputs, o.explain); err != nil {
				return nil, err
			}
		}
		return all.Bytes(), nil
	}
}

func encodeJSON(format string, results []generate.Result) ([]byte, error) {
	list := newList()
	for _, r := range results {
		data, err := generate.JSON(r.Outputs)
		if err != nil {
			return nil, err
		}
		one := newList()
		if err := json.Unmarshal(data, &one); err != nil {
			return nil, fmt.Errorf("reading what was made: %w", err)
		}
		list.Items = append(list.Items, one.Items...)
	}
	return list.encode(format)
}

// objectList is a List of objects as they are written.
type objectList struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
}

func newList() objectList { return objectList{"v1", "List", []json.RawMessage{}} }

// listOf returns the objects of YAML documents.
func listOf(documents []byte) (objectList, error) {
	list := newList()
	for _, doc := range generate.Documents(documents) {
		item, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return objectList{}, fmt.Errorf("reading a document: %w", err)
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

// encode returns the list as JSON, or the names of its objects.
func (l objectList) encode(format string) ([]byte, error) {
	if format == formatName {
		return l.names()
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

// names returns a line for each object, as kubectl names it.
func (l objectList) names() ([]byte, error) {
	var text bytes.Buffer
	for _, item := range l.Items {
		var object struct {
			APIVersion, Kind string
			Metadata         struct{ Name string }
		}
		if err := json.Unmarshal(item, &object); err != nil {
			return nil, fmt.Errorf("reading an object: %w", err)
		}
		kind := schema.FromAPIVersionAndKind(object.APIVersion, strings.ToLower(object.Kind)).GroupKind()
		fmt.Fprintf(&text, "%s/%s\n", kind, object.Metadata.Name)
	}
	return text.Bytes(), nil
}

// wideTable returns a table with a line for each workload and account.
func wideTable(obs *observe.Observation, level aggregate.Level, results []generate.Result) ([]byte, error) {
	rows := [][]string{{"NAMESPACE", "WORKLOAD", "ACCOUNT", "PODS", "TEMPLATES", "POLICY"}}
	workloads := report.New(obs, level, results).Workloads // in the order of the members
	for i, m := range obs.Members {
		policies := slices.Compact(slices.Sorted(maps.Values(workloads[i].Policies)))
		rows = append(rows, []string{
			m.Workload.Namespace, m.Workload.String(), orNone(m.ServiceAccount),
			strconv.Itoa(m.Pods), strconv.Itoa(m.Templates), strings.Join(policies, ","),
		})
	}
	return table(rows)
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

// maxCell is how long a cell of a table may be: as long as names may be.
const maxCell = 253

// table aligns rows as kubectl does.
func table(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	w := printers.GetNewTabWriter(&out)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable.Line(cell, maxCell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t")) //nolint:errcheck // Flush returns it
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("writing a table: %w", err)
	}
	return out.Bytes(), nil
}
