package observe

import (
	"cmp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// objectKey identifies an object as owner references do.
type objectKey struct {
	namespace string
	kind      schema.GroupKind
	name      string
}

// owners are the records that owner references can refer to.
type owners map[objectKey]candidate

// candidate is a record for the owner of other objects.
type candidate struct {
	*Record
	// several is true if another record, which could as well be it, has another
	// template.
	several bool
}

func ownersOf(records []*Record) owners {
	list := owners{}
	for _, r := range records {
		if r.isPod() {
			continue
		}
		key := objectKey{r.Namespace, r.Kind, r.Name}
		old, known := list[key]
		// Two records may describe one object, such as a manifest and a dump of it. Keep
		// the one with a controller, independent of their order.
		switch {
		case !known || compareOwned(r, old.Record) > 0:
			list[key] = candidate{Record: r}
		case compareOwned(r, old.Record) == 0 && (!old.shows(r) || !r.shows(old.Record)):
			list[key] = candidate{Record: old.Record, several: true}
		}
	}
	return list
}

// compareOwned orders records with the same key: those with a controller last.
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

// find returns the record of an owner, or nil if it was not observed.
func (o owners) find(namespace string, owner *Owner) *Record {
	r := o[objectKey{namespace, owner.Kind, owner.Name}].Record
	if r == nil || (owner.UID != "" && r.UID != "" && owner.UID != r.UID) {
		return nil
	}
	return r
}

// show reports whether the template of an owner, which was observed, is known to show
// all that another one does.
func (o owners) show(owner, template *Record) bool {
	return !o[objectKey{owner.Namespace, owner.Kind, owner.Name}].several && owner.shows(template)
}

// workload follows the controllers of r to the last one. An owner of a kind that is
// not observed is identified by its reference, and a Deployment by the labels of the
// pod. known is false if the chain ends at an object that should have been observed.
func (o owners) workload(r *Record) (w aggregate.Workload, known bool) {
	known = true
	kind, name := r.Kind, r.Name
	// A chain has two or three objects; the limit ends a cycle.
	for range 10 {
		c := r.Controller
		if c == nil {
			break
		}
		kind, name = c.Kind, c.Name
		next := o.find(r.Namespace, c)
		if next == nil {
			known = !linking[c.Kind]
			if c.Deployment != "" {
				kind, name, known = schema.GroupKind{Group: "apps", Kind: "Deployment"}, c.Deployment, true
			}
			break
		}
		r = next
	}
	return aggregate.Workload{Namespace: r.Namespace, Group: kind.Group, Kind: kind.Kind, Name: name}, known
}
