package tree

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// specials make files that are none of the advisor's, and that reading would not
// end for.
var specials = map[string]func(path string) error{
	"a pipe":        func(path string) error { return syscall.Mkfifo(path, 0o666) },
	"a device":      func(path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|5) }, // zero
	"a link to one": func(path string) error { return os.Symlink("/dev/zero", path) },
	"a socket":      socket,
	"one that is huge": func(path string) error {
		return errors.Join(os.WriteFile(path, []byte(mark), 0o666), os.Truncate(path, 1<<40))
	},
}

func socket(path string) error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	return listener.Close()
}

// Special files are left alone, and are errors where a file of the advisor's is to
// be. None is waited for.
func TestSpecialFiles(t *testing.T) {
	for name, create := range specials {
		for _, file := range []string{"p", "p/kustomization.yaml", "p/shop", "p/shop/a.yaml", "p/shop/other"} {
			t.Run(name+" at "+file, func(t *testing.T) {
				t.Chdir(t.TempDir())
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := create(file); err != nil {
					t.Skipf("SKIPPED: cannot make %s here: %v", name, err)
				}
				before, err := os.Lstat(file)
				if err != nil {
					t.Fatal(err)
				}
				p, err := NewPlan("p", Files{"shop/a.yaml": own("a: 1")}, Scope{})
				if file == "p/shop/other" {
					if err == nil {
						err = p.Apply()
					}
					if err != nil {
						t.Error(err)
					}
				} else if want := []string{"reading p: it is not a directory", file + " was not written by the advisor: move it away or choose another directory"}; err == nil || !slices.Contains(want, err.Error()) {
					t.Errorf("error %v, want one of %q", err, want)
				}
				if after, err := os.Lstat(file); err != nil || !os.SameFile(before, after) {
					t.Errorf("it is gone: %v", err)
				}
			})
		}
	}
}

// The directory, or that of a namespace, may be a mounted volume. One that the
// advisor's files leave empty stays, as it cannot be removed.
func TestApplyOnMounts(t *testing.T) {
	for _, mounted := range []string{"p", "p/shop", "p/gone", "p/docs"} {
		t.Run(mounted, func(t *testing.T) {
			dir := t.TempDir()
			target := filepath.Join(dir, mounted)
			if err := os.MkdirAll(target, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount(t.TempDir(), target, "", syscall.MS_BIND, ""); err != nil {
				t.Skipf("SKIPPED: cannot mount here: %v", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			tree{"README.md": "mine", "docs/x": "mine", "shop/a.yaml": mark, "gone/a.yaml": mark}.write(t, filepath.Join(dir, "p"))
			apply(t, filepath.Join(dir, "p"), Files{"shop/a.yaml": own("a: 1")}, Scope{})
			want := treeOf(t, Files{"shop/a.yaml": own("a: 1")})
			want["README.md"], want["docs/x"] = "mine", "mine"
			if strings.HasSuffix(mounted, "gone") {
				want["gone/"] = "empty"
			}
			if diff := cmp.Diff(want, content(t, filepath.Join(dir, "p"))); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}
