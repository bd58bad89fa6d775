package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// source is one file of objects.
type source struct {
	name string
	text string
	// refused are its objects which 1.24 refuses even without policies.
	refused []string
}

// readSources reads the manifests in a directory.
func readSources(dir string) ([]source, error) {
	var sources []source
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // the directory is the caller's
		sources = append(sources, source{name: filepath.Base(dir) + "/" + filepath.Base(path), text: string(text)})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return sources, nil
}

// clean drops the objects which 1.24 itself refuses: no server that enforces
// policies can hold them, but the advisor would allow what they ask for.
// Where all are fine the text stays as it was written.
func (s source) clean(j *judge) (source, error) {
	objects, err := split(s.text)
	if err != nil {
		return s, fmt.Errorf("splitting %s: %w", s.name, err)
	}
	var kept []object
	for _, o := range objects {
		text, err := join([]object{o})
		if err != nil {
			return s, err
		}
		v, err := j.ask(request{Name: s.name, Objects: text, SkipInvalid: true})
		if err != nil {
			return s, err
		}
		switch {
		case v.Error != "":
			return s, fmt.Errorf("judging %s: %s", s.name, v.Error)
		case len(v.Skipped) > 0:
			s.refused = append(s.refused, v.Skipped[0])
		case v.Counts[refused] > 0:
			s.refused = append(s.refused, v.Pods[0].Pod+": "+v.Pods[0].Detail)
		default:
			kept = append(kept, o)
		}
	}
	if len(s.refused) == 0 {
		return s, nil
	}
	s.text, err = join(kept)
	return s, err
}

// split splits text into objects, and lists into their items.
func split(text string) ([]object, error) {
	var objects []object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a document: %w", err)
		}
		var o object
		if err := yaml.Unmarshal(document, &o); err != nil {
			return nil, fmt.Errorf("reading a document: %w", err)
		}
		objects = append(objects, flatten(o)...)
	}
}

func flatten(o object) []object {
	items, ok := o["items"].([]any)
	kind, _ := o["kind"].(string)
	if !ok || !strings.HasSuffix(kind, "List") {
		if len(o) == 0 {
			return nil
		}
		return []object{o}
	}
	var objects []object
	for _, item := range items {
		inner, ok := item.(object)
		if !ok {
			continue
		}
		if inner["kind"] == nil {
			inner["kind"], inner["apiVersion"] = strings.TrimSuffix(kind, "List"), o["apiVersion"]
		}
		objects = append(objects, flatten(inner)...)
	}
	return objects
}

// join writes objects as a stream of documents.
func join(objects []object) (string, error) {
	var text strings.Builder
	for _, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			return "", fmt.Errorf("writing an object: %w", err)
		}
		fmt.Fprintf(&text, "---\n%s\n", raw)
	}
	return text.String(), nil
}

// readable turns a stream of JSON documents into YAML for people.
func readable(text string) string {
	objects, err := split(text)
	if err != nil {
		return text
	}
	var out strings.Builder
	for _, o := range objects {
		raw, err := yaml.Marshal(o)
		if err != nil {
			return text
		}
		out.WriteString("---\n" + string(raw))
	}
	return out.String()
}
