package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// locate returns the absolute path of dir with symbolic links followed, as far as
// it exists.
func locate(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(abs)
	if !errors.Is(err, fs.ErrNotExist) {
		return target, err
	}
	if _, err := os.Lstat(abs); err == nil {
		return "", errors.New("it is a symbolic link to nothing")
	}
	if _, err := os.Lstat(stagingOf(abs) + oldSuffix); err == nil {
		return "", fmt.Errorf("an interrupted run left the tree at %s: rename it back", stagingOf(abs)+oldSuffix)
	}
	return abs, nil
}

// read returns the advisor's own files in dir and its namespace folders, with
// plain line ends, and the paths of other files there.
func read(dir string) (own Files, foreign map[string]bool, err error) {
	own, foreign = Files{}, map[string]bool{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == dir && errors.Is(err, fs.ErrNotExist) {
				return fs.SkipAll
			}
			return err
		}
		if path == dir && !d.IsDir() {
			return errors.New("it is not a folder")
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(rel)
		switch {
		case d.IsDir() && strings.Contains(file, "/"):
			foreign[file] = true
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			foreign[file] = true
			return nil
		}
		data, err := os.ReadFile(path) //nolint:gosec // the folder that the user names
		if err != nil {
			return err
		}
		// Git may check files out with other line ends; that is no edit.
		if data := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")); bytes.HasPrefix(data, []byte(mark)) {
			own[file] = data
		} else {
			foreign[file] = true
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return own, foreign, nil
}
