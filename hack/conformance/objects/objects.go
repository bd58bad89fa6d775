// Package objects reads, writes and shrinks lists of Kubernetes objects, for the
// conformance runs. Objects are as JSON gives them, so that it needs to know no types.
package objects

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

// Object is a Kubernetes object.
type Object = map[string]any

// Source is one file of objects. Its name is its path from the directory that was read.
type Source struct{ Name, Text string }

// ReadDir reads the manifests in a directory.
func ReadDir(dir string) ([]Source, error) {
	var sources []Source
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // the directory is the caller's
		name := filepath.Base(dir) + strings.TrimPrefix(path, filepath.Clean(dir))
		sources = append(sources, Source{Name: filepath.ToSlash(name), Text: string(text)})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return sources, nil
}

// Corpus is the sources of one directory.
type Corpus struct {
	Name    string
	Sources []Source
}

// ReadCorpora reads a list of directories, separated by commas and relative to a root.
// It returns those that do not exist apart.
func ReadCorpora(root, list string) (corpora []Corpus, missing []string, err error) {
	for dir := range strings.SplitSeq(list, ",") {
		if dir == "" {
			continue
		}
		path := filepath.Join(root, dir)
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, dir)
			continue
		}
		sources, err := ReadDir(path)
		if err != nil {
			return nil, nil, err
		}
		corpora = append(corpora, Corpus{filepath.Base(dir), sources})
	}
	return corpora, missing, nil
}

// Split splits text into Objects, and lists into their items.
func Split(text string) ([]Object, error) {
	var objects []Object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a document: %w", err)
		}
		var o Object
		if err := yaml.Unmarshal(document, &o); err != nil {
			return nil, fmt.Errorf("reading a document: %w", err)
		}
		objects = append(objects, flatten(o)...)
	}
}

func flatten(o Object) []Object {
	items, ok := o["items"].([]any)
	kind, _ := o["kind"].(string)
	if !ok || !strings.HasSuffix(kind, "List") {
		if len(o) == 0 {
			return nil
		}
		return []Object{o}
	}
	var objects []Object
	for _, item := range items {
		inner, ok := item.(Object)
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

// Join writes objects as a stream of documents.
func Join(objects []Object) (string, error) {
	var text strings.Builder
	for _, o := range objects {
		raw, err := JSON(o)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "---\n%s\n", raw)
	}
	return text.String(), nil
}

// JSON returns a value as JSON that is YAML, too: there, a DEL must be escaped.
func JSON(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("writing an object: %w", err)
	}
	return strings.ReplaceAll(string(raw), "\x7f", `\u007f`), nil
}

// Readable turns a stream of JSON documents into YAML for people.
func Readable(text string) string {
	objects, err := Split(text)
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
