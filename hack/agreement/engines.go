package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
)

// engine is one that has a judge of its own.
type engine struct {
	engine generate.Engine
	// sample is the number of pods to judge at each level; 0 means all.
	sample int
	// debugging: its program can judge updates of ephemeral containers.
	debugging bool
	// judge returns what the engine's program says about each pod under the outputs, by
	// the name of the pod: nothing if it admits it. The absence of a pod means that it
	// was not judged.
	judge func(ctx context.Context, root string, outputs []generate.Output, cases []testCase) (map[string]string, error)
}

// engines is the table of engines that must agree with vap.
var engines = []engine{
	kyvernoEngine,
	gatekeeperEngine,
}

// program runs one of the programs in .cache, in a new directory with files of objects, and
// returns its output. An exit with status 1 is no error: it means denials.
func program(ctx context.Context, root, name string, files map[string][]any, args ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "agreement-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is temporary anyway
	for file, values := range files {
		var text bytes.Buffer
		for _, value := range values {
			raw, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("writing %s: %w", file, err)
			}
			fmt.Fprintf(&text, "---\n%s\n", raw)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text.Bytes(), 0o600); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file, err)
		}
	}
	binary, err := filepath.Abs(filepath.Join(root, ".cache", name))
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", name, err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // our own arguments
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 || len(out) == 0) {
		return nil, fmt.Errorf("running %s: %w: %s", name, err, stderr.String())
	}
	return out, nil
}

func podsOf(cases []testCase) []any {
	pods := make([]any, len(cases))
	for i, c := range cases {
		pods[i] = c.pod
	}
	return pods
}
