package profile

import (
	"crypto/sha256"
	"hash/maphash"
	"reflect"
	"runtime"
	"sync"
	"weak"
)

// Interner keeps one copy of equal profiles: a fleet has few distinct ones, so
// memory grows with the distinct pod templates, not with the pods. References are
// weak: an unused profile is garbage-collected. Different profiles share the sets that
// they have in common, which are most. The zero Interner is ready for use and safe for
// concurrent use.
type Interner struct {
	mu       sync.Mutex
	profiles map[Digest]weak.Pointer[Profile]
	sets     sets
	scratch  []byte // reused for each lookup
}

// Digest identifies a profile by its values and evidence: it is a tenth of their size.
type Digest [sha256.Size]byte

// Digest returns the digest of the profile.
func (p *Profile) Digest() Digest { return sha256.Sum256(p.appendKey(nil)) }

// Intern returns the first profile that was interned and is equal to p, evidence
// included. If there is none, it returns p, whose sets it may replace by equal ones: p must
// not be in use.
func (in *Interner) Intern(p *Profile) *Profile {
	in.mu.Lock()
	defer in.mu.Unlock()
	key, rows := in.scratch[:0], p.rows()
	var ends [len(rows)]int
	for i, r := range rows {
		key = r.set.appendKey(key)
		ends[i] = len(key)
	}
	in.scratch = key
	k := Digest(sha256.Sum256(key))
	if known := in.profiles[k].Value(); known != nil {
		return known
	}
	begin := 0
	var uses [][]Use
	for i, r := range rows {
		r.set.share(&in.sets, key[begin:ends[i]], &uses)
		begin = ends[i]
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

// sets keeps the sets that occurred last.
type sets struct {
	// recent is renewed, and becomes older, when it is full.
	recent, older map[setKey]any
	hash          maphash.Hash // has the seed of all keys
}

// setKey is the type of a set's values, and a hash of the set.
type setKey struct {
	values reflect.Type
	hash   uint64
}

// maxSets is the number of sets that are kept at least, if there are so many.
const maxSets = 1 << 14

// keyOf returns the key of a set of values of a type; text is what Set.appendKey appends.
func (s *sets) keyOf(values reflect.Type, text []byte) setKey {
	s.hash.Reset()
	_, _ = s.hash.Write(text) // never fails
	return setKey{values, s.hash.Sum64()}
}

// find returns the items of a set that had that key; nil if none is known.
func (s *sets) find(key setKey) any {
	known, ok := s.recent[key]
	if !ok {
		if known, ok = s.older[key]; ok {
			s.keep(key, known)
		}
	}
	return known
}

func (s *sets) keep(key setKey, items any) {
	if s.recent == nil || len(s.recent) >= maxSets {
		s.recent, s.older = map[setKey]any{}, s.recent
	}
	s.recent[key] = items
}

// share makes the set one with a known set that is equal, and is known from then on.
func (s *Set[T]) share(among *sets, key []byte, uses *[][]Use) {
	if s.items == nil {
		return
	}
	k := among.keyOf(reflect.TypeFor[T](), key)
	if known, ok := among.find(k).(*[]Item[T]); ok && s.same(Set[T]{known}) {
		s.items = known
		return
	}
	s.compact(uses)
	among.keep(k, s.items)
}
