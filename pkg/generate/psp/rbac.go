package psp

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// grants returns the RBAC objects that let the accounts of a group use its policy: at
// namespace and cluster level all accounts, otherwise those of the members.
//
// Admission authorizes the account of the pod in the namespace of the pod, so a
// RoleBinding there is enough and lets the account use the policy in no other
// namespace. The account is authorized without the group system:authenticated
// (plugin/pkg/admission/security/podsecuritypolicy/admission.go,
// isAuthorizedForPolicy). For a mirror pod, which has no account, the node is.
func grants(g aggregate.Group, name string) []any {
	rules := []rbacv1.PolicyRule{{
		APIGroups:     []string{"policy"},
		Resources:     []string{"podsecuritypolicies"},
		ResourceNames: []string{name},
		Verbs:         []string{"use"},
	}}
	if g.Level == aggregate.ByCluster {
		meta := metav1.ObjectMeta{Name: name, Labels: generate.Labels()}
		return []any{
			&rbacv1.ClusterRole{TypeMeta: rbacType("ClusterRole"), ObjectMeta: meta, Rules: rules},
			&rbacv1.ClusterRoleBinding{TypeMeta: rbacType("ClusterRoleBinding"), ObjectMeta: meta, Subjects: subjects(g), RoleRef: roleRef("ClusterRole", name)},
		}
	}
	meta := metav1.ObjectMeta{Name: name, Namespace: g.Namespace, Labels: generate.Labels()}
	return []any{
		&rbacv1.Role{TypeMeta: rbacType("Role"), ObjectMeta: meta, Rules: rules},
		&rbacv1.RoleBinding{TypeMeta: rbacType("RoleBinding"), ObjectMeta: meta, Subjects: subjects(g), RoleRef: roleRef("Role", name)},
	}
}

func subjects(g aggregate.Group) []rbacv1.Subject {
	var list []rbacv1.Subject
	accounts := g.ServiceAccounts()
	switch {
	case len(accounts) == 0:
	case g.Level == aggregate.ByCluster:
		list = append(list, groupSubject("system:serviceaccounts"))
	case g.Level == aggregate.ByNamespace:
		list = append(list, groupSubject("system:serviceaccounts:"+g.Namespace))
	default:
		for _, a := range accounts {
			list = append(list, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: a.Namespace, Name: a.Name})
		}
	}
	if g.HasMirrorPods() {
		list = append(list, groupSubject("system:nodes"))
	}
	return list
}

func groupSubject(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

func roleRef(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}
