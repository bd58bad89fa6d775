package tree

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// huge makes the file one that is too large to be the advisor's. It takes no room
// on most disks.
func huge(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Skipf("SKIPPED: no such file here: %v", err)
	}
}

// A huge file is not read but for its first bytes.
func TestReadFirstBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	tree{"dump.sql": "mine", "shop/marked.yaml": mark}.write(t, dir)
	const size = 256 << 20
	huge(t, filepath.Join(dir, "dump.sql"), size)
	huge(t, filepath.Join(dir, "shop/marked.yaml"), size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := plan(t, dir, Files{}, Scope{})
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/16 {
		t.Errorf("%d bytes were allocated", n)
	}
	if !p.Empty() {
		t.Errorf("it would change %v and remove %v", p.Changed(), p.Removed())
	}
}

// Directories that cannot be a namespace's hold none of the advisor's files.
func TestReadSkips(t *testing.T) {
	for _, name := range []string{".git", ".hidden", "lost+found"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := tree{name + "/a.yaml": mark, name + "/" + temporaryOf("a.yaml"): "mine"}
			before.write(t, dir)
			if err := plan(t, dir, Files{"shop/a.yaml": own("a: 1")}, Scope{}).Apply(); err != nil {
				t.Fatal(err)
			}
			want := treeOf(t, Files{"shop/a.yaml": own("a: 1")})
			maps.Copy(want, before)
			if diff := cmp.Diff(want, content(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}
