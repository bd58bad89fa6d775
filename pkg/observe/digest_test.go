package observe_test

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Everything that was observed makes a difference for the digest, but numbers of pods.
func TestDigest(t *testing.T) {
	observation := func(change func(*observe.Observation)) *observe.Observation {
		web := aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: "web"}
		o := &observe.Observation{Members: []aggregate.Member{
			{Workload: web, ServiceAccount: "web", Pods: 3, Templates: 1, Profile: &profile.Profile{HostPID: profile.SetOf(profile.True)}},
		}}
		change(o)
		return o
	}
	member := func(change func(*aggregate.Member)) *observe.Observation {
		return observation(func(o *observe.Observation) { change(&o.Members[0]) })
	}
	base := observation(func(*observe.Observation) {})
	if got := member(func(m *aggregate.Member) { m.Pods = 1 }); got.Digest() != base.Digest() {
		t.Error("the number of pods makes a difference")
	}
	for name, other := range map[string]*observe.Observation{
		"no pods":       member(func(m *aggregate.Member) { m.Pods = 0 }),
		"templates":     member(func(m *aggregate.Member) { m.Templates = 2 }),
		"profile":       member(func(m *aggregate.Member) { m.Profile = &profile.Profile{} }),
		"account":       member(func(m *aggregate.Member) { m.ServiceAccount = "other" }),
		"workload":      member(func(m *aggregate.Member) { m.Workload.Name = "other" }),
		"another":       observation(func(o *observe.Observation) { o.Members = append(o.Members, o.Members[0]) }),
		"none":          observation(func(o *observe.Observation) { o.Members = nil }),
		"unknown owner": observation(func(o *observe.Observation) { o.UnknownOwners = []aggregate.Workload{o.Members[0].Workload} }),
		"gap":           observation(func(o *observe.Observation) { o.Gaps = []observe.Gap{{Resource: "pods", Reason: apierror.Forbidden}} }),
	} {
		if other.Digest() == base.Digest() {
			t.Errorf("%s: no difference", name)
		}
	}
}
