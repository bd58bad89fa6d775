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
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
)

// engine is one that has a judge of its own.
type engine struct {
	name  string
	build func(variant) generate.Engine
	// sample is the number of pods to judge at each level with the policies of the first
	// variant.
	sample int
	// debugging: its program can judge updates of ephemeral containers.
	debugging bool
	// silent: its program does not say what a policy does about a pod that it does not
	// permit, only that it does not.
	silent bool
	// judge returns what the engine's program says about each pod under the outputs, by
	// the name of the pod: nothing if it permits it. The absence of a pod means that it
	// was not judged.
	judge func(ctx context.Context, root string, outputs []generate.Output, cases []testCase) (map[string]string, error)
}

// variant is a choice of the options that engines share.
type variant struct {
	enforcement cel.Enforcement
	unknown     cel.UnknownAccounts
}

func (v variant) String() string { return string(v.enforcement) + "/" + string(v.unknown) }

// parseVariants reads a list of variants.
func parseVariants(text string) ([]variant, error) {
	var list []variant
	for word := range strings.SplitSeq(text, ",") {
		enforcement, unknown, _ := strings.Cut(word, "/")
		if !slices.Contains(cel.EnforcementWords, enforcement) || !slices.Contains(cel.UnknownAccountsWords, unknown) {
			return nil, fmt.Errorf("reading the variants: %q is not an enforcement and what becomes of unknown accounts, such as deny/allow", word)
		}
		list = append(list, variant{cel.Enforcement(enforcement), cel.UnknownAccounts(unknown)})
	}
	return list, nil
}

// want returns what the program of an engine must say about a case.
func (e engine) want(c testCase) string {
	if e.silent {
		return c.message
	}
	return c.said()
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
