package cluster

import (
	"bytes"
	"crypto/sha256"
	"sync"
	"weak"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// maxShapes is the number of shapes that are remembered at least, if there are so many.
// Lists are sorted by namespace and name, so the pods of a workload are adjacent.
const maxShapes = 1024

// shapes remembers the shapes of the pods seen last, by a digest of what they are made
// of: a profile takes longer to compute than all else that is done with a pod. The zero
// shapes is ready for use, and safe for concurrent use.
type shapes struct {
	mu sync.Mutex
	// recent is renewed, and becomes older, when it is full.
	recent, older map[digest]remembered
}

type digest [sha256.Size]byte

// remembered is a shape whose profile is not kept in memory by it.
type remembered struct {
	shape   observe.Shape
	profile weak.Pointer[profile.Profile]
}

func (s *shapes) find(key digest) (observe.Shape, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.recent[key]
	if !ok {
		if r, ok = s.older[key]; !ok {
			return observe.Shape{}, false
		}
		s.put(key, r)
	}
	shape := r.shape
	shape.Profile = r.profile.Value()
	return shape, shape.Completed || shape.Profile != nil
}

func (s *shapes) remember(key digest, shape observe.Shape) {
	r := remembered{shape: shape, profile: weak.Make(shape.Profile)}
	r.shape.Profile = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, r)
}

func (s *shapes) put(key digest, r remembered) {
	if s.recent == nil || len(s.recent) >= maxShapes {
		s.recent, s.older = map[digest]remembered{}, s.recent
	}
	s.recent[key] = r
}

// anyToken stands for the name of the volume with the token that admission adds to a pod,
// and is none.
var anyToken = []byte(profile.TokenVolumePrefix + "*****")

// digestOf returns the digest of the protobuf of a shape that pods of one template have
// in common though their tokens' volumes have different names, and the name. Where the
// name is nothing but the name of a volume, it makes no difference for the shape. ok is
// false if the shape must not be remembered.
func digestOf(shape []byte) (key digest, token string, ok bool) {
	if bytes.Contains(shape, anyToken) {
		return digest{}, "", false // that is what stands for the name
	}
	name := tokenNameIn(shape)
	if name == nil {
		return sha256.Sum256(shape), "", true
	}
	hash := sha256.New()
	for rest := shape; ; {
		before, after, found := bytes.Cut(rest, name)
		hash.Write(before)
		if !found {
			break
		}
		hash.Write(anyToken)
		rest = after
	}
	hash.Sum(key[:0])
	return key, string(name), true
}

// tokenNameIn returns the name of the volume of a token in a shape; nil if it has none.
func tokenNameIn(shape []byte) []byte {
	at := bytes.Index(shape, []byte(profile.TokenVolumePrefix))
	if at < 1 || len(shape)-at < len(anyToken) || int(shape[at-1]) != len(anyToken) { // a string follows its length
		return nil
	}
	name := shape[at : at+len(anyToken)]
	for _, c := range name[len(profile.TokenVolumePrefix):] {
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) {
			return nil
		}
	}
	return name
}

// shape returns the shape of a pod in protobuf.
func (l *lister) shape(p *wirePod) (observe.Shape, error) {
	p.common = p.common && p.UID != "" // or it is no pod of a server
	if p.common {
		if shape, known := l.shapes.find(p.key); known {
			return shape, nil
		}
	}
	pod, err := p.whole()
	if err != nil {
		return observe.Shape{}, err
	}
	shape := l.recorder.Shape(pod, p.token)
	if p.common = p.common && !shape.Mentions; p.common {
		l.shapes.remember(p.key, shape)
	}
	return shape, nil
}
