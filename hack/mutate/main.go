// Command mutate checks the check: it breaks the advisor in one place after
// another and shows that a conformance run catches each fault. Each engine has
// faults, and a run with its own judge. The source tree is not touched; the
// faults are laid over it for the build alone.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// errSurvivors says that a fault went unnoticed.
var errSurvivors = errors.New("the conformance runs do not catch every fault")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root := flag.String("root", ".", "the repository")
	fleets := flag.Int("fleets", 500, "random fleets per fault; they end at the first that shows it")
	seed := flag.Uint64("seed", 1, "what the fleets are drawn from")
	only := flag.String("only", "", "only faults whose family or description contains this")
	pkg := flag.String("run", "", "only faults for the conformance runs whose package ends in this")
	every := flag.Int("every", 1, "one of so many faults is tried for each conformance run, at random")
	flag.Parse()
	switch err := run(ctx, *root, *fleets, *seed, *only, *pkg, *every); {
	case errors.Is(err, errSurvivors):
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, root string, fleets int, seed uint64, only, pkg string, every int) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return fmt.Errorf("creating a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary directory
	type trials = iter.Seq2[mutant, trial]
	var tried []trials
	total := 0
	for i, t := range targets {
		chosen := slices.DeleteFunc(slices.Clone(t.mutants), func(m mutant) bool {
			return !strings.Contains(m.family+" "+m.what, only) || !strings.HasSuffix(t.pkg, pkg)
		})
		if len(chosen) == 0 {
			continue
		}
		if every > 1 {
			rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] }) //nolint:gosec // no secret
			chosen = chosen[:(len(chosen)+every-1)/every]
		}
		c := check{target: t, root: root, args: append([]string{"-seed", fmt.Sprint(seed)}, t.args(root, fleets)...)}
		if result, err := c.conformance(ctx, dir, ""); err != nil {
			return err
		} else if result != "" {
			return fmt.Errorf("the advisor fails without any fault of ours: %s", result)
		}
		if t.judge != "" {
			// That run has built the judge, which no fault touches.
			c.args = append(c.args, "-judge", filepath.Join(root, ".cache", t.judge))
		}
		own := filepath.Join(dir, fmt.Sprint("target-", i))
		tried = append(tried, func(yield func(mutant, trial) bool) { c.all(ctx, own, chosen)(yield) })
		total += len(chosen)
	}
	if total == 0 {
		return fmt.Errorf("no fault is called %q", only)
	}
	const row = "%-20s  %-48s  %s\n"
	fmt.Printf(row, "FAMILY", "FAULT", "CAUGHT BY")
	survivors := 0
	var unfit []error
	for _, faults := range tried {
		for m, t := range faults {
			switch {
			case t.err != nil:
				unfit = append(unfit, fmt.Errorf("trying %s, %s: %w", m.family, m.what, t.err))
				t.result = "not tried, see below"
			case t.result == "":
				survivors++
				t.result = "nothing: it SURVIVES"
			}
			fmt.Printf(row, m.family, m.what, t.result)
		}
	}
	fmt.Printf("%d faults, %d caught, %d survive, %d not tried\n",
		total, total-survivors-len(unfit), survivors, len(unfit))
	if len(unfit) > 0 {
		return errors.Join(unfit...)
	}
	if survivors > 0 {
		return errSurvivors
	}
	return nil
}

// target is a conformance run with the faults that it must catch.
type target struct {
	// pkg of the run, and the name of its judge in the cache, if it builds one.
	pkg, judge string
	// tests says that the run is one of tests.
	tests bool
	// args returns the flags for a number of fleets.
	args    func(root string, fleets int) []string
	mutants []mutant
}

var targets = []target{
	{"./hack/conformance", "judge", false, func(root string, fleets int) []string {
		return append(random(root), "-fleets", fmt.Sprint(fleets), "-within", "", "-pairs", "0")
	}, mutants},
	// The faults of what the Go model and CEL share show in few fleets, if at all.
	{"./hack/conformance/current", "judge-current", false, func(root string, fleets int) []string {
		return append(random(root), "-fleets", fmt.Sprint(fleets/10), "-pods", "1500")
	}, currentMutants},
	// The tests whose judge is upstream's evaluator.
	{"./pkg/podsecurity", "", true, func(string, int) []string {
		return []string{"-test.run", "^(TestAgreesWithEvaluator|TestFixtures)$", "-test.failfast"}
	}, verdictMutants},
	{"./pkg/generate/psa", "", true, func(string, int) []string {
		return []string{"-test.run", "^(TestSoundAndMinimal|TestFixtures)$", "-test.failfast"}
	}, levelMutants},
	{"./hack/agreement", "", false, agreement("kyverno", "deny/deny"), kyvernoMutants},
	{"./hack/agreement", "", false, agreement("kyverno", "deny/allow,audit/warn"), kyvernoOptionMutants},
	{"./hack/agreement", "", false, agreement("gatekeeper", "deny/deny"), gatekeeperMutants},
	{"./hack/agreement", "", false, agreement("gatekeeper", "deny/allow,warn/deny,audit/warn"), gatekeeperOptionMutants},
}

