package observe

import (
	"cmp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// objectKey names an object as an owner reference of its namespace does.
type objectKey struct {
	namespace string
	kind      schema.GroupKind
	name      string
}

// owners finds the records that other records refer to.
type owners map[objectKey]*Record

func ownersOf(records []*Record) owners {
	list := owners{}
	for _, r := range records {
		key := objectKey{r.Namespace, r.Kind, r.Name}
		// Of two, a manifest and its dump perhaps, the one that tells more stays,
		// in whatever order they come.
		if old := list[key]; !r.isPod() && (old == nil || compareOwned(r, old) > 0) {
			list[key] = r
		}
	}
	return list
}

// compareOwned orders records that have one key: those with a controller last.
func compareOwned(a, b *Record) int {
	var x, y Owner
	if a.Controller != nil {
		x = *a.Controller
	}
	if b.Controller != nil {
		y = *b.Controller
	}
	return cmp.Or(
		strings.Compare(x.Name, y.Name),
		strings.Compare(x.Kind.String(), y.Kind.String()),
		strings.Compare(string(x.UID), string(y.UID)),
		strings.Compare(string(a.UID), string(b.UID)),
	)
}

// linking are the kinds that usually have a controller of their own: where one
// of them was not observed, the real workload may be another one.
var linking = map[schema.GroupKind]bool{
	{Group: "apps", Kind: "ReplicaSet"}: true,
	{Group: "batch", Kind: "Job"}:       true,
}

// workload follows the controllers of r to the top. An owner of an unobserved
// kind is taken by its reference. known is false when the chain ends at an
// object that should have been observed.
func (o owners) workload(r *Record) (w aggregate.Workload, known bool) {
	known = true
	kind, name := r.Kind, r.Name
	// A chain is two or three objects long; the bound ends a cycle.
	for range 10 {
		c := r.Controller
		if c == nil {
			break
		}
		kind, name = c.Kind, c.Name
		next := o[objectKey{r.Namespace, c.Kind, c.Name}]
		if next == nil || (c.UID != "" && next.UID != "" && c.UID != next.UID) {
			known = !linking[c.Kind]
			break
		}
		r = next
	}
	return aggregate.Workload{Namespace: r.Namespace, Group: kind.Group, Kind: kind.Kind, Name: name}, known
}
