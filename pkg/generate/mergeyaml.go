package generate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// MergeYAML joins what YAML has written of the outputs of several engines, with what
// they set on one Namespace as one document, as Merge does before they are written. All
// other documents stay as they are.
func MergeYAML(streams ...[]byte) ([]byte, error) {
	if len(streams) == 1 {
		return streams[0], nil
	}
	type document struct {
		raw       []byte
		namespace *Object
	}
	var documents []document
	first := map[string]int{}
	for _, stream := range streams {
		for _, raw := range Documents(stream) {
			object, name, err := readNamespace(raw)
			if err != nil {
				return nil, fmt.Errorf("reading a document: %w", err)
			}
			if name == "" {
				documents = append(documents, document{raw: raw})
				continue
			}
			if i, known := first[name]; known {
				object = mergeObjects(*documents[i].namespace, object)
				documents[i] = document{namespace: &object}
				continue
			}
			first[name] = len(documents)
			documents = append(documents, document{raw, &object})
		}
	}
	var out bytes.Buffer
	for _, d := range documents {
		if d.raw == nil {
			merged, err := YAML([]Output{{Objects: Made(*d.namespace)}}, true)
			if err != nil {
				return nil, err
			}
			out.Write(merged)
			continue
		}
		out.WriteString("---\n")
		out.Write(d.raw)
	}
	return out.Bytes(), nil
}

// Documents returns the documents of a stream that YAML has written.
func Documents(stream []byte) [][]byte {
	var documents [][]byte
	for document := range bytes.SplitSeq(slices.Concat([]byte("\n"), stream), []byte("\n---\n")) {
		if document = bytes.Trim(document, "\n"); len(document) > 0 {
			documents = append(documents, append(document, '\n'))
		}
	}
	return documents
}

// readNamespace reads what YAML has written of a Namespace. The name is empty for an
// object of another kind.
func readNamespace(document []byte) (object Object, name string, err error) {
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(document, &root); err != nil {
		return Object{}, "", err //nolint:wrapcheck // the caller says what it read
	}
	var o struct {
		Kind     string
		Metadata struct {
			Name                string
			Labels, Annotations map[string]string
		}
	}
	if err := root.Decode(&o); err != nil {
		return Object{}, "", err //nolint:wrapcheck // the caller says what it read
	}
	if o.Kind != "Namespace" {
		return Object{}, "", nil
	}
	object.Value = Namespace(o.Metadata.Name, o.Metadata.Labels, o.Metadata.Annotations)
	object.Reasons = Reasons{}
	object.readFields(root.Content[0], "")
	// The title is above the first field.
	const first = "apiVersion"
	object.Title = strings.Join(object.Reasons[first], "; ")
	delete(object.Reasons, first)
	return object, o.Metadata.Name, nil
}

// readFields reads the comments above the fields of a map, and which are blocks of lines.
func (o *Object) readFields(fields *yamlv3.Node, path string) {
	for i := 0; i < len(fields.Content); i += 2 {
		name, value := fields.Content[i], fields.Content[i+1]
		path := strings.TrimPrefix(path+"."+name.Value, ".")
		for comment := range strings.SplitSeq(name.HeadComment, "\n") {
			if comment != "" {
				o.Reasons[path] = append(o.Reasons[path], strings.TrimPrefix(comment, "# "))
			}
		}
		switch {
		case value.Kind == yamlv3.MappingNode:
			o.readFields(value, path)
		case value.Style == yamlv3.LiteralStyle:
			o.Text = append(o.Text, path)
		}
	}
}
