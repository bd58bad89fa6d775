package tree

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxSize is how large a file of the advisor can be, in bytes. A larger one is not read.
const maxSize = 16 << 20

// open opens dir, which may be a symbolic link. The error is fs.ErrNotExist if it does
// not exist.
func open(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			return nil, errors.New("it is a dangling symbolic link")
		}
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("it is not a directory") // opening a pipe would wait for a writer
	}
	return os.OpenRoot(dir)
}

// read returns the advisor's files in the directory and one level below, and the
// temporary files of killed runs.
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
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "lost+found" {
			continue // .git or a mounted disk: no namespace has such a name
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

// readFile returns the content of one of the advisor's files, with CRLF replaced by
// LF: Git may check out files with CRLF, which is no edit. The content is nil if the
// file does not exist. The error is errForeign if the file is not one of the
// advisor's; then only its first bytes are read.
func readFile(root *os.Root, file string) ([]byte, error) {
	foreign := at(root.Name(), file, errForeign)
	if info, err := root.Lstat(file); err == nil && (!info.Mode().IsRegular() || info.Size() > maxSize) {
		return nil, foreign
	}
	f, err := root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	r := bufio.NewReader(f)
	head, err := r.Peek(len(mark) + len("\r"))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.HasPrefix(plain(head), []byte(mark)) {
		return nil, foreign
	}
	data, err := io.ReadAll(r)
	return plain(data), err
}

func plain(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }
