package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// files are those of a directory or a tar. Errors are fs.ErrNotExist if there is none.
type files interface {
	open(name string) (io.ReadCloser, error)
}

// archive is the source of an OCI layout, or of what docker save writes; since Docker 25
// that is both.
type archive struct {
	files   files
	options Options
}

func newArchive(file string, o Options) (archive, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return archive{}, err
	case info.IsDir():
		return archive{directory(file), o}, nil
	case !info.Mode().IsRegular():
		return archive{}, errors.New("it is neither a directory nor a file")
	}
	return archive{newTarFile(file, o.MaxEntries), o}, nil
}

// annotations that name an image in the index of a layout. The first is of the OCI image
// specification; it is ignored unless it has a repository, since a tag alone would fit any
// image. The second is what containerd and BuildKit write.
var annotations = []string{"org.opencontainers.image.ref.name", "io.containerd.image.name"}

func (a archive) find(ctx context.Context, ref name.Reference) (found, error) {
	index, err := a.read("index.json")
	if err == nil {
		at, err := a.inLayout(ctx, index, ref)
		if !errors.Is(err, errAbsent) {
			return at, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return found{}, err
	}
	manifest, notDocker := a.read("manifest.json")
	switch {
	case notDocker == nil:
		return a.inDocker(manifest, ref)
	case !errors.Is(notDocker, fs.ErrNotExist):
		return found{}, notDocker
	case err != nil:
		return found{}, errors.New("the source has neither the index.json of an OCI layout nor the manifest.json of docker save")
	}
	return found{}, errAbsent
}

// read returns one of the two files that list images.
func (a archive) read(file string) ([]byte, error) {
	in, err := a.files.open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	data, err := atMost(in, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return data, nil
}

// inLayout finds an image by its name in the index, or by its digest.
func (a archive) inLayout(ctx context.Context, data []byte, ref name.Reference) (found, error) {
	at := found{content: cached{content: layout{a.files}}}
	if d, ok := ref.(name.Digest); ok {
		h, err := v1.NewHash(d.DigestStr())
		if err != nil {
			return found{}, err
		}
		in, err := at.content.manifest(ctx, h)
		if err != nil {
			return found{}, err
		}
		at.candidates = []v1.Descriptor{{Digest: h}}
		return at, in.Close()
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return found{}, fmt.Errorf("reading index.json: %w", err)
	}
	for _, d := range index.Manifests {
		if slices.ContainsFunc(annotations, func(a string) bool { return same(d.Annotations[a], ref) }) {
			at.candidates = append(at.candidates, d)
		}
	}
	if len(at.candidates) == 0 {
		return found{}, errAbsent
	}
	return at, nil
}

// same reports whether a name is that of an image, once both are complete.
func same(text string, ref name.Reference) bool {
	other, err := name.ParseReference(text)
	return err == nil && other.Name() == ref.Name()
}

// inDocker finds an image by its tags. Its manifest is not there.
func (a archive) inDocker(data []byte, ref name.Reference) (found, error) {
	var list tarball.Manifest
	if err := json.Unmarshal(data, &list); err != nil {
		return found{}, fmt.Errorf("reading manifest.json: %w", err)
	}
	for _, d := range list {
		if !slices.ContainsFunc(d.RepoTags, func(tag string) bool { return same(tag, ref) }) {
			continue
		}
		in, err := a.files.open(d.Config)
		if err != nil {
			return found{}, fmt.Errorf("reading its configuration: %w", err)
		}
		config, err := atMost(in, a.options.MaxConfig)
		if err = errors.Join(err, in.Close()); err != nil {
			return found{}, fmt.Errorf("reading its configuration: %w", err)
		}
		p := &parts{config: config}
		for _, l := range d.Layers {
			p.layers = append(p.layers, func(context.Context) (io.ReadCloser, error) { return a.files.open(l) })
		}
		return found{image: p}, nil
	}
	return found{}, errAbsent
}

// layout is the content of an OCI layout.
type layout struct{ files files }

func (l layout) manifest(ctx context.Context, h v1.Hash) (io.ReadCloser, error) {
	in, err := l.blob(ctx, h)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
	return in, err
}

func (l layout) blob(_ context.Context, h v1.Hash) (io.ReadCloser, error) {
	return l.files.open(path.Join("blobs", h.Algorithm, h.Hex))
}

// directory is one on disk, which no link leaves.
type directory string

func (d directory) open(file string) (io.ReadCloser, error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only read
	info, err := root.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", file)
	}
	return root.Open(file)
}
