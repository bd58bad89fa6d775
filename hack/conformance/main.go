// Command conformance shows the advisor's policies to the code of Kubernetes
// 1.24 that will enforce them: those for examples, for what other projects
// wrote, and for random fleets of pods, at each level. Every pod must be
// admitted and left unchanged, no policy may be refused, and none may be
// tighter than it is.
//
// It also compares what inspect --within says of written policies, and of random ones,
// with what that code does to each workload: the outcome must be the same.
//
// A fleet that fails is shrunk to the least that still fails, and printed with
// its policies and the verdict. The seed is printed too: with it the same
// fleets come again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// errFaults says that the run found something.
var errFaults = errors.New("the advisor's policies have faults")

type options struct {
	root    string
	corpora string
	fleets  uint64
	seed    uint64
	first   uint64
	levels  []aggregate.Level
	show    int
	within  string
	pairs   uint64
	judge   string
	fast    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := options{levels: aggregate.Levels()}
	flags := flag.NewFlagSet("conformance", flag.ExitOnError) // podtest has a flag -seed for tests
	flags.StringVar(&o.root, "root", ".", "the repository")
	flags.StringVar(&o.corpora, "corpora", "examples,../shared/corpus,../shared/corpus-live", "directories of manifests, relative to the repository; one that is missing is reported")
	flags.Uint64Var(&o.fleets, "fleets", 500, "how many random fleets")
	flags.Uint64Var(&o.first, "first", 0, "number of the first fleet, to run one of them again")
	flags.Uint64Var(&o.seed, "seed", 0, "what the fleets are drawn from; 0 takes a new one")
	flags.IntVar(&o.show, "show", 3, "how many failing fleets to shrink and print")
	flags.StringVar(&o.within, "within", "../shared/corpus-psp", "directory of written policies, each compared with the workloads of the corpora; empty compares none")
	flags.Uint64Var(&o.pairs, "pairs", 200, "how many random fleets are compared with random policies")
	flags.StringVar(&o.judge, "judge", "", "judge binary; built when empty")
	flags.BoolVar(&o.fast, "fail-fast", false, "stop at the first fault, and do not shrink it")
	_ = flags.Parse(os.Args[1:]) // which exits
	if o.seed == 0 {
		o.seed = rand.Uint64() //nolint:gosec // no secret
	}
	switch err := run(ctx, o); {
	case errors.Is(err, errFaults):
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, o options) error {
	if o.judge == "" {
		binary, err := buildJudge(ctx, o.root)
		if err != nil {
			return err
		}
		o.judge = binary
	}
	r := &runner{options: o, suites: map[string]*tally{}}
	var tasks []task
	written, err := o.writtenPolicies()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Printf("not there, so not compared: %s\n", o.within)
	case err != nil:
		return err
	}
	for dir := range strings.SplitSeq(o.corpora, ",") { //nolint:contextcheck // the advisor reads what is in memory
		if dir == "" {
			continue
		}
		path := filepath.Join(o.root, dir)
		if _, err := os.Stat(path); err != nil {
			fmt.Printf("not there, so not judged: %s\n", dir)
			continue
		}
		sources, err := readSources(path)
		if err != nil {
			return err
		}
		for _, s := range sources {
			tasks = append(tasks, func(j *judge) error { return r.source(j, filepath.Base(dir), s) })
			if len(written) > 0 {
				tasks = append(tasks, func(j *judge) error { return r.withinAll(j, filepath.Base(dir), s, written) })
			}
		}
	}
	if o.fleets > 0 {
		fmt.Printf("random fleets %d to %d of seed %d\n", o.first, o.first+o.fleets-1, o.seed)
	}
	for n := o.first; n < o.first+o.fleets; n++ {
		tasks = append(tasks, func(j *judge) error { return r.fleet(j, n) }) //nolint:contextcheck // the advisor reads what is in memory
	}
	for n := o.first; n < o.first+o.pairs; n++ {
		tasks = append(tasks, func(j *judge) error { return r.withinRandom(j, n) }) //nolint:contextcheck // the advisor reads what is in memory
	}
	start := time.Now()
	if err := r.all(ctx, tasks); err != nil {
		return err
	}
	return r.report(time.Since(start))
}

// task is one piece of work for one judge.
type task func(*judge) error

// runner keeps what all tasks found.
type runner struct {
	options
	mu      sync.Mutex
	suites  map[string]*tally
	refused []string
	shown   int
}

// tally sums the verdicts of one suite at one level.
type tally struct {
	cases, failed, pods, policies, slack, invalid int
	faults                                        map[string]int
}

