package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// registry is the source that asks the registry of each image, with the credentials of
// docker login.
type registry struct{ options Options }

// backoff is short: it does not end with the context.
var backoff = remote.Backoff{Duration: 100 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}

func (r registry) find(ctx context.Context, ref name.Reference) (found, error) {
	puller, err := remote.NewPuller(
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(r.options.Transport),
		remote.WithRetryBackoff(backoff), remote.WithUserAgent("psp-advisor"),
	)
	if err != nil {
		return found{}, err
	}
	c := &remoteContent{puller: puller, repository: ref.Context(), known: map[v1.Hash][]byte{}}
	var h v1.Hash
	if d, ok := ref.(name.Digest); ok {
		h, err = v1.NewHash(d.DigestStr()) // which the cache may have
	} else {
		var data []byte
		if data, err = c.get(ctx, ref); err == nil {
			h, _, err = v1.SHA256(bytes.NewReader(data)) // not what the registry says
			c.known[h] = data
		}
	}
	return found{candidates: []v1.Descriptor{{Digest: h}}, content: cached{c, r.options.CacheDir}}, err
}

// remoteContent is that of one repository.
type remoteContent struct {
	puller     *remote.Puller
	repository name.Repository
	known      map[v1.Hash][]byte // manifests that were read by tag
}

// get reads a manifest or index.
func (c *remoteContent) get(ctx context.Context, ref name.Reference) ([]byte, error) {
	d, err := c.puller.Get(ctx, ref)
	if t := (*transport.Error)(nil); errors.As(err, &t) && t.StatusCode == http.StatusNotFound {
		return nil, errAbsent
	}
	if err != nil {
		return nil, err
	}
	return d.Manifest, nil
}

func (c *remoteContent) manifest(ctx context.Context, h v1.Hash) (io.ReadCloser, error) {
	data, ok := c.known[h]
	if !ok {
		var err error
		if data, err = c.get(ctx, c.repository.Digest(h.String())); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (c *remoteContent) blob(ctx context.Context, h v1.Hash) (io.ReadCloser, error) {
	l, err := c.puller.Layer(ctx, c.repository.Digest(h.String()))
	if err != nil {
		return nil, err
	}
	return l.Compressed()
}

// remedy says what to do about an error.
func remedy(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "allow more time, or save the image and use the archive as a source"
	}
	if errors.Is(err, errNotAnImage) {
		return "name the tag or digest of an image"
	}
	if p := (*platformError)(nil); errors.As(err, &p) {
		return "set the platform to one that it has"
	}
	if c := (*cacheError)(nil); errors.As(err, &c) {
		return "make the directory of the cache writable, or use none"
	}
	if t := (*transport.Error)(nil); errors.As(err, &t) {
		switch t.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "check the name of the image, and log in with docker login"
		case http.StatusTooManyRequests:
			return "wait, or log in with docker login for a higher limit"
		}
	}
	return "check that its source works, or save the image elsewhere and use the archive as a source"
}
