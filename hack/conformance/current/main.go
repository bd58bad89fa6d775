// Command current shows the advisor's policies for current Kubernetes to the code of
// Kubernetes 1.37 that will enforce them: those for examples, for what other projects
// wrote, and for random fleets of pods, at each level. Every observed pod must be
// admitted; every pod that asks for one more line denied, with a message that names it;
// every pod that asks for less admitted; and without any one line of the permits, some
// observed pod denied. All verdicts must be those of the Go model.
//
// Before that, it compares the lines that CEL computes of random pods with those of the
// Go model, and judges pods and permits that are as large or as hostile as can be. What
// diff calls an escalation must be what the policy of the base denies.
//
// A fleet that fails is shrunk to the least that still fails, and printed with its
// policies. The seed is printed too: with it the same fleets and pods come again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/psp-advisor/psp-advisor/hack/conformance/fleet"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
)

// errFaults says that the run found something.
var errFaults = errors.New("the advisor's policies have faults")

type options struct {
	root    string
	corpora string
	fleets  uint64
	first   uint64
	pods    int
	seed    uint64
	show    int
	judge   string
	fast    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flags := flag.NewFlagSet("current", flag.ExitOnError) // podtest has a flag -seed for tests
	flags.StringVar(&o.root, "root", ".", "the repository")
	flags.StringVar(&o.corpora, "corpora", "examples,../shared/corpus,../shared/corpus-live", "directories of manifests, relative to the repository; one that is missing is reported")
	flags.Uint64Var(&o.fleets, "fleets", 300, "how many random fleets")
	flags.Uint64Var(&o.first, "first", 0, "number of the first fleet, to run one of them again")
	flags.IntVar(&o.pods, "pods", 51_000, "how many random pods whose lines CEL and Go compute")
	flags.Uint64Var(&o.seed, "seed", 0, "what fleets, pods and steps are drawn from; 0 takes a new one")
	flags.IntVar(&o.show, "show", 3, "how many failing fleets to shrink and print")
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
		binary, err := judge.Build(ctx, o.root, "kubecurrent", "judge-current")
		if err != nil {
			return err
		}
		o.judge = binary
	}
	fmt.Printf("%d random fleets from %d on, pods and steps of seed %d\n", o.fleets, o.first, o.seed)
	r := &runner{options: o, suites: map[string]*tally{}, steps: map[string]int{}}
	corpora, err := r.corpus() //nolint:contextcheck // the advisor reads what is in memory
	if err != nil {
		return err
	}
	// What shows most faults comes first; what takes long, early.
	pods := r.differential()
	first := min(1, len(pods))
	tasks := slices.Concat(pods[:first], []judge.Task{r.near, r.own}, corpora)
	for n := o.first; n < o.first+o.fleets; n++ {
		tasks = append(tasks, func(p *judge.Process) error { return r.fleet(p, n) }) //nolint:contextcheck // the advisor reads what is in memory
	}
	tasks = append(tasks, r.literals, r.updates, r.diffs, r.limits)
	tasks = append(tasks, pods[first:]...)
	start := time.Now()
	if err := judge.Run(ctx, o.judge, tasks); err != nil {
		return err
	}
	return r.report(time.Since(start))
}

// corpus returns the tasks for the files of the corpora, the largest first.
func (r *runner) corpus() ([]judge.Task, error) {
	type file struct {
		suite string
		objects.Source
	}
	corpora, missing, err := objects.ReadCorpora(r.root, r.corpora)
	if err != nil {
		return nil, err
	}
	for _, dir := range missing {
		fmt.Printf("not there, so not judged: %s\n", dir)
	}
	var files []file
	for _, c := range corpora {
		for _, s := range c.Sources {
			files = append(files, file{c.Name, s})
		}
	}
	slices.SortStableFunc(files, func(a, b file) int { return len(b.Text) - len(a.Text) })
	var tasks []judge.Task
	for _, f := range files {
		tasks = append(tasks, func(p *judge.Process) error { return r.file(p, f.suite, f.Source) })
	}
	return tasks, nil
}

// variant is a level with a place of the permits.
type variant struct {
	level  aggregate.Level
	params vap.Params
}

