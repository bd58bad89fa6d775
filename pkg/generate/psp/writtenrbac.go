package psp

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Written has the policies of files, and the RBAC that lets accounts use them. The zero
// value is empty and ready for use.
type Written struct {
	// Namespace of Roles and RoleBindings without one; empty means "default".
	Namespace string

	policies     map[string]*writtenPolicy
	roles        map[roleKey][]rbacv1.PolicyRule
	clusterRoles map[string]*rbacv1.ClusterRole
	bindings     []binding
}

// roleKey identifies a Role.
type roleKey struct{ namespace, name string }

// binding is a RoleBinding, or a ClusterRoleBinding if namespace is empty.
type binding struct {
	namespace string
	role      rbacv1.RoleRef
	subjects  []rbacv1.Subject
}

// policyGroups are the API groups in which servers have, or had, policies. Admission
// asks for both (plugin/pkg/admission/security/podsecuritypolicy/admission.go,
// authorizedForPolicy).
var policyGroups = []string{"policy", "extensions"}

// Len returns the number of policies.
func (w *Written) Len() int { return len(w.policies) }

// Read adds an object of a type if it is a policy or RBAC; other kinds are ignored.
// Decode decodes the object.
func (w *Written) Read(t metav1.TypeMeta, decode func(into any) error) error {
	kind := schema.FromAPIVersionAndKind(t.APIVersion, t.Kind)
	switch {
	case kind.Kind == "PodSecurityPolicy" && slices.Contains(policyGroups, kind.Group):
		return w.readPolicy(decode)
	case kind.Group == rbacv1.GroupName:
		return w.readRBAC(kind.Kind, decode)
	default:
		return nil
	}
}

func (w *Written) readPolicy(decode func(any) error) error {
	p := &writtenPolicy{}
	if err := decode(p); err != nil {
		return err
	}
	switch {
	case p.Name == "":
		return fmt.Errorf("metadata.name: required for PodSecurityPolicy")
	case w.policies[p.Name] != nil:
		return fmt.Errorf("PodSecurityPolicy %q is there twice: remove one of them", p.Name)
	case w.policies == nil:
		w.policies = map[string]*writtenPolicy{}
	}
	w.policies[p.Name] = p
	return nil
}

func (w *Written) readRBAC(kind string, decode func(any) error) error {
	switch kind {
	case "Role":
		var r rbacv1.Role
		if err := decode(&r); err != nil {
			return err
		}
		if w.roles == nil {
			w.roles = map[roleKey][]rbacv1.PolicyRule{}
		}
		w.roles[roleKey{w.namespace(r.Namespace), r.Name}] = r.Rules
	case "ClusterRole":
		r := &rbacv1.ClusterRole{}
		if err := decode(r); err != nil {
			return err
		}
		if w.clusterRoles == nil {
			w.clusterRoles = map[string]*rbacv1.ClusterRole{}
		}
		w.clusterRoles[r.Name] = r
	case "RoleBinding":
		var b rbacv1.RoleBinding
		if err := decode(&b); err != nil {
			return err
		}
		w.bindings = append(w.bindings, binding{w.namespace(b.Namespace), b.RoleRef, b.Subjects})
	case "ClusterRoleBinding":
		var b rbacv1.ClusterRoleBinding
		if err := decode(&b); err != nil {
			return err
		}
		w.bindings = append(w.bindings, binding{"", b.RoleRef, b.Subjects})
	}
	return nil
}

func (w *Written) namespace(name string) string { return cmp.Or(name, w.Namespace, "default") }

// sorted returns the policies by name.
func (w *Written) sorted() []*writtenPolicy {
	var list []*writtenPolicy
	for _, name := range slices.Sorted(maps.Keys(w.policies)) {
		list = append(list, w.policies[name])
	}
	return list
}

// Grant is a subject that may use a policy.
type Grant struct {
	// Kind and Name of the subject: User, Group or ServiceAccount; the name of the
	// latter is NAMESPACE/NAME.
	Kind, Name string
	// Namespace of the pods for which the subject may; empty for all.
	Namespace string
}

func (g Grant) String() string {
	text := g.Kind + " " + g.Name
	if g.Namespace != "" {
		text += " in namespace " + g.Namespace
	}
	return text
}

func (g Grant) compare(o Grant) int {
	return cmp.Or(strings.Compare(g.Kind, o.Kind), strings.Compare(g.Name, o.Name), strings.Compare(g.Namespace, o.Namespace))
}

// covers reports whether pods of a member may use what is granted: by their account, or,
// as mirror pods, by their node. What others who create pods may use counts for these,
// too, but is known only of those that are part of every group.
func (g Grant) covers(m aggregate.Member) bool {
	if g.Namespace != "" && g.Namespace != m.Workload.Namespace {
		return false
	}
	account := m.ServiceAccount != ""
	switch {
	case g.Kind == rbacv1.ServiceAccountKind:
		return account && g.Name == m.Workload.Namespace+"/"+m.ServiceAccount
	case g.Kind == rbacv1.UserKind:
		return account && g.Name == "system:serviceaccount:"+m.Workload.Namespace+":"+m.ServiceAccount
	case g.Name == "system:authenticated":
		return true
	case g.Name == "system:nodes":
		return !account
	default:
		return account && (g.Name == "system:serviceaccounts" || g.Name == "system:serviceaccounts:"+m.Workload.Namespace)
	}
}

// grants returns the subjects that may use a policy, sorted; ok is false if there are
// none.
func (w *Written) grants(policy string) (list []Grant, ok bool) {
	for _, b := range w.bindings {
		if !slices.ContainsFunc(w.rules(b), func(r rbacv1.PolicyRule) bool { return permitsUse(r, policy) }) {
			continue
		}
		for _, s := range b.subjects {
			g := Grant{Kind: s.Kind, Name: s.Name, Namespace: b.namespace}
			if s.Kind == rbacv1.ServiceAccountKind {
				g.Name = s.Namespace + "/" + s.Name
			}
			list = append(list, g)
		}
	}
	slices.SortFunc(list, Grant.compare)
	list = slices.Compact(list)
	return list, len(list) > 0
}

// rules returns the rules of the role that is bound; none if the files do not have it.
func (w *Written) rules(b binding) []rbacv1.PolicyRule {
	if b.role.Kind == "Role" {
		return w.roles[roleKey{b.namespace, b.role.Name}]
	}
	role := w.clusterRoles[b.role.Name]
	if role == nil || role.AggregationRule == nil {
		if role == nil {
			return nil
		}
		return role.Rules
	}
	var rules []rbacv1.PolicyRule
	for _, s := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		if err != nil {
			continue // the API rejects it
		}
		for _, r := range w.clusterRoles {
			if selector.Matches(labels.Set(r.Labels)) {
				rules = append(rules, r.Rules...)
			}
		}
	}
	return rules
}

// permitsUse reports whether a rule lets its subject use a policy.
func permitsUse(r rbacv1.PolicyRule, policy string) bool {
	has := func(list []string, wanted ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == rbacv1.ResourceAll || slices.Contains(wanted, s) })
	}
	return has(r.Verbs, "use") && has(r.APIGroups, policyGroups...) && has(r.Resources, "podsecuritypolicies") &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, policy))
}
