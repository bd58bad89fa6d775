package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// server is a registry that fails as a test wants.
type server struct {
	host     string
	requests atomic.Int64
	fail     func(w http.ResponseWriter, r *http.Request) bool // answers, and returns true
}

func newServer(t *testing.T) *server {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // no credentials of whoever runs the tests
	s := &server{}
	real := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if s.fail == nil || !s.fail(w, r) {
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	s.host = strings.TrimPrefix(h.URL, "http://")
	return s
}

// push stores an image or index, and returns its reference by tag and by digest.
func (s *server) push(t *testing.T, repository string, what remote.Taggable) (tag, digest string) {
	t.Helper()
	ref, err := name.NewTag(s.host + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(ref, what)
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, what)
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := what.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return ref.Name(), ref.Digest(h.String()).Name()
}

// imageOf returns an image with that configuration and those layers.
func imageOf(t *testing.T, c *v1.ConfigFile, layers ...[]byte) v1.Image {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		if image, err = mutate.AppendLayers(image, static.NewLayer(l, types.OCIUncompressedLayer)); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

func user(name string) func(*v1.ConfigFile) {
	return func(c *v1.ConfigFile) { c.Config.User = name }
}

func newReader(t *testing.T, o Options) *Reader {
	t.Helper()
	r, err := NewReader(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustRead(t *testing.T, o Options, image string) Facts {
	t.Helper()
	f, err := newReader(t, o).Read(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fails checks that an error is printable, names the image and says what to do.
func fails(t *testing.T, o Options, image, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	f, err := newReader(t, o).Read(ctx, image)
	if err == nil {
		t.Fatalf("facts are %+v, want an error", f)
	}
	text := err.Error()
	if text != printable.Text(text) || !strings.Contains(text, want) || !strings.Contains(text, "image "+short(image)) || strings.Count(text, ": ") < 1 {
		t.Errorf("error is %s, want %s", text, want)
	}
}

func TestNewReader(t *testing.T) {
	fifoless := filepath.Join(t.TempDir(), "none")
	_, err := NewReader(Options{Platform: "linux", Sources: []string{fifoless, Registry, os.DevNull}})
	for _, want := range []string{`platform "linux"`, "source of images " + fifoless, "source of images " + os.DevNull} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestReadRegistry(t *testing.T) {
	s := newServer(t)
	c := fine(user("app"), env("DB_PASSWORD=hunter2"))
	tag, digest := s.push(t, "app:1", imageOf(t, c, tarOf(t, regular("bin/su", 0o4755))))
	_, want, _ := strings.Cut(digest, "@")
	secret := Result{Secrets, 0, "ENV DB_PASSWORD"}
	for _, ref := range []string{tag, digest} {
		got := mustRead(t, Options{Sources: []string{Registry}}, ref)
		if diff := cmp.Diff(Facts{want, "app", true, []Result{secret}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ref, diff)
		}
		got = mustRead(t, Options{Sources: []string{Registry}, Layers: true}, ref)
		if diff := cmp.Diff(Facts{want, "app", true, []Result{secret, {Setuid, 0, "/bin/su (setuid)"}}}, got); diff != "" {
			t.Errorf("%s with layers (-want +got):\n%s", ref, diff)
		}
	}
}

func TestReadOnce(t *testing.T) {
	s := newServer(t)
	tag, _ := s.push(t, "app:latest", imageOf(t, fine()))
	r := newReader(t, Options{Sources: []string{Registry}})
	ended, cancel := context.WithCancel(t.Context())
	s.fail = func(http.ResponseWriter, *http.Request) bool { cancel(); return false }
	if _, err := r.Read(ended, tag); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want that of the context", err)
	}
	s.fail = nil
	s.requests.Store(0)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			ref := tag
			if i%2 == 0 {
				ref = strings.TrimSuffix(tag, ":latest") // the same image
			}
			if _, err := r.Read(t.Context(), ref); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := s.requests.Load(); n > 3 { // the version, the manifest and the configuration
		t.Errorf("8 readers made %d requests", n)
	}
	missing := strings.TrimSuffix(tag, "latest") + "none"
	for range 2 {
		if _, err := r.Read(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "none of the sources (registry)") {
			t.Errorf("error is %v", err)
		}
	}
	if n := s.requests.Load(); n > 5 {
		t.Errorf("a missing image was asked for twice: %d requests", n)
	}
}

func TestReadIndex(t *testing.T) {
	s := newServer(t)
	add := func(index v1.ImageIndex, p *v1.Platform, what mutate.Appendable) v1.ImageIndex {
		return mutate.AppendManifests(index, mutate.IndexAddendum{Add: what, Descriptor: v1.Descriptor{Platform: p}})
	}
	platform := func(text string) *v1.Platform {
		p, err := v1.ParsePlatform(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	index := add(empty.Index, platform("unknown/unknown"), imageOf(t, fine(user("attestation"))))
	index = add(index, platform("linux/arm64/v8"), imageOf(t, fine(user("arm"))))
	index = add(index, platform("linux/amd64"), imageOf(t, fine(user("amd"))))
	outer := add(empty.Index, platform("linux/s390x"), imageOf(t, fine(user("s390x"))))
	outer = add(outer, nil, index)
	deep := outer
	for range maxDepth {
		deep = add(empty.Index, nil, deep)
	}
	inner, innerDigest := s.push(t, "app:1", index)
	nested, _ := s.push(t, "nested:1", outer)
	tooDeep, _ := s.push(t, "deep:1", deep)
	others := map[string]struct{ platform, user string }{
		inner: {"linux/arm64", "arm"}, innerDigest: {"linux/arm64", "arm"}, nested: {"linux/s390x", "s390x"},
	}
	for _, tc := range []struct{ name, ref, platform, user string }{
		{"default", inner, "", "amd"},
		{"by digest", innerDigest, "", "amd"},
		{"another", inner, "linux/arm64", "arm"},
		{"with a variant", inner, "linux/arm64/v8", "arm"},
		{"nested", nested, "", "amd"},
		{"beside a nested index", nested, "linux/s390x", "s390x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := mustRead(t, Options{Sources: []string{Registry}, Platform: tc.platform}, tc.ref)
			if got.User != tc.user {
				t.Errorf("user is %s, want %s", got.User, tc.user)
			}
			// What is pinned is the index: nodes of other platforms run it, too.
			pinned := strings.TrimSuffix(tc.ref, ":1") + "@" + got.Digest
			if tc.name == "by digest" {
				pinned, _, _ = strings.Cut(tc.ref, "@")
				pinned += "@" + got.Digest
			}
			for platform, user := range map[string]string{tc.platform: tc.user, others[tc.ref].platform: others[tc.ref].user} {
				if again := mustRead(t, Options{Sources: []string{Registry}, Platform: platform}, pinned); again.User != user {
					t.Errorf("user of %s is %s for %s, want %s", pinned, again.User, platform, user)
				}
			}
		})
	}
	fails(t, Options{Sources: []string{Registry}, Platform: "windows/amd64"}, inner, "it has no platform windows/amd64, but linux/arm64/v8, linux/amd64: set the platform")
	fails(t, Options{Sources: []string{Registry}}, tooDeep, "more than 4 indexes")
}

func TestReadFailingRegistry(t *testing.T) {
	s := newServer(t)
	tag, digest := s.push(t, "app:1", imageOf(t, fine(), tarOf(t, regular("bin/su", 0o4755))))
	image := imageOf(t, fine(), tarOf(t, regular("bin/su", 0o4755)))
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	status := func(path string, code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, path) {
				return false
			}
			w.WriteHeader(code)
			fmt.Fprint(w, "\x1b[2Jevil\u202e")
			return true
		}
	}
	body := func(path, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, path) {
				return false
			}
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			fmt.Fprint(w, text)
			return true
		}
	}
	for _, tc := range []struct {
		name, ref string
		fail      func(http.ResponseWriter, *http.Request) bool
		want      string
	}{
		{"server error", tag, status("/manifests/", 500), "500"},
		{"server error at once", tag, status("/v2/", 502), "502"},
		{"server error for the configuration", tag, status("/blobs/"+config.String(), 500), "reading its configuration"},
		{"missing configuration", tag, status("/blobs/"+config.String(), 404), "reading its configuration"},
		{"server error for a layer", tag, func(w http.ResponseWriter, r *http.Request) bool {
			return !strings.Contains(r.URL.Path, config.String()) && status("/blobs/", 500)(w, r)
		}, "reading layer 1 of 1"},
		{"unauthorized", tag, status("/manifests/", 401), "docker login"},
		{"forbidden", digest, status("/manifests/", 403), "docker login"},
		{"too many requests", tag, status("/manifests/", 429), "wait, or log in"},
		{"not a manifest", tag, body("/manifests/", "\x1b[2J"), "reading its manifest"},
		{"another manifest", digest, body("/manifests/", "{}"), "does not match"},
		{"not an image", tag, body("/manifests/", `{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json"}}`), "not a container image"},
		{"schema 1", tag, body("/manifests/", `{"schemaVersion":1,"fsLayers":[]}`), "not a container image"},
		{"manifest too large", tag, body("/manifests/", strings.Repeat(" ", maxManifest+1)), "reading image"},
		{"digest of another algorithm", tag, body("/manifests/", `{"config":{"mediaType":"`+string(types.OCIConfigJSON)+`","digest":"md5:aa"}}`), "reading its manifest"},
		{"digest that is a path", tag, body("/manifests/", `{"config":{"mediaType":"`+string(types.OCIConfigJSON)+`","digest":"sha256:../../a"}}`), "reading its manifest"},
		{"deep manifest", tag, body("/manifests/", strings.Repeat("[", 1<<20)), "reading its manifest"},
		{"another configuration", tag, body("/blobs/"+config.String(), "{}"), "reading its configuration"},
		{"truncated configuration", tag, func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, config.String()) {
				return false
			}
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "{")
			return true
		}, "reading its configuration"},
		{"truncated layer", tag, func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/blobs/") || strings.Contains(r.URL.Path, config.String()) {
				return false
			}
			w.Write(tarOf(t, regular("bin/harmless", 0o755)))
			return true
		}, "reading layer 1 of 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.fail = tc.fail
			defer func() { s.fail = nil }()
			fails(t, Options{Sources: []string{Registry}, Layers: true}, tc.ref, tc.want)
		})
	}
	t.Run("no registry", func(t *testing.T) {
		fails(t, Options{Sources: []string{Registry}, Transport: dead{}}, tag, "no route")
	})
	t.Run("no valid name", func(t *testing.T) {
		fails(t, Options{Sources: []string{Registry}}, "\x1b[2J:::", "correct its name")
	})
	t.Run("no sources", func(t *testing.T) {
		fails(t, Options{}, tag, "add a registry")
	})
	t.Run("slow", func(t *testing.T) {
		s.fail = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := newReader(t, Options{Sources: []string{Registry}}).Read(ctx, tag)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "allow more time") {
			t.Errorf("error is %v, want that of the context", err)
		}
	})
}

