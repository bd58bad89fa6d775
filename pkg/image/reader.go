package image

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// Registry is the source that asks the registry of each image.
const Registry = "registry"

// Options say where images are read from. The zero value reads none.
type Options struct {
	// Sources are tried in order until one has the image: Registry, or the path of an OCI
	// layout, which is a directory or a tar, or of an archive of docker save. Any failure
	// but that the image is not there ends the search, so that the answer does not depend
	// on what happens to be up.
	Sources []string
	// Platform of images for several platforms. The default is linux/amd64.
	Platform string
	// Layers is whether layers are read too. They are never cached.
	Layers bool
	// CacheDir keeps manifests and configurations of registries by their digests; empty
	// for none. Tags are always resolved by their registry. Configurations that seem to
	// contain secrets are not kept.
	CacheDir string
	// Transport of requests to registries, http.DefaultTransport if nil.
	Transport http.RoundTripper
	// MaxConfig is the limit for the bytes of a configuration, 4 MiB if 0.
	MaxConfig int64
	// MaxLayerBytes is the limit for the bytes of all layers of an image, as they are
	// stored and unpacked together; 8 GiB if 0.
	MaxLayerBytes int64
	// MaxEntries is the limit for the files of all layers of an image, and for those of an
	// archive; a million if 0.
	MaxEntries int
}

// maxManifest is the limit for the bytes of a manifest or index, which the OCI
// distribution specification has registries accept.
const maxManifest = 4 << 20

// Reader reads images, each once. Its methods can be called at the same time.
type Reader struct {
	options  Options
	platform v1.Platform
	sources  []source

	mu    sync.Mutex
	reads map[string]*read
}

// read is the result of reading one image.
type read struct {
	turn  chan struct{} // holds one element while nobody reads
	done  bool
	facts Facts
	err   error
}

// source has images.
type source interface {
	// find returns the candidates for an image, of which the platform chooses, and where
	// their content is; or the image itself if it has no manifest. The error is errAbsent
	// if there is none.
	find(ctx context.Context, ref name.Reference) (found, error)
}

// found is an image in a source.
type found struct {
	candidates []v1.Descriptor
	content    cached
	image      *parts
}

// parts are what is read of an image.
type parts struct {
	digest string
	config []byte
	layers []opener
	keep   func() error // puts the configuration into the cache
}

// errAbsent is that a source does not have an image.
var errAbsent = errors.New("not found")

// NewReader returns a reader of images. The error names each option that is not valid.
func NewReader(o Options) (*Reader, error) {
	o.Platform = cmp.Or(o.Platform, "linux/amd64")
	o.MaxConfig = cmp.Or(o.MaxConfig, 4<<20)
	o.MaxLayerBytes = cmp.Or(o.MaxLayerBytes, 8<<30)
	o.MaxEntries = cmp.Or(o.MaxEntries, 1_000_000)
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	r := &Reader{options: o, reads: map[string]*read{}}
	var errs []error
	platform, err := v1.ParsePlatform(o.Platform)
	if err != nil || platform.OS == "" || platform.Architecture == "" {
		errs = append(errs, fmt.Errorf("platform %q is not like linux/amd64", o.Platform))
	} else {
		r.platform = *platform
	}
	for _, s := range o.Sources {
		if s == Registry {
			r.sources = append(r.sources, registry{o})
			continue
		}
		a, err := newArchive(s, o)
		if err != nil {
			errs = append(errs, fmt.Errorf("source of images %s: %w", s, err))
			continue
		}
		r.sources = append(r.sources, a)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// Read returns the facts of an image, as pods name it. Callers must not change them. An
// image that could not be read is not asked for again, unless the context ended.
func (r *Reader) Read(ctx context.Context, image string) (Facts, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return Facts{}, fmt.Errorf("image %s is not a valid reference: correct its name", short(image))
	}
	r.mu.Lock()
	one := r.reads[ref.Name()]
	if one == nil {
		one = &read{turn: make(chan struct{}, 1)}
		one.turn <- struct{}{}
		r.reads[ref.Name()] = one
	}
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return Facts{}, r.fault(ref, ctx.Err())
	case <-one.turn:
	}
	defer func() { one.turn <- struct{}{} }()
	if !one.done {
		one.facts, one.err = r.read(ctx, ref)
		one.done = ctx.Err() == nil
	}
	return one.facts, one.err
}

// read asks the sources in order.
func (r *Reader) read(ctx context.Context, ref name.Reference) (Facts, error) {
	for _, s := range r.sources {
		if err := ctx.Err(); err != nil {
			return Facts{}, r.fault(ref, err)
		}
		f, err := r.facts(ctx, s, ref)
		switch {
		case errors.Is(err, errAbsent):
		case err != nil:
			return Facts{}, r.fault(ref, err)
		default:
			return f, nil
		}
	}
	return Facts{}, fmt.Errorf("image %s is in none of the sources (%s): check its name, or add a registry, OCI layout or archive that has it",
		short(ref.Name()), short(strings.Join(r.options.Sources, ", ")))
}

// facts reads an image of one source.
func (r *Reader) facts(ctx context.Context, s source, ref name.Reference) (Facts, error) {
	at, err := s.find(ctx, ref)
	if err != nil {
		return Facts{}, err
	}
	image := at.image
	if image == nil {
		if image, err = r.resolve(ctx, at); err != nil {
			return Facts{}, err
		}
	}
	file, err := v1.ParseConfigFile(bytes.NewReader(image.config))
	if err != nil {
		return Facts{}, fmt.Errorf("reading its configuration: %w", err)
	}
	f := factsOf(file)
	f.Digest = image.digest
	secret := func(x Result) bool { return x.Rule == Secrets }
	if image.keep != nil && !slices.ContainsFunc(f.Results, secret) {
		if err := image.keep(); err != nil {
			return Facts{}, err
		}
	}
	if r.options.Layers {
		results, err := setuid(ctx, image.layers, r.options)
		if err != nil {
			return Facts{}, err
		}
		f.Results = sorted(append(f.Results, results...))
	}
	return f, nil
}

// fault is the error of an image. What registries answer is made printable.
func (r *Reader) fault(ref name.Reference, err error) error {
	return &readError{short(ref.Name()), err}
}

type readError struct {
	image string
	err   error
}

func (e *readError) Error() string {
	return "reading image " + e.image + ": " + printable.Line(e.err.Error(), 300) + ": " + remedy(e.err)
}

func (e *readError) Unwrap() error { return e.err }
