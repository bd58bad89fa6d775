package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	yamlv3 "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// The forms of a dump: what kubectl get pods -A -o json and -o yaml print, a stream of
// documents, and a directory with a file for each pod.
const (
	formJSON   = "json"
	formYAML   = "yaml"
	formStream = "stream"
	formDir    = "dir"
)

// formFlags are the flags of the commands about files.
func formFlags(name string, args []string) (form, path string, f fleet.Fleet, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&form, "form", formJSON, "json, yaml, stream or dir")
	flags.StringVar(&path, "path", "", "file or directory")
	flags.IntVar(&f.Pods, "pods", 20_000, "number of pods")
	flags.Uint64Var(&f.Seed, "seed", 1, "seed of the fleet")
	if err := flags.Parse(args); err != nil {
		return "", "", f, fmt.Errorf("parsing flags: %w", err)
	}
	return form, path, f, nil
}

// dump writes the pods of a fleet.
func dump(_ context.Context, args []string) error {
	form, path, f, err := formFlags("dump", args)
	if err != nil {
		return err
	}
	if form == formDir {
		return dumpDir(f, path)
	}
	file, err := os.Create(path) //nolint:gosec // named by the caller
	if err != nil {
		return fmt.Errorf("creating the dump: %w", err)
	}
	w := bufio.NewWriter(file)
	err = dumpFile(f, form, w)
	return errors.Join(err, w.Flush(), file.Close())
}

// pods are the pods of a fleet as they are printed, with their type.
func pods(f fleet.Fleet, each func(*corev1.Pod) error) error {
	for o := range f.Objects(fleet.Resources()[0]) {
		if p, ok := o.(*corev1.Pod); ok {
			p.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
			if err := each(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func dumpFile(f fleet.Fleet, form string, w io.Writer) error {
	before, between, after := "", "---\n", ""
	switch form {
	case formJSON:
		before, between, after = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        ", ",\n        ", "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"
	case formYAML:
		before, between, after = "apiVersion: v1\nitems:\n", "", "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
	}
	if _, err := io.WriteString(w, before); err != nil {
		return err //nolint:wrapcheck // of a file
	}
	first := true
	err := pods(f, func(p *corev1.Pod) error {
		data, err := yaml.Marshal(p)
		switch form {
		case formJSON:
			data, err = json.MarshalIndent(p, "        ", "    ")
		case formYAML:
			lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
			data = append(append([]byte("- "), bytes.Join(lines, []byte("\n  "))...), '\n')
		}
		if err == nil && !first {
			_, err = io.WriteString(w, between)
		}
		if err == nil {
			_, err = w.Write(data)
		}
		first = false
		return err //nolint:wrapcheck // of a file
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, after)
	return err //nolint:wrapcheck // of a file
}

func dumpDir(f fleet.Fleet, path string) error {
	return pods(f, func(p *corev1.Pod) error {
		data, err := yaml.Marshal(p)
		if err == nil {
			err = os.MkdirAll(filepath.Join(path, p.Namespace), 0o750)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(path, p.Namespace, p.Name+".yaml"), data, 0o600)
		}
		return err //nolint:wrapcheck // it names the file
	})
}

// parse is a single pass of the YAML parser over a dump.
func parse(_ context.Context, args []string) error {
	_, path, _, err := formFlags("parse", args)
	if err != nil {
		return err
	}
	return eachFile(path, func(file io.Reader) error {
		documents := yamlv3.NewDecoder(file)
		for {
			var document yamlv3.Node
			if err := documents.Decode(&document); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("parsing: %w", err)
			}
		}
	})
}

// decode decodes a dump once, as most tools do.
func decode(_ context.Context, args []string) error {
	form, path, _, err := formFlags("decode", args)
	if err != nil {
		return err
	}
	n := 0
	err = eachFile(path, func(file io.Reader) error {
		switch form {
		case formJSON, formYAML:
			data, err := io.ReadAll(file)
			if err != nil {
				return err //nolint:wrapcheck // it names the file
			}
			var list corev1.PodList
			if form == formJSON {
				err = kjson.UnmarshalCaseSensitivePreserveInts(data, &list)
			} else {
				err = yaml.Unmarshal(data, &list)
			}
			n += len(list.Items)
			return err //nolint:wrapcheck // it says where
		}
		documents := utilyaml.NewYAMLReader(bufio.NewReader(file))
		for {
			data, err := documents.Read()
			if errors.Is(err, io.EOF) {
				return nil
			}
			var p corev1.Pod
			if err == nil {
				err = yaml.Unmarshal(data, &p)
			}
			if err != nil {
				return err //nolint:wrapcheck // it says where
			}
			n++
		}
	})
	fmt.Fprintln(os.Stderr, n, "pods")
	return err
}

// eachFile calls f for a file, or for those in a directory.
func eachFile(path string, f func(io.Reader) error) error {
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path) //nolint:gosec // named by the caller
		if err != nil {
			return err //nolint:wrapcheck // it names the file
		}
		return errors.Join(f(file), file.Close())
	})
	if err != nil {
		return fmt.Errorf("reading the dump: %w", err)
	}
	return nil
}
