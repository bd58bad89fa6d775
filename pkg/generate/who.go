package generate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Limits that keep a comment short whatever the cluster contains.
const (
	maxNames = 3
	maxText  = 120
)

// Who names the first few workloads and containers of a list of uses in the group's
// profile.
func Who(g aggregate.Group, uses []profile.Use) string {
	var names []string
	more := 0
	for i := 0; i < len(uses); {
		first := i
		w := g.Members[uses[i].Member].Workload
		// A workload with two accounts has two members.
		for ; i < len(uses) && g.Members[uses[i].Member].Workload == w; i++ {
		}
		if len(names) == maxNames {
			more++
			continue
		}
		names = append(names, nameIn(g, w)+inContainers(profile.Containers(uses[first:i])))
	}
	return few(names, more)
}

// For says in one line which workloads the policy of a group is for.
func For(g aggregate.Group) string {
	if g.Namespace == "" {
		return "for all observed pods of the cluster"
	}
	line := "for " + Workloads(g)
	accounts := g.ServiceAccounts()
	switch len(accounts) {
	case 0:
		line += ", static pods"
	case 1:
		line += ", under service account " + Short(accounts[0].Name)
	default:
		line += fmt.Sprintf(", under %d service accounts", len(accounts))
	}
	if g.HasMirrorPods() && len(accounts) > 0 {
		line += ", and static pods"
	}
	return line
}

// Workloads names the first few workloads of a group.
func Workloads(g aggregate.Group) string {
	var names []string
	for _, m := range g.Members {
		names = append(names, nameIn(g, m.Workload))
	}
	return FirstFew(slices.Compact(names))
}

// FirstFew returns the first three names and the number of the others.
func FirstFew(names []string) string {
	shown := min(len(names), maxNames)
	return few(names[:shown], len(names)-shown)
}

func few(names []string, more int) string {
	list := strings.Join(names, ", ")
	if more > 0 {
		list += " and " + strconv.Itoa(more) + " more"
	}
	return list
}

// nameIn returns the name of a workload in a comment on the policy of g: with its
// namespace if g has none.
func nameIn(g aggregate.Group, w aggregate.Workload) string {
	if g.Namespace == "" {
		return Short(w.Namespace) + " " + Short(w.String())
	}
	return Short(w.String())
}

func inContainers(names []string) string {
	if len(names) == 0 {
		return ""
	}
	word := " (container "
	if len(names) > 1 {
		word = " (containers "
	}
	var shown []string
	for _, n := range names[:min(len(names), maxNames)] {
		shown = append(shown, Short(n))
	}
	list := strings.Join(shown, ", ")
	if len(names) > len(shown) {
		list += ", …"
	}
	return word + list + ")"
}

// Short makes a string of the cluster safe for a comment.
func Short(s string) string { return printable.Short(s, maxText) }
