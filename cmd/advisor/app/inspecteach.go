package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"k8s.io/client-go/rest"
)

// namespaces are made into policies one by one, while the cluster is listed: what is
// observed of one is kept no longer than that. Only at the end is it known whether it was
// complete, so the policies are kept until then, compressed to a tenth.
type namespaces struct {
	engines []generate.Engine
	level   aggregate.Level
	explain bool

	mu sync.Mutex
	// reports of the namespaces, without their workloads.
	reports []report.Report
	// policies are the YAML of each engine by namespace; those for all namespaces have
	// none.
	policies []map[string][]byte
	// err is the first error.
	err error
}

func newNamespaces(engines []generate.Engine, level aggregate.Level, explain bool) *namespaces {
	all := &namespaces{engines: engines, level: level, explain: explain, policies: make([]map[string][]byte, len(engines))}
	for i := range all.policies {
		all.policies[i] = map[string][]byte{}
	}
	return all
}

// add makes the policies of what was observed in a namespace. It may be called for several
// at once.
func (all *namespaces) add(obs *observe.Observation) {
	results := generate.Run(all.engines, obs.Members, all.level)
	r := report.New(obs, all.level, results)
	r.Workloads = nil
	all.mu.Lock()
	all.reports = append(all.reports, r)
	all.mu.Unlock()
	for i, r := range generate.Merge(results) {
		for _, outputs := range generate.ByNamespace(r.Outputs) {
			all.addPolicies(i, outputs)
		}
	}
}

// addPolicies adds the policies of an engine for a namespace. Those for all namespaces are
// the same whatever is observed, and are made once.
func (all *namespaces) addPolicies(engine int, outputs []generate.Output) {
	namespace := outputs[0].Group.Namespace
	all.mu.Lock()
	_, made := all.policies[engine][namespace]
	all.mu.Unlock()
	if made {
		return
	}
	data, err := generate.YAML(outputs, all.explain)
	packed := bytes.Clone(s2.Encode(nil, data))
	all.mu.Lock()
	defer all.mu.Unlock()
	all.policies[engine][namespace] = packed
	if all.err == nil {
		all.err = err
	}
}

// WriteTo writes the policies in the order of encode.
func (all *namespaces) WriteTo(out io.Writer) (int64, error) {
	var written int64
	for _, of := range all.policies {
		for _, namespace := range slices.Sorted(maps.Keys(of)) {
			data, err := s2.Decode(nil, of[namespace])
			if err != nil {
				return written, fmt.Errorf("reading what was made for %s: %w", namespace, err)
			}
			n, err := out.Write(data)
			written += int64(n)
			if err != nil {
				return written, err //nolint:wrapcheck // the caller knows of what
			}
		}
	}
	return written, nil
}

// inspectEach is inspect, of a cluster, with policies for one namespace each. notes is
// called when the cluster has been listed.
func (o inspectOptions) inspectEach(ctx context.Context, config *rest.Config, engines []generate.Engine, notes func() ([]string, error)) (inspected, error) {
	var all *namespaces
	show, clearLine := progress(o.streams.Err)
	obs, err := cluster.Each(ctx, config, o.scope, show, func() func(string, *observe.Observation) {
		all = newNamespaces(engines, o.level, o.explain)
		return func(_ string, found *observe.Observation) { all.add(found) }
	})
	clearLine()
	if err != nil {
		return inspected{}, errObserving(config, err)
	}
	lines, err := notes()
	if err != nil {
		return inspected{}, err
	}
	if err := printLines(o.streams.Err, lines); err != nil {
		return inspected{}, err
	}
	if all.err != nil {
		return inspected{}, failureError(all.err)
	}
	return inspected{
		obs: obs, report: report.Join(obs, o.level, all.reports),
		write: func() error { return o.write(all) },
	}, nil
}