// dead is a network without registries.
type dead struct{}

func (dead) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

func TestReadHostileConfig(t *testing.T) {
	s := newServer(t)
	large, _ := s.push(t, "large:1", imageOf(t, fine(env("A="+strings.Repeat("x", 5<<20)))))
	fails(t, Options{Sources: []string{Registry}}, large, "more than 4194304 bytes")
	if f := mustRead(t, Options{Sources: []string{Registry}, MaxConfig: 6 << 20}, large); len(f.Results) != 0 {
		t.Errorf("results are %v", f.Results)
	}
	strange, _ := s.push(t, "strange:1", imageOf(t, fine(user("0:\x1b[2J"), history("ADD \u202e a\u200bb", "ADD \u202e a\u200bb"))))
	for _, r := range mustRead(t, Options{Sources: []string{Registry}}, strange).Results {
		if r.Detail != printable.Text(r.Detail) {
			t.Errorf("%q is not printable", r.Detail)
		}
	}
}

func TestCache(t *testing.T) {
	s := newServer(t)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: imageOf(t, fine(user("7")), tarOf(t)), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	tag, digest := s.push(t, "app:1", index)
	secretTag, secretDigest := s.push(t, "secret:1", imageOf(t, fine(env("TOKEN=hunter2"))))
	dir := filepath.Join(t.TempDir(), "cache")
	alive := Options{Sources: []string{Registry}, CacheDir: dir}
	offline := Options{Sources: []string{Registry}, CacheDir: dir, Transport: dead{}}
	want := mustRead(t, alive, tag)
	mustRead(t, alive, secretTag)

	if diff := cmp.Diff(want, mustRead(t, offline, digest)); diff != "" {
		t.Errorf("from the cache (-want +got):\n%s", diff)
	}
	fails(t, offline, tag, "no route") // tags may move
	fails(t, offline, secretDigest, "reading its configuration")
	withLayers := offline
	withLayers.Layers = true
	fails(t, withLayers, digest, "reading layer 1 of 1")

	entries, err := filepath.Glob(filepath.Join(dir, "sha256", "*"))
	if err != nil || len(entries) != 4 { // the index, two manifests and one configuration
		t.Fatalf("the cache has %v, %v", entries, err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(e)
		if err != nil || bytes.Contains(data, []byte("hunter2")) {
			t.Errorf("%s has the secret: %v", e, err)
		}
		info, err := os.Stat(e)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e, info.Mode(), err)
		}
		for _, damaged := range [][]byte{nil, data[1:], bytes.Repeat(data, 2)} {
			if err := os.WriteFile(e, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	fails(t, offline, digest, "no route")
	if diff := cmp.Diff(want, mustRead(t, alive, digest)); diff != "" {
		t.Errorf("with a damaged cache (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, mustRead(t, offline, digest)); diff != "" {
		t.Errorf("from the repaired cache (-want +got):\n%s", diff)
	}

	blocked := alive
	blocked.CacheDir = filepath.Join(entries[0], "below-a-file")
	fails(t, blocked, tag, "writing the cache")
}
