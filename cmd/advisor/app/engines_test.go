package app

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	oldPolicies = schema.GroupVersionResource{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"}
	newPolicies = schema.GroupVersionResource{Group: "policies.example", Version: "v1", Resource: "newpolicies"}
)

// fakes is a table of engines with every property: old policies, new policies, and a
// summary that every report has. What an engine is built with last is in built.
func fakes(built map[string]engineOptions) []engine {
	build := func(name string, resource schema.GroupVersionResource) func(engineOptions) generate.Engine {
		return func(o engineOptions) generate.Engine {
			built[name] = o
			e := psp.Engine()
			e.Name, e.Resource, e.Note = name, resource, "install it first"
			return e
		}
	}
	return []engine{
		{name: "old", auto: true, lastMinor: 24, build: build("old", oldPolicies)},
		{name: "level", publishedSince: 23, build: build("level", schema.GroupVersionResource{})},
		{name: "new", auto: true, firstMinor: 27, flags: []string{"enforcement", "unknown-accounts", "params"}, build: build("new", newPolicies)},
	}
}

// minors are the options of engines for a minor version, with the defaults of the flags.
func minors(minor int, names ...string) map[string]engineOptions {
	options := map[string]engineOptions{}
	for _, name := range names {
		options[name] = engineOptions{minor: minor, enforcement: "warn", unknownAccounts: "deny", params: "annotation"}
	}
	return options
}

// beside adds the engine that could be chosen as well to options.
func beside(name string, options map[string]engineOptions) map[string]engineOptions {
	for e, o := range options {
		o.beside = name
		options[e] = o
	}
	return options
}

// TestTable: the names of the table are those of the engines, and the properties are
// possible ones.
func TestTable(t *testing.T) {
	flags := newInspectCommand(environment{engines: engines()}).Flags()
	for i, e := range engines() {
		built := e.build(engineOptions{})
		if e.name != built.Name || e.name == autoEngine {
			t.Errorf("the engine %s is called %s", built.Name, e.name)
		}
		if i == 0 && !e.auto {
			t.Errorf("%s comes first, and is never chosen", e.name)
		}
		for _, flag := range e.flags {
			if flags.Lookup(flag) == nil {
				t.Errorf("%s reads --%s, which does not exist", e.name, flag)
			}
		}
	}
}

func TestPrefer(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name   string
		served map[string]bool
		err    error
		want   string
		ok     bool
	}{
		{"the first one of several", map[string]bool{"old": true, "new": true}, nil, "old", true},
		{"the only one", map[string]bool{"new": true}, nil, "new", true},
		{"the last one, if none is served", map[string]bool{"level": true}, nil, "new", false},
		{"what is not known", nil, broken, "old", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok, err := prefer(fakes(map[string]engineOptions{}), func(e engine) (bool, error) { return tc.served[e.name], tc.err })
			if got.name != tc.want || ok != tc.ok || !errors.Is(err, tc.err) {
				t.Errorf("got %s, %t, %v", got.name, ok, err)
			}
		})
	}
}

