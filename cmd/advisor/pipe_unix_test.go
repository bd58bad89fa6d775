//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const pod = `apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: c}]}
`

// TestReaderGone: when the reader of its output is gone, the advisor ends as
// kubectl does, by the signal SIGPIPE and without an error.
func TestReaderGone(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		gone func(*exec.Cmd, *os.File)
	}{
		{"standard output", nil, func(cmd *exec.Cmd, closed *os.File) { cmd.Stdout = closed }},
		{"standard error", []string{"--output-dir", "policies"}, func(cmd *exec.Cmd, closed *os.File) { cmd.Stderr = closed }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			cmd := exec.CommandContext(t.Context(), "advisor", append([]string{"inspect", "-f", "-"}, tc.args...)...)
			cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = t.TempDir(), strings.NewReader(pod), &out, &errs
			tc.gone(cmd, writer)
			err = cmd.Run()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGPIPE {
				t.Errorf("ended with %v, want signal SIGPIPE", err)
			}
			if strings.Contains(errs.String(), "advisor:") || out.Len() > 0 {
				t.Errorf("standard output %q, standard error %q", &out, &errs)
			}
			if _, err := os.Stat(filepath.Join(cmd.Dir, "policies")); !os.IsNotExist(err) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

// TestHead: a pipe to head shows the first line, and does not look like a failure.
func TestHead(t *testing.T) {
	var pods, errs bytes.Buffer
	for n := range 200 { // more than a pipe holds
		pods.WriteString("---\n" + strings.Replace(pod, "name: a", fmt.Sprint("name: a", n), 1))
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "advisor inspect -f - | head -n 1")
	cmd.Stdin, cmd.Stderr = &pods, &errs
	out, err := cmd.Output()
	if err != nil || string(out) != "---\n" || strings.Contains(errs.String(), "advisor:") {
		t.Errorf("%v, standard output %q, standard error %q", err, out, &errs)
	}
}
