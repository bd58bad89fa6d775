package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// stagingOf returns where the new tree is built: beside the folder, under a name
// that the folder's tells, so that a run finds what an interrupted one left.
func stagingOf(dir string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".advisor-staging")
}

// Apply makes the changes: it builds the new tree beside the folder, with hard
// links to the files that stay, or copies where there are no such links, and
// exchanges the two. It fails when the folder is not as it was when the plan was
// made.
func (p *Plan) Apply() error {
	if err := p.apply(); err != nil {
		return fmt.Errorf("writing %s: %w", p.dir, err)
	}
	return nil
}

func (p *Plan) apply() error {
	parent, staging := filepath.Dir(p.real), stagingOf(p.real)
	if !p.Empty() {
		if err := exchangeable(p.real); err != nil {
			return err
		}
		if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // a tree that others read
			return err
		}
	}
	unlock, err := lock(parent)
	if p.Empty() && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	// What an interrupted run left.
	if err := errors.Join(os.RemoveAll(staging), os.RemoveAll(staging+oldSuffix)); err != nil {
		return err
	}
	now, err := NewPlan(p.dir, p.want, p.scope)
	if err != nil {
		return err
	}
	if !maps.EqualFunc(p.changes, now.changes, bytes.Equal) {
		return errors.New("it was changed by somebody else meanwhile: run the same command again")
	}
	if p.Empty() {
		return nil
	}
	err = p.stage(p.real, staging)
	if err == nil {
		err = exchange(staging, p.real)
	}
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EBUSY) {
		err = fmt.Errorf("it is or holds a mount point, or stands in a read-only layer of an overlay, and so cannot be exchanged: name a new folder inside of it: %w", err)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(staging))
	}
	if err := os.RemoveAll(staging); err != nil {
		return fmt.Errorf("removing the old tree: %w", err)
	}
	return nil
}

// exchangeable refuses folders that cannot be replaced as a whole without
// surprise.
func exchangeable(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		return errors.New("it is the top of a git checkout: name a folder in it")
	}
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	if cwd, err = filepath.EvalSymlinks(cwd); err != nil {
		return err
	}
	if rel, err := filepath.Rel(dir, cwd); err == nil && filepath.IsLocal(rel) {
		return errors.New("the working folder is in it, and it is replaced as a whole: start from outside")
	}
	return nil
}

// stage makes staging the tree that the plan leads to.
func (p *Plan) stage(dir, staging string) error {
	_, err := os.Stat(dir)
	switch {
	case err == nil:
		err = link(dir, staging)
	case errors.Is(err, fs.ErrNotExist):
		err = os.Mkdir(staging, 0o755) //nolint:gosec // a tree that others read
	}
	if err != nil {
		return err
	}
	for _, file := range p.paths() {
		// Never written through: the old tree has the same file.
		path := filepath.Join(staging, filepath.FromSlash(file))
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		data := p.changes[file]
		if data == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a tree that others read
			return err
		}
		if err := writeFile(path, data, 0o644); err != nil {
			return err
		}
	}
	// A namespace's folder goes with the last of its files.
	for _, file := range p.paths() {
		folder := path.Dir(file)
		if folder == "." || p.changes[file] != nil {
			continue
		}
		err := os.Remove(filepath.Join(staging, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) { // ErrExist: it is not empty
			return err
		}
	}
	return nil
}

// link makes staging hold what dir holds. Each file is linked, also those that
// change: so nothing passes that stands on another mount, which would be emptied
// with the old tree.
func link(dir, staging string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		target := filepath.Join(staging, rel)
		if !d.IsDir() {
			return linkOrCopy(path, target, d)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return mkdir(target, info)
	})
}

// mkdir makes a folder like another one: with its mode, whatever the umask, and
// its owner and group, as far as that is allowed.
func mkdir(dir string, like fs.FileInfo) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	keepOwner(dir, like)
	return os.Chmod(dir, like.Mode())
}

// writeFile writes and syncs, so that the exchange never shows an empty file
// after a crash.
func writeFile(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // in the folder that the user names
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
