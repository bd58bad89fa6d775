package tree

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Folders stay whose they are, where that is allowed; so do copies of files.
func TestApplyKeepsOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root gives folders away")
	}
	dir := filepath.Join(t.TempDir(), "policies")
	tree{"shop/a.yaml": mark, "shop/sub/x": "mine", "mine": "mine"}.write(t, dir)
	want := map[string][2]uint32{".": {1001, 2001}, "shop": {1002, 2002}, "shop/sub": {0, 2003}, "mine": {1004, 2004}}
	for file, ids := range want {
		if err := os.Chown(filepath.Join(dir, file), int(ids[0]), int(ids[1])); err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
	}
	apply(t, dir, Files{"shop/a.yaml": own("a: 1")}, Scope{})
	if err := copyFile(filepath.Join(dir, "mine"), filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	want["copy"] = want["mine"]
	got := map[string][2]uint32{}
	for file := range want {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		got[file] = [2]uint32{stat.Uid, stat.Gid}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owner and group (-want +got):\n%s", diff)
	}
}

// A copy stands in for a hard link that may not be made: here to files of
// somebody else, which the kernel protects.
func TestLinkCopies(t *testing.T) {
	protected, err := os.ReadFile("/proc/sys/fs/protected_hardlinks")
	if os.Getuid() != 0 || err != nil || string(protected) != "1\n" {
		t.Skip("SKIPPED: needs root and fs.protected_hardlinks")
	}
	long := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	for _, tc := range []struct {
		name string
		make func(path string) error
		want tree
		err  error
	}{
		{"a file", func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("mine"), 0o600), os.Chown(path, 1001, 2001), os.Chmod(path, 0o774), os.Chtimes(path, long, long))
		}, tree{"x": "mine"}, nil},
		{"a symbolic link", func(path string) error { return os.Symlink("nowhere", path) }, tree{"x": "-> nowhere"}, nil},
		{"a pipe", func(path string) error { return unix.Mkfifo(path, 0o666) }, tree{}, unix.EPERM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir()) // whoever may not enter what is above works here
			if err := errors.Join(os.Chmod(".", 0o777), os.Mkdir("p", 0o755), tc.make("p/x")); err != nil {
				t.Fatal(err)
			}
			if err := asNobody(func() error { return link("p", "s") }); !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, content(t, "s")); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			after, err := os.Lstat("s/x")
			if err != nil {
				return
			}
			if before, err := os.Lstat("p/x"); err != nil || os.SameFile(before, after) {
				t.Errorf("it is linked, %v", err)
			}
			if after.Mode().IsRegular() && (after.Mode() != 0o774 || !after.ModTime().Equal(long)) {
				t.Errorf("mode %v and time %v", after.Mode(), after.ModTime())
			}
		})
	}
}

// asNobody runs f with the rights to files that any user has.
func asNobody(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		if err := unix.Setfsuid(65534); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// A mount point cannot be exchanged, nor what holds one: the mount would be
// emptied with the old tree.
func TestApplyRefusesMounts(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mount string
		tree  tree // in it
	}{
		{"the folder", "p", tree{"shop/a.yaml": mark, "README.md": "mine"}},
		{"the folder, empty", "p", tree{}},
		{"a folder in it", "p/docs", tree{"x": "mine"}},
		{"a folder in it, all of which changes", "p/shop", tree{"a.yaml": mark}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			target := filepath.Join(dir, tc.mount)
			if err := os.MkdirAll(target, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mount("tmpfs", target, "tmpfs", 0, ""); err != nil {
				t.Skipf("SKIPPED: cannot mount here: %v", err)
			}
			t.Cleanup(func() {
				if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			tc.tree.write(t, target)
			before := content(t, dir)
			err := plan(t, filepath.Join(dir, "p"), Files{"shop/a.yaml": own("a: 1")}, Scope{}).Apply()
			if err == nil || !strings.Contains(err.Error(), "it is or holds a mount point") {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(before, content(t, dir)); diff != "" {
				t.Errorf("something changed (-before +after):\n%s", diff)
			}
			apply(t, filepath.Join(target, "new"), Files{"shop/a.yaml": own("a: 1")}, Scope{})
		})
	}
}
