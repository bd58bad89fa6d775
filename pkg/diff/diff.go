// Package diff says who asks for more than before.
//
// Input is two observations, the base and the head; output is a Change for each workload
// that differs: the privileges that it escalates to, those that it gave up, and those
// that another of its containers asks for now. Workloads and containers are the same if
// their names are: an image, an order or a number of replicas makes no difference. Laws,
// each tested:
//   - There is no escalation exactly when every pod of the head is within what the base
//     asks for: its own workload there, or, if that is new, all workloads of the namespace.
//   - The escalations from a to b are the reductions from b to a, and what spreads in a
//     workload from a to b is withdrawn from b to a.
//   - Nothing differs from itself, and the order of the members does not matter.
package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// State says whether a workload is in both observations.
type State string

// The states.
const (
	Changed State = "changed"
	Added   State = "added"
	Removed State = "removed"
	// Unpermitted: the account of the pods has no permits; see Against.
	Unpermitted State = "unpermitted"
)

// Change is how a workload differs.
type Change struct {
	Workload aggregate.Workload
	State    State
	// Escalated are privileges beyond what the workload asked for in the base; of an added
	// one, beyond what all workloads of the namespace asked for together.
	Escalated []Privilege
	// Reduced are privileges that the workload no longer asks for; of a removed one, those
	// that no workload of the namespace asks for any more.
	Reduced []Privilege
	// Spread are privileges that a container asks for now, where another one of the
	// workload has asked before; Withdrawn are those that a container no longer asks for,
	// where another one still does.
	Spread, Withdrawn []Privilege
	// BaseAccounts and HeadAccounts are the service accounts of the pods, sorted, if they
	// differ; static pods have none. What accounts may do is not compared.
	BaseAccounts, HeadAccounts []string
	// Place of the workload in the files of the head, or of the base if it is removed; nil
	// if it is in none.
	Place *observe.Place
}

// Privilege is a line of package privilege, with who asks for it.
type Privilege struct {
	Line     string
	Severity privilege.Severity
	// Containers that ask for it, sorted; none if the pod as a whole does.
	Containers []string
	// Other are the lines of the same family on the other side, sorted: an escalation to
	// "write hostPath /etc" is another matter where "hostPath /etc" was asked for.
	Other []string
}

// Compare returns the changes from the base to the head, sorted by workload.
func Compare(base, head *observe.Observation) []Change {
	before, after := sideOf(base.Members), sideOf(head.Members)
	var changes []Change
	all := maps.Clone(before.workloads)
	maps.Copy(all, after.workloads)
	for _, w := range slices.SortedFunc(maps.Keys(all), aggregate.Workload.Compare) {
		old, was := before.workloads[w]
		now, is := after.workloads[w]
		c := Change{Workload: w, State: Changed, Place: placeIn(head, w)}
		switch {
		case !was:
			c.State, old = Added, before.namespaces[w.Namespace]
		case !is:
			c.State, now = Removed, after.namespaces[w.Namespace]
			c.Place = placeIn(base, w)
		}
		if c.State != Removed {
			c.Escalated = excess(old.permits(), now)
		}
		if c.State != Added {
			c.Reduced = excess(now.permits(), old)
		}
		if c.State == Changed {
			c.Spread, c.Withdrawn = spread(old, now), spread(now, old)
			if !slices.Equal(old.accounts, now.accounts) {
				c.BaseAccounts, c.HeadAccounts = old.accounts, now.accounts
			}
		}
		if !c.empty() {
			changes = append(changes, c)
		}
	}
	return changes
}

func placeIn(o *observe.Observation, w aggregate.Workload) *observe.Place {
	if p, known := o.Places[w]; known {
		return &p
	}
	return nil
}

func (c Change) empty() bool {
	return c.State == Changed && len(c.Escalated)+len(c.Reduced)+len(c.Spread)+len(c.Withdrawn)+len(c.BaseAccounts)+len(c.HeadAccounts) == 0
}

// side is what the workloads and the namespaces of an observation ask for.
type side struct {
	workloads  map[aggregate.Workload]*asked
	namespaces map[string]*asked
}

// asked is what pods ask for together.
type asked struct {
	set privilege.Set
	// privileges are the lines with the containers that ask, and accounts are those of the
	// pods; a namespace has neither.
	privileges profile.Set[profile.Name]
	accounts   []string
}

