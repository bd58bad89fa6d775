package tree

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Folders stay whose they are, where that is allowed.
func TestApplyKeepsOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root gives folders away")
	}
	dir := filepath.Join(t.TempDir(), "policies")
	tree{"shop/a.yaml": mark, "shop/sub/x": "mine"}.write(t, dir)
	want := map[string][2]uint32{".": {1001, 2001}, "shop": {1002, 2002}, "shop/sub": {0, 2003}}
	for folder, ids := range want {
		if err := os.Chown(filepath.Join(dir, folder), int(ids[0]), int(ids[1])); err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
	}
	apply(t, dir, Files{"shop/a.yaml": own("a: 1")}, Scope{})
	got := map[string][2]uint32{}
	for folder := range want {
		info, err := os.Stat(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		got[folder] = [2]uint32{stat.Uid, stat.Gid}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owner and group (-want +got):\n%s", diff)
	}
}
