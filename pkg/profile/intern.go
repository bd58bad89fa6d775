package profile

import (
	"crypto/sha256"
	"runtime"
	"sync"
	"weak"
)

// Interner keeps one copy of equal profiles: a fleet has few distinct ones, so
// memory grows with the distinct pod templates, not with the pods. References are
// weak: an unused profile is garbage-collected. The zero Interner is ready for use
// and safe for concurrent use.
type Interner struct {
	mu       sync.Mutex
	profiles map[Digest]weak.Pointer[Profile]
	scratch  []byte // reused for each lookup
}

// Digest identifies a profile by its values and evidence: it is a tenth of their size.
type Digest [sha256.Size]byte

// Digest returns the digest of the profile.
func (p *Profile) Digest() Digest { return sha256.Sum256(p.appendKey(nil)) }

// Intern returns the first profile that was interned and is equal to p, evidence
// included.
func (in *Interner) Intern(p *Profile) *Profile {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.scratch = p.appendKey(in.scratch[:0])
	k := Digest(sha256.Sum256(in.scratch))
	if known := in.profiles[k].Value(); known != nil {
		return known
	}
	if in.profiles == nil {
		in.profiles = map[Digest]weak.Pointer[Profile]{}
	}
	in.profiles[k] = weak.Make(p)
	runtime.AddCleanup(p, in.forget, k)
	return p
}

// Len returns the number of distinct profiles in use.
func (in *Interner) Len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.profiles)
}

// forget removes a collected profile unless an equal one has replaced it.
func (in *Interner) forget(k Digest) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.profiles[k].Value() == nil {
		delete(in.profiles, k)
	}
}
