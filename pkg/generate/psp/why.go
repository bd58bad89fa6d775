package psp

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Bounds that keep a comment short whatever the cluster holds.
const (
	maxWorkloads = 3
	maxText      = 120
)

// is returns the predicate "equals v".
func is[T profile.Value[T]](v T) func(T) bool {
	return func(o T) bool { return o.Compare(v) == 0 }
}

// because notes under field which workloads and containers have a value that
// matches, behind lead. Nothing is noted when nobody has one.
func because[T profile.Value[T]](d *draft, field, lead string, set func(*profile.Profile) profile.Set[T], match func(T) bool) {
	if who := users(d.group, set, match); who != "" {
		d.note(field, lead+" "+who)
	}
}

// usedBy leads to the users of one entry of a list.
func usedBy(entry string) string { return text(entry) + ": used by" }

// note adds a plain line under field.
func (d *draft) note(field, line string) { d.why[field] = append(d.why[field], line) }

// users names the workloads with a matching value, the first three of them.
func users[T profile.Value[T]](g aggregate.Group, set func(*profile.Profile) profile.Set[T], match func(T) bool) string {
	var names []string
	for i := 0; i < len(g.Members); {
		w := g.Members[i].Workload
		var containers []string
		found := false
		// A workload with two accounts is two members.
		for ; i < len(g.Members) && g.Members[i].Workload == w; i++ {
			for _, it := range set(g.Members[i].Profile).Items() {
				if match(it.Value) {
					found = true
					containers = appendNew(containers, profile.Containers(it.Uses))
				}
			}
		}
		if found {
			names = append(names, nameIn(g, w)+inContainers(containers))
		}
	}
	return FirstFew(names)
}

// nameIn names a workload in a comment on the policy of g: with its
// namespace, where the policy has none.
func nameIn(g aggregate.Group, w aggregate.Workload) string {
	if g.Namespace == "" {
		return text(w.Namespace) + " " + text(w.String())
	}
	return text(w.String())
}

// FirstFew joins the first three names and counts the others.
func FirstFew(names []string) string {
	list := strings.Join(names[:min(len(names), maxWorkloads)], ", ")
	if more := len(names) - maxWorkloads; more > 0 {
		list += " and " + strconv.Itoa(more) + " more"
	}
	return list
}

func appendNew(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func inContainers(names []string) string {
	if len(names) == 0 {
		return ""
	}
	word := " (container "
	if len(names) > 1 {
		word = " (containers "
	}
	shown := names[:min(len(names), maxWorkloads)]
	for i, n := range shown {
		shown[i] = text(n)
	}
	list := strings.Join(shown, ", ")
	if len(names) > len(shown) {
		list += ", …"
	}
	return word + list + ")"
}

// text makes a string of the cluster safe and short: one line, no control
// characters, so that a name can neither end a comment nor drive a terminal.
func text(s string) string {
	bad := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if strings.ContainsFunc(s, bad) {
		s = strconv.QuoteToASCII(s)
	}
	if runes := []rune(s); len(runes) > maxText {
		s = string(runes[:maxText]) + "…"
	}
	return s
}
