// Package examples_test runs the command on every example and compares what it
// writes with what stands in the folder.
package examples_test

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/cmd/advisor/app"
	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var update = flag.Bool("update", false, "rewrite the expected output of the examples")

// TestMain puts the command under test on the path, for scripts that call it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"advisor": func() {
		os.Exit(app.Run(context.Background(), "advisor", os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})) //nolint:forbidigo // this is the command's main
	}})
}

// The examples that have not the common form: a tree of files, and other engines.
const (
	gitops      = "gitops"
	podSecurity = "pod-security"
	permits     = "permits"
	changes     = "diff"
	findings    = "report"
)

// TestExamples compares each case's files with what the command writes now. A
// file that is missing or that nothing writes is an error.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() || slices.Contains([]string{gitops, podSecurity, permits, changes, findings}, e.Name()) {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			t.Chdir(e.Name())
			want := map[string]string{}
			for _, level := range []string{"workload", "namespace"} {
				stdout, stderr := inspect(t, 0, "-f", "input.yaml", "--level", level)
				want[level+".yaml"] = stdout
				if level == "workload" {
					want["summary.txt"] = stderr
				}
			}
			compare(t, want, "input.yaml")
		})
	}
}

// TestDiff compares the output of diff in each format.
func TestDiff(t *testing.T) {
	t.Chdir(changes)
	want := map[string]string{}
	for format, file := range map[string]string{"table": "diff.txt", "json": "diff.json", "markdown": "diff.md", "sarif": "diff.sarif"} {
		want[file], want["summary.txt"] = advisor(t, 1, "diff", "base.yaml", "head.yaml", "-o", format)
	}
	compare(t, want, "base.yaml", "head.yaml")
}

// TestReport compares the output of report in each format, and what is left after its
// remedies.
func TestReport(t *testing.T) {
	t.Chdir(findings)
	want := map[string]string{}
	for format, file := range map[string]string{"table": "report.txt", "wide": "wide.txt", "markdown": "report.md", "json": "report.json", "sarif": "report.sarif", "openreports": "openreports.yaml", "html": "report.html"} {
		want[file], want["summary.txt"] = advisor(t, 0, "report", "-f", "input.yaml", "-o", format)
	}
	want["why.txt"], _ = advisor(t, 0, "report", "-f", "input.yaml", "--why", "cap:NET_ADMIN")
	remedies := filepath.Join(t.TempDir(), "remedies")
	advisor(t, 0, "report", "-f", "input.yaml", "--remedies", remedies)
	for name, data := range readTree(t, remedies) {
		want[filepath.Join("remedies", name)] = data
	}

	// What is left is what no patch mends.
	overlay := filepath.Join(t.TempDir(), "overlay")
	input, err := os.ReadFile("input.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(overlay, "input.yaml"), string(input))
	for name, data := range readTree(t, remedies) {
		write(t, filepath.Join(overlay, "remedies", name), data)
	}
	write(t, filepath.Join(overlay, "kustomization.yaml"), "resources: [input.yaml]\ncomponents: [remedies/all]\n")
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		t.Fatal(err)
	}
	data, err := rendered.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(overlay)
	write(t, "rendered.yaml", string(data))
	want["after.txt"], _ = advisor(t, 0, "report", "-f", "rendered.yaml")
	t.Chdir(here)
	compare(t, want, "input.yaml")
}

// TestPermits compares the output of the engines that permit privileges.
func TestPermits(t *testing.T) {
	t.Chdir(permits)
	want := map[string]string{}
	for _, engine := range []string{"vap", "kyverno", "gatekeeper"} {
		for _, level := range []string{"workload", "namespace"} {
			stdout, stderr := inspect(t, 0, "-f", "input.yaml", "--engine", engine, "--level", level)
			want[engine+"-"+level+".yaml"] = stdout
			if level == "workload" {
				want["summary.txt"] = stderr
			}
		}
	}
	compare(t, want, "input.yaml")
}

// TestPodSecurity compares the labels of Pod Security admission, which are the same at
// each level.
func TestPodSecurity(t *testing.T) {
	t.Chdir(podSecurity)
	stdout, stderr := inspect(t, 0, "-f", "input.yaml", "--engine", "psa")
	for _, level := range []string{"serviceaccount", "namespace", "cluster"} {
		other, _ := inspect(t, 0, "-f", "input.yaml", "--engine", "psa", "--level", level)
		if diff := cmp.Diff(stdout, other); diff != "" {
			t.Errorf("at level %s (-workload +%[1]s):\n%s", level, diff)
		}
	}
	compare(t, map[string]string{"namespace.yaml": stdout, "summary.txt": stderr}, "input.yaml")
}

