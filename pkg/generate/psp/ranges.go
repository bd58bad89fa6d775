package psp

import (
	"strconv"

	pspv1beta1 "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// idRange is a range of numbers, both ends included.
type idRange struct{ pspv1beta1.IDRange }

// ranges returns the fewest ranges that hold exactly the numbers of ids; unset
// is no number.
func ranges(ids profile.Set[profile.ID]) []idRange {
	var list []idRange
	for _, id := range ids.Values() {
		switch n := len(list); {
		case !id.Set:
		case n > 0 && list[n-1].Max+1 == id.Number:
			list[n-1].Max = id.Number
		default:
			list = append(list, idRange{pspv1beta1.IDRange{Min: id.Number, Max: id.Number}})
		}
	}
	return list
}

func (r idRange) has(id profile.ID) bool { return id.Set && r.Min <= id.Number && id.Number <= r.Max }

func (r idRange) String() string {
	text := strconv.FormatInt(r.Min, 10)
	if r.Max != r.Min {
		text += "-" + strconv.FormatInt(r.Max, 10)
	}
	return text
}
