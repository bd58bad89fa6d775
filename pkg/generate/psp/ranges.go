package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// idRange is a range of numbers, both ends included.
type idRange struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

// ranges returns the fewest ranges that contain exactly the numbers of ids, unset
// excluded. It adds a reason for each at path.
func (d *draft) ranges(path string, ids profile.Set[profile.ID]) []idRange {
	var list []idRange
	var uses [][][]profile.Use
	for _, it := range ids.Items() {
		id := it.Value
		switch n := len(list); {
		case !id.Set:
		case n > 0 && list[n-1].Max+1 == id.Number:
			list[n-1].Max = id.Number
			uses[n-1] = append(uses[n-1], it.Uses)
		default:
			list = append(list, idRange{Min: id.Number, Max: id.Number})
			uses = append(uses, [][]profile.Use{it.Uses})
		}
	}
	for i := range list {
		d.usedBy(generate.Item(path, i), profile.Uses(uses[i]...))
	}
	return list
}
