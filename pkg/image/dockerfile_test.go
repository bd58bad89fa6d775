package image

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

func TestIsDockerfile(t *testing.T) {
	for name, want := range map[string]bool{
		"Dockerfile": true, "dockerfile": true, "a/b/Dockerfile": true, "Containerfile": true,
		"Dockerfile.dev": true, "Containerfile.prod": true, "web.Dockerfile": true, "web.dockerfile": true,
		"Dockerfile.dockerignore": false, "dockerfile.go": false, "Dockerfiles": false,
		"Dockerfile/README.md": false, "MyDockerfile": false, "": false, "compose.yaml": false,
	} {
		if got := IsDockerfile(name); got != want {
			t.Errorf("IsDockerfile(%q) = %t, want %t", name, got, want)
		}
	}
}

// good ends a stage that breaks no rule.
const good = "USER 1000\nHEALTHCHECK CMD true\n"

func TestDockerfile(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		want       []Result
	}{
		{"nothing to report", "FROM alpine:3.20\n" + good, nil},
		{"nothing set", "FROM scratch\n", []Result{{Healthcheck, 1, "no HEALTHCHECK"}, {RootUser, 1, "no USER"}}},
		{"nothing set on a base image", "\nFROM alpine:3.20\n", []Result{
			{Healthcheck, 2, "no HEALTHCHECK; the base image alpine:3.20 may set one"},
			{RootUser, 2, "no USER; the base image alpine:3.20 may set another user"},
		}},
		{"the last user counts", "FROM scratch\n" + good + "USER 0\nUSER root:root\n", []Result{{RootUser, 5, "USER root:root"}}},
		{"the last user is fine", "FROM scratch\nUSER root\n" + good, nil},
		{"health check off", "FROM scratch\n" + good + "HEALTHCHECK NONE\n", []Result{{Healthcheck, 4, "HEALTHCHECK NONE"}}},
		{"inherited", "FROM scratch AS Base\n" + good + "FROM base\n", nil},
		{"inherited root", "FROM scratch AS base\nUSER 0\nFROM base\nHEALTHCHECK CMD true\n", []Result{{RootUser, 2, "USER 0"}}},
		{"other stages do not count", "FROM scratch AS base\nUSER 0\nFROM scratch\n" + good, nil},
		{"a stage that comes later is an image", "FROM next\n" + good + "FROM scratch AS next\n" + good, []Result{{Tag, 1, "FROM next"}}},
		{"its own name is an image", "FROM golang AS golang\n" + good, []Result{{Tag, 1, "FROM golang"}}},
		{"user by argument", "ARG ID=0\nFROM scratch\n" + good + "ARG ID\nUSER ${ID}:1\n", []Result{{RootUser, 6, "USER 0:1"}}},
		{"user by default", "FROM scratch\n" + good + "USER ${ID:-1000}\n", nil},
		{"user by variable of a stage", "FROM scratch AS a\nENV ID=7\nFROM a\n" + good + "USER $ID\n", nil},
		{"arguments stay in their stage", "FROM scratch AS a\nARG ID=7\nFROM a\n" + good + "USER $ID\n", []Result{{RootUser, 6, "USER $ID, which may be root: the file does not set the variable"}}},
		{"variables win over arguments", "FROM scratch\nENV ID=7\nARG ID=0\n" + good + "USER $ID\n", nil},
		{"unknown user", "FROM app:1\n" + good + "USER $APP_UID\n", []Result{{RootUser, 4, "USER $APP_UID, which may be root: the file does not set the variable"}}},
		{"tags", "FROM a\nFROM b:latest\nFROM c:1\nFROM d@sha256:" + strings.Repeat("0", 64) + "\nFROM localhost:5000/e\nFROM f:latest@sha256:" + strings.Repeat("0", 64) + "\n" + good, []Result{
			{Tag, 1, "FROM a"}, {Tag, 2, "FROM b:latest"}, {Tag, 5, "FROM localhost:5000/e"},
		}},
		{"tags by argument", "ARG V=1\nARG L=latest\nARG N\nFROM a:$V\nFROM b:${L}\nFROM c:$N\nFROM $BASE\nFROM d${X:+:1}\n" + good, []Result{{Tag, 5, "FROM b:latest"}}},
		{"stage by argument", "ARG S=x\nFROM scratch AS x\n" + good + "FROM $S\n", nil},
		{"ADD", "FROM alpine:3\nADD a /b\nADD https://x:hunter2@example.com/a.tgz /c\nADD [\"a b\", \"/d\"]\nADD git@github.com:a/b.git /e\nCOPY a /\n" + good, []Result{
			{Add, 2, "ADD to /b"}, {Add, 3, "ADD of a download to /c"}, {Add, 4, "ADD to /d"}, {Add, 5, "ADD of a download to /e"},
		}},
		{"ADD in any stage", "FROM alpine:3 AS x\nADD a /b\nFROM scratch\n" + good, []Result{{Add, 2, "ADD to /b"}}},
		{"root file system", "FROM scratch\nADD rootfs.tar.xz /\n" + good, nil},
		{"later ADD", "FROM scratch\nCOPY a /\nADD rootfs.tar.xz /\n" + good, []Result{{Add, 3, "ADD to /"}}},
		{"secrets", "ARG NPM_TOKEN\nFROM scratch\nARG API_KEY=hunter2\nENV A=1 \\\n  DB_PASSWORD=hunter2\nENV SECRET hunter2\nENV TOKEN=\nRUN PASSWORD=hunter2 make\n" + good, []Result{
			{Secrets, 1, "ARG NPM_TOKEN"}, {Secrets, 3, "ARG API_KEY"}, {Secrets, 4, "ENV DB_PASSWORD"}, {Secrets, 6, "ENV SECRET"},
		}},
		{"private keys", "FROM scratch\nCOPY <<EOF /key\n-----BEGIN PRIVATE KEY-----\nhunter2\nEOF\nRUN <<EOF cat\n-----BEGIN EC PRIVATE KEY-----\nEOF\nRUN echo -----BEGIN RSA PRIVATE KEY-----\n" + good, []Result{
			{Secrets, 2, "private key in COPY"}, {Secrets, 6, "private key in RUN"}, {Secrets, 9, "private key in RUN"},
		}},
		{"no instructions in here-documents", "FROM scratch\nCOPY <<EOF /a\nUSER 0\nADD a b\nEOF\n" + good, nil},
		{"on build", "FROM alpine:3 AS a\nONBUILD USER 0\nONBUILD ADD a /b\nONBUILD ENV TOKEN=hunter2\n" + good, []Result{{Add, 3, "ADD to /b"}, {Secrets, 4, "ENV TOKEN"}}},
		{"on build of a stage", "FROM scratch AS a\n" + good + "ONBUILD USER 0\nFROM a\n", []Result{{RootUser, 4, "USER 0"}}},
		{"on build of a stage's stage", "FROM scratch AS a\n" + good + "ONBUILD USER 0\nFROM a AS b\nUSER 7\nFROM b\n", nil},
		{"escape directive", "# escape=`\nFROM scratch\nENV A=C:\\ `\n TOKEN=hunter2\n" + good, []Result{{Secrets, 3, "ENV TOKEN"}}},
		{"carriage returns", strings.ReplaceAll("FROM scratch\nRUN a \\\n b\nUSER 0\nHEALTHCHECK CMD true\n", "\n", "\r\n"), []Result{{RootUser, 4, "USER 0"}}},
		{"lower case", "from scratch as a\nuser 0\nhealthcheck cmd true\n", []Result{{RootUser, 2, "USER 0"}}},
		{"control characters", "FROM scratch\nHEALTHCHECK CMD true\nUSER 0:\x1b[2J\u202e\n", []Result{{RootUser, 3, `USER 0:\x1b[2J\u202e`}}},
		{"variables that double", "FROM scratch\nENV A=0123456789\n" + strings.Repeat("ENV A=$A$A\n", 64) + good + "USER $A\n", []Result{{RootUser, 69, "USER $A, which may be root: the file does not set the variable"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Dockerfile([]byte(tc.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			for _, r := range got {
				if strings.Contains(r.Detail, "hunter2") {
					t.Errorf("%+v has a value", r)
				}
			}
		})
	}
}

func TestDockerfileErrors(t *testing.T) {
	for name, file := range map[string]string{
		"empty":              "",
		"arguments only":     "ARG A=1\n",
		"no stage":           "RUN a\nFROM scratch\n",
		"not an instruction": "FROM scratch\n\x1b[2JEVIL a\n",
		"open heredoc":       "FROM scratch\nRUN <<EOF\n",
		"too large":          "FROM scratch\n" + strings.Repeat("# a\n", maxDockerfile/4),
		"long line":          "FROM scratch\nRUN " + strings.Repeat("a", 1<<17),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Dockerfile([]byte(file))
			if err == nil {
				t.Fatalf("results are %v, want an error", got)
			}
			if text := err.Error(); text != printable.Text(text) || !strings.HasPrefix(text, "reading a Dockerfile: ") {
				t.Errorf("error is %q", text)
			}
		})
	}
}