// agreement returns the flags of the run that compares an engine with vap, for some
// variants of their policies. The programs of engines are slow: what the examples have is
// enough.
func agreement(engine, variants string) func(root string, _ int) []string {
	return func(root string, _ int) []string {
		return []string{"-root", root, "-engine", engine, "-variants", variants, "-corpora", "examples", "-levels", "workload", "-steps", "1"}
	}
}

// random are the flags of the conformance runs that draw fleets.
func random(root string) []string {
	return []string{"-root", root, "-corpora", "", "-fail-fast"}
}

// check runs the conformance of a broken advisor.
type check struct {
	target
	root string
	args []string
}

// trial is what the conformance run made of one fault: what caught it, or
// nothing.
type trial struct {
	result string
	err    error
}

// all tries the faults, one per processor at a time, and yields the trials in
// the order of the faults.
func (c check) all(ctx context.Context, dir string, faults []mutant) iter.Seq2[mutant, trial] {
	queue, trials := make(chan int, len(faults)), make([]chan trial, len(faults))
	for i := range faults {
		queue <- i
		trials[i] = make(chan trial, 1)
	}
	close(queue)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for i := range queue {
				result, err := c.try(ctx, filepath.Join(dir, fmt.Sprint(i)), faults[i])
				trials[i] <- trial{result, err}
			}
		}()
	}
	return func(yield func(mutant, trial) bool) {
		for i, m := range faults {
			if !yield(m, <-trials[i]) {
				return
			}
		}
	}
}

// try runs the conformance of an advisor with one fault, in a directory of its
// own.
func (c check) try(ctx context.Context, dir string, m mutant) (string, error) {
	overlay, err := c.overlay(dir, m)
	if err != nil {
		return "", err
	}
	result, err := c.conformance(ctx, dir, overlay)
	return result, errors.Join(err, os.RemoveAll(dir))
}

// overlay writes the broken file and the overlay that puts it in place.
func (c check) overlay(dir string, m mutant) (string, error) {
	path := filepath.Join(c.root, m.file)
	source, err := m.apply(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating a directory: %w", err)
	}
	broken := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(broken, source, 0o600); err != nil {
		return "", fmt.Errorf("writing the broken file: %w", err)
	}
	raw, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
	if err != nil {
		return "", fmt.Errorf("encoding the overlay: %w", err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	return overlay, nil
}

// apply returns the source of the file with the fault in it.
func (m mutant) apply(path string) ([]byte, error) {
	source, err := os.ReadFile(path) //nolint:gosec // a file of the table
	if err != nil {
		return nil, fmt.Errorf("reading the file of the fault: %w", err)
	}
	if n := bytes.Count(source, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s has %q %d times, want once: adapt the fault to the code", m.file, m.old, n)
	}
	return bytes.Replace(source, []byte(m.old), []byte(m.new), 1), nil
}

// conformance builds it in the directory and runs it on one processor, and
// gives the first fault it shows: on one processor that is always the same.
func (c check) conformance(ctx context.Context, dir, overlay string) (string, error) {
	binary := filepath.Join(dir, "conformance")
	args := []string{"build", "-ldflags", "-s -w", "-o", binary}
	if c.tests {
		args = []string{"test", "-c", "-o", binary}
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, c.pkg)...) //nolint:gosec // our own arguments
	build.Dir = c.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, c.args...) //nolint:gosec // built just now
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.root, &out, &errOut
	if c.tests {
		cmd.Dir = filepath.Join(c.root, c.pkg)
	}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
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
		if i == 0 || !failed(lines[i-1]) || failed(line) {
			continue
		}
		// Tests begin with the seed that they print.
		if rest := lines[i:]; strings.Contains(line, "random seed: ") && len(rest) > 1 {
			line = rest[1]
		}
		if fault := []rune(strings.TrimSpace(line)); len(fault) > 0 {
			return string(fault[:min(len(fault), 110)])
		}
	}
	return "an exit code of 1"
}

// failed reports whether a line names what failed: a fleet, or a test.
func failed(line string) bool {
	return strings.HasPrefix(line, "FAIL ") || strings.HasPrefix(strings.TrimLeft(line, " "), "--- FAIL: ")
}
