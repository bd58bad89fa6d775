package tree

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// open opens dir, or the directory that it links to. The error is fs.ErrNotExist
// if there is none.
func open(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			return nil, errors.New("it is a symbolic link to nothing")
		}
	}
	return root, err
}

// read returns the advisor's own files in the directory and in those below it, and
// the temporary files that killed runs left there.
func read(root *os.Root) (own Files, leftovers []string, err error) {
	entries, err := os.ReadDir(root.Name())
	if err != nil {
		return nil, nil, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, e.Name())
			continue
		}
		below, err := os.ReadDir(filepath.Join(root.Name(), e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // another run may remove it
			return nil, nil, err
		}
		for _, b := range below {
			files = append(files, e.Name()+"/"+b.Name())
		}
	}
	own = Files{}
	for _, file := range files {
		if temporary.MatchString(path.Base(file)) {
			leftovers = append(leftovers, file)
			continue
		}
		data, err := readFile(root, file)
		switch {
		case errors.Is(err, errForeign):
		case err != nil:
			return nil, nil, err
		case data != nil:
			own[file] = data
		}
	}
	return own, leftovers, nil
}

// readFile returns what one of the advisor's own files holds, with plain line
// ends: Git may check it out with others, and that is no edit. It is nil if there
// is no file; the error is errForeign if it is somebody else's, or no regular file.
func readFile(root *os.Root, file string) ([]byte, error) {
	if info, err := root.Lstat(file); err == nil && !info.Mode().IsRegular() {
		return nil, at(root.Name(), file, errForeign)
	}
	data, err := root.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if !bytes.HasPrefix(data, []byte(mark)) {
		return nil, at(root.Name(), file, errForeign)
	}
	return data, nil
}
