package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

func (r *reader) readPath(path string) error {
	if path == Stdin {
		return r.readStream("stdin", r.options.In)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	if !info.IsDir() {
		return r.readFile(path)
	}
	found := false
	// The separator makes a link to a folder the folder.
	root := path + string(filepath.Separator)
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("reading manifests: %w", err)
		case p == root:
			return nil
		case d.IsDir() && (!r.options.Recursive || isMounted(d)):
			return fs.SkipDir
		case r.options.Recursive && !isMounted(d) && linksToFolder(p, d):
			found = true
			return r.check(observe.Place{File: p}, errors.New("a link to a directory is not followed: name the directories to read instead"))
		case d.IsDir() || !isManifest(p):
			return nil
		}
		found = true
		return r.readFile(p)
	})
	if err == nil && !found {
		return fmt.Errorf("reading %s: no *.yaml, *.yml or *.json file in it", path)
	}
	return err
}

// isMounted reports whether an entry is what the kubelet keeps of a mounted
// ConfigMap: a folder, and a link to it, whose files are linked beside them
// (pkg/volume/util/atomic_writer.go).
func isMounted(d fs.DirEntry) bool { return strings.HasPrefix(d.Name(), "..") }

func linksToFolder(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isManifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

func (r *reader) readFile(path string) error {
	f, err := os.Open(path) //nolint:gosec // reading the files that the user names is the purpose
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	return r.readStream(path, f)
}

func (r *reader) readStream(source string, in io.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading %s: %w", source, err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return r.check(observe.Place{File: source}, errors.New("the file is empty"))
	}
	for n, doc := range documents(data) {
		at := observe.Place{File: source, Document: n + 1, Line: doc.line}
		object, err := doc.text, doc.err
		if err == nil {
			object, err = doc.toJSON()
		}
		switch {
		case err != nil:
			err = r.check(at, err)
		case object != nil:
			err = r.object(at, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
