package image

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	layoutdir "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writeLayout writes an OCI layout with images by their annotation.
func writeLayout(t *testing.T, images map[string]v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	path, err := layoutdir.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for annotation, image := range images {
		key, value, _ := strings.Cut(annotation, "=")
		if err := path.AppendImage(image, layoutdir.WithAnnotations(map[string]string{key: value})); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// writeTar puts a directory into a tar.
func writeTar(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layout.tar")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := tar.NewWriter(out)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// writeDocker writes what docker save did before Docker 25.
func writeDocker(t *testing.T, images map[string]v1.Image) string {
	t.Helper()
	refs := map[name.Tag]v1.Image{}
	for text, image := range images {
		tag, err := name.NewTag(text)
		if err != nil {
			t.Fatal(err)
		}
		refs[tag] = image
	}
	file := filepath.Join(t.TempDir(), "docker.tar")
	if err := tarball.MultiWriteToFile(file, refs); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadArchive(t *testing.T) {
	su := []Result{{Setuid, 0, "/bin/su (setuid)"}}
	app := imageOf(t, fine(user("7")), tarOf(t, regular("bin/su", 0o4755)))
	other := imageOf(t, fine(user("8")), tarOf(t, regular("bin/true", 0o755)))
	digest, err := app.Digest()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]v1.Image{
		"org.opencontainers.image.ref.name=docker.io/library/app:1": app,
		"io.containerd.image.name=example.com/other:2":              other,
		"org.opencontainers.image.ref.name=latest":                  other,
	}
	layout := writeLayout(t, byName)
	docker := writeDocker(t, map[string]v1.Image{"app:1": app, "example.com/other:2": other})
	for _, tc := range []struct{ name, source, digest string }{
		{"layout", layout, digest.String()},
		{"tar of a layout", writeTar(t, layout), digest.String()},
		{"docker save", docker, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{Sources: []string{tc.source}, Layers: true, Transport: dead{}}
			refs := []string{"app:1", "library/app:1", "docker.io/app:1", "index.docker.io/library/app:1"}
			if tc.digest != "" {
				refs = append(refs, "anything@"+tc.digest)
			}
			for _, ref := range refs {
				if diff := cmp.Diff(Facts{tc.digest, "7", true, su}, mustRead(t, o, ref)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", ref, diff)
				}
			}
			if got := mustRead(t, o, "example.com/other:2"); got.User != "8" || got.Results != nil {
				t.Errorf("facts are %+v", got)
			}
			for _, ref := range []string{"index.docker.io/library/app:latest", "example.com/app:1", "index.docker.io/library/app@sha256:" + strings.Repeat("0", 64)} {
				fails(t, o, ref, "none of the sources")
			}
		})
	}
}

func TestReadSourcesInOrder(t *testing.T) {
	s := newServer(t)
	tag, _ := s.push(t, "app:1", imageOf(t, fine(user("1"))))
	gone := strings.TrimSuffix(tag, "1") + "2"
	one := writeDocker(t, map[string]v1.Image{tag: imageOf(t, fine(user("2")))})
	two := writeLayout(t, map[string]v1.Image{
		"org.opencontainers.image.ref.name=" + tag:  imageOf(t, fine(user("3"))),
		"org.opencontainers.image.ref.name=" + gone: imageOf(t, fine(user("4"))),
	})
	for _, tc := range []struct {
		name, ref string
		sources   []string
		user      string
	}{
		{"registry first", tag, []string{Registry, one, two}, "1"},
		{"archive first", tag, []string{one, Registry, two}, "2"},
		{"layout first", tag, []string{two, one, Registry}, "3"},
		{"only the last", gone, []string{Registry, one, two}, "4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := mustRead(t, Options{Sources: tc.sources}, tc.ref); got.User != tc.user {
				t.Errorf("user is %s, want %s", got.User, tc.user)
			}
		})
	}
	fails(t, Options{Sources: []string{Registry, one}, Transport: dead{}}, tag, "no route")
}

