package profile

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// Value is an element of a Set: a small value with a total order. Two values are
// the same when Compare returns 0, and only then have the same text.
type Value[T any] interface {
	Compare(T) int
	String() string
	// Append appends the text.
	Append(b []byte) []byte
}

// Item is a value together with the evidence for it.
type Item[T Value[T]] struct {
	Value T
	// Uses are the containers that have the value, sorted, without duplicates.
	// Equal and Covers ignore them.
	Uses []Use
}

// Use is one container that has a value, or a pod as a whole.
type Use struct {
	// Member is the index of the profile among the arguments of Gather. It is 0 in
	// any other profile.
	Member int
	// Container is empty for a setting of the whole pod. It is listed only if no
	// container of the same member has the value.
	Container string
}

// Compare orders by member, then by container.
func (u Use) Compare(o Use) int {
	return cmp.Or(cmp.Compare(u.Member, o.Member), strings.Compare(u.Container, o.Container))
}

// Set is a set of observed values, sorted, without duplicates. The zero Set is
// empty. Operations return new sets and leave their operands unchanged.
type Set[T Value[T]] struct {
	// items is nil for the empty set. It is a pointer, because a profile has many sets,
	// most of them empty or in many profiles; see Interner.
	items *[]Item[T]
}

func setOf[T Value[T]](items []Item[T]) Set[T] {
	if len(items) == 0 {
		return Set[T]{}
	}
	return Set[T]{&items}
}

// SetOf returns the set of the given values, as settings of a whole pod.
func SetOf[T Value[T]](values ...T) Set[T] {
	var s Set[T]
	for _, v := range values {
		s.add(v, "")
	}
	return s
}

// Items returns the items in order. The caller must not change them.
func (s Set[T]) Items() []Item[T] {
	if s.items == nil {
		return nil
	}
	return *s.items
}

// Len returns the number of values.
func (s Set[T]) Len() int { return len(s.Items()) }

// Values returns the values in order.
func (s Set[T]) Values() []T {
	values := make([]T, s.Len())
	for i, it := range s.Items() {
		values[i] = it.Value
	}
	return values
}

// Has reports whether v is in s.
func (s Set[T]) Has(v T) bool {
	_, found := s.find(v)
	return found
}

// UsesOf returns the containers that have a value, sorted, without duplicates.
func (s Set[T]) UsesOf(v T) []Use {
	i, found := s.find(v)
	if !found {
		return nil
	}
	return s.Items()[i].Uses
}

// Uses returns the containers that have a value that satisfies f, sorted, without
// duplicates.
func (s Set[T]) Uses(f func(T) bool) []Use {
	var lists [][]Use
	for _, it := range s.Where(f).Items() {
		lists = append(lists, it.Uses)
	}
	return Uses(lists...)
}

// Any reports whether some value satisfies f.
func (s Set[T]) Any(f func(T) bool) bool {
	return slices.ContainsFunc(s.Items(), func(it Item[T]) bool { return f(it.Value) })
}

// All reports whether s has a value and every value satisfies f. It is false for an
// empty set: a policy must not require what no pod was observed to do.
func (s Set[T]) All(f func(T) bool) bool {
	return s.Len() > 0 && !s.Any(func(v T) bool { return !f(v) })
}

// Where returns the values that satisfy f.
func (s Set[T]) Where(f func(T) bool) Set[T] {
	var kept []Item[T]
	for _, it := range s.Items() {
		if f(it.Value) {
			kept = append(kept, it)
		}
	}
	return setOf(kept)
}

// Map returns the set of f(v) for each value v of s, with the uses of v.
func Map[T Value[T], U Value[U]](s Set[T], f func(T) U) Set[U] {
	items := make([]Item[U], s.Len())
	for i, it := range s.Items() {
		items[i] = Item[U]{f(it.Value), it.Uses}
	}
	slices.SortStableFunc(items, func(a, b Item[U]) int { return a.Value.Compare(b.Value) })
	var mapped []Item[U]
	for i := 0; i < len(items); {
		first, lists := items[i], [][]Use(nil)
		for ; i < len(items) && items[i].Value.Compare(first.Value) == 0; i++ {
			lists = append(lists, items[i].Uses)
		}
		mapped = append(mapped, Item[U]{first.Value, Uses(lists...)})
	}
	return setOf(mapped)
}

// Equal reports whether s and o have the same values.
func (s Set[T]) Equal(o Set[T]) bool {
	return s.items == o.items || slices.EqualFunc(s.Items(), o.Items(), func(a, b Item[T]) bool { return a.Value.Compare(b.Value) == 0 })
}

// Covers reports whether every value of o is in s.
func (s Set[T]) Covers(o Set[T]) bool {
	return s.items == o.items || !o.Any(func(v T) bool { return !s.Has(v) })
}

// first is the memory of a set with one value that one container has, as most sets of a
// pod begin and many stay.
type first[T Value[T]] struct {
	items []Item[T]
	item  [1]Item[T]
	use   [1]Use
}

