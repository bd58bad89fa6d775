package tree

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"regexp"
	"syscall"
)

func (c change) apply(root *os.Root) error {
	if c.after != nil {
		return c.write(root)
	}
	if err := c.check(root); err != nil {
		return err
	}
	return remove(root, c.file)
}

// temporary matches the names of files that are being written; a killed run leaves
// one. It is no name of a manifest, and many a .gitignore has "*~".
var temporary = regexp.MustCompile(`^\.advisor-[A-Z2-7]{26,}~$`)

// temporaryOf returns where the file is written before it is put in its place. No
// two runs write to the same one.
func temporaryOf(file string) string {
	return path.Join(path.Dir(file), ".advisor-"+rand.Text()+"~")
}

// write puts the file in its place in one step: whoever reads it finds what was
// there before or what is there after, whole.
func (c change) write(root *os.Root) error {
	temp := temporaryOf(c.file)
	err := root.MkdirAll(path.Dir(c.file), 0o755)
	if err == nil {
		err = c.writeTo(root, temp)
	}
	if err == nil {
		err = c.check(root) // as late as this: writing took a while
	}
	if err == nil {
		err = root.Rename(temp, c.file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		// Another run removed temp, or its empty directory.
		err = at(root.Name(), c.file, errChanged)
	}
	if err != nil {
		return errors.Join(err, remove(root, temp))
	}
	return nil
}

// writeTo writes the new content to another file, with the mode of the old one, and
// to the disk: a crash after the rename must not leave an empty file.
func (c change) writeTo(root *os.Root, file string) (err error) {
	f, err := root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if old, err := root.Lstat(c.file); err == nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := f.Write(c.after); err != nil {
		return err
	}
	return f.Sync()
}

// remove removes a file, and a namespace's directory with the last file in it.
func remove(root *os.Root, file string) error {
	if err := root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	namespace := path.Dir(file)
	if namespace == "." {
		return nil
	}
	err := root.Remove(namespace)
	// It holds other files (ErrExist), is a mount point, or another run removed it.
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
