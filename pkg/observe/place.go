package observe

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// Place is where something stands in files.
type Place struct {
	// File is its name as the user gave it, or "stdin".
	File string
	// Document counts from 1; 0 stands for the file as a whole. Line is where the
	// document begins, from 1.
	Document, Line int
	// Item is the place in a List, such as "items[3]".
	Item string
}

func (p Place) String() string {
	text := p.File
	if p.Document > 0 {
		text += fmt.Sprintf(": document %d (line %d)", p.Document, p.Line)
	}
	if p.Item != "" {
		text += ": " + p.Item
	}
	return text
}

// Compare orders places as they are read: by file, then document, then item.
func (p Place) Compare(o Place) int {
	return cmp.Or(
		strings.Compare(p.File, o.File), cmp.Compare(p.Document, o.Document), cmp.Compare(p.Line, o.Line),
		cmp.Compare(len(p.Item), len(o.Item)), strings.Compare(p.Item, o.Item),
	)
}

// placesOf are the records that show where workloads stand.
type placesOf map[aggregate.Workload]*Record

// add prefers a template to a pod, and the first of several.
func (p placesOf) add(w aggregate.Workload, r *Record) {
	if r.Place == nil {
		return // as all of a server
	}
	known := p[w]
	if known == nil || known.isPod() && !r.isPod() || known.isPod() == r.isPod() && r.Place.Compare(*known.Place) < 0 {
		p[w] = r
	}
}

// places returns the places; nil if there are none.
func (p placesOf) places() map[aggregate.Workload]Place {
	var places map[aggregate.Workload]Place
	for w, r := range p {
		if places == nil {
			places = make(map[aggregate.Workload]Place, len(p))
		}
		places[w] = *r.Place
	}
	return places
}

// Skipped is something in a file that could not be read.
type Skipped struct {
	Place
	// Problem says what is wrong with it.
	Problem string
}

func (s Skipped) Error() string { return "reading " + s.String() + ": " + s.Problem }

// Compare orders by place, then problem.
func (s Skipped) Compare(o Skipped) int {
	return cmp.Or(s.Place.Compare(o.Place), strings.Compare(s.Problem, o.Problem))
}

// Warning is something in a file that was read and is probably not meant.
type Warning struct {
	Place
	// Problem says what is wrong with it.
	Problem string
}

func (w Warning) String() string { return w.Place.String() + ": " + w.Problem }

// Compare orders by place, then problem.
func (w Warning) Compare(o Warning) int {
	return cmp.Or(w.Place.Compare(o.Place), strings.Compare(w.Problem, o.Problem))
}