// add inserts v with the container that has it; "" is the whole pod. It may be
// called only while the set is built: a set in use never changes.
func (s *Set[T]) add(v T, container string) {
	u := Use{Container: container}
	if s.items == nil {
		f := &first[T]{use: [1]Use{u}}
		f.item[0] = Item[T]{v, f.use[:]}
		f.items = f.item[:]
		s.items = &f.items
		return
	}
	i, found := s.find(v)
	if !found {
		*s.items = slices.Insert(*s.items, i, Item[T]{v, []Use{u}})
		return
	}
	uses := &(*s.items)[i].Uses
	switch {
	case container == "": // the pod has it, or a container
	case (*uses)[0].Container == "":
		(*uses)[0] = u
	default:
		if at, found := slices.BinarySearchFunc(*uses, u, Use.Compare); !found {
			*uses = slices.Insert(*uses, at, u)
		}
	}
}

// union returns the values of all sets. If members is true, the Member of a use is
// the index of its set. The distinct values are sorted only once, whatever the
// number of sets. The union of one set, or of sets that are the same, which most sets of one
// workload are, takes no memory.
func union[T Value[T]](sets []Set[T], members bool) Set[T] {
	others := func(f func(a, b Set[T]) bool) bool {
		return slices.ContainsFunc(sets, func(s Set[T]) bool { return !f(s, sets[0]) })
	}
	switch {
	case len(sets) == 0:
		return Set[T]{}
	case len(sets) == 1, !members && !others(Set[T].isSame):
		return sets[0]
	case members && !others(func(a, b Set[T]) bool { return a.items == b.items }):
		return inEach(sets[0], len(sets))
	}
	var values []T
	for _, s := range sets {
		for _, it := range s.Items() {
			values = append(values, it.Value)
		}
	}
	slices.SortFunc(values, T.Compare)
	values = slices.CompactFunc(values, func(a, b T) bool { return a.Compare(b) == 0 })
	items := make([]Item[T], len(values))
	for i, v := range values {
		items[i].Value = v
	}
	u := setOf(items)
	for member, s := range sets {
		for _, it := range s.Items() {
			i, _ := u.find(it.Value)
			into := &items[i]
			for _, use := range it.Uses {
				if members {
					use.Member = member
				}
				into.Uses = append(into.Uses, use)
			}
		}
	}
	if !members {
		for i := range items {
			items[i].Uses = Uses(items[i].Uses)
		}
	}
	return u
}

// inEach returns the union of as many sets like s, with the indexes of all of them.
func inEach[T Value[T]](s Set[T], members int) Set[T] {
	items := slices.Clone(s.Items())
	for i, it := range items {
		uses := make([]Use, 0, members*len(it.Uses))
		for member := range members {
			for _, u := range it.Uses {
				uses = append(uses, Use{member, u.Container})
			}
		}
		items[i].Uses = uses
	}
	return setOf(items)
}

// compact gives up memory that the set does not need: room for more values, and lists of
// uses that are among the known ones, to which it adds its own. Few lists of containers
// occur in a profile, each many times.
func (s *Set[T]) compact(known *[][]Use) {
	if items := s.Items(); len(items) == 1 && cap(items) == 1 && len(items[0].Uses) == cap(items[0].Uses) {
		return
	}
	items := slices.Clone(s.Items())
	for i := range items {
		uses := &items[i].Uses
		at := slices.IndexFunc(*known, func(k []Use) bool { return slices.Equal(k, *uses) })
		if at < 0 {
			at = len(*known)
			*known = append(*known, slices.Clone(*uses))
		}
		*uses = (*known)[at]
	}
	*s = setOf(items)
}

// isSame reports whether s and o have the same values with the same uses.
func (s Set[T]) isSame(o Set[T]) bool {
	return s.items == o.items || slices.EqualFunc(s.Items(), o.Items(), func(a, b Item[T]) bool {
		return a.Value.Compare(b.Value) == 0 && slices.Equal(a.Uses, b.Uses)
	})
}

func (s Set[T]) find(v T) (int, bool) {
	items := s.Items()
	return sort.Find(len(items), func(i int) int { return v.Compare(items[i].Value) })
}

// Uses returns the uses of all lists, sorted, without duplicates.
func Uses(lists ...[]Use) []Use {
	all := slices.Concat(lists...)
	slices.SortFunc(all, Use.Compare)
	all = slices.Compact(all)
	// The whole pod comes before its containers, which replace it.
	kept := all[:0]
	for i, u := range all {
		if u.Container == "" && i+1 < len(all) && all[i+1].Member == u.Member {
			continue
		}
		kept = append(kept, u)
	}
	return slices.Clip(kept)
}

// Containers returns the distinct container names of a list of uses, sorted.
func Containers(uses []Use) []string {
	var names []string
	for _, u := range uses {
		if u.Container != "" {
			names = append(names, u.Container)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
