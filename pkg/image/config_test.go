package image

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// fine is a configuration that breaks no rule.
func fine(tweaks ...func(*v1.ConfigFile)) *v1.ConfigFile {
	c := &v1.ConfigFile{
		OS: "linux", Architecture: "amd64",
		Config: v1.Config{User: "1000", Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}}},
	}
	for _, tweak := range tweaks {
		tweak(c)
	}
	return c
}

func history(entries ...string) func(*v1.ConfigFile) {
	return func(c *v1.ConfigFile) {
		for _, e := range entries {
			c.History = append(c.History, v1.History{CreatedBy: e})
		}
	}
}

func env(variables ...string) func(*v1.ConfigFile) {
	return func(c *v1.ConfigFile) { c.Config.Env = variables }
}

func TestFactsOf(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tweak func(*v1.ConfigFile)
		want  []Result
	}{
		{"nothing to report", func(*v1.ConfigFile) {}, nil},
		{"no user", func(c *v1.ConfigFile) { c.Config.User = "" }, []Result{{RootUser, 0, "no USER"}}},
		{"root", func(c *v1.ConfigFile) { c.Config.User = "root:x" }, []Result{{RootUser, 0, "USER root:x"}}},
		{"control characters", func(c *v1.ConfigFile) { c.Config.User = "0:\x1b[2J\u202e" }, []Result{{RootUser, 0, `USER 0:\x1b[2J\u202e`}}},
		{"no health check", func(c *v1.ConfigFile) { c.Config.Healthcheck = nil }, []Result{{Healthcheck, 0, "no HEALTHCHECK"}}},
		{"health check off", func(c *v1.ConfigFile) { c.Config.Healthcheck.Test = []string{"NONE"} }, []Result{{Healthcheck, 0, "no HEALTHCHECK"}}},
		{"secrets in variables", env("PATH=/bin", "DB_PASSWORD=hunter2", "ALLOW_EMPTY_PASSWORD=yes", "API_KEY="), []Result{{Secrets, 0, "ENV DB_PASSWORD"}}},
		{"private key in a variable", env("K=-----BEGIN RSA PRIVATE KEY-----\nhunter2"), []Result{{Secrets, 0, "ENV K"}}},
		{"overwritten secret", history("ENV NPM_TOKEN=hunter2", "ENV NPM_TOKEN="), []Result{{Secrets, 0, "ENV NPM_TOKEN"}}},
		{"classic builder", history("/bin/sh -c #(nop) COPY file:1 in / ", "/bin/sh -c #(nop)  ENV SECRET=hunter2", "/bin/sh -c #(nop) ADD file:2 in /app "), []Result{{Add, 0, "ADD to /app"}, {Secrets, 0, "ENV SECRET"}}},
		{"build arguments", history("ARG NPM_TOKEN", "ARG A=1 GH_TOKEN=hunter2", "RUN |2 A=1 CLIENT_SECRET=hunter2 /bin/sh -c make # buildkit"), []Result{{Secrets, 0, "ARG CLIENT_SECRET"}, {Secrets, 0, "ARG GH_TOKEN"}, {Secrets, 0, "ARG NPM_TOKEN"}}},
		{"build arguments of the classic builder", history("|1 API_KEY=hunter2 /bin/sh -c make"), []Result{{Secrets, 0, "ARG API_KEY"}}},
		{"private key in a command", history("RUN /bin/sh -c echo '-----BEGIN OPENSSH PRIVATE KEY----- hunter2' # buildkit"), []Result{{Secrets, 0, "private key in RUN"}}},
		{"private key anywhere", history("hunter2 -----BEGIN PRIVATE KEY-----"), []Result{{Secrets, 0, "private key in the history"}}},
		{"root file system", history("ADD rootfs.tar.gz / # buildkit", "CMD [\"sh\"]"), nil},
		{"downloaded root file system", history("ADD https://user:hunter2@example.com/r.tar / # buildkit"), []Result{{Add, 0, "ADD of a download to /"}}},
		{"later ADD", history("ADD rootfs.tar.gz / # buildkit", "ADD app.tar /app # buildkit"), []Result{{Add, 0, "ADD to /app"}}},
		{"ADD on build", history("COPY a /", "ONBUILD ADD . /src"), []Result{{Add, 0, "ADD to /src"}}},
		{"not instructions", history("", "ADD", "|", "|x y", "|-1 A=b", "/bin/sh -c", "/bin/sh -c #(nop)", "ADDED a b"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := factsOf(fine(tc.tweak))
			if diff := cmp.Diff(tc.want, got.Results); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			for _, r := range got.Results {
				if strings.Contains(r.Detail, "hunter2") {
					t.Errorf("%+v has a value", r)
				}
			}
		})
	}
}
