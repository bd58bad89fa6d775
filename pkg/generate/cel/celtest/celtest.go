// Package celtest helps to test the engines that are made around the core of package
// cel: members to generate from, and the law that all of these engines keep.
package celtest

import (
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// Member returns a Deployment with one pod under a service account.
func Member(namespace, name, account string, pod *corev1.Pod) aggregate.Member {
	return aggregate.Member{
		Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: account, Pods: 1, Profile: profile.Of(pod, profile.Options{}),
	}
}

// YAML returns the objects of outputs with their comments.
func YAML(t *testing.T, outputs []generate.Output) string {
	t.Helper()
	return yaml(t, outputs, true)
}

func yaml(t *testing.T, outputs []generate.Output, explain bool) string {
	t.Helper()
	text, err := generate.YAML(outputs, explain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// EachAttributeIsExpressed checks that each attribute of a profile makes a difference to
// the objects of an engine, or is listed as one that they cannot express.
func EachAttributeIsExpressed(t *testing.T, e generate.Engine) {
	t.Helper()
	for attribute, pods := range podtest.Attributes() {
		t.Run(attribute, func(t *testing.T) {
			output := func(pod *corev1.Pod) string {
				return yaml(t, e.Outputs([]aggregate.Member{Member("shop", "web", "web", pod)}, aggregate.ByWorkload), false)
			}
			expressed := output(pods[0]) != output(pods[1])
			if expressed == slices.Contains(e.Inexpressible, attribute) {
				t.Errorf("expressed: %t, listed as inexpressible: %t", expressed, !expressed)
			}
		})
	}
	for _, name := range e.Inexpressible {
		if !slices.Contains(profile.Attributes(), name) {
			t.Errorf("%s is no attribute", name)
		}
	}
}
