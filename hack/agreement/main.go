// Command agreement shows the same pods to each engine's own judge and to the
// admission code of Kubernetes, and expects the same verdicts and messages.
//
// The pods are those of the examples and of corpora, as a server stores them, and pods
// that differ from one of them by a step. The advisor makes permits for the former. The
// judge of Kubernetes decides what vap does about all of them, and each other engine
// must do the same by the program that its users have. A program that fails to compile
// a policy denies everything: so there must be enough pods on both sides.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	corev1 "k8s.io/api/core/v1"
)

// options are the flags.
type options struct {
	root, corpora, levels, engine string
	seed                          uint64
	steps, show                   int
	all                           bool
}

// errDisagreement is returned for verdicts that differ, after they were printed.
var errDisagreement = errors.New("it disagrees with vap")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.root, "root", ".", "directory of the repository")
	flag.StringVar(&o.corpora, "corpora", "examples,../shared/corpus,../shared/corpus-live", "directories of manifests, if they exist")
	flag.StringVar(&o.levels, "levels", "workload,cluster", "levels of the permits")
	flag.StringVar(&o.engine, "engine", "", "only the engine of this name")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the steps and of samples")
	flag.IntVar(&o.steps, "steps", 4, "steps to try from each pod")
	flag.BoolVar(&o.all, "all", false, "judge all pods, not samples of them, which takes hours")
	flag.IntVar(&o.show, "show", 5, "disagreements to print per engine")
	flag.Parse()
	err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "agreement:", err)
	}
	switch {
	case errors.Is(err, errDisagreement):
		os.Exit(1)
	case err != nil:
		os.Exit(3)
	}
}

func run(ctx context.Context, o options) (err error) {
	process, err := judge.Start(ctx, filepath.Join(o.root, ".cache", "judge-current"))
	if err != nil {
		return fmt.Errorf("judging: %w", err)
	}
	defer func() { err = errors.Join(err, process.Stop()) }()
	kubernetes := server{process}
	observed, notes, err := kubernetes.corpus(o)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(notes, "\n"))
	r := rand.New(rand.NewPCG(o.seed, 0)) //nolint:gosec // no secret
	requests := perturb(r, observed, o.steps)
	fmt.Printf("%d pods observed, %d a step away from them, seed %d\n", len(observed), len(requests)-len(observed), o.seed)
	requests = append(requests, specials(observed, len(requests))...)
	var errs []error
	for level := range strings.SplitSeq(o.levels, ",") {
		errs = append(errs, o.compare(ctx, kubernetes, aggregate.Level(level), observed, requests))
	}
	return errors.Join(errs...)
}

// compare judges the pods under the permits of a level with every engine.
func (o options) compare(ctx context.Context, kubernetes server, level aggregate.Level, observed []*corev1.Pod, requests []testCase) error {
	members, err := observe(ctx, observed)
	if err != nil {
		return err
	}
	want, err := kubernetes.verdicts(members, level, requests)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range engines {
		if o.engine != "" && o.engine != e.engine.Name {
			continue
		}
		if o.all {
			e.sample = 0
		}
		cases := e.sampled(rand.New(rand.NewPCG(o.seed, 1)), want.cases) //nolint:gosec // no secret
		start := time.Now()
		got, err := e.judge(ctx, o.root, e.engine.Outputs(members, level), cases)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s at level %s: %w", e.engine.Name, level, err))
			continue
		}
		errs = append(errs, o.report(e, level, cases, got, time.Since(start)))
	}
	fmt.Printf("the costliest pod at level %s takes %d units of CEL: %s\n", level, want.cost, want.costliest)
	return errors.Join(errs...)
}

// report prints what an engine made of the cases, and fails if it differs from what
// vap did.
func (o options) report(e engine, level aggregate.Level, cases []testCase, got map[string]string, took time.Duration) error {
	admitted, denied, wrong := 0, 0, 0
	for _, c := range cases {
		if c.message == "" {
			admitted++
		} else {
			denied++
		}
		message, judged := got[c.pod.Name]
		if judged && message == c.message {
			continue
		}
		if wrong++; wrong <= o.show {
			fmt.Printf("FAIL %s at level %s, %s/%s (%s):\n  vap: %q\n  %s: %q, judged: %t\n", e.engine.Name, level, c.pod.Namespace, c.pod.Name, c.pod.Annotations[origin], c.message, e.engine.Name, message, judged)
		}
	}
	fmt.Printf("%-10s %-9s %5d pods: %5d admitted, %5d denied, %d verdicts or messages differ from vap's, %s\n",
		e.engine.Name, level, len(cases), admitted, denied, wrong, took.Round(time.Second))
	switch {
	case wrong > 0:
		return fmt.Errorf("%s at level %s: %w", e.engine.Name, level, errDisagreement)
	case admitted < len(cases)/10 || denied < len(cases)/10 || len(cases) < 100:
		return fmt.Errorf("%s at level %s: too few pods to tell: %d admitted, %d denied", e.engine.Name, level, admitted, denied)
	}
	return nil
}
