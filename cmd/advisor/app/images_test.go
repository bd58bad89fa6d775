package app

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestReportImages: what images are configured to, from a registry; one that fails is a
// gap.
func TestReportImages(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	push := func(to string, config v1.Config) string {
		t.Helper()
		image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: config, RootFS: v1.RootFS{Type: "layers"}})
		if err != nil {
			t.Fatal(err)
		}
		ref, err := name.ParseReference(host + "/" + to)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, image); err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return digest.String()
	}
	digest := push("web:latest", v1.Config{User: "101", Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}}})
	push("root:1", v1.Config{Env: []string{"API_TOKEN=very-secret"}})
	manifest := filepath.Join(t.TempDir(), "pods.yaml")
	text := ""
	for _, image := range []string{"web:latest", "root:1", "gone:1"} {
		pod, _, _ := strings.Cut(image, ":")
		text += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + pod + ", namespace: shop}\nspec:\n  serviceAccountName: own\n  containers:\n  - {name: c, image: '" + host + "/" + image + "'," +
			" securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}\n"
	}
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"report", "-f", manifest, "--image-config"}
	r := run(t, "", args...).expect(t, exitFailure)
	if !strings.Contains(r.errs, "not observed: image "+host+"/gone:1 is in none of the sources") || !strings.Contains(r.errs, "advisor: 1 gap in what was observed") {
		t.Errorf("%s", r)
	}
	r = run(t, "", append(args, "--allow-partial", "-o", "wide")...).expect(t, exitOK)
	var got []string
	for line := range strings.Lines(r.out) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"NAMESPACE WORKLOAD CONTAINER SEVERITY RULE SUBJECT REMEDY CONFIDENCE",
		"shop Pod/root c high run-as-non-root image user root spec.containers[name=c].securityContext.runAsNonRoot: true; spec.containers[name=c].securityContext.runAsUser: 65532 may break: test",
		"shop Pod/gone c medium run-as-non-root image user root spec.containers[name=c].securityContext.runAsNonRoot: true may break: test",
		"shop Pod/web c low image-tag image HOST/web:latest spec.containers[name=c].image: HOST/web@DIGEST safe by construction",
		"shop Pod/web c low run-as-non-root image user root spec.containers[name=c].securityContext.runAsNonRoot: true safe by construction",
		"- image HOST/root:1 - high image-secrets ENV API_TOKEN Replace the secret, then pass it to builds with RUN --mount=type=secret and to containers as a Secret. <none>",
		"- image HOST/root:1 - medium image-root-user no USER End the Dockerfile with USER and a number that is not 0. The kubelet cannot verify a name. <none>",
		"- image HOST/root:1 - info image-healthcheck no HEALTHCHECK Add HEALTHCHECK if the image also runs outside of Kubernetes; define probes in pods. <none>",
	}
	for i, line := range got {
		got[i] = strings.NewReplacer(host, "HOST", digest, "DIGEST").Replace(line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, format := range findingFormats {
		r := run(t, "", append(args, "--allow-partial", "-o", format)...).expect(t, exitOK)
		if strings.Contains(r.out+r.errs, "very-secret") {
			t.Errorf("-o %s has a secret value", format)
		}
	}
}
