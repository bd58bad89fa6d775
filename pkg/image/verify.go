package image

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// verifier fails at the end of a file whose digest is another one.
type verifier struct {
	io.ReadCloser
	sum  hash.Hash
	want v1.Hash
}

// verified returns a file that can be read to its end only if it has that digest. It
// closes the file if it returns an error.
func verified(in io.ReadCloser, want v1.Hash) (io.ReadCloser, error) {
	sum, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("digest %s: %w", want, errors.Join(err, in.Close()))
	}
	return &verifier{in, sum, want}, nil
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(v.sum.Sum(nil)) != v.want.Hex {
		return 0, fmt.Errorf("the content of %s is damaged: it has another digest", v.want)
	}
	return n, err
}
