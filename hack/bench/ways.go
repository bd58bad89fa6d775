package main

import (
	"fmt"
	"os"
	"strings"
)

// stock returns what the advisor is compared with.
func (b *bench) stock() []way {
	return []way{
		{name: "raw", args: []string{b.self, "raw", "-kubeconfig", "{kubeconfig}"}},
		{name: "loop", args: []string{b.self, "loop", "-kubeconfig", "{kubeconfig}"}},
		{name: "informer", args: []string{b.self, "informer", "-kubeconfig", "{kubeconfig}"}},
	}
}

// inspect returns a way to run the advisor on a cluster.
func (b *bench) inspect(name string, flags ...string) way {
	return way{name: name, args: append([]string{b.advisor, "inspect", "--kubeconfig", "{kubeconfig}"}, flags...)}
}

// cluster returns the section with all ways to read a cluster.
func (b *bench) cluster() *section {
	s := &section{name: "cluster", title: fmt.Sprintf("%d pods", b.pods), reference: "loop", ways: b.stock()}
	s.ways = append(
		s.ways,
		b.inspect("inspect", "--engine", "psp"),
		b.inspect("inspect-pods", "--engine", "psp", "--source", "pods"),
		b.inspect("inspect-templates", "--engine", "psp", "--source", "templates"),
	)
	for _, level := range []string{"serviceaccount", "namespace", "cluster"} {
		s.ways = append(s.ways, b.inspect("inspect-"+level, "--engine", "psp", "--level", level))
	}
	for _, engine := range []string{"psa", "vap", "kyverno", "gatekeeper"} {
		s.ways = append(s.ways, b.inspect("inspect-"+engine, "--engine", engine))
	}
	s.ways = append(s.ways, others()...)
	return s
}

// others returns the ways that the environment names, such as
// BENCH_OTHER="name=/path/to/binary --kubeconfig {kubeconfig}", one a line.
func others() []way {
	var all []way
	for line := range strings.Lines(os.Getenv("BENCH_OTHER")) {
		if name, args, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			all = append(all, way{name: name, args: strings.Fields(args)})
		}
	}
	return all
}

// growth returns the section for a number of pods.
func (b *bench) growth(pods int) *section {
	s := &section{name: fmt.Sprintf("growth-%d", pods), reference: "loop", ways: append(b.stock(), b.inspect("inspect", "--engine", "psp"))}
	s.ways = append(s.ways, others()...)
	return s
}
