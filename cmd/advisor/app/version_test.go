package app

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"sigs.k8s.io/yaml"
)

func TestBuildOf(t *testing.T) {
	repository := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "false"}}
	for _, tc := range []struct {
		name    string
		stamped build
		info    debug.BuildInfo
		want    build
	}{
		{"nothing is known", build{}, debug.BuildInfo{}, build{Version: "devel"}},
		{"of a checkout", build{}, debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: repository}, build{Version: "devel", Commit: "abc", Date: "2026-01-02T03:04:05Z"}},
		{
			"of an edited checkout",
			build{},
			debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}},
			build{Version: "devel", Commit: "abc-dirty"},
		},
		{"of a module", build{}, debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, build{Version: "v1.2.3"}},
		{
			"stamped",
			build{Version: "v2.0.0", Commit: "def", Date: "today"},
			debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: repository},
			build{Version: "v2.0.0", Commit: "def", Date: "today"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := buildOf(tc.stamped, &tc.info)
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(build{}, "GoVersion", "Platform")); diff != "" {
				t.Errorf("build (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(got.GoVersion, "go1.") || !strings.Contains(got.Platform, "/") {
				t.Errorf("made by %q for %q", got.GoVersion, got.Platform)
			}
		})
	}
}

// TestVersion: each format says the same.
func TestVersion(t *testing.T) {
	want := thisBuild()
	var fromJSON, fromYAML build
	if err := json.Unmarshal([]byte(run(t, "", "version", "-o", "json").expect(t, exitOK).out), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(run(t, "", "version", "-o", "yaml").expect(t, exitOK).out), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if fromJSON != want || fromYAML != want {
		t.Errorf("JSON %+v, YAML %+v, want %+v", fromJSON, fromYAML, want)
	}
	if text := run(t, "", "version").expect(t, exitOK).out; text != want.String() || !strings.Contains(text, "Version:    "+want.Version+"\n") {
		t.Errorf("text is %q", text)
	}
	if text := run(t, "", "--version").expect(t, exitOK).out; text != "advisor version "+want.Version+"\n" {
		t.Errorf("--version prints %q", text)
	}
}

// TestUserAgent: each request says which version asks.
func TestUserAgent(t *testing.T) {
	server, config := apitest.Serve(t)
	c := newClient(config)
	c.run(t.Context(), "inspect").expect(t, exitOK)
	c.run(t.Context(), "publish", "--report-namespace", "reports").expect(t, exitOK)
	c.controller(t, "--report-namespace", "reports").stop().expect(t, exitOK)
	leases := 0
	for _, q := range server.Requested() {
		agent := q.UserAgent()
		if !strings.HasPrefix(agent, "advisor/"+thisBuild().Version+" (") {
			t.Errorf("%s comes from %q", q.URL, agent)
		}
		if q.Resource == "leases" && strings.HasSuffix(agent, "/leader-election") {
			leases++
		}
	}
	if leases == 0 {
		t.Error("no request for the lease says what it is for")
	}
}
