package cel_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
)

func TestActions(t *testing.T) {
	for enforcement, want := range map[cel.Enforcement][]admissionv1.ValidationAction{
		"": {admissionv1.Warn, admissionv1.Audit}, cel.Warn: {admissionv1.Warn, admissionv1.Audit}, cel.Audit: {admissionv1.Audit}, cel.Deny: {admissionv1.Deny, admissionv1.Audit},
	} {
		if diff := cmp.Diff(want, enforcement.Actions()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", enforcement, diff)
		}
	}
}