func sideOf(members []aggregate.Member) side {
	s, sets := side{map[aggregate.Workload]*asked{}, map[string]*asked{}}, map[string][]privilege.Set{}
	of := map[aggregate.Workload][]aggregate.Member{}
	for _, m := range members {
		of[m.Workload] = append(of[m.Workload], m)
	}
	for w, list := range of {
		var profiles []*profile.Profile
		a := &asked{}
		for _, m := range list {
			profiles = append(profiles, m.Profile)
			if m.ServiceAccount != "" {
				a.accounts = append(a.accounts, m.ServiceAccount)
			}
		}
		slices.Sort(a.accounts)
		a.privileges = profile.Join(profiles...).Privileges
		a.set = setOf(a.privileges)
		s.workloads[w] = a
		sets[w.Namespace] = append(sets[w.Namespace], a.set)
	}
	for namespace, list := range sets {
		s.namespaces[namespace] = &asked{set: privilege.Union(list...)}
	}
	return s
}

func setOf(privileges profile.Set[profile.Name]) privilege.Set {
	var lines []string
	for _, n := range privileges.Values() {
		lines = append(lines, string(n))
	}
	return privilege.SetOf(lines...)
}

// permits returns what a side asked for, as what the other one may ask for: nothing if it
// has no pods.
func (a *asked) permits() privilege.Set {
	if a == nil {
		return privilege.Set{}
	}
	return a.set
}

// excess returns what goes beyond what is permitted.
func excess(permitted Permitted, beyond *asked) []Privilege {
	if beyond == nil {
		return nil
	}
	var list []Privilege
	for _, line := range permitted.Excess(beyond.set) {
		list = append(list, Privilege{line, privilege.SeverityOf(line), beyond.containers(line), family(permitted.Lines(), line)})
	}
	return list
}

// containers returns the containers that ask for a line, or for what is under it: a line
// may stand for several.
func (a *asked) containers(line string) []string {
	uses := a.privileges.Uses(func(n profile.Name) bool { return string(n) == line })
	if len(uses) == 0 {
		uses = a.privileges.Uses(func(n profile.Name) bool { return privilege.Under(string(n), line) || privilege.Under(line, string(n)) })
	}
	return profile.Containers(uses)
}

// family returns which of several lines are about the same as a line.
func family(lines []string, line string) []string {
	var list []string
	for _, other := range lines {
		if familyOf(other) == familyOf(line) {
			list = append(list, other)
		}
	}
	return list
}

// familyOf names what a line is about: most begin with it. Those of one family exclude
// each other, or grow from one to the other.
func familyOf(line string) string {
	for _, f := range []struct {
		name  string
		lines []string
	}{
		{"hostPath", []string{"write hostPath ", "hostPath "}},
		{"user", []string{"image user", "user ", "root user", "windows user "}},
		{"groups", []string{"image groups"}},
		{"group", []string{"image group", "group ", "root group"}},
		{"seccomp", []string{"no seccomp profile", "seccomp "}},
		{"runtimeClass", []string{"default runtimeClass", "runtimeClass "}},
		{"capabilities", []string{"default capabilities", "capability "}},
	} {
		if slices.ContainsFunc(f.lines, func(l string) bool { return strings.HasPrefix(line, l) }) {
			return f.name
		}
	}
	first, _, _ := strings.Cut(line, " ")
	return first
}

// spread returns what containers ask for that they did not ask for before, where the
// workload did.
func spread(old, now *asked) []Privilege {
	before := map[string]privilege.Set{}
	for container, lines := range old.byContainer() {
		before[container] = privilege.SetOf(lines...)
	}
	who := map[string][]string{}
	for container, lines := range now.byContainer() {
		if container == "" {
			continue // of the pod as a whole, and so of the workload
		}
		for _, line := range before[container].Excess(privilege.SetOf(lines...)) {
			if old.set.Permits(privilege.SetOf(line)) {
				who[line] = append(who[line], container)
			}
		}
	}
	var list []Privilege
	for _, line := range slices.Sorted(maps.Keys(who)) {
		slices.Sort(who[line])
		list = append(list, Privilege{Line: line, Severity: privilege.SeverityOf(line), Containers: who[line]})
	}
	return list
}

// byContainer returns the lines of each container; those of the pod are under "".
func (a *asked) byContainer() map[string][]string {
	lines := map[string][]string{}
	for _, it := range a.privileges.Items() {
		for _, u := range it.Uses {
			lines[u.Container] = append(lines[u.Container], string(it.Value))
		}
	}
	return lines
}
