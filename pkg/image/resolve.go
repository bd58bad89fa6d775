package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// content is where a source keeps what has a digest.
type content interface {
	// manifest opens a manifest or index; the error is errAbsent if there is none.
	manifest(ctx context.Context, h v1.Hash) (io.ReadCloser, error)
	// blob opens a configuration or layer.
	blob(ctx context.Context, h v1.Hash) (io.ReadCloser, error)
}

// maxDepth is the limit for indexes within indexes.
const maxDepth = 4

// resolve follows indexes to the manifest for the platform, and reads its configuration.
// It follows nothing else: neither referrers nor URLs of layers. The digest is that of the
// outermost index: nodes of every platform can run what it names.
func (r *Reader) resolve(ctx context.Context, at found) (*parts, error) {
	store, candidates := at.content, at.candidates
	var outermost v1.Hash
	for depth := range maxDepth {
		d, err := choose(candidates, r.platform)
		if err != nil {
			return nil, err
		}
		if depth == 0 {
			outermost = d.Digest
		}
		data, err := store.manifestOf(ctx, d.Digest)
		if err != nil {
			if depth > 0 && errors.Is(err, errAbsent) {
				return nil, fmt.Errorf("its index names %s, which is missing", d.Digest)
			}
			return nil, err
		}
		var kind struct {
			Manifests []json.RawMessage `json:"manifests"`
		}
		if err := json.Unmarshal(data, &kind); err != nil {
			return nil, fmt.Errorf("reading its manifest: %w", err)
		}
		if kind.Manifests == nil {
			return r.image(ctx, store, outermost, data)
		}
		index, err := v1.ParseIndexManifest(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("reading its index: %w", err)
		}
		candidates = index.Manifests
	}
	return nil, fmt.Errorf("it has more than %d indexes within each other", maxDepth)
}

// image reads the image of a manifest. h is the digest by which it can be pinned.
func (r *Reader) image(ctx context.Context, store cached, h v1.Hash, data []byte) (*parts, error) {
	m, err := v1.ParseManifest(bytes.NewReader(data))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading its manifest: %w", err)
	case !m.Config.MediaType.IsConfig():
		return nil, errNotAnImage
	}
	config, err := store.configOf(ctx, m.Config.Digest, r.options.MaxConfig)
	if err != nil {
		return nil, fmt.Errorf("reading its configuration: %w", err)
	}
	p := &parts{digest: h.String(), config: config, keep: func() error { return store.keep(m.Config.Digest, config) }}
	for _, l := range m.Layers {
		p.layers = append(p.layers, func(ctx context.Context) (io.ReadCloser, error) {
			in, err := store.blob(ctx, l.Digest)
			if err != nil {
				return nil, err
			}
			return verified(in, l.Digest)
		})
	}
	return p, nil
}

var errNotAnImage = errors.New("it is not a container image, but another artifact or of a format before 2016")

// choose returns the candidate for a platform. One that names none is taken if no other
// fits.
func choose(candidates []v1.Descriptor, platform v1.Platform) (v1.Descriptor, error) {
	var others []string
	unnamed := -1
	for i, c := range candidates {
		switch {
		case c.Platform == nil:
			if unnamed < 0 {
				unnamed = i
			}
		case c.Platform.Satisfies(platform):
			return c, nil
		case c.Platform.OS != "unknown": // attestations
			others = append(others, c.Platform.String())
		}
	}
	if unnamed >= 0 {
		return candidates[unnamed], nil
	}
	return v1.Descriptor{}, &platformError{platform.String(), others}
}

type platformError struct {
	platform string
	others   []string
}

func (e *platformError) Error() string {
	if len(e.others) == 0 {
		return "it has no platform " + e.platform
	}
	return "it has no platform " + e.platform + ", but " + strings.Join(e.others, ", ")
}

// limited reads all of a file that has at most limit bytes, and verifies it.
func limited(in io.ReadCloser, h v1.Hash, limit int64) ([]byte, error) {
	checked, err := verified(in, h)
	if err != nil {
		return nil, err
	}
	defer checked.Close() //nolint:errcheck // only read
	return atMost(checked, limit)
}

// atMost reads all of a file that has at most limit bytes.
func atMost(in io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return data, err
}
