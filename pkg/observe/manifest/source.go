package manifest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxFile is how large a source may be, compressed or not.
const maxFile = 1 << 30

// errTooLarge is the problem of a source that exceeds it.
var errTooLarge = fmt.Errorf("it is larger than %d GiB: split it", maxFile>>30)

// What is compressed may grow to that many times its size, and a bit more where it is
// small: manifests repeat themselves, but not so often.
const (
	maxGrowth  = 100
	freeGrowth = 16 << 20
)

// errGrowth is the problem of a source that grows to more.
var errGrowth = fmt.Errorf("it decompresses to more than %d times its size and %d MiB: decompress it first if that is meant", maxGrowth, freeGrowth>>20)

// readPath reads what a path, a URL or Stdin stands for.
func (r *reader) readPath(ctx context.Context, path string) error {
	switch {
	case path == Stdin:
		return r.readSource(ctx, "stdin", func() (io.ReadCloser, error) { return io.NopCloser(r.options.In), nil })
	case isURL(path):
		return r.readURL(ctx, path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("reading manifests: %w", err)
	case info.IsDir():
		return r.readDirectory(ctx, path)
	case info.Mode().IsRegular(), info.Mode().Type() == os.ModeNamedPipe:
		// A pipe that is named is meant: the shell makes one of <(command).
		return r.readFile(ctx, path, info)
	default:
		return fmt.Errorf("reading %s: neither a file nor a pipe: use %s for standard input", path, Stdin)
	}
}

func (r *reader) readFile(ctx context.Context, path string, info os.FileInfo) error {
	switch {
	case isKustomization(filepath.Base(path)):
		return r.check(observe.Place{File: path}, errKustomization)
	case info.Size() > maxFile:
		return r.check(observe.Place{File: path}, errTooLarge)
	}
	return r.readSource(ctx, path, func() (io.ReadCloser, error) {
		return os.Open(path) //nolint:gosec // reading the files that the user names is the purpose
	})
}

// readSource reads the documents of what is opened.
func (r *reader) readSource(ctx context.Context, name string, open func() (io.ReadCloser, error)) error {
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, r.readOpened(ctx, name, open) })
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("reading %s: %w", name, context.Cause(ctx))
	}
	return err
}

func (r *reader) readOpened(ctx context.Context, name string, open func() (io.ReadCloser, error)) error {
	source, err := open()
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	defer source.Close() //nolint:errcheck // only read from
	in := newParts(&limited{source, maxFile, errTooLarge}, sizeOf(source))
	if strings.HasSuffix(name, ".gz") {
		if in, err = decompressed(in.in, maxFile); err != nil {
			return r.unreadable(name, err)
		}
	}
	at, empty := position{}, true
	for !in.done {
		data, err := in.next()
		if err != nil {
			return r.unreadable(name, err)
		}
		if empty = empty && len(bytes.TrimSpace(data)) == 0; empty && in.done {
			return r.check(observe.Place{File: name}, errors.New("the file is empty"))
		}
		if err := r.readDocuments(ctx, name, data, &at); err != nil {
			return err
		}
	}
	return nil
}

// unreadable returns the error of a source that cannot be read, or not to its end.
func (r *reader) unreadable(name string, err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, errGrowth) {
		return r.check(observe.Place{File: name}, err)
	}
	return fmt.Errorf("reading %s: %w", name, err)
}

// largeText is the size, in bytes, of a text that is most of the memory in use.
const largeText = 16 << 20

// collectSooner collects garbage before there is a quarter as much of it as of memory in
// use, until restore is called. Go waits until there is as much of it, because a collection
// takes as long as there is memory with pointers to inspect: a text has none.
func collectSooner() (restore func()) {
	const percent = 25
	before := debug.SetGCPercent(percent)
	if before < percent { // sooner, or never: the user says so
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}

func (r *reader) readDocuments(ctx context.Context, name string, data []byte, from *position) error {
	if len(data) >= largeText {
		defer collectSooner()()
	}
	for n, doc := range documents(data, from) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at := observe.Place{File: name, Document: n + 1, Line: doc.line}
		o, err := object{at: at, data: doc.text, items: doc.items}, doc.err
		if err == nil {
			o.data, o.duplicates, err = doc.toJSON()
		}
		switch {
		case err != nil:
			err = r.check(at, err)
		case o.data != nil:
			err = r.readObject(o, metav1.TypeMeta{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// await returns what f returns. It gives up when ctx is done, even where f blocks, as
// reading a pipe does, or is busy with one large document: what goes on ends with the
// process, and what it changes must not be used any more.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// limited reads as much as may be read. If there is more, it returns the problem.
type limited struct {
	in      io.Reader
	left    int
	problem error
}

// Read implements io.Reader.
func (l *limited) Read(data []byte) (int, error) {
	n, err := l.in.Read(data[:min(len(data), l.left+1)])
	if n > l.left {
		return 0, l.problem
	}
	l.left -= n
	return n, err //nolint:wrapcheck // io.EOF has a meaning
}

// decompressed reads what a compressed source holds, which may be as much as its size
// allows, and as the limit.
func decompressed(source io.Reader, limit int) (*parts, error) {
	data, err := io.ReadAll(source)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller knows of what
	}
	in, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	problem := errTooLarge
	if growth := maxGrowth*len(data) + freeGrowth; growth < limit {
		limit, problem = growth, errGrowth
	}
	return newParts(&limited{in, limit, problem}, 0), nil
}

// sizeOf returns the size of a file, 0 for what else is read.
func sizeOf(in io.Reader) int64 {
	if file, ok := in.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}
