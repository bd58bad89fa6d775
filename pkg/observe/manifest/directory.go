package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

// The problems of what is found in a directory and not read.
var (
	errLink       = errors.New("this is a symbolic link to a directory: pass the directory with --filename")
	errNotRegular = errors.New("not a regular file: pass it with --filename to read a pipe")
)

// extensions are those of manifests; each may be followed by ".gz".
var extensions = []string{".yaml", ".yml", ".json"}

func isManifest(path string) bool {
	return slices.Contains(extensions, filepath.Ext(strings.TrimSuffix(path, ".gz")))
}

// readDirectory reads the manifests of a directory.
func (r *reader) readDirectory(ctx context.Context, path string) error {
	found, err := r.readEntries(ctx, path)
	if err != nil {
		return err
	}
	unread := 0
	if !r.options.Recursive {
		unread = countDirectories(path)
	}
	switch {
	case !found && unread > 0:
		return fmt.Errorf("reading %s: no *.yaml, *.yml or *.json file in it, but in %d of its subdirectories: add -R", path, unread)
	case !found:
		return fmt.Errorf("reading %s: no *.yaml, *.yml or *.json file in it", path)
	case unread > 0:
		r.warn(observe.Place{File: path}, fmt.Sprintf("the manifests in %d of its subdirectories were not read: add -R", unread))
	}
	return nil
}

// readEntries reads the manifests in a directory, and with Recursive those below
// it; found is false if there are none.
func (r *reader) readEntries(ctx context.Context, dir string) (found bool, err error) {
	switch {
	case !hasKustomization(dir):
	case r.options.Render:
		return true, r.readKustomization(ctx, dir)
	default:
		return true, r.check(observe.Place{File: dir}, errKustomization)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("reading manifests: %w", err)
	}
	for _, e := range entries {
		read, err := r.readEntry(ctx, filepath.Join(dir, e.Name()), e)
		if err != nil {
			return false, err
		}
		found = found || read
	}
	return found, nil
}

func (r *reader) readEntry(ctx context.Context, path string, e fs.DirEntry) (found bool, err error) {
	if isMounted(e) {
		return false, nil
	}
	// A link is what it leads to.
	info, err := os.Stat(path)
	switch {
	case err != nil && isManifest(path):
		return false, fmt.Errorf("reading manifests: %w", err)
	case err != nil:
		return false, nil //nolint:nilerr // no manifest
	case info.IsDir() && !r.options.Recursive:
		return false, nil
	case info.IsDir() && !e.IsDir():
		return true, r.check(observe.Place{File: path}, errLink)
	case info.IsDir():
		return r.readEntries(ctx, path)
	case !isManifest(path):
		return false, nil
	case !info.Mode().IsRegular():
		// A pipe may never end, nor a device.
		return true, r.check(observe.Place{File: path}, errNotRegular)
	default:
		return true, r.readFile(ctx, path, info)
	}
}

// isMounted reports whether an entry is what the kubelet keeps of a mounted
// ConfigMap: a directory, and a link to it, whose files are linked beside them
// (pkg/volume/util/atomic_writer.go).
func isMounted(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), "..") }

// countDirectories returns how many subdirectories have manifests below them.
func countDirectories(dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if e.IsDir() && !isMounted(e) && holdsManifests(filepath.Join(dir, e.Name())) {
			n++
		}
	}
	return n
}

func holdsManifests(dir string) bool {
	found := false
	// What cannot be listed holds none: this is for a hint only.
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case !e.IsDir() && isManifest(path):
			found = true
			return fs.SkipAll
		default:
			return nil
		}
	})
	return found
}