// TestAuto: the engines follow from the flags and the server, and what auto decides
// is reported.
func TestAuto(t *testing.T) {
	const serves = "engine: old (the server serves policy/v1beta1 podsecuritypolicies)\n"
	const noEffect = "warning: the server (v1.26.3) does not serve newpolicies, so the policies have no effect there: install it first\n"
	for _, tc := range []struct {
		name    string
		version string // of the server; empty: manifests
		serves  []schema.GroupVersionResource
		args    []string
		want    []string // the directories of engines; one engine has none
		notes   string
		built   map[string]engineOptions
	}{
		{"a server with old policies", "v1.24.17", []schema.GroupVersionResource{oldPolicies}, nil, nil, serves, minors(24, "old")},
		{"a server with both", "v1.24.17", []schema.GroupVersionResource{oldPolicies, newPolicies}, nil, nil, serves, minors(24, "old")},
		{
			"a server with new policies", "v1.30.4-gke.100",
			[]schema.GroupVersionResource{newPolicies},
			nil, nil,
			"engine: new (the server serves policies.example/v1 newpolicies)\n", minors(30, "new"),
		},
		{"a server with neither", "v1.26.3", nil, nil, nil, "engine: new (the server, v1.26.3, serves the policies of no engine)\n" + noEffect, minors(26, "new")},
		{
			"a server from the future", "v1.99.0",
			[]schema.GroupVersionResource{newPolicies},
			nil, nil,
			"warning: the server's version 1.99 is newer than the newest that this advisor knows, 1.37: treated as that\n" +
				"engine: new (the server serves policies.example/v1 newpolicies)\n", minors(37, "new"),
		},
		{
			"no version of Kubernetes", "moon",
			[]schema.GroupVersionResource{newPolicies},
			nil, nil,
			"engine: old (the server cannot be asked)\nwarning: reading the server's version: \"moon\" is not a version of Kubernetes\n", minors(0, "old"),
		},
		{
			"another version than the server's", "v1.24.17",
			[]schema.GroupVersionResource{oldPolicies},
			[]string{"--server-version", "1.30"},
			nil,
			"engine: new (for Kubernetes 1.30)\nwarning: the server (v1.24.17) does not serve newpolicies, so the policies have no effect there: install it first\n", minors(30, "new"),
		},
		{"named", "v1.24.17", []schema.GroupVersionResource{oldPolicies}, []string{"--engine", "level"}, nil, "", beside("old", minors(24, "level"))},
		{"named for a version that serves no other", "v1.26.3", nil, []string{"--engine", "level"}, nil, "", minors(26, "level")},
		{"named, of manifests", "", nil, []string{"--engine", "level"}, nil, "", beside("new", minors(0, "level"))},
		{"auto and another", "v1.24.17", []schema.GroupVersionResource{oldPolicies}, []string{"--engine", "level,auto"}, []string{"level", "old"}, serves, minors(24, "old", "level")},
		{"several", "v1.24.17", []schema.GroupVersionResource{oldPolicies, newPolicies}, []string{"--engine", "new,old"}, []string{"new", "old"}, "", minors(24, "old", "new")},
		{"manifests", "", nil, nil, nil, "engine: old (for manifests, unless --server-version says otherwise)\n", minors(0, "old")},
		{"manifests for 1.24", "", nil, []string{"--server-version", "v1.24"}, nil, "engine: old (for Kubernetes 1.24)\n", minors(24, "old")},
		{"manifests for 1.25", "", nil, []string{"--server-version", "1.25"}, nil, "engine: new (for Kubernetes 1.25)\n" +
			"warning: Kubernetes 1.25 does not serve newpolicies, so the policies have no effect there: install it first\n", minors(25, "new")},
		{
			"manifests for the future", "", nil,
			[]string{"--server-version", "1.38"},
			nil,
			"warning: --server-version 1.38 is newer than the newest that this advisor knows, 1.37: treated as that\nengine: new (for Kubernetes 1.38)\n", minors(37, "new"),
		},
		{
			"named for a version that does not serve them", "", nil,
			[]string{"--engine", "old", "--server-version", "1.30"},
			nil,
			"warning: Kubernetes 1.30 does not serve podsecuritypolicies, so the policies have no effect there: install it first\n", minors(30, "old"),
		},
		{
			"options", "", nil,
			[]string{"--engine", "new", "--enforcement", "deny", "--unknown-accounts", "allow", "--params", "crd"},
			nil, "",
			map[string]engineOptions{"new": {enforcement: "deny", unknownAccounts: "allow", params: "crd"}},
		},
		{
			"options of another engine", "", nil,
			[]string{"--enforcement", "deny"},
			nil,
			"engine: old (for manifests, unless --server-version says otherwise)\nwarning: --enforcement has no effect on the policies of old\n",
			map[string]engineOptions{"old": {enforcement: "deny", unknownAccounts: "deny", params: "annotation"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, config := apitest.Serve(t, runningPod("shop", "web"))
			server.Version, server.Serves = tc.version, tc.serves
			built := map[string]engineOptions{}
			c := client{config, fakes(built)}
			dir := filepath.Join(t.TempDir(), "policies")
			args := append([]string{"inspect", "--output-dir", dir}, tc.args...)
			run := c.run
			if tc.version == "" {
				run, args = c.runLocally, append(args, "-f", "../../../examples/node-agent/input.yaml")
			}
			r := run(t.Context(), args...).expect(t, exitOK)
			var notes strings.Builder
			for line := range strings.Lines(r.errs) {
				if strings.HasPrefix(line, "engine: ") || strings.HasPrefix(line, "warning: ") {
					notes.WriteString(line)
				}
			}
			if diff := cmp.Diff(tc.notes, notes.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
			var found []string
			for _, name := range []string{"level", "new", "old"} {
				if readTree(t, dir)[name+"/kustomization.yaml"] != "" {
					found = append(found, name)
				}
			}
			if diff := cmp.Diff(tc.want, found); diff != "" {
				t.Errorf("directories (-want +got):\n%s", diff)
			}
			for name, want := range tc.built {
				if diff := cmp.Diff(want, built[name], cmp.AllowUnexported(engineOptions{})); diff != "" {
					t.Errorf("options of %s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// TestServerVersion: the spellings of versions.
func TestServerVersion(t *testing.T) {
	for _, tc := range []struct {
		version string
		want    int
		problem string
	}{
		{"", 0, ""},
		{"1.24", 24, ""},
		{"1.30", 30, ""},
		{"v1.30", 30, ""},
		{"v1.30.4", 30, ""},
		{"v1.30.4-gke.100", 30, ""},
		{"1.31.2+k3s1", 31, ""},
		{"1.38", 38, ""},
		{"1.23", 0, "1.23 is too old: want 1.24 or newer"},
		{"1.3O", 0, `invalid version "1.3O": want one such as 1.30 or v1.30.4`},
		{"1", 0, `invalid version "1": want one such as 1.30 or v1.30.4`},
		{"2.30", 0, `invalid version "2.30": want one such as 1.30 or v1.30.4`},
		{"1.30-gke", 0, `invalid version "1.30-gke": want one such as 1.30 or v1.30.4`},
		{"1.99999999999999999999", 0, `invalid version "1.99999999999999999999": want one such as 1.30 or v1.30.4`},
		{" 1.30", 0, `invalid version " 1.30": want one such as 1.30 or v1.30.4`},
	} {
		minor, err := parseServerVersion(tc.version)
		problem := ""
		if err != nil {
			problem = strings.TrimPrefix(err.Error(), "--server-version: ")
		}
		if minor != tc.want || problem != tc.problem {
			t.Errorf("%q: got %d and %q, want %d and %q", tc.version, minor, problem, tc.want, tc.problem)
		}
	}
}

// TestEngineFlags: a flag that no named engine reads is wrong.
func TestEngineFlags(t *testing.T) {
	c := client{engines: fakes(map[string]engineOptions{})}
	for args, want := range map[string]string{
		"--engine old --enforcement deny":                         "--enforcement: requires --engine new",
		"--engine level --params crd":                             "--params: requires --engine new",
		"--engine old,new --params crd":                           "",
		"--engine auto,level --params crd":                        "",
		"--engine none":                                           `--engine: unknown engine "none": want auto, old, level or new`,
		"--enforcement=":                                          `--enforcement: unknown value "": want warn, audit or deny`,
		"--engine new --enforcement deny --unknown-accounts=warn": "",
		"--server-version=":                                       "--server-version: must not be empty",
	} {
		args := append([]string{"inspect", "-f", "../../../examples/node-agent/input.yaml"}, strings.Fields(args)...)
		if want == "" {
			c.runLocally(t.Context(), args...).expect(t, exitOK)
			continue
		}
		if r := c.runLocally(t.Context(), args...).expect(t, exitUsage); r.errs != "advisor: "+want+"\n" {
			t.Errorf("%v: standard error is %q", args, r.errs)
		}
	}
}

// TestPublishedEngines: reports have the engines that were chosen and those that every
// report has, and get-report prints the former.
func TestPublishedEngines(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version string
		args    []string
		want    string // engines of the index
		prints  string
	}{
		{"by the server", "v1.24.17", nil, "old, level", "old"},
		{"before there are levels", "v1.22.1", nil, "old", "old"},
		{"for another version", "v1.22.1", []string{"--server-version", "1.30"}, "level, new", "new"},
		{"named", "v1.24.17", []string{"--engine", "new,old"}, "old, level, new", "old,new"},
		{"what every report has, alone", "v1.24.17", []string{"--engine", "level"}, "level", "level"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, config := apitest.Serve(t, runningPod("shop", "web"))
			server.Version = tc.version
			c := client{config, fakes(map[string]engineOptions{})}
			c.run(t.Context(), append([]string{"publish", "--report-namespace", "reports"}, tc.args...)...).expect(t, exitOK)
			if r := c.getReport(t).expect(t, exitOK); !strings.Contains(r.errs, "one policy per workload, for "+tc.want+", from ") {
				t.Errorf("the index says: %s", r.errs)
			}
			want := c.run(t.Context(), "inspect", "-n", "shop", "--engine", tc.prints).expect(t, exitOK)
			if r := c.getReport(t, "-n", "shop").expect(t, exitOK); r.out != want.out {
				t.Errorf("get-report prints (-inspect +get-report):\n%s", cmp.Diff(want.out, r.out))
			}
			if r := c.getReport(t, "-n", "shop", "-o", "json").expect(t, exitOK); len(itemsOfList(t, r.out)) == 0 {
				t.Error("no objects in JSON")
			}
		})
	}
}

// TestServerDoesNotAnswer: policies that are others for other servers are not printed on a
// guess when the server may answer later.
func TestServerDoesNotAnswer(t *testing.T) {
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
		if q.Resource == "" {
			apitest.Refuse(w, apitest.Status(http.StatusServiceUnavailable))
		}
		return q.Resource == ""
	})
	c := newClient(config)
	const want = "advisor: choosing engines: reading the server's version: the server is currently unable to handle the request: set --server-version\n"
	for _, engine := range []string{"auto", "psa"} {
		if r := c.run(t.Context(), "inspect", "--engine", engine).expect(t, exitFailure); r.errs != want || r.out != "" {
			t.Errorf("%s: %s", engine, r)
		}
	}
	for _, args := range [][]string{{"--engine", "psp"}, {"--server-version", "1.24"}} {
		if r := c.run(t.Context(), append([]string{"inspect"}, args...)...).expect(t, exitOK); r.out == "" {
			t.Errorf("%v: %s", args, r)
		}
	}
}

// TestServerCannotBeAsked: nothing is published on a guess.
func TestServerCannotBeAsked(t *testing.T) {
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	server.Intercept(unauthorized(""))
	c := client{config, fakes(map[string]engineOptions{})}
	r := c.run(t.Context(), "publish", "--report-namespace", "reports").expect(t, exitFailure)
	if want := "advisor: choosing engines: reading the server's version: the server has asked for the client to provide credentials: set --server-version\n"; r.errs != want {
		t.Errorf("standard error is %q", r.errs)
	}
	c.run(t.Context(), "publish", "--report-namespace", "reports", "--server-version", "1.30").expect(t, exitOK)
}

// TestUnknownEngine: a report of engines that only a newer advisor has is not taken
// for one without policies.
func TestUnknownEngine(t *testing.T) {
	_, config := apitest.Serve(t, runningPod("shop", "web"))
	client{config, fakes(map[string]engineOptions{})}.published(t, "--engine", "new")
	r := client{config, engines()[:1]}.getReport(t, "-n", "shop").expect(t, exitDrift)
	if want := "advisor: the report of shop has no policies of an engine that this advisor knows: publish it again\n"; r.errs != want || r.out != "" {
		t.Errorf("%s", r)
	}
}
