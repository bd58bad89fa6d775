package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
)

// tarFile is a tar on disk.
type tarFile struct {
	name  string
	index func() (map[string]member, error)
}

// member is a file of a tar: where its content is, or the name of the file that has it.
type member struct {
	offset, size int64
	link         string
}

func newTarFile(file string, limit int) *tarFile {
	return &tarFile{file, sync.OnceValues(func() (map[string]member, error) { return scan(file, limit) })}
}

// scan lists the files of a tar, of which the last one of a name wins.
func scan(file string, limit int) (map[string]member, error) {
	in, err := os.Open(file) //nolint:gosec // which the user names
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	magic := make([]byte, 2)
	if _, err := io.ReadFull(in, magic); err != nil {
		return nil, errors.New("the source is no tar archive")
	}
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return nil, errors.New("the source is compressed: decompress it with gunzip")
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	all := map[string]member{}
	archive := tar.NewReader(in)
	for n := 0; ; n++ {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("reading the tar archive: %w", err)
		case n >= limit:
			return nil, errors.New("the source has more files than the limit of entries")
		case len(h.Name) > maxPath:
			continue
		}
		switch h.Typeflag {
		case tar.TypeReg:
			// The reader of a file that it can seek in has no buffer.
			offset, err := in.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			all[clean(h.Name)] = member{offset: offset, size: h.Size}
		case tar.TypeSymlink:
			target := path.Join(path.Dir(h.Name), h.Linkname) //nolint:gosec // the key of a map
			all[clean(h.Name)] = member{link: clean(target)}
		case tar.TypeLink:
			all[clean(h.Name)] = member{link: clean(h.Linkname)}
		}
	}
}

// maxLinks is the limit for links to links.
const maxLinks = 10

func (t *tarFile) open(file string) (io.ReadCloser, error) {
	all, err := t.index()
	if err != nil {
		return nil, err
	}
	m, ok := all[clean(file)]
	for range maxLinks {
		if !ok || m.link == "" {
			break
		}
		m, ok = all[m.link]
	}
	if !ok || m.link != "" {
		return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
	}
	in, err := os.Open(t.name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(in, m.offset, m.size), in}, nil
}
