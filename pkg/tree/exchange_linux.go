package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock waits until no other run changes something in dir, and returns what lets
// the next one in. So does the end of the process.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir) //nolint:gosec // beside the folder that the user names
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // nothing was written to it
}

// exchange puts staging in dir's place in one step, where the file system can;
// what dir held is then at staging, or removed.
func exchange(staging, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, staging, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(staging, dir)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		// A file system without the exchange.
		return exchangeInTwo(staging, dir)
	default:
		return err
	}
}

// keepOwner gives path the owner and the group of another file, or what of that
// is allowed: mostly root alone gives files away.
func keepOwner(path string, like fs.FileInfo) {
	if stat, ok := like.Sys().(*syscall.Stat_t); ok {
		_ = os.Lchown(path, -1, int(stat.Gid))
		_ = os.Lchown(path, int(stat.Uid), -1)
	}
}
