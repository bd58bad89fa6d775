package app

import (
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("n", 250)
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(path("old"), []byte("old"), 0o640),
		os.WriteFile(path("shared"), []byte("old"), 0o600),
		os.Chmod(path("shared"), 0o666), // more than a umask leaves
		os.Symlink("old", path("link")),
		os.Mkdir(path("directory"), 0o750),
		writeFile(path("link"), strings.NewReader("new")),
		writeFile(path("shared"), strings.NewReader("new")),
		writeFile(path("fresh"), strings.NewReader("fresh")),
		writeFile(path(long), strings.NewReader("fresh")),
		writeFile(path("fresh.gz"), strings.NewReader("fresh")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"directory", "missing/file", "old/file"} {
		if err := writeFile(path(name), strings.NewReader("lost")); err == nil || !strings.HasPrefix(err.Error(), "writing "+path(name)+": ") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	got := readTree(t, dir)
	packed := got["fresh.gz"]
	delete(got, "fresh.gz")
	if diff := cmp.Diff(map[string]string{"old": "new", "link": "new", "shared": "new", "fresh": "fresh", long: "fresh"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for name, want := range map[string]fs.FileMode{"link": fs.ModeSymlink, "old": 0o640, "shared": 0o666} {
		if info, err := os.Lstat(path(name)); err != nil || info.Mode()&(fs.ModeSymlink|want) != want {
			t.Errorf("%s: %v, mode %v", name, err, info.Mode())
		}
	}
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "fresh" || !r.ModTime.IsZero() || r.Name != "" {
		t.Errorf("%v, %q, header %+v", err, data, r.Header)
	}
}
