package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// workdir is a temporary directory whose name is unique on this host. A lock
// on it, which ends with this process, tells a later run whether it is in use.
type workdir struct {
	path string
	lock *os.File
}

const workdirPrefix = "psp-advisor-cluster-"

// newWorkdir creates a directory, after removing what killed runs have left.
func newWorkdir() (workdir, error) {
	sweep()
	path, err := os.MkdirTemp("", workdirPrefix)
	if err != nil {
		return workdir{}, fmt.Errorf("creating the cluster's directory: %w", err)
	}
	lock, err := os.Create(filepath.Join(path, "lock")) //nolint:gosec // in the directory made above
	if err != nil {
		return workdir{}, fmt.Errorf("creating the lock of %s: %w", path, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return workdir{}, fmt.Errorf("locking %s: %w", path, err)
	}
	return workdir{path: path, lock: lock}, nil
}

// remove removes the directory and frees its name.
func (w workdir) remove() error {
	if w.path == "" {
		return nil
	}
	removeCgroups(filepath.Base(w.path))
	err := os.RemoveAll(w.path)
	// Nothing was written to it.
	_ = w.lock.Close()
	if err != nil {
		return fmt.Errorf("removing the cluster's directory: %w", err)
	}
	return nil
}

// sweep removes the directories and control groups of runs that were killed.
// Whatever does not work now is left to the next run.
func sweep() {
	// The pattern is well formed, so there is no error.
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), workdirPrefix+"*", "lock"))
	for _, name := range locks {
		info, err := os.Stat(name)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // too young to be sure that its owner had time to lock it
		}
		lock, err := os.Open(name) //nolint:gosec // named by this package
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = workdir{path: filepath.Dir(name), lock: lock}.remove()
		} else {
			_ = lock.Close()
		}
	}
}
