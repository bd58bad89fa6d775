// Command agreement shows the same pods to each engine's own judge and to the
// admission code of Kubernetes, and expects the same verdicts and messages.
//
// The pods are those of the examples and of corpora, as a server stores them, and pods
// that differ from one of them by a step. The advisor makes permits for the former. The
// judge of Kubernetes decides what vap does about all of them, and each other engine
// must do the same by the program that its users have, for each choice of what becomes of
// pods that are not permitted. A program that fails to compile
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
	root, corpora, levels, engine, variants string
	seed                                    uint64
	steps, show                             int
	all                                     bool
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
	flag.StringVar(&o.variants, "variants", "deny/deny,deny/allow,warn/deny,audit/warn", "enforcement and unknown accounts of the policies; those after the first judge fewer pods, at the first level")
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
	variants, err := parseVariants(o.variants)
	if err != nil {
		return err
	}
	var errs []error
	for level := range strings.SplitSeq(o.levels, ",") {
		for i, v := range variants {
			errs = append(errs, o.compare(ctx, kubernetes, aggregate.Level(level), v, observed, requests, i > 0))
		}
		variants = variants[:1]
	}
	return errors.Join(errs...)
}

// few is the number of pods to judge with the policies of variants after the first.
const few = 100

// compare judges the pods under the permits of a level with every engine.
func (o options) compare(ctx context.Context, kubernetes server, level aggregate.Level, v variant, observed []*corev1.Pod, requests []testCase, quick bool) error {
	members, err := observe(ctx, observed)
	if err != nil {
		return err
	}
	want, err := kubernetes.verdicts(members, level, v, requests)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range engines {
		if o.engine != "" && o.engine != e.name {
			continue
		}
		sample := e.sample
		switch {
		case o.all:
			sample = 0
		case quick:
			sample = few
		}
		cases := e.sampled(rand.New(rand.NewPCG(o.seed, 1)), want.cases, sample) //nolint:gosec // no secret
		start := time.Now()
		got, err := e.judge(ctx, o.root, e.build(v).Outputs(members, level), cases)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s at level %s: %w", e.name, v, level, err))
			continue
		}
		errs = append(errs, o.report(e, v, level, cases, got, time.Since(start)))
	}
	fmt.Printf("the costliest pod at level %s takes %d units of CEL: %s\n", level, want.cost, want.costliest)
	return errors.Join(errs...)
}

// report prints what an engine made of the cases, and fails if it differs from what
// vap did.
func (o options) report(e engine, v variant, level aggregate.Level, cases []testCase, got map[string]string, took time.Duration) error {
	permitted, others, wrong := 0, 0, 0
	for _, c := range cases {
		if c.message == "" {
			permitted++
		} else {
			others++
		}
		text, judged := got[c.pod.Name]
		if judged && text == e.want(c) {
			continue
		}
		if wrong++; wrong <= o.show {
			fmt.Printf("FAIL %s %s at level %s, %s/%s (%s):\n  vap: %q\n  %s: %q, judged: %t\n", e.name, v, level, c.pod.Namespace, c.pod.Name, c.pod.Annotations[origin], e.want(c), e.name, text, judged)
		}
	}
	fmt.Printf("%-10s %-10s %-9s %5d pods: %5d permitted, %5d not, %d verdicts or messages differ from vap's, %s\n",
		e.name, v, level, len(cases), permitted, others, wrong, took.Round(time.Second))
	switch {
	case wrong > 0:
		return fmt.Errorf("%s %s at level %s: %w", e.name, v, level, errDisagreement)
	case permitted < len(cases)/10 || others < len(cases)/10 || len(cases) < 100:
		return fmt.Errorf("%s %s at level %s: too few pods to tell: %d permitted, %d not", e.name, v, level, permitted, others)
	}
	return nil
}
