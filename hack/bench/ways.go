package main

import (
	"context"
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

// controllers returns the section of the controller, which needs a server that has events.
func (b *bench) controllers(pods int) *section {
	run := func(ctx context.Context, t target, args []string) (sample, error) {
		return b.controller(ctx, t, args, pods)
	}
	return &section{
		name: fmt.Sprintf("controller-%d", pods), title: fmt.Sprintf("Controller: %d pods, replayed, %d events a second", pods, eventRate),
		reference: "loop", ways: append(b.stock()[1:2], way{name: "controller", run: run, args: []string{
			b.advisor, "controller", "--kubeconfig", "{kubeconfig}", "--engine", "psp",
		}}),
	}
}

// fileSection returns the section of a dump.
func (b *bench) fileSection(form, path string) *section {
	titles := map[string]string{
		formJSON: "a JSON List", formYAML: "a YAML List", formStream: "a stream of YAML documents", formDir: "a directory of files",
	}
	s := &section{name: "files-" + form, title: fmt.Sprintf("Files: %d pods in %s", b.pods, titles[form]), reference: "decode"}
	if form != formJSON {
		s.ways = append(s.ways, way{name: "parse", args: []string{b.self, "parse", "-form", form, "-path", path}})
	}
	inspect := []string{b.advisor, "inspect", "--engine", "psp", "-f", path}
	if form == formDir {
		inspect = append(inspect, "-R")
	}
	s.ways = append(
		s.ways,
		way{name: "decode", args: []string{b.self, "decode", "-form", form, "-path", path}},
		way{name: "inspect", args: inspect},
	)
	return s
}
