package manifest

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const deploymentText = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: c, image: x}]}}}\n"

// overlay is a base with an overlay that patches it.
func overlay() map[string]string {
	return map[string]string{
		"base/kustomization.yaml":    "resources: [web.yaml]\n",
		"base/web.yaml":              deploymentText,
		"overlay/kustomization.yaml": "namespace: shop\nnamePrefix: my-\nresources: [../base]\npatches: [{path: patch.yaml}]\n",
		"overlay/patch.yaml":         "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {hostPID: true, containers: [{name: c}]}}}\n",
		"pod.yaml":                   podText("a"),
	}
}

func TestKustomizations(t *testing.T) {
	dir := writeFiles(t, overlay())
	obs, err := Read(t.Context(), []string{filepath.Join(dir, "pod.yaml")}, Options{Kustomizations: []string{filepath.Join(dir, "overlay")}}, everything)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default/Pod/a default", "shop/Deployment/my-web default"}, seen(obs)); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"false", "true"}, attribute(obs, "hostPID")); diff != "" {
		t.Errorf("hostPID (-want +got):\n%s", diff)
	}
}

func TestBrokenKustomizations(t *testing.T) {
	for _, tc := range []struct{ name, kustomization, want string }{
		{"a repository", "resources: [\"https://example.com/org/repo?ref=main\"]", "is remote"},
		{"a repository of GitHub", "resources: [GitHub.com/org/repo]", "is remote"},
		{"a repository over SSH", "components: [\"git@example.com:org/repo\"]", "is remote"},
		{"a repository as a directory", "bases: [\"file:///srv/repo\"]", "is remote"},
		{"a repository that generates", "generators: [\"git::https://example.com/org/repo\"]", "is remote"},
		{"a file of another directory", "resources: [../outside.yaml]", "is not in or below"},
		{"a missing file", "resources: [gone.yaml]", "gone.yaml"},
		{"a pipe", "resources: [pipe.yaml]", "not a regular file"},
		{"a device", "resources: [zero.yaml]", "zero.yaml"},
		{"aliases without end", "resources: [laughs.yaml]", "the aliases make the document too large"},
		{"a Helm chart", "helmCharts: [{name: x, repo: \"https://example.com\"}]", "--enable-helm"},
		{"an executable", "transformers: [exec.yaml]", "external plugins disabled"},
		{"broken", "resources: {", "invalid Kustomization"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{
				"k/kustomization.yaml": tc.kustomization + "\n", "outside.yaml": podText("a"), "k/laughs.yaml": podText("a") + laughs(9, 10),
				"k/exec.yaml": "apiVersion: v1\nkind: Exec\nmetadata: {name: x, annotations: {config.kubernetes.io/function: \"exec: {path: /bin/true}\"}}\n",
			})
			if err := syscall.Mkfifo(filepath.Join(dir, "k", "pipe.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
			k := filepath.Join(dir, "k")
			_, err := Read(t.Context(), nil, Options{Kustomizations: []string{k}, SkipInvalid: true}, everything)
			if err == nil || !strings.HasPrefix(err.Error(), "reading "+k) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	dir := writeFiles(t, overlay())
	for path, want := range map[string]string{"gone": "reading kustomizations: ", "pod.yaml": "not a directory", ".": "unable to find"} {
		_, err := Read(t.Context(), nil, Options{Kustomizations: []string{filepath.Join(dir, path)}}, everything)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// The files of a kustomization are not read as they stand.
func TestKustomizationAmongFiles(t *testing.T) {
	dir := writeFiles(t, overlay())
	const want = ": this is a kustomization: pass its directory with --kustomize"
	for _, tc := range []struct {
		path, place string
		recursive   bool
	}{
		{"overlay", "overlay", false},
		{".", "base", true},
		{"base/kustomization.yaml", "base/kustomization.yaml", false},
	} {
		_, err := Read(t.Context(), []string{filepath.Join(dir, tc.path)}, Options{Recursive: tc.recursive}, everything)
		if err == nil || err.Error() != "reading "+filepath.Join(dir, tc.place)+want {
			t.Errorf("%s: error %v, want %s", tc.path, err, filepath.Join(dir, tc.place)+want)
		}
	}
	obs, err := Read(t.Context(), []string{dir}, Options{Recursive: true, SkipInvalid: true}, everything)
	if err != nil || len(obs.Skipped) != 2 || obs.Pods() != 1 || obs.Templates() != 0 {
		t.Errorf("%v, observed %+v", err, obs)
	}
}
