package tree

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// linkOrCopy makes target the same file as path, or a copy where no hard link can
// be made: some file systems have none, or have enough of that one, and others'
// files may be protected from it. It never copies from another mount (EXDEV).
func linkOrCopy(path, target string, d fs.DirEntry) error {
	err := os.Link(path, target)
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EMLINK) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	switch d.Type() {
	case 0:
		return copyFile(path, target)
	case fs.ModeSymlink:
		return copySymlink(path, target)
	default:
		return err
	}
}

func copyFile(path, target string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path) //nolint:gosec // in the folder that the user names
	if err != nil {
		return err
	}
	if err := writeFile(target, data, info.Mode().Perm()); err != nil {
		return err
	}
	keepOwner(target, info)
	// The umask had its say in the mode.
	return errors.Join(os.Chmod(target, info.Mode().Perm()), os.Chtimes(target, time.Time{}, info.ModTime()))
}

func copySymlink(path, target string) error {
	to, err := os.Readlink(path)
	if err != nil {
		return err
	}
	return os.Symlink(to, target)
}