func TestReadDamagedArchive(t *testing.T) {
	const ref = "index.docker.io/library/app:1"
	image := imageOf(t, fine(), tarOf(t, regular("bin/su", 0o4755)))
	whole := writeDocker(t, map[string]v1.Image{"app:1": image})
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	layoutWith := func(change func(dir string)) string {
		dir := writeLayout(t, map[string]v1.Image{"org.opencontainers.image.ref.name=app:1": image})
		change(dir)
		return dir
	}
	replace := func(file, text string) func(string) {
		return func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	configFile := filepath.Join("blobs", "sha256", config.Hex)
	for _, tc := range []struct{ name, source, want string }{
		{"empty", write("a", nil), "no tar archive"},
		{"compressed", write("a", gzipped(t, data)), "gunzip"},
		{"truncated", write("a", data[:700]), "reading the tar archive"},
		{"text", write("a", []byte(strings.Repeat("text", 512))), "reading the tar archive"},
		{"another tar", write("a", tarOf(t, regular("a", 0o644))), "neither the index.json"},
		{"another directory", t.TempDir(), "neither the index.json"},
		{"index that is not JSON", layoutWith(replace("index.json", "\x1b[2J")), "reading index.json"},
		{"large index", layoutWith(replace("index.json", strings.Repeat(" ", maxManifest+1))), "more than 4194304 bytes"},
		{"damaged configuration", layoutWith(replace(configFile, "{}")), "is damaged"},
		{"missing configuration", layoutWith(func(dir string) { os.Remove(filepath.Join(dir, configFile)) }), "reading its configuration"},
		{"configuration is a directory", layoutWith(func(dir string) {
			os.Remove(filepath.Join(dir, configFile))
			os.Mkdir(filepath.Join(dir, configFile), 0o700)
		}), "is not a file"},
		{"configuration outside", layoutWith(func(dir string) {
			os.Rename(filepath.Join(dir, configFile), whole+".json")
			os.Remove(filepath.Join(dir, configFile))
			os.Symlink(whole+".json", filepath.Join(dir, configFile))
		}), "reading its configuration"},
	} {
		t.Run(tc.name, func(t *testing.T) { fails(t, Options{Sources: []string{tc.source}}, ref, tc.want) })
	}
	t.Run("too many files", func(t *testing.T) {
		fails(t, Options{Sources: []string{whole}, MaxEntries: 1}, ref, "limit of entries")
	})
}

// However it is packed, what was put in place of a layer is noticed.
func TestReadDamagedLayer(t *testing.T) {
	image := imageOf(t, fine(), tarOf(t, regular("bin/su", 0o4755)))
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	other := tarOf(t, regular("bin/su", 0o755))
	for name, data := range map[string][]byte{"plain": other, "gzip": gzipped(t, other), "zstd": zstandard(t, other)} {
		t.Run(name, func(t *testing.T) {
			dir := writeLayout(t, map[string]v1.Image{"org.opencontainers.image.ref.name=app:1": image})
			if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", digest.Hex), data, 0o600); err != nil {
				t.Fatal(err)
			}
			fails(t, Options{Sources: []string{dir}, Layers: true}, "index.docker.io/library/app:1", "is damaged")
		})
	}
}

// Archives of docker save before Docker 25 have links between layers that are the same.
func TestTarLinks(t *testing.T) {
	content := regular("a/layer.tar", 0o644)
	content.Size = 3
	source := filepath.Join(t.TempDir(), "links.tar")
	data := tarOf(t, content,
		tar.Header{Name: "b/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../a/layer.tar"},
		tar.Header{Name: "c/layer.tar", Typeflag: tar.TypeLink, Linkname: "b/layer.tar"},
		tar.Header{Name: "d", Typeflag: tar.TypeSymlink, Linkname: "d"},
		tar.Header{Name: "e", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
	)
	if err := os.WriteFile(source, data, 0o600); err != nil {
		t.Fatal(err)
	}
	all := newTarFile(source, 10)
	for _, file := range []string{"a/layer.tar", "./b/layer.tar", "c/layer.tar"} {
		in, err := all.open(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err != nil || len(got) != 3 {
			t.Errorf("%s has %q, %v", file, got, err)
		}
		in.Close()
	}
	for _, file := range []string{"d", "e", "f"} {
		if _, err := all.open(file); !strings.Contains(err.Error(), fs.ErrNotExist.Error()) {
			t.Errorf("%s: error is %v", file, err)
		}
	}
}
