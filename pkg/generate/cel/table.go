package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// AnyAccount stands for every service account of a namespace.
const AnyAccount = "*"

// Table is what the pods of one namespace, or of the cluster, may ask for.
type Table struct {
	// Group of the members that the table is for: a namespace, or the cluster.
	Group aggregate.Group
	// Alternatives, sorted by account. A pod must fit one of its account.
	Alternatives []Alternative
}

// Alternative is a set of privileges that the pods of an account may have together.
type Alternative struct {
	// Account, or AnyAccount.
	Account string
	// Permits is what a pod may ask for.
	Permits privilege.Set
	// Group of the members that need it.
	Group aggregate.Group
}

// Tables returns the tables of a level: one for each namespace, or one for the cluster
// at cluster level. The alternatives are what single pods of an account ask for at
// workload level, else what the pods of the account, the namespace or the cluster ask
// for together. One that another permits is part of it, so that each line of each
// alternative is one that some pod cannot do without. Static pods are in no table: they
// run whether their mirrors are admitted or not.
func Tables(members []aggregate.Member, level aggregate.Level) []Table {
	outer := aggregate.ByNamespace
	if level == aggregate.ByCluster {
		outer = aggregate.ByCluster
	}
	var tables []Table
	for _, g := range aggregate.Groups(members, outer, nil) {
		needs := map[string][]need{}
		for i, m := range g.Members {
			if m.ServiceAccount == "" {
				continue
			}
			account := m.ServiceAccount
			if level == aggregate.ByNamespace || level == aggregate.ByCluster {
				account = AnyAccount
			}
			for _, pod := range m.Profile.PodPrivileges.Values() {
				needs[account] = append(needs[account], need{privilege.SetOf(pod...), []int{i}})
			}
		}
		t := Table{Group: g}
		for _, account := range slices.Sorted(maps.Keys(needs)) {
			list := needs[account]
			if level == aggregate.ByWorkload {
				list = reduce(list)
			} else {
				list = []need{union(list)}
			}
			for _, n := range list {
				t.Alternatives = append(t.Alternatives, Alternative{account, n.set, n.group(g)})
			}
		}
		tables = append(tables, t)
	}
	return tables
}

// need is what members of a group need, by their indices.
type need struct {
	set     privilege.Set
	members []int
}

// group returns the members of a group that have the need.
func (n need) group(of aggregate.Group) aggregate.Group {
	slices.Sort(n.members)
	var members []aggregate.Member
	for _, i := range slices.Compact(n.members) {
		members = append(members, of.Members[i])
	}
	return aggregate.Groups(members, of.Level, nil)[0]
}

func union(needs []need) need {
	var u need
	sets := make([]privilege.Set, len(needs))
	for i, n := range needs {
		sets[i] = n.set
		u.members = append(u.members, n.members...)
	}
	u.set = privilege.Union(sets...)
	return u
}

// reduce joins needs with those that permit them: what is left are the needs that no
// other one permits, in order.
func reduce(needs []need) []need {
	var distinct []need
	index := map[string]int{}
	for _, n := range needs {
		key := strings.Join(n.set.Lines(), "\n")
		if i, known := index[key]; known {
			distinct[i].members = append(distinct[i].members, n.members...)
			continue
		}
		index[key] = len(distinct)
		distinct = append(distinct, n)
	}
	// Of two different sets, at most one permits the other.
	permits := func(o need, n need) bool { return o.set.Permits(n.set) && !o.set.Equal(n.set) }
	var kept []need
	for _, n := range distinct {
		if !slices.ContainsFunc(distinct, func(o need) bool { return permits(o, n) }) {
			kept = append(kept, n)
		}
	}
	for _, n := range distinct {
		for _, m := range n.members {
			// Pods of a member that differ stay together if they can.
			own := func(k need) bool { return slices.Contains(k.members, m) && (permits(k, n) || k.set.Equal(n.set)) }
			if slices.ContainsFunc(kept, own) {
				continue
			}
			i := slices.IndexFunc(kept, func(k need) bool { return permits(k, n) })
			kept[i].members = append(kept[i].members, m)
		}
	}
	return kept
}

// Permits returns what the pods of an account may ask for: a pod must be within one.
func (t Table) Permits(account string) []privilege.Set {
	var sets []privilege.Set
	for _, a := range t.Alternatives {
		if a.Account == AnyAccount || a.Account == account {
			sets = append(sets, a.Permits)
		}
	}
	return sets
}

// Admits reports whether the table admits a pod of an account that asks for a set, and
// what goes beyond the nearest alternative.
func (t Table) Admits(account string, asked privilege.Set) (admitted bool, excess []string) {
	sets := t.Permits(account)
	if len(sets) == 0 {
		return false, nil
	}
	excess = privilege.Nearest(sets, asked).Excess(asked)
	return len(excess) == 0, excess
}

// MaxText is the largest text of a table in bytes that fits into the annotations of an
// object, which have at most 256 KiB together, beside those of others
// (k8s.io/apimachinery/pkg/api/validation, TotalAnnotationSizeLimitB).
const MaxText = 192 << 10

