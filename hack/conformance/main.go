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
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/hack/conformance/fleet"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
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
		binary, err := judge.Build(ctx, o.root, "kube124", "judge")
		if err != nil {
			return err
		}
		o.judge = binary
	}
	r := &runner{options: o, suites: map[string]*tally{}}
	var tasks []judge.Task
	written, err := o.writtenPolicies()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Printf("not there, so not compared: %s\n", o.within)
	case err != nil:
		return err
	}
	corpora, missing, err := objects.ReadCorpora(o.root, o.corpora)
	if err != nil {
		return err
	}
	for _, dir := range missing {
		fmt.Printf("not there, so not judged: %s\n", dir)
	}
	for _, c := range corpora {
		for _, s := range c.Sources {
			tasks = append(tasks, func(j *judge.Process) error { return r.source(j, c.Name, s) }) //nolint:contextcheck // the advisor reads what is in memory
			if len(written) > 0 {
				tasks = append(tasks, func(j *judge.Process) error { return r.withinAll(j, c.Name, s, written) }) //nolint:contextcheck // the advisor reads what is in memory
			}
		}
	}
	if o.fleets > 0 {
		fmt.Printf("random fleets %d to %d of seed %d\n", o.first, o.first+o.fleets-1, o.seed)
	}
	for n := o.first; n < o.first+o.fleets; n++ {
		tasks = append(tasks, func(j *judge.Process) error { return r.fleet(j, n) }) //nolint:contextcheck // the advisor reads what is in memory
	}
	for n := o.first; n < o.first+o.pairs; n++ {
		tasks = append(tasks, func(j *judge.Process) error { return r.withinRandom(j, n) }) //nolint:contextcheck // the advisor reads what is in memory
	}
	start := time.Now()
	if err := judge.Run(ctx, r.judge, tasks); err != nil {
		return err
	}
	return r.report(time.Since(start))
}

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

// source judges one file of a corpus at every level.
func (r *runner) source(j *judge.Process, suite string, s objects.Source) error {
	s, dropped, err := clean(j, s)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.refused = append(r.refused, dropped...)
	r.mu.Unlock()
	for _, level := range r.levels {
		v, _, err := try(j, s.Name, s.Text, level)
		if err != nil {
			return err
		}
		if r.count(suite, level, v); len(v.faults()) > 0 {
			r.print(fmt.Sprintf("FAIL %s at level %s: %s", s.Name, level, v.summary()), v)
			if r.fast {
				return errFaults
			}
		}
	}
	return nil
}

// fleet judges one random fleet at every level.
func (r *runner) fleet(j *judge.Process, number uint64) error {
	list := fleet.Random(r.seed, number, fleet.Old)
	text, err := objects.Join(list)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("fleet %d of seed %d", number, r.seed)
	v, err := ask(j, request{Name: name, Objects: text, SkipInvalid: true})
	if err != nil {
		return err
	}
	if v.Counts[refused] > 0 {
		// A pod that 1.24 refuses would widen the policies of others.
		s, dropped, err := clean(j, objects.Source{Name: name, Text: text})
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.refused = append(r.refused, dropped...)
		r.mu.Unlock()
		text = s.Text
		if list, err = objects.Split(text); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	for _, level := range r.levels {
		v, _, err := try(j, name, text, level)
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
		if err := r.explain(j, name, list, level, v); err != nil {
			return err
		}
	}
	return nil
}

// explain shrinks a failing fleet and prints what is left of it.
func (r *runner) explain(j *judge.Process, name string, list []objects.Object, level aggregate.Level, first verdict) error {
	r.mu.Lock()
	r.shown++
	show := r.shown <= r.show
	r.mu.Unlock()
	if !show {
		return nil
	}
	wanted := first.faults()
	var failure error
	smallest := objects.Shrink(list, func(attempt []objects.Object) bool {
		text, err := objects.Join(attempt)
		if err != nil || failure != nil {
			return false
		}
		v, _, err := try(j, name, text, level)
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
	text, err := objects.Join(smallest)
	if err != nil {
		return err
	}
	v, policies, err := try(j, name, text, level)
	if err != nil {
		return err
	}
	r.print(fmt.Sprintf("FAIL %s at level %s: %s\n# shrunk to\n%s# policies\n%s# verdict: %s",
		name, level, first.summary(), objects.Readable(text), policies, v.summary()), v)
	return nil
}

func (r *runner) print(title string, v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Println(title)
	faults := v.faults()
	for _, kind := range sorted(faults) {
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
	for _, key := range sorted(r.suites) {
		t := r.suites[key]
		fmt.Printf("%s %7d %7d %8d %6d %8d %7d\n", key, t.cases, t.failed, t.pods, t.slack, t.policies, t.invalid)
		for _, kind := range sorted(t.faults) {
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

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
