package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/pflag"
)

// withinEngine is the engine whose policies --within compares.
const withinEngine = "psp"

// checkWithin returns all that cannot be combined with --within, which prints no
// policies.
func (f *inspectFlags) checkWithin(given *pflag.FlagSet) error {
	var errs []error
	for _, name := range []string{"output-dir", "check", "level", "explain"} {
		if given.Changed(name) {
			errs = append(errs, fmt.Errorf("--%s: cannot be combined with --within", name))
		}
	}
	if given.Changed("output") && f.output != formatJSON {
		errs = append(errs, fmt.Errorf("--output: %s cannot be combined with --within, which writes text or json", f.output))
	}
	for _, name := range f.engine.names {
		if name != withinEngine && name != autoEngine {
			errs = append(errs, fmt.Errorf("--engine: %s cannot be combined with --within, which compares PodSecurityPolicies", name))
		}
	}
	if slices.Contains(f.within, manifest.Stdin) {
		errs = append(errs, errors.New("--within: standard input cannot be read: want a file, a directory or a URL"))
	}
	return errors.Join(errs...)
}

// readWithin reads the policies that the needs are compared with.
func (o inspectOptions) readWithin(ctx context.Context) (*psp.Written, error) {
	written := &psp.Written{}
	if names := o.scope.ListedNamespaces(); len(names) == 1 {
		written.Namespace = names[0]
	}
	err := manifest.Visit(ctx, o.within, manifest.Options{Recursive: o.recursive}, func(object manifest.Object) error {
		return written.Read(object.Type, object.Decode)
	})
	if err != nil {
		return nil, readError(fmt.Errorf("--within: %w", err))
	}
	if written.Len() == 0 {
		return nil, usageError(errors.New("--within: no PodSecurityPolicy in it"))
	}
	return written, nil
}

// compareWithin prints how the written policies and the needs differ. The error says
// whose need exceeds every policy that it may use.
func (o inspectOptions) compareWithin(obs *observe.Observation, written *psp.Written) error {
	r := withinReportOf(psp.Compare(written, obs.Members), obs.Members)
	data := r.text()
	if o.output == formatJSON {
		var err error
		if data, err = r.json(); err != nil {
			return failureError(err)
		}
	}
	if err := o.write(bytes.NewReader(data)); err != nil {
		return err
	}
	if n := len(r.Refused); n > 0 {
		return codedError{exitDrift, fmt.Errorf("%s refused by every written policy that %s may use, see the report",
			report.Count(n, "workload")+byCount(n, " is", " are"), byCount(n, "it", "they"))}
	}
	return nil
}

// withinReportOf returns the report on comparisons with the members of an observation.
func withinReportOf(list []psp.Comparison, members []aggregate.Member) withinReport {
	r := withinReport{Policies: []withinPolicy{}, Refused: []withinWorkload{}, Unbound: []withinWorkload{}}
	best := map[aggregate.MemberKey]psp.Outcome{}
	for _, c := range list {
		r.Policies = append(r.Policies, withinPolicyOf(c))
		for i, m := range c.Group.Members {
			if known, ok := best[m.Key()]; !ok || known == psp.Refuses {
				best[m.Key()] = c.Outcomes[i]
			}
		}
	}
	for _, m := range slices.SortedFunc(slices.Values(members), aggregate.Member.Compare) {
		switch outcome, ok := best[m.Key()]; {
		case !ok:
			r.Unbound = append(r.Unbound, withinWorkloadOf(m))
		case outcome == psp.Refuses:
			r.Refused = append(r.Refused, withinWorkloadOf(m))
		}
	}
	return r
}