// compare compares the folder, but for its inputs, with what the command writes, or
// updates it.
func compare(t *testing.T, want map[string]string, inputs ...string) {
	t.Helper()
	if *update {
		for name, data := range want {
			write(t, name, data)
		}
	}
	got := readTree(t, ".")
	for _, name := range append([]string{"README.md"}, inputs...) {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
		delete(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the folder is not what the command writes (-written +in the folder); update with: go test ./examples -update\n%s", diff)
	}
}

// TestIndex checks that the index names every example.
func TestIndex(t *testing.T) {
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readmes, err := filepath.Glob("*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(readmes) < 9 {
		t.Errorf("found %d examples, want at least 9", len(readmes))
	}
	for _, r := range readmes {
		if !bytes.Contains(index, []byte("]("+r+")")) {
			t.Errorf("README.md does not name %s", r)
		}
	}
}

// TestGitOps compares the tree in gitops/policies with what the command writes.
func TestGitOps(t *testing.T) {
	t.Chdir(gitops)
	if *update {
		inspect(t, 0, "-f", "manifests", "--output-dir", "policies")
	}
	fresh := filepath.Join(t.TempDir(), "policies")
	inspect(t, 0, "-f", "manifests", "--output-dir", fresh)
	if diff := cmp.Diff(readTree(t, fresh), readTree(t, "policies")); diff != "" {
		t.Errorf("policies is not what the command writes (-written +in the folder); update with: go test ./examples -update\n%s", diff)
	}
}

// TestGitOpsBuilds builds the tree with kustomize at each level: as a whole, and
// each namespace on its own.
func TestGitOpsBuilds(t *testing.T) {
	build := func(t *testing.T, dir string) []string {
		t.Helper()
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range resources.Resources() {
			ids = append(ids, r.CurId().String())
		}
		slices.Sort(ids)
		return ids
	}
	root := filepath.Join(gitops, "policies")
	var parts []string
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Run(e.Name(), func(t *testing.T) { parts = append(parts, build(t, filepath.Join(root, e.Name()))...) })
		}
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		t.Error("no namespace was built")
	}
	if diff := cmp.Diff(parts, build(t, root)); diff != "" {
		t.Errorf("the whole is not the sum of its namespaces (-namespaces +whole):\n%s", diff)
	}
}

// TestGitOpsCheck runs the script that CI runs: it passes on the tree as it is,
// and fails with a diff when a manifest has changed.
func TestGitOpsCheck(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("SKIPPED: no sh to run check-policies.sh with")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(gitops)); err != nil {
		t.Fatal(err)
	}
	run := func() (string, int) {
		cmd := exec.Command("sh", "check-policies.sh")
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run(); code != 0 || out != "" {
		t.Errorf("on the tree as it is: exit code %d, output %q", code, out)
	}
	manifest := filepath.Join(dir, "manifests", "shop.yaml")
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", 1)
	if changed == string(data) {
		t.Fatal("shop.yaml has nothing to change")
	}
	write(t, manifest, changed)
	if out, code := run(); code != 1 || !strings.Contains(out, "-  readOnlyRootFilesystem: true") {
		t.Errorf("after a change: exit code %d, want 1 and a diff; output:\n%s", code, out)
	}
}

// TestGitOpsPrivileges runs what CI systems and the hook run, in a repository whose branch
// changes a manifest: a change that asks for no more passes, one that does fails. The hook
// passes the first commit, and one that leaves no manifests.
func TestGitOpsPrivileges(t *testing.T) {
	for _, program := range []string{"sh", "git", "tar"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: no %s to run check-privileges.sh with", program)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(gitops)); err != nil {
		t.Fatal(err)
	}
	run := func(command string) (string, int) {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	must := func(command string) {
		t.Helper()
		if out, code := run(command); code != 0 {
			t.Fatalf("%s: %s", command, out)
		}
	}
	commit := "git -c user.name=test -c user.email=test@example.com commit -q --all --message change"
	must("git init -q --initial-branch main && cp pre-commit .git/hooks/ && git add . && " + commit + " && git update-ref refs/remotes/origin/main HEAD && git switch -q --create branch")
	// What CI systems run, after the advisor is there.
	var lines []string
	for _, file := range []string{"ci.yaml", "gitlab-ci.yaml"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "- "), "run: ")
			if strings.HasPrefix(line, "./check-privileges.sh") {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) != 3 {
		t.Fatalf("found %q", lines)
	}
	expect := func(what string, code int, want string) {
		t.Helper()
		for _, line := range lines {
			wantCode := code
			if strings.Contains(line, "--fail-on never") {
				wantCode = 0
			}
			if out, got := run(line); got != wantCode || wantCode != 0 && !strings.Contains(out, want) {
				t.Errorf("%s: %s: exit code %d, want %d:\n%s", what, line, got, wantCode, out)
			}
		}
		data, err := os.ReadFile(filepath.Join(dir, "privileges.md"))
		if err != nil || code != 0 && !bytes.Contains(data, []byte(" escalated")) {
			t.Errorf("%s: %v, the comment is %s", what, err, data)
		}
	}
	must("sed -i.bak 's|web:1.4|web:1.5|' manifests/shop.yaml && rm manifests/*.bak && " + commit)
	expect("another tag", 0, "")
	must("sed -i.bak 's|allowPrivilegeEscalation: false|allowPrivilegeEscalation: true|' manifests/shop.yaml && rm manifests/*.bak")
	if out, code := run(commit); code == 0 || !strings.Contains(out, "  + medium    allowPrivilegeEscalation (container ") {
		t.Errorf("the hook: exit code %d:\n%s", code, out)
	}
	must(commit + " --no-verify")
	expect("an escalation", 1, "  + medium    allowPrivilegeEscalation (container ")
	must("git rm -q -r manifests && " + commit)
}

func inspect(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	return advisor(t, code, append([]string{"inspect"}, args...)...)
}

// advisor runs a command and returns what it wrote.
func advisor(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	got := app.Run(t.Context(), "advisor", args, app.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if got != code {
		t.Fatalf("advisor %s: exit code %d, want %d; stderr:\n%s", strings.Join(args, " "), got, code, errs.String())
	}
	return out.String(), errs.String()
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}
