package manifest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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
		{"a Helm chart", "helmCharts: [{name: x}]", "--enable-helm"},
		{"a Helm chart of a repository", "helmCharts: [{name: x, repo: \"https://example.com\"}]", "helmCharts[0].repo: \"https://example.com\" is remote"},
		{"an executable", "transformers: [exec.yaml]", "external plugins disabled"},
		{"a directory of plugins", "transformers: [plugins]", "transformers[0]: \"plugins\" is a directory: list its files"},
		{"broken", "resources: {", "invalid Kustomization"},
		{"what kustomize panics on", "crds: [empty.json]", "kustomize failed: runtime error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{
				"k/kustomization.yaml": tc.kustomization + "\n", "outside.yaml": podText("a"), "k/laughs.yaml": podText("a") + laughs(9, 10),
				"k/empty.json":                 "",
				"k/plugins/kustomization.yaml": "resources: [../exec.yaml]\n",
				"k/exec.yaml":                  "apiVersion: v1\nkind: Exec\nmetadata: {name: x, annotations: {config.kubernetes.io/function: \"exec: {path: /bin/true}\"}}\n",
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

// Whatever field of a kustomization, a base, a component or a plugin holds a URL,
// nobody asks the server.
func TestKustomizationDownloads(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	const plugin = "{apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}, path: URL}"
	for _, tc := range []struct{ name, file, text, want string }{
		{"resources", "k", "resources: [URL]", "resources[0]"},
		{"patches", "k", "patches: [{path: URL}]", "patches[0].path"},
		{"another spelling", "k", "Patches: [{Path: URL}]", "Patches[0].Path"},
		{"capitals", "k", "patches: [{path: UPPER}]", "patches[0].path"},
		{"strategic merge patches", "k", "patchesStrategicMerge: [URL]", "patchesStrategicMerge[0]"},
		{"JSON patches", "k", "patchesJson6902: [{path: URL, target: {kind: Deployment, name: web, version: v1}}]", "patchesJson6902[0].path"},
		{"CRDs", "k", "crds: [URL]", "crds[0]"},
		{"configurations", "k", "configurations: [URL]", "configurations[0]"},
		{"OpenAPI", "k", "openapi: {path: URL}", "openapi.path"},
		{"replacements", "k", "replacements: [{path: URL}]", "replacements[0].path"},
		{"files of a ConfigMap", "k", "configMapGenerator: [{name: x, files: [a.txt=URL]}]", "configMapGenerator[0].files[0]"},
		{"files of a Secret", "k", "secretGenerator: [{name: x, files: [URL]}]", "secretGenerator[0].files[0]"},
		{"environment of a ConfigMap", "k", "configMapGenerator: [{name: x, envs: [URL]}]", "configMapGenerator[0].envs[0]"},
		{"environment of a Secret", "k", "secretGenerator: [{name: x, env: URL}]", "secretGenerator[0].env"},
		{"a generator", "k", "generators: [URL]", "generators[0]"},
		{"a transformer", "k", "transformers: [URL]", "transformers[0]"},
		{"a validator", "k", "validators: [URL]", "validators[0]"},
		{"a generator in place", "k", "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: x}, files: [\"a=URL\"]}']", "generators[0].files[0]"},
		{"a transformer in place", "k", "transformers: ['" + plugin + "']", "transformers[0].path"},
		{"a validator in place", "k", "validators: ['" + plugin + "']", "validators[0].path"},
		{"several transformers in place", "k", "transformers: ['{apiVersion: v1, kind: List, items: [" + plugin + "]}']", "transformers[0].path"},
		{"the file of a transformer", "plugin.yaml", plugin, `transformers[0]: "plugin.yaml".path`},
		{"a base", "base", "patches: [{path: URL}]", "patches[0].path"},
		{"a component", "component", "patches: [{path: URL}]", "patches[0].path"},
	} {
		for _, link := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, link %v", tc.name, link), func(t *testing.T) {
				requests.Store(0)
				text := strings.NewReplacer("URL", server.URL+"/x", "UPPER", strings.Replace(server.URL, "http", "HTTP", 1)+"/x").Replace(tc.text) + "\n"
				files := map[string]string{"k/web.yaml": deploymentText}
				file := tc.file
				if file == "plugin.yaml" {
					files["k/kustomization.yaml"] = "resources: [web.yaml]\ntransformers: [plugin.yaml]\n"
					file = "k/plugin.yaml"
				} else {
					if file == "component" {
						text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n" + text
					} else if !strings.HasPrefix(text, "resources") {
						text = "resources: [web.yaml]\n" + text
					}
					files["k/kustomization.yaml"] = "resources: [../base]\n"
					if file == "component" {
						files["k/kustomization.yaml"] = "resources: [web.yaml]\ncomponents: [../component]\n"
					}
					files["base/web.yaml"] = deploymentText
					file += "/kustomization.yaml"
				}
				files[file] = text
				if link {
					// The name of a file does not tell what kustomize takes it for.
					files[filepath.Dir(file)+"/other.txt"] = text
					delete(files, file)
				}
				dir := writeFiles(t, files)
				if link {
					if err := os.Symlink("other.txt", filepath.Join(dir, file)); err != nil {
						t.Fatal(err)
					}
				}
				_, err := Read(t.Context(), nil, Options{Kustomizations: []string{filepath.Join(dir, "k")}}, everything)
				place := file
				if tc.file == "plugin.yaml" {
					place = "k/kustomization.yaml"
				}
				want := filepath.Join(dir, place) + ": " + tc.want + ": \""
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "is remote: render it first") {
					t.Errorf("error %v, want one with %s", err, want)
				}
				if n := requests.Load(); n > 0 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// What only looks like a URL is text.
func TestKustomizationTexts(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"k/web.yaml": deploymentText,
		"k/kustomization.yaml": `resources: [web.yaml]
metadata: {name: x, annotations: {docs: "https://example.com"}}
commonAnnotations: {docs: "https://example.com"}
images: [{name: x, newName: "git@example.com"}]
generatorOptions: {annotations: {docs: "https://example.com"}}
configMapGenerator: [{name: x, literals: ["https://example.com=https://example.com", "a=https://example.com"]}]
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, annotations: {a: "https://example.com"}}
patches:
- target: {kind: Deployment}
  patch: '[{"op": "add", "path": "/metadata/annotations/b", "value": "a=https://example.com"}]'
transformers:
- |-
  apiVersion: builtin
  kind: AnnotationsTransformer
  metadata: {name: x}
  annotations: {c: "https://example.com"}
  fieldSpecs: [{path: metadata/annotations, create: true}]
`,
	})
	obs, err := Read(t.Context(), nil, Options{Kustomizations: []string{filepath.Join(dir, "k")}}, everything)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default/Deployment/web default"}, seen(obs)); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
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
