package objects

import (
	"maps"
	"slices"
)

// Shrink removes objects, list elements and fields for as long as fails still
// says yes, and gives the smallest fleet found. Large parts go first.
func Shrink(fleet []Object, fails func([]Object) bool) []Object {
	for again := true; again; {
		again = false
		for i := 0; i < len(fleet) && len(fleet) > 1; {
			if fewer := slices.Delete(slices.Clone(fleet), i, i+1); fails(fewer) {
				fleet, again = fewer, true
				continue
			}
			i++
		}
		for i := range fleet {
			for _, smaller := range shrinkings(fleet[i]) {
				attempt := slices.Clone(fleet)
				attempt[i] = smaller().(Object)
				if fails(attempt) {
					fleet, again = attempt, true
					break
				}
			}
		}
	}
	return fleet
}

// shrinkings gives every value with one part less, as functions, since most
// are never needed; outer parts come first.
func shrinkings(value any) []func() any {
	var list []func() any
	var inner []func() any
	switch v := value.(type) {
	case Object:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list = append(list, func() any {
				less := maps.Clone(v)
				delete(less, key)
				return less
			})
			for _, smaller := range shrinkings(v[key]) {
				inner = append(inner, func() any {
					less := maps.Clone(v)
					less[key] = smaller()
					return less
				})
			}
		}
	case []any:
		for i := range v {
			list = append(list, func() any { return slices.Delete(slices.Clone(v), i, i+1) })
			for _, smaller := range shrinkings(v[i]) {
				inner = append(inner, func() any {
					less := slices.Clone(v)
					less[i] = smaller()
					return less
				})
			}
		}
	}
	return append(list, inner...)
}
