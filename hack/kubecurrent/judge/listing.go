package judge

import (
	"cmp"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// policies lists the stored policies in the order of their names: that of the
// server is random.
func (c *cluster) policies() ([]*admissionregistrationv1.ValidatingAdmissionPolicy, error) {
	policies, err := c.factory.Admissionregistration().V1().ValidatingAdmissionPolicies().Lister().List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing policies: %w", err)
	}
	slices.SortFunc(policies, func(a, b *admissionregistrationv1.ValidatingAdmissionPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return policies, nil
}

// bindings lists the stored bindings per policy, in the order of their names.
func (c *cluster) bindings() (map[string][]*admissionregistrationv1.ValidatingAdmissionPolicyBinding, error) {
	bindings, err := c.factory.Admissionregistration().V1().ValidatingAdmissionPolicyBindings().Lister().List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing bindings: %w", err)
	}
	slices.SortFunc(bindings, func(a, b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) int {
		return cmp.Compare(a.Name, b.Name)
	})
	byPolicy := map[string][]*admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	for _, b := range bindings {
		byPolicy[b.Spec.PolicyName] = append(byPolicy[b.Spec.PolicyName], b)
	}
	return byPolicy, nil
}