// all runs the tasks on a judge process per processor.
func (r *runner) all(ctx context.Context, tasks []task) error {
	queue := make(chan task)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	results := make(chan error, workers)
	for range workers {
		go func() {
			err := work(ctx, r.judge, queue)
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

func work(ctx context.Context, binary string, queue <-chan task) (err error) {
	j, err := startJudge(ctx, binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.stop()) }()
	for t := range queue {
		if err := t(j); err != nil {
			return err
		}
	}
	return nil
}

// source judges one file of a corpus at every level.
func (r *runner) source(j *judge, suite string, s source) error {
	s, err := s.clean(j)
	if err != nil {
		return err
	}
	r.mu.Lock()
	for _, refused := range s.refused {
		r.refused = append(r.refused, s.name+": "+refused)
	}
	r.mu.Unlock()
	for _, level := range r.levels {
		v, _, err := j.try(s.name, s.text, level)
		if err != nil {
			return err
		}
		if r.count(suite, level, v); len(v.faults()) > 0 {
			r.print(fmt.Sprintf("FAIL %s at level %s: %s", s.name, level, v.summary()), v)
			if r.fast {
				return errFaults
			}
		}
	}
	return nil
}

// fleet judges one random fleet at every level.
func (r *runner) fleet(j *judge, number uint64) error {
	objects := randomFleet(r.seed, number)
	text, err := join(objects)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("fleet %d of seed %d", number, r.seed)
	v, err := j.ask(request{Name: name, Objects: text, SkipInvalid: true})
	if err != nil {
		return err
	}
	if v.Counts[refused] > 0 {
		// A pod that 1.24 refuses would widen the policies of others.
		s, err := source{name: name, text: text}.clean(j)
		if err != nil {
			return err
		}
		r.mu.Lock()
		for _, refused := range s.refused {
			r.refused = append(r.refused, name+": "+refused)
		}
		r.mu.Unlock()
		text = s.text
		if objects, err = split(text); err != nil {
			return err
		}
	}
	if len(objects) == 0 {
		return nil
	}
	for _, level := range r.levels {
		v, _, err := j.try(name, text, level)
		if err != nil {
			return err
		}
		r.count("random", level, v)
		if len(v.faults()) == 0 {
			continue
		}
		if r.fast {
			r.print(fmt.Sprintf("FAIL %s at level %s: %s", name, level, v.summary()), v)
			return errFaults
		}
		if err := r.explain(j, name, objects, level, v); err != nil {
			return err
		}
	}
	return nil
}

// explain shrinks a failing fleet and prints what is left of it.
func (r *runner) explain(j *judge, name string, objects []object, level aggregate.Level, first verdict) error {
	r.mu.Lock()
	r.shown++
	show := r.shown <= r.show
	r.mu.Unlock()
	if !show {
		return nil
	}
	wanted := first.faults()
	var failure error
	smallest := shrink(objects, func(attempt []object) bool {
		text, err := join(attempt)
		if err != nil || failure != nil {
			return false
		}
		v, _, err := j.try(name, text, level)
		if err != nil {
			failure = err
			return false
		}
		// Only a fault of the same kind, on pods that 1.24 accepts.
		for kind := range v.faults() {
			if wanted[kind] != "" && v.Counts[refused] == 0 && len(v.Skipped) == 0 {
				return true
			}
		}
		return false
	})
	if failure != nil {
		return failure
	}
	text, err := join(smallest)
	if err != nil {
		return err
	}
	v, policies, err := j.try(name, text, level)
	if err != nil {
		return err
	}
	r.print(fmt.Sprintf("FAIL %s at level %s: %s\n# shrunk to\n%s# policies\n%s# verdict: %s",
		name, level, first.summary(), readable(text), policies, v.summary()), v)
	return nil
}

func (r *runner) print(title string, v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Println(title)
	faults := v.faults()
	for _, kind := range sortedKeys(faults) {
		fmt.Printf("  %s\n", strings.Join(strings.Fields(faults[kind]), " "))
	}
}

func (r *runner) count(suite string, level aggregate.Level, v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fmt.Sprintf("%-12s %-14s", suite, level)
	t := r.suites[key]
	if t == nil {
		t = &tally{faults: map[string]int{}}
		r.suites[key] = t
	}
	t.cases++
	for outcome, n := range v.Counts {
		if outcome != refused {
			t.pods += n
		}
	}
	t.policies += v.Judged
	t.slack += v.SlackTotal
	t.invalid += v.InvalidTotal
	faults := v.faults()
	if len(faults) > 0 {
		t.failed++
	}
	for kind := range faults {
		t.faults[kind]++
	}
}

// report prints the table of all suites, and fails if one of them did.
func (r *runner) report(took time.Duration) error {
	slices.Sort(r.refused)
	for i, refused := range r.refused {
		if i == 20 {
			fmt.Printf("  and %d more\n", len(r.refused)-i)
			break
		}
		if i == 0 {
			fmt.Printf("objects that 1.24 refuses without any policy, not judged: %d\n", len(r.refused))
		}
		line := strings.Join(strings.Fields(refused), " ")
		fmt.Printf("  %s\n", line[:min(len(line), 200)])
	}
	fmt.Printf("%-27s %7s %7s %8s %6s %8s %7s\n", "suite, level", "cases", "failed", "pods", "slack", "policies", "invalid")
	failed := false
	for _, key := range sortedKeys(r.suites) {
		t := r.suites[key]
		fmt.Printf("%s %7d %7d %8d %6d %8d %7d\n", key, t.cases, t.failed, t.pods, t.slack, t.policies, t.invalid)
		for _, kind := range sortedKeys(t.faults) {
			failed = true
			fmt.Printf("    %s in %d cases\n", kind, t.faults[kind])
		}
	}
	fmt.Printf("took %s\n", took.Round(time.Millisecond))
	if failed {
		return errFaults
	}
	return nil
}
