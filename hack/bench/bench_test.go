package main

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"github.com/psp-advisor/psp-advisor/hack/bench/replay"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
)

var update = flag.Bool("update", false, "rewrite the expected tables")

// What is no command does not begin an hour's work.
func TestUnknownCommand(t *testing.T) {
	if err := compare(t.Context(), []string{"-growth=", "-live=false", "help"}); err == nil || !strings.Contains(err.Error(), `"help"`) {
		t.Errorf("the error is %v", err)
	}
}

// TestTables: the tables have ratios to the reference, and no times.
func TestTables(t *testing.T) {
	one := func(user, wall time.Duration, peak int64, c counts) sample {
		return sample{wall: wall * time.Millisecond, user: user * time.Millisecond, peak: peak << 20, counts: c}
	}
	loop := one(1000, 2000, 66, counts{requests: 40, bytes: 4000})
	controller := one(3000, 5000, 80, counts{requests: 90, bytes: 5000})
	controller.notes = map[string]float64{idleCPU: 0.03, heapPod: 664.4}
	ways := func(names ...string) (all []way) {
		for _, n := range names {
			all = append(all, way{name: n})
		}
		return all
	}
	small := &section{
		name: "growth-1000", reference: "loop", ways: ways("loop", "inspect"),
		results: map[string]sample{"loop": loop, "inspect": one(3300, 4000, 60, counts{})},
	}
	large := &section{
		name: "growth-5000", reference: "loop", ways: ways("loop", "inspect"),
		results: map[string]sample{"loop": loop, "inspect": one(1800, 2000, 70, counts{})},
	}
	r := report{
		machine: "a machine", kubernetes: "v1.24.17", rounds: 5,
		sections: []*section{
			{
				name: "cluster", title: "20000 pods", reference: "loop", ways: ways("raw", "loop"),
				results: map[string]sample{"raw": one(260, 2000, 44, counts{requests: 40, bytes: 4000}), "loop": loop},
			},
			{name: "skipped", title: "not run", reference: "loop", ways: ways("loop")},
			{
				name: "controller", title: "Controller", reference: "loop", ways: ways("loop", "controller"),
				results: map[string]sample{"loop": loop, "controller": controller},
			},
			{
				name: "files-json", title: "Files", reference: "decode", ways: ways("decode", "inspect"),
				results: map[string]sample{"decode": one(1000, 1000, 750, counts{}), "inspect": one(5300, 5000, 2400, counts{})},
			},
		},
		growth: []grown{{1000, small}, {5000, large}},
	}
	got, golden := r.markdown(), filepath.Join("testdata", "tables.md")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the tables differ; go test ./hack/bench -update rewrites them:\n%s", diff)
	}
}

// TestInsert: the text around the tables stays, and tables replace tables.
func TestInsert(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# Before\n" + beginMark + "old\n" + endMark + "after\n")
	for _, tables := range []string{"first\n", "second\n"} {
		if err := insert(path, tables); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Before\n" + beginMark + "\nsecond\n\n" + endMark + "after\n"; string(data) != want {
		t.Errorf("got %q, want %q", data, want)
	}
	write("no marks\n")
	if err := insert(path, "tables"); err == nil {
		t.Error("a document without marks is accepted")
	}
}

// TestMedian: each figure is the median of its own.
func TestMedian(t *testing.T) {
	all := []sample{
		{wall: 3, user: 1, notes: map[string]float64{"n": 5}},
		{wall: 1, user: 2, notes: map[string]float64{"n": 7}},
		{wall: 2, user: 9, notes: map[string]float64{"n": 6}},
	}
	if m := median(all); m.wall != 2 || m.user != 2 || m.notes["n"] != 6 {
		t.Errorf("got %+v", m)
	}
}

// TestSelects: the reference of a section stays, unless nothing else is wanted.
func TestSelects(t *testing.T) {
	for only, want := range map[string]string{
		"": "raw loop inspect", "^cluster/raw$": "raw loop", "^cluster/": "raw loop inspect", "^other/": "",
	} {
		b := &bench{only: regexp.MustCompile(only)}
		s := &section{name: "cluster", reference: "loop", ways: []way{{name: "raw"}, {name: "loop"}, {name: "inspect"}}}
		var names []string
		if b.selects(s) {
			for _, w := range s.ways {
				names = append(names, w.name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q selects %q, want %q", only, got, want)
		}
	}
}

// TestMetrics: the requests for the fleet and for ConfigMaps are counted, and no others.
func TestMetrics(t *testing.T) {
	var c counts
	for line := range strings.Lines(`# HELP apiserver_request_total Counter of apiserver requests.
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 41
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="WATCH",version="v1"} 7
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="APPLY",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="cluster",subresource="",verb="LIST",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 5
apiserver_response_sizes_sum{component="apiserver",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 1.5e+06
apiserver_response_sizes_count{component="apiserver",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 41
go_goroutines 9
`) {
		c.add(strings.TrimSuffix(line, "\n"))
	}
	if want := (counts{requests: 43, bytes: 1_500_000, writes: 2}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

// TestClients: the stock ways read a replaying server to its end.
func TestClients(t *testing.T) {
	server := replay.New(replay.Options{Fleet: fleet.Fleet{Seed: 1, Pods: 1200}, Version: "v1.24.17", Streams: true})
	defer server.Close()
	h := httptest.NewServer(server)
	defer h.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := writeKubeconfig(kubeconfig, h.URL); err != nil {
		t.Fatal(err)
	}
	for name, requests := range map[string]int64{"raw": 3, "loop": 3, "informer": 1} {
		before := server.Counts()
		if err := commands[name](t.Context(), []string{"-kubeconfig", kubeconfig}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		after := server.Counts()
		if n := after.Requests - before.Requests; n != requests {
			t.Errorf("%s: %d requests, want %d", name, n, requests)
		}
		if n := after.Bytes - before.Bytes; n < 1200*8000 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// TestDumps: the advisor finds all pods in each form of a dump, and so do the other ways.
func TestDumps(t *testing.T) {
	if testing.Short() {
		t.Skip("slow with the race detector, and faster tests have the same goroutines")
	}
	const n = 120
	for _, form := range []string{formJSON, formYAML, formStream, formDir} {
		t.Run(form, func(t *testing.T) {
			args := []string{"-form", form, "-path", filepath.Join(t.TempDir(), "dump"), "-pods", strconv.Itoa(n)}
			if err := dump(t.Context(), args); err != nil {
				t.Fatal(err)
			}
			obs, err := manifest.Read(t.Context(), args[3:4], manifest.Options{Recursive: true, Validation: manifest.ValidateStrict}, observe.Scope{Pods: true, Templates: true})
			if err != nil || obs.Pods() != n || len(obs.Skipped)+len(obs.Warnings)+len(obs.Unread) > 0 {
				t.Errorf("got %d pods of %+v, %v", obs.Pods(), obs, err)
			}
			for name, read := range map[string]func(context.Context, []string) error{"decode": decode, "parse": parse} {
				if err := read(t.Context(), args); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
