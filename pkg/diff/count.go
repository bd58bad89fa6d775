package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// Count is how many workloads differ.
type Count struct {
	// Escalated workloads ask for more, Critical ones of these for what is critical. Reduced
	// ones only ask for less. Added, Removed and Other ones do neither.
	Escalated, Critical, Reduced, Added, Removed, Other int
}

// CountOf counts changes.
func CountOf(changes []Change) Count {
	var n Count
	for _, c := range changes {
		switch {
		case len(c.Escalated) > 0:
			n.Escalated++
			if slices.ContainsFunc(c.Escalated, func(p Privilege) bool { return p.Severity == privilege.Critical }) {
				n.Critical++
			}
		case c.State == Added || c.State == Unpermitted:
			n.Added++
		case c.State == Removed:
			n.Removed++
		case len(c.Reduced) > 0:
			n.Reduced++
		default:
			n.Other++
		}
	}
	return n
}

func (n Count) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{n.Escalated, "escalated"},
		{n.Reduced, "reduced"},
		{n.Added, "new within what others ask for"},
		{n.Removed, "removed"},
		{n.Other, "changed within what they ask for"},
	} {
		if p.n == 0 {
			continue
		}
		noun := ""
		switch {
		case len(parts) > 0:
		case p.n == 1:
			noun = "workload "
		default:
			noun = "workloads "
		}
		part := fmt.Sprintf("%d %s%s", p.n, noun, p.what)
		if p.what == "escalated" && n.Critical > 0 {
			part += fmt.Sprintf(" (%d critical)", n.Critical)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "no workload differs"
	}
	return strings.Join(parts, ", ")
}
