package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is what one run of a way took.
type sample struct {
	wall, user time.Duration
	// peak is the largest resident set, in bytes.
	peak int64
	// counts are those of the server.
	counts
	// notes are other figures, by name.
	notes map[string]float64
}

// counts are what a server has sent.
type counts struct{ requests, bytes, writes, events int64 }

func (c counts) since(o counts) counts {
	return counts{c.requests - o.requests, c.bytes - o.bytes, c.writes - o.writes, c.events - o.events}
}

// runTimeout is how long one run of a way may take.
const runTimeout = 15 * time.Minute

// command returns a process that ends with the harness: with the thread that starts it,
// which must be locked.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the ways of this program
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// usage is what a launched process has used.
type usage struct {
	Wall, User time.Duration
	Peak       int64
}

// launch runs a command to its end, and prints what it has used. What it prints itself is
// thrown away. A process of its own does this, because the peak of a process is at least
// what its parent holds (fs/exec.c in Linux, exec_mmap), and the harness grows.
func launch(ctx context.Context, args []string) error {
	runtime.LockOSThread() // see command
	cmd := command(ctx, args...)
	cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w", strings.Join(args, " "), err)
	}
	u := usage{Wall: time.Since(begin), User: cmd.ProcessState.UserTime()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.Peak = r.Maxrss << 10
	}
	return json.NewEncoder(os.Stdout).Encode(u) //nolint:wrapcheck // of standard output
}

// measure launches a command.
func (b *bench) measure(ctx context.Context, args ...string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	var out bytes.Buffer
	var last tail
	cmd := command(ctx, append([]string{b.self, "launch"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &last
	var u usage
	err := cmd.Run()
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &u)
	}
	if err != nil {
		return sample{}, fmt.Errorf("running %s: %w\n%s", strings.Join(args, " "), err, last.String())
	}
	return sample{wall: u.Wall, user: u.User, peak: u.Peak}, nil
}

// tail keeps the end of what is written.
type tail struct{ bytes.Buffer }

// Write implements io.Writer.
func (t *tail) Write(data []byte) (int, error) {
	if t.Len() > 8<<10 {
		t.Next(t.Len() - 4<<10)
	}
	return t.Buffer.Write(data) //nolint:wrapcheck // it cannot fail
}

// server is a process that serves until it is stopped.
type server struct {
	cmd     *exec.Cmd
	address string
	// ended is closed when the process has ended.
	ended chan struct{}
}

// startServer starts a command that prints its address when it is ready.
func startServer(ctx context.Context, args ...string) (*server, error) {
	cmd := command(ctx, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", args[0], err)
	}
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil && !errors.Is(err, io.EOF) || n == 0 {
		return nil, errors.Join(fmt.Errorf("waiting for %s: %w", strings.Join(args, " "), err), cmd.Wait())
	}
	s := &server{cmd, strings.TrimSpace(string(line[:n])), make(chan struct{})}
	go func() {
		defer close(s.ended)
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", strings.Join(args, " "), err)
		}
	}()
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-s.ended
}

// median returns the sample whose figures are the medians of all, each by itself.
func median(all []sample) sample {
	m := sample{
		wall: middle(all, func(s sample) time.Duration { return s.wall }),
		user: middle(all, func(s sample) time.Duration { return s.user }),
		peak: middle(all, func(s sample) int64 { return s.peak }),
		counts: counts{
			requests: middle(all, func(s sample) int64 { return s.requests }),
			bytes:    middle(all, func(s sample) int64 { return s.bytes }),
			writes:   middle(all, func(s sample) int64 { return s.writes }),
		},
		notes: map[string]float64{},
	}
	for name := range all[0].notes {
		m.notes[name] = middle(all, func(s sample) float64 { return s.notes[name] })
	}
	return m
}

func middle[N ~int64 | ~float64](all []sample, figure func(sample) N) N {
	var figures []N
	for _, s := range all {
		figures = append(figures, figure(s))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
