package profile

import (
	"slices"
	"sort"
)

// maxContainers bounds the containers named per value, so that the memory of a
// profile does not grow with the pods that were joined into it. It is one more
// than people are shown, who thus see that there are others.
const maxContainers = 4

// Value is what a Set holds: a small value with a total order. Two values are
// the same when Compare returns 0.
type Value[T any] interface {
	Compare(T) int
	String() string
}

// Item is a value together with the evidence for it.
type Item[T Value[T]] struct {
	Value T
	// Containers names containers that use the value, at most four, the
	// smallest ones first; empty for a fact of the whole pod. It takes no part
	// in Equal and Covers.
	Containers []string
}

// Set is a set of observed values, sorted, without duplicates. The zero Set is
// empty. Operations return new sets and leave their operands as they are.
type Set[T Value[T]] struct {
	items []Item[T]
}

// SetOf returns the set of the given values, without evidence.
func SetOf[T Value[T]](values ...T) Set[T] {
	var s Set[T]
	for _, v := range values {
		s.add(v, "")
	}
	return s
}

// Items returns the items in order. The caller must not change them.
func (s Set[T]) Items() []Item[T] { return s.items }

// Len returns the number of values.
func (s Set[T]) Len() int { return len(s.items) }

// Values returns the values in order.
func (s Set[T]) Values() []T {
	values := make([]T, len(s.items))
	for i, it := range s.items {
		values[i] = it.Value
	}
	return values
}

// Has reports whether v is in s.
func (s Set[T]) Has(v T) bool {
	_, found := s.find(v)
	return found
}

// Any reports whether some value satisfies f.
func (s Set[T]) Any(f func(T) bool) bool {
	return slices.ContainsFunc(s.items, func(it Item[T]) bool { return f(it.Value) })
}

// All reports whether s has a value and every value satisfies f: a demand that
// nothing was observed to meet is not made.
func (s Set[T]) All(f func(T) bool) bool {
	return s.Len() > 0 && !s.Any(func(v T) bool { return !f(v) })
}

// Union returns the values of s and o.
func (s Set[T]) Union(o Set[T]) Set[T] {
	if s.Len() == 0 {
		return o
	}
	if o.Len() == 0 {
		return s
	}
	u := make([]Item[T], 0, max(len(s.items), len(o.items)))
	i, j := 0, 0
	for i < len(s.items) && j < len(o.items) {
		a, b := s.items[i], o.items[j]
		switch c := a.Value.Compare(b.Value); {
		case c < 0:
			u = append(u, a)
			i++
		case c > 0:
			u = append(u, b)
			j++
		default:
			u = append(u, Item[T]{a.Value, smallest(a.Containers, b.Containers)})
			i++
			j++
		}
	}
	u = append(append(u, s.items[i:]...), o.items[j:]...)
	return Set[T]{u}
}

// Equal reports whether s and o hold the same values.
func (s Set[T]) Equal(o Set[T]) bool {
	return slices.EqualFunc(s.items, o.items, func(a, b Item[T]) bool { return a.Value.Compare(b.Value) == 0 })
}

// Covers reports whether every value of o is in s.
func (s Set[T]) Covers(o Set[T]) bool {
	return !o.Any(func(v T) bool { return !s.Has(v) })
}

// add inserts v, seen in the named container ("" for a fact of the pod). It is
// for building a set only: once handed out, a set never changes.
func (s *Set[T]) add(v T, container string) {
	i, found := s.find(v)
	if !found {
		s.items = slices.Insert(s.items, i, Item[T]{Value: v})
	}
	if container != "" {
		s.items[i].Containers = withName(s.items[i].Containers, container)
	}
}

// withName inserts a name into a sorted list that nobody else holds, and keeps
// the maxContainers smallest.
func withName(names []string, name string) []string {
	i, found := slices.BinarySearch(names, name)
	if found || i == maxContainers {
		return names
	}
	names = slices.Insert(names, i, name)
	return names[:min(len(names), maxContainers)]
}

func (s Set[T]) find(v T) (int, bool) {
	return sort.Find(len(s.items), func(i int) int { return v.Compare(s.items[i].Value) })
}

// smallest returns the maxContainers smallest names of both sorted lists: again
// a union, cut so that joins in any order give the same result.
func smallest(a, b []string) []string {
	if len(b) == 0 || slices.Equal(a, b) {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.Clip(all[:min(len(all), maxContainers)])
}
