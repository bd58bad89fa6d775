package app

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"k8s.io/apimachinery/pkg/labels"
)

// randomMembers returns workloads of a few namespaces, some of them static pods, and some
// with volumes that nobody knows.
func randomMembers(r *rand.Rand) []aggregate.Member {
	var fleet aggregate.Fleet
	for range r.IntN(12) {
		pod := podtest.Random(r)
		p := profile.Of(pod, profile.Options{})
		if r.IntN(10) == 0 {
			p = p.WithVolume(profile.UnknownVolume)
		}
		fleet.Add(aggregate.Pod{
			Workload: aggregate.Workload{
				Namespace: podtest.Pick(r, "kube-system", "shop", "shop-a", "team"), Group: "apps", Kind: "Deployment", Name: podtest.Pick(r, "web", "db", "app"),
			},
			ServiceAccount: podtest.Pick(r, "", "default", "robot", "robot"),
			Template:       r.IntN(2) == 0,
			Profile:        p,
		})
	}
	return fleet.Members()
}

// What is made of each namespace, joined, is what is made of all of them: the policies of
// every engine, and the summary.
func TestNamespaces(t *testing.T) {
	r := podtest.Rand(t)
	selector, err := labels.Parse("app")
	if err != nil {
		t.Fatal(err)
	}
	var choices [][]generate.Engine
	var every []generate.Engine
	for _, e := range engines() {
		// The oldest version has findings of its own.
		choices = append(choices, []generate.Engine{e.build(engineOptions{minor: oldestMinor})})
		every = append(every, e.build(engineOptions{}))
	}
	choices = append(choices, every)
	for _, engines := range choices {
		for _, level := range aggregate.Levels() {
			for range 10 {
				if level == aggregate.ByCluster {
					continue
				}
				o := inspectOptions{level: level, output: formatYAML, explain: r.IntN(2) == 0}
				whole := &observe.Observation{
					Scope:   observe.Scope{Pods: true, Templates: true, EphemeralContainers: r.IntN(2) == 0},
					Members: randomMembers(r),
				}
				if r.IntN(2) == 0 {
					whole.Scope.Selector = selector
				}
				for _, m := range whole.Members {
					if r.IntN(5) == 0 {
						whole.UnknownOwners = append(whole.UnknownOwners, m.Workload)
					}
				}
				results := generate.Run(engines, whole.Members, level)
				wantPolicies, err := o.encode(whole, results)
				if err != nil {
					t.Fatal(err)
				}
				got := newNamespaces(engines, level, o.explain)
				var added sync.WaitGroup
				for _, namespace := range whole.Namespaces() {
					part := &observe.Observation{Scope: whole.Scope}
					part.Members = slices.DeleteFunc(slices.Clone(whole.Members), func(m aggregate.Member) bool { return m.Workload.Namespace != namespace })
					part.UnknownOwners = slices.DeleteFunc(slices.Clone(whole.UnknownOwners), func(w aggregate.Workload) bool { return w.Namespace != namespace })
					added.Go(func() { got.add(part) })
				}
				added.Wait()
				var policies bytes.Buffer
				if _, err := got.WriteTo(&policies); err != nil || got.err != nil {
					t.Fatal(err, got.err)
				}
				name := fmt.Sprintf("%s at level %s", engines[0].Name, level)
				if diff := cmp.Diff(string(wantPolicies), policies.String()); diff != "" {
					t.Fatalf("%s (-whole +joined):\n%s", name, diff)
				}
				joined := report.Join(&observe.Observation{Scope: whole.Scope}, level, got.reports)
				if diff := cmp.Diff(summaryOf(t, report.New(whole, level, results)), summaryOf(t, joined)); diff != "" {
					t.Fatalf("%s (-whole +joined):\n%s", name, diff)
				}
				if joined.Empty() != (len(whole.Members) == 0) || joined.Has(report.RuleUnknownVolume) != whole.UnknownVolumes() {
					t.Fatalf("%s: empty: %t, unknown volumes: %t, of %d workloads", name, joined.Empty(), joined.Has(report.RuleUnknownVolume), len(whole.Members))
				}
			}
		}
	}
}

// summaryOf returns the summary, and the findings with all their workloads.
func summaryOf(t *testing.T, r report.Report) string {
	t.Helper()
	var text bytes.Buffer
	if err := r.Summary(&text); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%q %q\n", f.Message, f.Workloads)
	}
	fmt.Fprintf(&text, "%d %d %d %q\n", r.Pods, r.Templates, r.Policies, r.Namespaces)
	return text.String()
}
