// Command mutate checks the check: it breaks the advisor in one place after
// another and shows that the conformance run catches each fault. The source
// tree is not touched; the faults are laid over it for the build alone.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// errSurvivors says that a fault went unnoticed.
var errSurvivors = errors.New("the conformance run does not catch every fault")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root := flag.String("root", ".", "the repository")
	fleets := flag.Int("fleets", 500, "random fleets per fault; they end at the first that shows it")
	seed := flag.Uint64("seed", 1, "what the fleets are drawn from")
	only := flag.String("only", "", "only faults whose family or description contains this")
	flag.Parse()
	switch err := run(ctx, *root, *fleets, *seed, *only); {
	case errors.Is(err, errSurvivors):
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, root string, fleets int, seed uint64, only string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary folder
	c := check{root: root, dir: dir, args: []string{
		"-root", root, "-corpora", "", "-fleets", fmt.Sprint(fleets), "-seed", fmt.Sprint(seed), "-fail-fast",
	}}
	if result, err := c.conformance(ctx, ""); err != nil {
		return err
	} else if result != "" {
		return fmt.Errorf("the advisor fails without any fault of ours: %s", result)
	}

	const row = "%-20s  %-48s  %s\n"
	fmt.Printf(row, "FAMILY", "FAULT", "CAUGHT BY")
	tried, survivors := 0, 0
	var unfit []error
	for _, m := range mutants {
		if !strings.Contains(m.family+" "+m.what, only) {
			continue
		}
		tried++
		overlay, err := c.overlay(m)
		result := ""
		if err == nil {
			result, err = c.conformance(ctx, overlay)
		}
		if err != nil {
			unfit = append(unfit, fmt.Errorf("trying %s, %s: %w", m.family, m.what, err))
			fmt.Printf(row, m.family, m.what, "not tried, see below")
			continue
		}
		if result == "" {
			survivors++
			result = "nothing: it SURVIVES"
		}
		fmt.Printf(row, m.family, m.what, result)
	}
	fmt.Printf("%d faults, %d caught, %d survive, %d not tried\n", tried, tried-survivors-len(unfit), survivors, len(unfit))
	if tried == 0 {
		return fmt.Errorf("no fault is called %q", only)
	}
	if len(unfit) > 0 {
		return errors.Join(unfit...)
	}
	if survivors > 0 {
		return errSurvivors
	}
	return nil
}

// check runs the conformance of a broken advisor.
type check struct {
	root, dir string
	args      []string
}

// overlay writes the broken file and the overlay that puts it in place.
func (c check) overlay(m mutant) (string, error) {
	path := filepath.Join(c.root, m.file)
	source, err := os.ReadFile(path) //nolint:gosec // a file of the table
	if err != nil {
		return "", fmt.Errorf("reading: %w", err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s has %q %d times, want once: adapt the fault to the code", m.file, m.old, n)
	}
	broken := filepath.Join(c.dir, "broken.go")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		return "", fmt.Errorf("writing: %w", err)
	}
	raw, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
	if err != nil {
		return "", fmt.Errorf("writing: %w", err)
	}
	overlay := filepath.Join(c.dir, "overlay.json")
	return overlay, os.WriteFile(overlay, raw, 0o600)
}

// conformance builds and runs it, and gives the first fault it shows.
func (c check) conformance(ctx context.Context, overlay string) (string, error) {
	binary := filepath.Join(c.dir, "conformance")
	args := []string{"build", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, "./hack/conformance")...) //nolint:gosec // our own arguments
	build.Dir = c.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, c.args...) //nolint:gosec // built just now
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.root, &out, &errOut
	err := cmd.Run()
	if err == nil {
		return "", nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return "", fmt.Errorf("running: %w\n%s", err, errOut.String())
	}
	return firstFault(out.String()), nil
}

// firstFault finds the fault below the first fleet that failed.
func firstFault(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "FAIL ") && i+1 < len(lines) {
			fault := []rune(strings.TrimSpace(lines[i+1]))
			return string(fault[:min(len(fault), 110)])
		}
	}
	return "an exit code of 1"
}
