package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// cached is content of which a directory holds copies: dir/ALGORITHM/HEX. Whatever is
// not what its name says is read anew.
type cached struct {
	content
	dir string // empty for no cache
}

// manifestOf returns a manifest or index.
func (c cached) manifestOf(ctx context.Context, h v1.Hash) ([]byte, error) {
	if data, ok := c.look(h, maxManifest); ok {
		return data, nil
	}
	in, err := c.manifest(ctx, h)
	if err != nil {
		return nil, err
	}
	data, err := limited(in, h, maxManifest)
	if err != nil {
		return nil, err
	}
	return data, c.keep(h, data)
}

// configOf returns a configuration, which only keep puts into the cache.
func (c cached) configOf(ctx context.Context, h v1.Hash, limit int64) ([]byte, error) {
	if data, ok := c.look(h, limit); ok {
		return data, nil
	}
	in, err := c.blob(ctx, h)
	if err != nil {
		return nil, err
	}
	return limited(in, h, limit)
}

func (c cached) file(h v1.Hash) string { return filepath.Join(c.dir, h.Algorithm, h.Hex) }

// look returns what the directory has.
func (c cached) look(h v1.Hash, limit int64) ([]byte, bool) {
	if c.dir == "" {
		return nil, false
	}
	in, err := os.Open(c.file(h))
	if err != nil {
		return nil, false
	}
	data, err := limited(in, h, limit)
	return data, err == nil
}

// keep puts content into the directory, unless it is there. Readers see all or nothing
// of it.
func (c cached) keep(h v1.Hash, data []byte) error {
	if c.dir == "" {
		return nil
	}
	if _, ok := c.look(h, int64(len(data))); ok {
		return nil
	}
	if err := write(c.file(h), data); err != nil {
		return &cacheError{err}
	}
	return nil
}

// write replaces a file at once.
func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	if _, err = out.Write(data); err == nil {
		err = out.Close()
	} else {
		_ = out.Close()
	}
	if err == nil {
		err = os.Rename(out.Name(), name)
	}
	if err != nil {
		_ = os.Remove(out.Name())
	}
	return err
}

// cacheError is that the cache cannot be written.
type cacheError struct{ err error }

func (e *cacheError) Error() string { return fmt.Sprintf("writing the cache: %v", e.err) }
func (e *cacheError) Unwrap() error { return e.err }
