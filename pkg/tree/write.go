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

// temporary matches the names of files that are being written, which a killed run
// leaves behind. Tools that read manifests ignore such names, and so does Git if its
// ignore file has "*~".
var temporary = regexp.MustCompile(`^\.advisor-[A-Z2-7]{26,}~$`)

// temporaryOf returns the temporary name for a file, which is unique to this call.
func temporaryOf(file string) string {
	return path.Join(path.Dir(file), ".advisor-"+rand.Text()+"~")
}

// write replaces the file atomically: a reader gets the complete old or the complete
// new content.
func (c change) write(root *os.Root) error {
	temp := temporaryOf(c.file)
	err := root.MkdirAll(path.Dir(c.file), 0o755)
	if err == nil {
		err = c.writeTo(root, temp)
	}
	if err == nil {
		err = c.check(root) // as late as possible
	}
	if err == nil {
		err = c.place(root, temp)
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

// place gives the temporary file its name. A file that appeared since the check is not
// replaced where there was none; of a run that is killed between the two names, the
// next one removes the temporary one.
func (c change) place(root *os.Root, temp string) error {
	if c.before != nil {
		return root.Rename(temp, c.file)
	}
	switch err := root.Link(temp, c.file); {
	case err == nil:
		return remove(root, temp)
	case errors.Is(err, fs.ErrExist):
		if err := c.check(root); err != nil {
			return err
		}
		return at(root.Name(), c.file, errChanged) // it is gone again
	case errors.Is(err, fs.ErrNotExist):
		return err
	default:
		return root.Rename(temp, c.file) // the file system has no links
	}
}

// writeTo writes the new content to another file, with the mode of the old one. It
// syncs the file, so that a crash after the rename does not leave an empty one.
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

// remove removes a file and, with the last file in it, the directory of a namespace.
func remove(root *os.Root, file string) error {
	if err := root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	namespace := path.Dir(file)
	if namespace == "." {
		return nil
	}
	err := root.Remove(namespace)
	// It has other files (ErrExist), is a mount point, or was removed by another run.
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
