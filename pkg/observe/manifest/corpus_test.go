package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Manifests of other projects, beside the repository. Where they are not there,
// the tests say so.
const corpora = "../../../../shared"

func corpusFiles(t *testing.T, directory string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpora, directory, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("NOT RUN: no manifests in %s", filepath.Join(corpora, directory))
	}
	return files
}

// All manifests are read, and exactly the documents that are broken in
// themselves are skipped.
func TestCorpus(t *testing.T) {
	got, warned := map[string][]string{}, map[string]int{}
	documents := 0
	for _, file := range corpusFiles(t, "corpus") {
		obs, err := Read(t.Context(), []string{file}, Options{SkipInvalid: true}, everything)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		documents += obs.Pods() + obs.Templates()
		for range obs.Warnings {
			warned[filepath.Base(file)]++
		}
		if filepath.Base(file) == fixtures {
			if len(obs.Skipped) != 13 {
				t.Errorf("%d documents of %s skipped, want 13: no server runs what they hold", len(obs.Skipped), fixtures)
			}
			continue
		}
		for _, err := range obs.Skipped {
			// What is said after document and line.
			_, what, _ := strings.Cut(err.Error(), "): ")
			got[filepath.Base(file)] = append(got[filepath.Base(file)], what)
		}
		if len(obs.Skipped) == 0 {
			if _, err := Read(t.Context(), []string{file}, Options{}, everything); err != nil {
				t.Errorf("nothing is skipped, but: %v", err)
			}
		}
	}
	want := map[string][]string{
		"ingress-nginx.yaml": {`Deployment "kube-system/vouch-proxy": spec.template.spec.containers[0].env[0].value: want a string, found a boolean`},
		"kube-score.yaml": {
			`Deployment "foo": spec.template.spec.containers: at least one is required`,
			`Deployment "foo2": spec.template.spec.containers: at least one is required`,
			`Deployment "foo": spec.template.spec.containers: at least one is required`,
			`Deployment "foo2": spec.template.spec.containers: at least one is required`,
			`Deployment "app": spec.template.spec.containers[0].ports[1].containerPort: Required value`,
			`Deployment "app": spec.template.spec.containers[0].ports[1].containerPort: Required value`,
		},
		"kubeaudit.yaml": {
			`Pod "apparmor-bad-value-override/pod": metadata.annotations[container.apparmor.security.beta.kubernetes.io/container]: Invalid value: "badval": invalid AppArmor profile name: "badval"`,
			`Pod "apparmor-bad-value/pod": metadata.annotations[container.apparmor.security.beta.kubernetes.io/container]: Invalid value: "badval": invalid AppArmor profile name: "badval"`,
		},
		"kubernetes-examples-volumes.yaml": {`Pod "fibre-channel-example-pod": spec.volumes[0].fc.lun: want a number of type int32, found a string`},
		"popeye-cluster-dumps.yaml": {
			`items[0]: Pod "default/p1": spec.containers: at least one is required`,
			`items[1]: Pod "default/p2": spec.containers: at least one is required`,
			`items[2]: Deployment "default/dp3": spec.template.spec.containers: at least one is required`,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"kube-score.yaml": 9, "kubernetes-examples-apps.yaml": 3, "kubernetes-examples-volumes.yaml": 4, "trivy-operator.yaml": 21}, warned); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if want := 896; documents != want {
		t.Errorf("%d pods and templates, want %d", documents, want)
	}
}

// fixtures set every field of the API, to values that no server takes.
const fixtures = "k8s-api-fixtures.yaml"

// As if a server had returned them, they are read, and every attribute has a value.
func TestFixtures(t *testing.T) {
	for _, file := range corpusFiles(t, "corpus") {
		if filepath.Base(file) != fixtures {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		obs := read(t, strings.ReplaceAll(string(text), "uid: uidValue", "uid: 0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a"), everything)
		if obs.Pods()+obs.Templates() != 13 {
			t.Errorf("%d pods, %d templates, want 13 in all", obs.Pods(), obs.Templates())
		}
		var missing []string
		for _, name := range profile.Attributes() {
			if len(attribute(obs, name)) == 0 {
				missing = append(missing, name)
			}
		}
		// The one volume is of all types, of which the first is recorded.
		if diff := cmp.Diff([]string{"flexVolumeDrivers", "csiDrivers"}, missing); diff != "" {
			t.Errorf("attributes without a value (-want +got):\n%s", diff)
		}
	}
}

// What a server returned holds nothing that is broken.
func TestLiveCorpus(t *testing.T) {
	obs, err := Read(t.Context(), corpusFiles(t, "corpus-live"), Options{}, everything)
	if err != nil {
		t.Fatal(err)
	}
	if obs.Pods()+obs.Templates() < 700 || len(obs.Unread) != 0 || len(obs.UnknownOwners) != 0 || len(obs.Warnings) != 0 {
		t.Errorf("%d pods, %d templates, ignored %v, unknown owners %v, warnings %v", obs.Pods(), obs.Templates(), obs.Unread, obs.UnknownOwners, obs.Warnings)
	}
}