// Fit returns the text of the table in at most limit bytes that a server can compare
// pods with, and what it had to give up for that: at first the comments, then the
// alternatives of an account, which become one, then the accounts. It is empty if
// nothing had to be given up. If nothing fits, the last text is returned, which is too
// large.
func (t Table) Fit(limit int) (text, given string) {
	asked, paths := t.asked()
	costly := t.costly(asked, paths)
	if text = t.Text(true); len(text) <= limit && !costly {
		return text, ""
	}
	reason := fmt.Sprintf("its permits have %d bytes, more than the %d that fit", len(text), limit)
	if costly {
		reason = "its permits have too many lines for a server to compare pods with"
	}
	for _, step := range []struct {
		table Table
		given string
	}{
		{t, "it has no comments"},
		{t.merged(func(a Alternative) string { return a.Account }), "it has no comments, and one alternative for each service account"},
		{t.merged(func(Alternative) string { return AnyAccount }), "it has no comments, and one alternative for all service accounts"},
	} {
		text, given = step.table.Text(false), step.given
		if costly = step.table.costly(asked, paths); len(text) <= limit && !costly {
			break
		}
	}
	if len(text) > limit {
		given += fmt.Sprintf(", and is still larger than %d bytes", limit)
	}
	if costly {
		given += ", which are still too many"
	}
	return text, reason + ": " + given
}

// asked returns how many lines a pod asks for, at most, and how many lines that are
// about paths of the host.
func (t Table) asked() (lines, paths int) {
	for _, a := range t.Alternatives {
		for _, pod := range aggregate.Attribute(a.Group, func(p *profile.Profile) profile.Set[profile.Names] { return p.PodPrivileges }).Values() {
			own := 0
			for _, line := range pod {
				if ofHostPath(line) {
					own++
				}
			}
			lines, paths = max(lines, len(pod)), max(paths, own)
		}
	}
	return lines, paths
}

func ofHostPath(line string) bool {
	return strings.HasPrefix(line, "hostPath ") || strings.HasPrefix(line, "write hostPath ")
}

// costly reports whether comparing a pod that asks for so many lines with what the table
// permits may cost more than Core does. Several containers may ask for the same line, so
// half of the limit is left for them.
func (t Table) costly(asked, askedPaths int) bool {
	lines, cost := map[string]int{}, map[string]int{}
	for _, a := range t.Alternatives {
		lines[a.Account] += len(a.Permits.Lines())
		cost[a.Account] += asked * (alternativeCost + len(a.Permits.Lines()))
		for _, line := range a.Permits.Lines() {
			switch {
			case ofHostPath(line):
				cost[a.Account] += askedPaths * 2 * (underCost + len(line)/10)
			case strings.HasPrefix(line, "hostPort "):
				cost[a.Account] += asked * underCost
			}
		}
	}
	for account := range lines {
		if lines[account] > maxLines || cost[account] > maxCost/2 {
			return true
		}
	}
	return false
}

// merged returns the table with one alternative for each value of key.
func (t Table) merged(key func(Alternative) string) Table {
	sets := map[string][]privilege.Set{}
	for _, a := range t.Alternatives {
		sets[key(a)] = append(sets[key(a)], a.Permits)
	}
	m := Table{Group: t.Group}
	for _, account := range slices.Sorted(maps.Keys(sets)) {
		m.Alternatives = append(m.Alternatives, Alternative{Account: account, Permits: privilege.Union(sets[account]...)})
	}
	return m
}

// Text returns the table as people and policies read it: a block for each alternative,
// with an empty line between them. A block has a line with the account in brackets,
// then one line for each privilege. Lines that start with # are comments: they name
// the workloads that the block is for, and those that need the lines below, down to
// the next comment.
//
//	[web]
//	# for Deployment/web
//	hostUsers
//	# Deployment/web (container nginx)
//	image user root
func (t Table) Text(comments bool) string {
	blocks := make([]string, len(t.Alternatives))
	for i, a := range t.Alternatives {
		blocks[i] = a.text(comments)
	}
	return strings.Join(blocks, "\n\n")
}

func (a Alternative) text(comments bool) string {
	lines := []string{"[" + a.Account + "]"}
	last := "" // who needs the lines
	var privileges profile.Set[profile.Name]
	if comments {
		privileges = aggregate.Attribute(a.Group, func(p *profile.Profile) profile.Set[profile.Name] { return p.Privileges })
		last = generate.Workloads(a.Group)
		lines = append(lines, "# for "+last)
	}
	for _, line := range a.Permits.Lines() {
		if comments {
			if who := a.who(line, privileges); who != last {
				lines, last = append(lines, "# "+who), who
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// who names the first few workloads and containers that need a line, by the privileges of
// the group. A line that stands for several is needed by those who need one of them.
func (a Alternative) who(line string, privileges profile.Set[profile.Name]) string {
	uses := privileges.UsesOf(profile.Name(line))
	if len(uses) == 0 {
		uses = privileges.Uses(func(n profile.Name) bool { return privilege.Under(string(n), line) })
	}
	return generate.Who(a.Group, uses)
}