// The rules that the same instructions break in a Dockerfile and in the history of its
// image.
func TestSameAsHistory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	instructions := []struct {
		file    string
		history string // of BuildKit
		classic string
		tweak   func(*v1.ConfigFile)
	}{
		{"USER 0", "USER 0", "/bin/sh -c #(nop)  USER 0", func(c *v1.ConfigFile) { c.Config.User = "0" }},
		{"USER app:1", "USER app:1", "/bin/sh -c #(nop)  USER app:1", func(c *v1.ConfigFile) { c.Config.User = "app:1" }},
		{"HEALTHCHECK CMD true", "HEALTHCHECK &{[CMD-SHELL true]}", "", func(c *v1.ConfigFile) {
			c.Config.Healthcheck = &v1.HealthConfig{Test: []string{"CMD-SHELL", "true"}}
		}},
		{"HEALTHCHECK NONE", "HEALTHCHECK &{[NONE]}", "", func(c *v1.ConfigFile) {
			c.Config.Healthcheck = &v1.HealthConfig{Test: []string{"NONE"}}
		}},
		{"ENV A=1", "ENV A=1", "/bin/sh -c #(nop)  ENV A=1", func(c *v1.ConfigFile) { c.Config.Env = append(c.Config.Env, "A=1") }},
		{"ENV A=1 TOKEN=x", "ENV A=1 TOKEN=x", "/bin/sh -c #(nop)  ENV A=1 TOKEN=x", func(c *v1.ConfigFile) { c.Config.Env = append(c.Config.Env, "A=1", "TOKEN=x") }},
		{"ENV TOKEN=", "ENV TOKEN=", "/bin/sh -c #(nop)  ENV TOKEN=", func(c *v1.ConfigFile) { c.Config.Env = append(c.Config.Env, "TOKEN=") }},
		{"ARG SECRET", "ARG SECRET", "/bin/sh -c #(nop)  ARG SECRET", nil},
		{"ARG ALLOW_EMPTY_PASSWORD=yes", "ARG ALLOW_EMPTY_PASSWORD=yes", "/bin/sh -c #(nop)  ARG ALLOW_EMPTY_PASSWORD=yes", nil},
		{"COPY a /b", "COPY a /b # buildkit", "/bin/sh -c #(nop) COPY file:1 in /b ", nil},
		{"ADD a /b", "ADD a /b # buildkit", "/bin/sh -c #(nop) ADD file:1 in /b ", nil},
		{"ADD https://example.com/a /b", "ADD https://example.com/a /b # buildkit", "", nil},
		{"RUN make", "RUN /bin/sh -c make # buildkit", "/bin/sh -c make", nil},
		{"RUN echo -----BEGIN PRIVATE KEY-----", "RUN /bin/sh -c echo -----BEGIN PRIVATE KEY----- # buildkit", "/bin/sh -c echo -----BEGIN PRIVATE KEY-----", nil},
		{"ONBUILD ADD . /", "ONBUILD ADD . /", "/bin/sh -c #(nop)  ONBUILD ADD . /", nil},
		{"CMD true", "CMD [\"/bin/sh\" \"-c\" \"true\"]", "/bin/sh -c #(nop)  CMD true", nil},
	}
	for range 500 {
		file, config := "FROM scratch\n", &v1.ConfigFile{}
		for range random.IntN(8) {
			i := instructions[random.IntN(len(instructions))]
			file += i.file + "\n"
			h := v1.History{CreatedBy: i.history}
			if i.classic != "" && random.IntN(2) == 0 {
				h.CreatedBy = i.classic
			}
			name, _, _ := strings.Cut(i.file, " ")
			h.EmptyLayer = !slices.Contains([]string{"COPY", "ADD", "RUN"}, name)
			config.History = append(config.History, h)
			if i.tweak != nil {
				i.tweak(config)
			}
		}
		fromFile, err := Dockerfile([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if want, got := ids(fromFile), ids(factsOf(config).Results); !slices.Equal(want, got) {
			t.Fatalf("the Dockerfile breaks %v, the image %v:\n%s", want, got, file)
		}
	}
}

func ids(list []Result) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.Rule)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func FuzzDockerfile(f *testing.F) {
	for _, seed := range []string{
		"FROM scratch\n" + good,
		"ARG V=1\nFROM a:$V AS b\nONBUILD USER 0\nADD a b\nFROM b\nENV TOKEN=x\n",
		"# escape=`\r\nFROM a `\r\n AS b\r\nCOPY <<EOF /c\r\n-----BEGIN PRIVATE KEY-----\r\nEOF\r\n",
		"A7\nFROM a\n", // what BuildKit suggests for it varies
		"FROM a\nENV A=${A:-b} B=${A##*x} C=${A/a/b}\nUSER $C\nHEALTHCHECK --interval=1s CMD [\"a\"]\n",
	} {
		f.Add([]byte(seed))
	}
	rules := map[string]bool{}
	for _, r := range Rules() {
		rules[r.ID] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		got, err := Dockerfile(data)
		if again, errAgain := Dockerfile(data); !reflect.DeepEqual(got, again) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("results are %v, %v, then %v, %v", got, err, again, errAgain)
		}
		if !slices.Equal(before, data) {
			t.Fatal("the input is changed")
		}
		if err != nil {
			if text := err.Error(); text != printable.Text(text) || got != nil {
				t.Fatalf("results are %v, the error is %q", got, text)
			}
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		for i, r := range got {
			if r.Line < 1 || r.Line > lines || !rules[r.Rule] || r.Detail == "" || r.Detail != printable.Text(r.Detail) {
				t.Errorf("%+v is not valid for %d lines", r, lines)
			}
			if i > 0 && got[i-1].Compare(r) >= 0 {
				t.Errorf("%+v comes before %+v", got[i-1], r)
			}
		}
	})
}
