package judge

import (
	"context"
	"fmt"
	"sort"

	policyv1beta1 "k8s.io/api/policy/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/policy"
	rbacapi "k8s.io/kubernetes/pkg/apis/rbac"
	rbacvalidation "k8s.io/kubernetes/pkg/apis/rbac/validation"
	pspstrategy "k8s.io/kubernetes/pkg/registry/policy/podsecuritypolicy"
	rbacregistry "k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/pkg/security/podsecuritypolicy"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

// policies is the generated side of a request, as a server would store it.
type policies struct {
	psps []*policyv1beta1.PodSecurityPolicy
	// faults are the verdicts on objects that a server would refuse or ignore.
	faults []Policy

	roles           []*rbacv1.Role
	bindings        []*rbacv1.RoleBinding
	clusterRoles    []*rbacv1.ClusterRole
	clusterBindings []*rbacv1.ClusterRoleBinding

	authorizer authorizer.Authorizer
}

// newPolicies stores the objects as the API server would: prepared, validated
// and, for the lister of the admission plugin, in their served version.
func newPolicies(objects []runtime.Object) (*policies, error) {
	p := &policies{}
	stored := map[string]bool{}
	for _, object := range objects {
		meta, ok := object.(metav1.Object)
		if !ok {
			return nil, fmt.Errorf("%T is no object", object)
		}
		kind := legacyKind(object)
		if kind == "" {
			return nil, fmt.Errorf("%T %s is neither a policy nor a grant", object, meta.GetName())
		}
		name := kind + " " + meta.GetName()
		if meta.GetNamespace() != "" {
			name = kind + " " + meta.GetNamespace() + "/" + meta.GetName()
		}
		if stored[name] {
			p.faults = append(p.faults, Policy{Name: name, Invalid: "two objects have this name"})
			continue
		}
		stored[name] = true
		if invalid, err := p.store(object); err != nil {
			return nil, fmt.Errorf("storing %s: %w", name, err)
		} else if invalid != "" {
			p.faults = append(p.faults, Policy{Name: name, Invalid: invalid})
		}
	}
	sort.Slice(p.psps, func(i, j int) bool { return p.psps[i].Name < p.psps[j].Name })
	_, static := rbacregistry.NewTestRuleResolver(p.roles, p.bindings, p.clusterRoles, p.clusterBindings)
	p.authorizer = rbac.New(static, static, static, static)
	return p, nil
}

func legacyKind(object runtime.Object) string {
	switch object.(type) {
	case *policy.PodSecurityPolicy:
		return "PodSecurityPolicy"
	case *rbacapi.Role:
		return "Role"
	case *rbacapi.RoleBinding:
		return "RoleBinding"
	case *rbacapi.ClusterRole:
		return "ClusterRole"
	case *rbacapi.ClusterRoleBinding:
		return "ClusterRoleBinding"
	}
	return ""
}

// store keeps a valid object; it says why an invalid one is not kept.
func (p *policies) store(object runtime.Object) (invalid string, err error) {
	switch o := object.(type) {
	case *policy.PodSecurityPolicy:
		psp, invalid, err := admissible(o)
		if err != nil || invalid != "" {
			return invalid, err
		}
		p.psps = append(p.psps, psp)
	case *rbacapi.Role:
		if errs := rbacvalidation.ValidateRole(o); len(errs) > 0 {
			return errs.ToAggregate().Error(), nil
		}
		versioned := &rbacv1.Role{}
		p.roles = append(p.roles, versioned)
		return excess(o.Rules), legacyscheme.Scheme.Convert(o, versioned, nil)
	case *rbacapi.ClusterRole:
		if errs := rbacvalidation.ValidateClusterRole(o); len(errs) > 0 {
			return errs.ToAggregate().Error(), nil
		}
		versioned := &rbacv1.ClusterRole{}
		p.clusterRoles = append(p.clusterRoles, versioned)
		return excess(o.Rules), legacyscheme.Scheme.Convert(o, versioned, nil)
	case *rbacapi.RoleBinding:
		if errs := rbacvalidation.ValidateRoleBinding(o); len(errs) > 0 {
			return errs.ToAggregate().Error(), nil
		}
		versioned := &rbacv1.RoleBinding{}
		p.bindings = append(p.bindings, versioned)
		return "", legacyscheme.Scheme.Convert(o, versioned, nil)
	case *rbacapi.ClusterRoleBinding:
		if errs := rbacvalidation.ValidateClusterRoleBinding(o); len(errs) > 0 {
			return errs.ToAggregate().Error(), nil
		}
		versioned := &rbacv1.ClusterRoleBinding{}
		p.clusterBindings = append(p.clusterBindings, versioned)
		return "", legacyscheme.Scheme.Convert(o, versioned, nil)
	}
	return "", nil
}

// admissible gives the policy as the plugin's lister would have it, or says
// why the API refuses it or the plugin ignores it: CreateStrategies fails on
// some valid policies, which admission merely logs
// (plugin/pkg/admission/security/podsecuritypolicy/admission.go:337, v1.24.17).
func admissible(internal *policy.PodSecurityPolicy) (psp *policyv1beta1.PodSecurityPolicy, invalid string, err error) {
	internal = internal.DeepCopy()
	pspstrategy.Strategy.PrepareForCreate(context.Background(), internal)
	if errs := pspstrategy.Strategy.Validate(context.Background(), internal); len(errs) > 0 {
		return nil, errs.ToAggregate().Error(), nil
	}
	psp = &policyv1beta1.PodSecurityPolicy{}
	if err := legacyscheme.Scheme.Convert(internal, psp, nil); err != nil {
		return nil, "", fmt.Errorf("converting policy %s: %w", internal.Name, err)
	}
	// Conversion alone leaves what the next reader's defaulting would fill.
	legacyscheme.Scheme.Default(psp)
	if _, err := podsecuritypolicy.NewSimpleProvider(psp, "", podsecuritypolicy.NewSimpleStrategyFactory()); err != nil {
		return nil, "ignored by admission: " + err.Error(), nil //nolint:nilerr // the error is the finding
	}
	return psp, "", nil
}

// excess says which rule gives more than the use of named policies.
func excess(rules []rbacapi.PolicyRule) string {
	only := func(list []string, want string) bool { return len(list) == 1 && list[0] == want }
	for _, rule := range rules {
		if !only(rule.Verbs, "use") || !only(rule.APIGroups, "policy") ||
			!only(rule.Resources, "podsecuritypolicies") || len(rule.ResourceNames) == 0 {
			return fmt.Sprintf("the rule %v gives more than the use of named policies", rule)
		}
	}
	return ""
}

// uses reports whether info may use the policy in the namespace, asked as
// admission asks it
// (plugin/pkg/admission/security/podsecuritypolicy/admission.go:360-399, v1.24.17).
func (p *policies) uses(info user.Info, namespace, name string) bool {
	for _, group := range []string{"policy", "extensions"} {
		decision, _, _ := p.authorizer.Authorize(context.Background(), authorizer.AttributesRecord{
			User: info, Verb: "use", Namespace: namespace, Name: name,
			APIGroup: group, APIVersion: "*", Resource: "podsecuritypolicies", ResourceRequest: true,
		})
		if decision == authorizer.DecisionAllow {
			return true
		}
	}
	return false
}
