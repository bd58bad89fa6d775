package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const readme = "../../README.md"

// consoles finds the blocks of README.md that show commands with their output.
var consoles = regexp.MustCompile("(?s)```console\n(.*?)```\n")

// TestReadmeCommands runs the commands that README.md shows with their output, and
// compares. The cluster's commands stand in sh blocks, which the end-to-end tests run.
func TestReadmeCommands(t *testing.T) {
	before, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	s := &session{tmp: t.TempDir(), dir: root}
	after := consoles.ReplaceAllFunc(before, func(block []byte) []byte {
		found = true
		body := consoles.FindSubmatch(block)[1]
		return []byte("```console\n" + s.run(t, string(body)) + "```\n")
	})
	if !found {
		t.Fatal("README.md has no console block")
	}
	if *update {
		if err := os.WriteFile(readme, after, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("README.md does not show what its commands print; run go test ./cmd/advisor -update (-shown +printed):\n%s", diff)
	}
}

// session is one shell through all of README.md.
type session struct {
	tmp string
	dir string // where the shell is
}

// run runs the "$ " lines of a block and returns it with their true output.
func (s *session) run(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	for line := range strings.Lines(body) {
		command, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		if !ok {
			continue
		}
		out.WriteString(line)
		// The shell writes down where it ends up, so that a cd holds for the next line.
		where := filepath.Join(s.tmp, ".cwd")
		shell := exec.CommandContext(t.Context(), "bash", "-c", command+"\nstatus=$?; pwd > "+where+"; exit $status")
		shell.Dir = s.dir
		shell.Env = append(os.Environ(), "TMP="+s.tmp)
		shell.Stdout, shell.Stderr = &out, &out
		// A failing command is shown as it is: its output is compared.
		_ = shell.Run()
		if cwd, err := os.ReadFile(where); err == nil {
			s.dir = strings.TrimSpace(string(cwd))
		}
	}
	return out.String()
}
