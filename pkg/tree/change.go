package tree

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// change is the change of one file: before is nil if the file is new, after if it is
// removed.
type change struct {
	file          string
	before, after []byte
}

// changes returns the changes from one tree to another, sorted by path.
func changes(before, after Files) []change {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var list []change
	for _, file := range slices.Sorted(maps.Keys(all)) {
		if !bytes.Equal(before[file], after[file]) {
			list = append(list, change{file, before[file], after[file]})
		}
	}
	return list
}

var (
	errForeign = errors.New("was not written by the advisor: move it away or choose another directory")
	// What is larger would be foreign to the next run.
	errTooLarge = fmt.Errorf("would be larger than %d MiB: choose a finer --level", maxSize>>20)
	errChanged  = errors.New("was changed by another process: run the command again")
)

// at returns err with the path of the file.
func at(dir, file string, err error) error {
	return fmt.Errorf("%s %w", filepath.Join(dir, filepath.FromSlash(file)), err)
}

// check returns an error unless the file is still as before the change.
func (c change) check(root *os.Root) error {
	namespace := path.Dir(c.file)
	if info, err := root.Lstat(namespace); err == nil && !info.IsDir() {
		return at(root.Name(), namespace, errForeign) // a file or a symbolic link
	}
	data, err := readFile(root, c.file)
	if err == nil && !bytes.Equal(data, c.before) {
		return at(root.Name(), c.file, errChanged)
	}
	return err
}
