package profile

import (
	"runtime"
	"sync"
	"weak"
)

// Interner makes equal profiles one: a fleet has few distinct ones, so memory
// then grows with the distinct pod templates and not with the pods. It holds
// its profiles weakly: one that nobody uses any more is collected. The zero
// Interner is ready for use, by several goroutines at once.
type Interner struct {
	mu       sync.Mutex
	profiles map[string]weak.Pointer[Profile]
	scratch  []byte // the key that is looked up
}

// Intern returns the profile equal to p, evidence included, that was interned
// first.
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

// forget drops a collected profile, unless an equal one has taken its place.
func (in *Interner) forget(key string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.profiles[key].Value() == nil {
		delete(in.profiles, key)
	}
}
