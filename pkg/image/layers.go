package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// Limits of what is kept of layers. Paths are at most PATH_MAX of Linux.
const (
	maxLayers  = 500 // overlayfs mounts no more
	maxSetuid  = 1000
	maxPath    = 4096
	maxWindow  = 128 << 20 // of zstd at its highest level
	setuidShow = 10
)

// opener opens a layer. Its content is verified by whoever reads it to its end.
type opener func(context.Context) (io.ReadCloser, error)

// setuidBits are those of setuid and setgid in the mode of a tar header.
const setuidBits = 0o6000

// tree holds the setuid and setgid files of a stack of layers.
type tree struct {
	files   map[string]int64 // the bits, by path
	entries int              // how many more may come
	bytes   int64
}

// setuid returns the result of the layers of an image, from the lowest to the highest.
// Only the headers of files are kept.
func setuid(ctx context.Context, layers []opener, limits Options) ([]Result, error) {
	if len(layers) > maxLayers {
		return nil, fmt.Errorf("it has %d layers, more than %d", len(layers), maxLayers)
	}
	t := tree{files: map[string]int64{}, entries: limits.MaxEntries, bytes: limits.MaxLayerBytes}
	for i, open := range layers {
		if err := t.apply(ctx, open); err != nil {
			return nil, fmt.Errorf("reading layer %d of %d: %w", i+1, len(layers), err)
		}
	}
	if len(t.files) == 0 {
		return nil, nil
	}
	return []Result{{Rule: Setuid, Detail: t.String()}}, nil
}

// String lists the files, the first few of them with their bits.
func (t *tree) String() string {
	var shown []string
	for _, file := range slices.Sorted(maps.Keys(t.files)) {
		if len(shown) == setuidShow {
			shown = append(shown, fmt.Sprintf("%d more", len(t.files)-setuidShow))
			break
		}
		shown = append(shown, printable.Short("/"+file, 100)+bitsOf(t.files[file]))
	}
	return strings.Join(shown, ", ")
}

func bitsOf(mode int64) string {
	switch mode {
	case 0o4000:
		return " (setuid)"
	case 0o2000:
		return " (setgid)"
	}
	return " (setuid, setgid)"
}

// apply puts one layer on top of the others.
func (t *tree) apply(ctx context.Context, open opener) error {
	raw, err := open(ctx)
	if err != nil {
		return err
	}
	defer raw.Close() //nolint:errcheck // only read
	in, err := decompress(t.count(ctx, raw))
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	content := t.count(ctx, in)
	layer := map[string]int64{}
	archive := tar.NewReader(content)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if t.entries--; t.entries < 0 {
			return errors.New("the layers have more files than the limit of entries")
		}
		t.entry(h, layer)
		if len(t.files)+len(layer) > maxSetuid {
			return fmt.Errorf("the layers have more than %d setuid and setgid files", maxSetuid)
		}
	}
	maps.Copy(t.files, layer)
	// The rest is padding. The digest is verified at the very end, which decompression
	// reads to see whether more follows.
	_, err = io.Copy(io.Discard, content)
	return err
}

// The prefix of files that hide others of lower layers, and the name of the one that
// hides all of its directory: layer.md of the OCI image specification 1.1.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// entry reads a header of a layer, which is not yet part of the tree.
func (t *tree) entry(h *tar.Header, layer map[string]int64) {
	if len(h.Name) > maxPath {
		return
	}
	file := clean(h.Name)
	dir, base := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case base == opaque:
		t.hide(dir, false)
		return
	case strings.HasPrefix(base, whiteout):
		t.hide(path.Join(dir, strings.TrimPrefix(base, whiteout)), true)
		return
	}
	var mode int64
	switch h.Typeflag {
	case tar.TypeReg:
		mode = h.Mode & setuidBits
	case tar.TypeLink: // another name of a file of this layer or a lower one
		target := clean(h.Linkname)
		var ok bool
		if mode, ok = layer[target]; !ok {
			mode = t.files[target]
		}
	case tar.TypeDir:
		delete(t.files, file)
		delete(layer, file)
		return
	}
	t.hide(file, true) // a file hides the directory of that name
	delete(layer, file)
	if mode != 0 {
		layer[file] = mode
	}
}

// hide removes what is below a path, and the path itself if so asked.
func (t *tree) hide(file string, itself bool) {
	maps.DeleteFunc(t.files, func(f string, _ int64) bool {
		return itself && f == file || file == "" || strings.HasPrefix(f, file+"/")
	})
}

// clean returns a path relative to the root, which no .. leaves.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// decompress detects the compression of a layer as container runtimes do, by how it
// begins.
func decompress(in io.Reader) (io.ReadCloser, error) {
	peek := bufio.NewReader(in)
	magic, err := peek.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(peek)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(peek, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(peek), nil
}

// readFunc is a reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// count returns a reader that fails when its context ends or the limit of bytes is
// reached.
func (t *tree) count(ctx context.Context, in io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := in.Read(p)
		if t.bytes -= int64(n); t.bytes < 0 {
			return 0, errors.New("the layers are larger than the limit of bytes")
		}
		return n, err
	})
}
