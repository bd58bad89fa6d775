package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// cgroupRoots are the directories in which control groups are made: one per
// controller, or a single one on newer hosts.
func cgroupRoots() []string {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return []string{root}
	}
	// The pattern is well formed, so there is no error.
	roots, _ := filepath.Glob(root + "/*")
	return roots
}

func makeCgroups(name string) error {
	for _, root := range cgroupRoots() {
		if err := os.MkdirAll(filepath.Join(root, name), 0o750); err != nil {
			return fmt.Errorf("creating a control group: %w", err)
		}
	}
	return nil
}

// removeCgroups removes control groups as far as the kernel lets go of them.
// What stays is empty and in nobody's way, so errors do not matter.
func removeCgroups(name string) {
	for _, root := range cgroupRoots() {
		var dirs []string
		_ = filepath.WalkDir(filepath.Join(root, name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			_ = syscall.Rmdir(dir)
		}
	}
}