func (v variant) String() string {
	if v.params == vap.CRD {
		return string(v.level) + ", crd"
	}
	return string(v.level)
}

// variants are all levels, and those that make a difference to objects with permits.
func variants() []variant {
	var list []variant
	for _, l := range aggregate.Levels() {
		list = append(list, variant{l, vap.Annotation})
	}
	return append(list, variant{aggregate.ByWorkload, vap.CRD}, variant{aggregate.ByNamespace, vap.CRD})
}

// file judges one file of a corpus.
func (r *runner) file(p *judge.Process, suite string, s objects.Source) error {
	list, err := objects.Split(s.Text)
	if err != nil {
		return fmt.Errorf("splitting %s: %w", s.Name, err)
	}
	e := effort{wider: 24, tighter: 12, removals: 12}
	if suite == "examples" {
		e.removals = -1
	}
	return r.fixture(p, suite, s.Name, list, variants(), e)
}

// fleet judges one random fleet. The permits of the cluster are part of the policy,
// which takes a while to compile, so that only some fleets are judged at that level.
func (r *runner) fleet(p *judge.Process, number uint64) error {
	list := fleet.Random(r.seed, number, fleet.Current)
	all := variants()
	chosen := all[:3]
	switch number % 10 {
	case 0, 5:
		chosen = all[:4]
	case 1:
		chosen = append(slices.Clone(chosen), all[4])
	}
	return r.fixture(p, "random", fmt.Sprintf("fleet %d of seed %d", number, r.seed), list, chosen, effort{wider: 8, tighter: 4, removals: 3})
}

// fixture judges objects.
func (r *runner) fixture(p *judge.Process, suite, name string, list []objects.Object, variants []variant, e effort) error {
	f, err := prepare(p, name, list)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.refused, r.unread = append(r.refused, f.refused...), append(r.unread, f.unread...)
	r.mu.Unlock()
	for _, v := range variants {
		found, err := check(p, f, v.level, v.params, e, r.random(name, v.String()))
		if err != nil {
			return err
		}
		r.count(suite, v.String(), found)
		if len(found.faults) == 0 {
			continue
		}
		title := fmt.Sprintf("FAIL %s at level %s", name, v)
		if r.fast {
			r.print(title, found.faults)
			return errFaults
		}
		if err := r.explain(p, title, f, v, e, found); err != nil {
			return err
		}
	}
	return nil
}

// random returns the source of a part of the run: it does not depend on the other parts.
func (r *runner) random(parts ...string) *rand.Rand {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = h.Write([]byte(part + "\x00")) // never fails
	}
	return rand.New(rand.NewPCG(r.seed, h.Sum64())) //nolint:gosec // repeatable on purpose
}

// explain shrinks a failing fixture and prints what is left of it.
func (r *runner) explain(p *judge.Process, title string, f fixture, v variant, e effort, first result) error {
	r.mu.Lock()
	r.shown++
	show := r.shown <= r.show
	r.mu.Unlock()
	if !show {
		return nil
	}
	var failure error
	again := func(list []objects.Object) (fixture, result) {
		attempt, err := prepare(p, f.name, list)
		if err != nil || len(attempt.refused)+len(attempt.unread) > 0 {
			return attempt, result{} // not a fixture any more
		}
		found, err := check(p, attempt, v.level, v.params, e, r.random(f.name, v.String()))
		if err != nil {
			failure = err
		}
		return attempt, found
	}
	smallest := objects.Shrink(f.list, func(list []objects.Object) bool {
		if failure != nil {
			return false
		}
		_, found := again(list)
		return slices.ContainsFunc(sorted(found.faults), func(kind string) bool { return first.faults[kind] != "" })
	})
	shrunk, found := again(smallest)
	if failure != nil {
		return failure
	}
	if len(found.faults) == 0 {
		found = first
	}
	text, err := objects.Join(smallest)
	if err != nil {
		return err
	}
	r.print(title, found.faults)
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Printf("# shrunk to\n%s# permits\n", objects.Readable(text))
	if a, err := advise(shrunk.members, v.level, v.params); err == nil {
		for _, t := range a.tables {
			fmt.Printf("%s:\n%s\n", t.Group.Namespace, t.Text(false))
		}
	}
	return nil
}
