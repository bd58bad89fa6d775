package psp

import (
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

// Each attribute of a profile makes a difference to the policies, or is listed as
// one that they cannot express.
func TestEachAttributeIsExpressed(t *testing.T) {
	// Beside another workload of its account, so that what joins the two shows.
	output := func(p *profile.Profile) string {
		var f aggregate.Fleet
		f.Add(podOf("web", "default", podtest.Pod()))
		f.Add(aggregate.Pod{Workload: aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: "db"}, ServiceAccount: "default", Profile: p})
		text, err := generate.YAML(Engine().Outputs(f.Members(), aggregate.ByWorkload), false)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for attribute, pods := range podtest.Attributes() {
		t.Run(attribute, func(t *testing.T) {
			before, after := profile.Of(pods[0], profile.Options{}), profile.Of(pods[1], profile.Options{})
			expressed := output(before) != output(after)
			if expressed == slices.Contains(inexpressible, attribute) {
				t.Errorf("expressed: %t, listed as inexpressible: %t", expressed, !expressed)
			}
		})
	}
	for _, name := range inexpressible {
		if !slices.Contains(profile.Attributes(), name) {
			t.Errorf("%s is no attribute", name)
		}
	}
}
