package profile

import (
	"bytes"
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
	profiles map[uint64]weak.Pointer[Profile] // by a hash of those of their sets
	sets     sets
}

// Digest identifies a profile by its values and evidence: it is a tenth of their size.
type Digest [sha256.Size]byte

// Digest returns the digest of the profile.
func (p *Profile) Digest() Digest { return sha256.Sum256(p.appendKey(nil)) }

// Intern returns the first profile that was interned and is equal to p, evidence
// included. If there is none, it returns p, whose sets it may replace by equal ones: p must
// not be in use.
func (in *Interner) Intern(p *Profile) *Profile {
	p, _ = in.InternWith(p, "")
	return p
}

// InternWith is Intern, and reports whether a text of letters, digits and dashes is in a
// value or in the name of a container. No text is in none.
func (in *Interner) InternWith(p *Profile, text string) (interned *Profile, mentions bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	rows := p.rows()
	var hashes [len(rows)]uint64
	for i, r := range rows {
		hashes[i] = in.sets.hash(r.set)
		mentions = mentions || text != "" && hashes[i] != 0 && bytes.Contains(in.sets.scratch, []byte(text))
	}
	k := maphash.Comparable(in.sets.hashing.Seed(), hashes)
	if known := in.profiles[k].Value(); known != nil && known.same(p) {
		return known, mentions
	}
	var uses [][]Use
	for i, r := range rows {
		r.set.share(&in.sets, hashes[i], &uses)
	}
	if in.profiles == nil {
		in.profiles = map[uint64]weak.Pointer[Profile]{}
	}
	in.profiles[k] = weak.Make(p)
	runtime.AddCleanup(p, in.forget, k)
	return p, mentions
}

// WithVolume returns p.WithVolume(kind), which shares its sets with interned profiles and
// is none of them. p must be interned.
func (in *Interner) WithVolume(p *Profile, kind Name) *Profile {
	with := p.WithVolume(kind)
	in.mu.Lock()
	defer in.mu.Unlock()
	before := p.rows()
	var uses [][]Use
	for i, r := range with.rows() {
		if !r.set.same(before[i].set) {
			r.set.share(&in.sets, in.sets.hash(r.set), &uses)
		}
	}
	return with
}

// Len returns the number of distinct profiles in use.
func (in *Interner) Len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.profiles)
}

// forget removes a collected profile unless another one has replaced it.
func (in *Interner) forget(k uint64) {
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
	hashing       maphash.Hash // has the seed of all hashes
	scratch       []byte       // what was hashed last, reused
}

// setKey is the type of a set's values, and a hash of the set.
type setKey struct {
	values reflect.Type
	hash   uint64
}

// maxSets is the number of sets that are kept at least, if there are so many. Those that
// most profiles have occur again before they are forgotten, and the pods of a workload are
// adjacent; more would only be garbage that is not collected.
const maxSets = 1 << 9

// hash returns a hash of a set; 0 for the empty one, and for no other.
func (s *sets) hash(set attribute) uint64 {
	if set.empty() {
		return 0
	}
	s.scratch = set.appendKey(s.scratch[:0])
	s.hashing.Reset()
	_, _ = s.hashing.Write(s.scratch) // never fails
	return max(1, s.hashing.Sum64())
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
func (s *Set[T]) share(among *sets, hash uint64, uses *[][]Use) {
	if s.items == nil {
		return
	}
	k := setKey{reflect.TypeFor[T](), hash}
	if known, ok := among.find(k).(*[]Item[T]); ok && s.isSame(Set[T]{known}) {
		s.items = known
		return
	}
	s.compact(uses)
	among.keep(k, s.items)
}
