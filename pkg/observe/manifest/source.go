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
	data, err := load(ctx, strings.HasSuffix(name, ".gz"), open)
	return r.readLoaded(ctx, name, data, err)
}

// readLoaded reads the documents of a source that has been loaded, or not: err
// says why.
func (r *reader) readLoaded(ctx context.Context, name string, data []byte, err error) error {
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errGrowth):
		return r.check(observe.Place{File: name}, err)
	case err != nil:
		return fmt.Errorf("reading %s: %w", name, err)
	case len(bytes.TrimSpace(data)) == 0:
		return r.check(observe.Place{File: name}, errors.New("the file is empty"))
	}
	_, err = await(ctx, func() (struct{}, error) { return struct{}{}, r.readDocuments(ctx, name, data) })
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("reading %s: %w", name, context.Cause(ctx))
	}
	return err
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

func (r *reader) readDocuments(ctx context.Context, name string, data []byte) error {
	if len(data) >= largeText {
		defer collectSooner()()
	}
	for n, doc := range documents(data) {
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

// load returns what a source holds.
func load(ctx context.Context, compressed bool, open func() (io.ReadCloser, error)) ([]byte, error) {
	return await(ctx, func() ([]byte, error) { return readAll(maxFile, compressed, open) })
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

func readAll(limit int, compressed bool, open func() (io.ReadCloser, error)) ([]byte, error) {
	source, err := open()
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // only read from
	data, err := readUpTo(limit, source, errTooLarge)
	if err != nil || !compressed {
		return data, err
	}
	in, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	if growth := maxGrowth*len(data) + freeGrowth; growth < limit {
		return readUpTo(growth, in, errGrowth)
	}
	return readUpTo(limit, in, errTooLarge)
}

// readUpTo returns what can be read; if that is more than the limit, the problem.
func readUpTo(limit int, in io.Reader, problem error) ([]byte, error) {
	data, err := readSized(io.LimitReader(in, int64(limit)+1), min(sizeOf(in), int64(limit)))
	if err == nil && len(data) > limit {
		return nil, problem
	}
	return data, err
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

// readSized is io.ReadAll without the copies that it makes while it does not know the
// size, which may be wrong.
func readSized(in io.Reader, size int64) ([]byte, error) {
	if size == 0 {
		return io.ReadAll(in)
	}
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := data.ReadFrom(in)
	return data.Bytes(), err
}
