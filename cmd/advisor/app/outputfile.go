package app

import (
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// writeTo writes a file, or standard output if it has no name.
func writeTo(out io.Writer, file string, content io.WriterTo) error {
	if file != "" {
		if err := writeFile(file, content); err != nil {
			return failureError(err)
		}
		return nil
	}
	if _, err := content.WriteTo(out); err != nil {
		return failureError(fmt.Errorf("writing output: %w", err))
	}
	return nil
}

// writeFile replaces a file atomically: a reader gets the complete old or the complete
// new content. A *.gz file is compressed, without a time, so the same data gives the
// same bytes.
func writeFile(path string, content io.WriterTo) error {
	target, mode, err := resolveTarget(path)
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, ".gz") {
		content = gzipped{content}
	}
	// The name is short whatever that of the file: file systems limit names.
	temporary := filepath.Join(filepath.Dir(target), ".advisor-"+rand.Text()+".tmp")
	err = writeSynced(temporary, mode, content)
	if err == nil {
		err = os.Rename(temporary, target)
	}
	if err == nil {
		return syncDirectory(filepath.Dir(target))
	}
	if gone := os.Remove(temporary); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return fmt.Errorf("writing %s: %w", path, err)
}

// resolveTarget returns the file that a path names, with symbolic links resolved, and
// its mode, which is 0 if there is none yet. A path that names anything but a regular
// file is an error: a rename would replace it.
func resolveTarget(path string) (string, fs.FileMode, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("writing %s: %w", path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", 0, fmt.Errorf("writing %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return "", 0, fmt.Errorf("writing %s: it is not a regular file: redirect standard output instead", path)
	}
	return target, info.Mode().Perm(), nil
}

// writeSynced creates a file that is on the disk when it returns. Its mode is the
// given one, or the usual one if that is 0.
func writeSynced(path string, mode fs.FileMode, content io.WriterTo) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, cmp.Or(mode, 0o666)) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if mode != 0 {
		// The umask limits only the mode of new files.
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if _, err := content.WriteTo(f); err != nil {
		return err
	}
	return f.Sync()
}

// syncDirectory writes the entries of a directory to disk, if it can be read.
func syncDirectory(path string) error {
	d, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil //nolint:nilerr // a directory that cannot be read can hold the file all the same
	}
	_ = d.Sync() // not every file system can
	return d.Close()
}

// gzipped is a content compressed.
type gzipped struct{ content io.WriterTo }

// WriteTo implements io.WriterTo.
func (g gzipped) WriteTo(out io.Writer) (int64, error) {
	w := gzip.NewWriter(out)
	n, err := g.content.WriteTo(w)
	return n, errors.Join(err, w.Close())
}
