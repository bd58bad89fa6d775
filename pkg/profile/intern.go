package profile

import (
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
	profiles map[string]weak.Pointer[Profile]
	scratch  []byte // reused for each lookup
}

// Intern returns the first profile that was interned and is equal to p, evidence
// included.
func (in *Interner) Intern(p *Profile) *Profile {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.scratch = p.appendKey(in.scratch[:0])
	if known := in.profiles[string(in.scratch)].Value(); known != nil {
		return known
	}
	key := string(in.scratch)
	if in.profiles == nil {
		in.profiles = map[string]weak.Pointer[Profile]{}
	}
	in.profiles[key] = weak.Make(p)
	runtime.AddCleanup(p, in.forget, key)
	return p
}

// Len returns the number of distinct profiles in use.
func (in *Interner) Len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.profiles)
}

// forget removes a collected profile unless an equal one has replaced it.
func (in *Interner) forget(key string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.profiles[key].Value() == nil {
		delete(in.profiles, key)
	}
}
