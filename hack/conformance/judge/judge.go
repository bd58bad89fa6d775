// Package judge builds and runs the judges, which are of modules that cannot be
// imported beside a current k8s.io/api: processes that read requests and write answers
// as JSON.
package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Build builds the judge of a module below hack into the cache of the repository, under
// a name; the Go tool knows whether that is needed.
func Build(ctx context.Context, root, module, name string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	binary := filepath.Join(root, ".cache", name)
	build := exec.CommandContext(ctx, "go", "build", "-tags", "providerless", "-o", binary, "./cmd/judge") //nolint:gosec // our own arguments
	build.Dir = filepath.Join(root, "hack", module)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("building the judge: %w", err)
	}
	return binary, nil
}

// Process is a running judge; it answers one request at a time.
type Process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
}

// Start runs a judge until Stop.
func Start(ctx context.Context, binary string) (*Process, error) {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the judge: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the judge: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the judge: %w", err)
	}
	return &Process{cmd: cmd, in: in, encoder: json.NewEncoder(in), decoder: json.NewDecoder(out)}, nil
}

// Stop ends the process; it leaves when its input ends.
func (p *Process) Stop() error {
	if err := p.in.Close(); err != nil {
		return fmt.Errorf("stopping the judge: %w", err)
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("stopping the judge: %w", err)
	}
	return nil
}

// Ask sends a request and reads the answer to it.
func (p *Process) Ask(request, answer any) error {
	if err := p.encoder.Encode(request); err != nil {
		return fmt.Errorf("asking the judge: %w", err)
	}
	if err := p.decoder.Decode(answer); err != nil {
		return fmt.Errorf("reading the answer of the judge: %w", err)
	}
	return nil
}

// Task is one piece of work for one judge.
type Task func(*Process) error

// Run runs the tasks on a judge process per processor, until one fails.
func Run(ctx context.Context, binary string, tasks []Task) error {
	queue := make(chan Task)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	results := make(chan error, workers)
	for range workers {
		go func() {
			err := work(ctx, binary, queue)
			if err != nil {
				cancel()
			}
			results <- err
		}()
	}
feed:
	for _, t := range tasks {
		select {
		case queue <- t:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	var errs []error
	for range workers {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}

func work(ctx context.Context, binary string, queue <-chan Task) (err error) {
	p, err := Start(ctx, binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	for t := range queue {
		if err := t(p); err != nil {
			return err
		}
	}
	return nil
}
