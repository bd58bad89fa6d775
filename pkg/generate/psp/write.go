package psp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

// kindOrder is how objects stand in the output: what is granted before the
// grant.
var kindOrder = []string{"PodSecurityPolicy", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"}

// YAML writes policies and grants as YAML documents that kubectl applies as they
// are, ordered by namespace, kind and name. With explain, comments say whom a
// policy is for and who needs each of its permissions.
func YAML(policies []Policy, explain bool) ([]byte, error) {
	var out bytes.Buffer
	for _, e := range sorted(policies) {
		doc, err := e.yaml(explain)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(doc)
	}
	return out.Bytes(), nil
}

// JSON writes policies and grants as one List, in the order of YAML.
func JSON(policies []Policy) ([]byte, error) {
	list := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []any  `json:"items"`
	}{"v1", "List", []any{}}
	for _, e := range sorted(policies) {
		list.Items = append(list.Items, e.object)
	}
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printableJSON(data), '\n'), nil
}

// entry is one object of the output and the policy it belongs to.
type entry struct {
	policy Policy
	kind   string
	object any
}

func sorted(policies []Policy) []entry {
	var list []entry
	for _, p := range policies {
		for _, o := range p.Objects() {
			list = append(list, entry{p, reflect.TypeOf(o).Elem().Name(), o})
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		return cmp.Or(
			strings.Compare(a.policy.Group.Namespace, b.policy.Group.Namespace),
			cmp.Compare(slices.Index(kindOrder, a.kind), slices.Index(kindOrder, b.kind)),
			strings.Compare(a.policy.Object.Name, b.policy.Object.Name),
		)
	})
	return list
}

func (e entry) yaml(explain bool) ([]byte, error) {
	if e.object != any(e.policy.Object) || !explain {
		return toYAML(e.object, func([]string) []string { return nil })
	}
	doc, err := toYAML(e.object, e.policy.why)
	return append([]byte("# "+e.policy.For()+"\n"), doc...), err
}

// why returns the reasons for the field at path, if it is a field of the spec or
// an annotation.
func (p Policy) why(path []string) []string {
	if (len(path) == 2 && path[0] == "spec") || (len(path) == 3 && path[1] == "annotations") {
		return p.Why[path[len(path)-1]]
	}
	return nil
}

// For says in one line whom the policy is for.
func (p Policy) For() string {
	g := p.Group
	if g.Namespace == "" {
		return "for all observed pods of the cluster"
	}
	var names []string
	for _, m := range g.Members {
		names = append(names, nameIn(g, m.Workload))
	}
	line := "for " + FirstFew(slices.Compact(names))
	accounts := g.ServiceAccounts()
	switch len(accounts) {
	case 0:
		line += ", static pods"
	case 1:
		line += ", under service account " + text(accounts[0].Name)
	default:
		line += fmt.Sprintf(", under %d service accounts", len(accounts))
	}
	if g.HasMirrorPods() && len(accounts) > 0 {
		line += ", and static pods"
	}
	if g.Level == aggregate.ByWorkload && g.Workload == nil {
		line += ", taken together: a seccomp profile for the whole pod makes the choice between their policies unsafe"
	}
	return line
}
