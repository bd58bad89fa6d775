package app

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelpExamples runs each command line that the help shows, as it stands but
// for the cluster: where it names no manifest, it gets one.
func TestHelpExamples(t *testing.T) {
	manifest, err := os.ReadFile("../../../examples/web-shop/input.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("deployment.yaml", manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, cmd := range newRootCommand(Streams{}).Commands() {
		if !cmd.IsAvailableCommand() || cmd.Name() == "help" {
			continue
		}
		lines := commandLines(cmd)
		if len(lines) == 0 {
			t.Errorf("%s has no example", cmd.Name())
		}
		if cmd.Flags().Lookup("filename") == nil {
			continue // tested with a server
		}
		for _, line := range lines {
			t.Run(line, func(t *testing.T) {
				ours, _, _ := strings.Cut(line, " | ")
				args := strings.Fields(ours)[1:]
				if !strings.Contains(ours, " -f ") {
					args = append(args, "-f", "deployment.yaml")
				}
				var out, errs bytes.Buffer
				if code := Run(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != exitOK {
					t.Errorf("exit code %d: %s", code, &errs)
				}
				ran++
			})
		}
	}
	if ran < 5 {
		t.Errorf("%d examples were run, want at least 5", ran)
	}
}

// commandLines returns the lines of a command's examples that call the advisor.
func commandLines(cmd *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "advisor ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestHelpNamesEveryFlag checks that each flag has a description of its own.
func TestHelpNamesEveryFlag(t *testing.T) {
	for _, cmd := range newRootCommand(Streams{Out: io.Discard, Err: io.Discard}).Commands() {
		usages := cmd.LocalFlags().FlagUsages()
		for line := range strings.Lines(usages) {
			if fields := strings.Fields(line); len(fields) < 3 {
				t.Errorf("%s: no description in %q", cmd.Name(), line)
			}
		}
	}
}
