package psa

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
)

// Whatever the order of the pods, and however often each was seen, the outputs and
// findings are the same. More pods never tighten a level.
func TestLaws(t *testing.T) {
	r := podtest.Rand(t)
	render := func(pods []aggregate.Pod) string {
		engine := Engine(Options{Minor: 30})
		outputs := engine.Outputs(members(pods...), aggregate.ByNamespace)
		text, err := generate.YAML(outputs, true)
		if err != nil {
			t.Fatal(err)
		}
		findings, err := json.Marshal(engine.Findings(outputs))
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + string(findings)
	}
	level := func(pods ...aggregate.Pod) api.Level {
		got, _ := labelsOf(t, Engine(Options{Minor: 30}).Outputs(members(pods...), aggregate.ByNamespace))
		return api.Level(got[api.EnforceLevelLabel])
	}
	for range 50 {
		var pods []aggregate.Pod
		for i := range 6 {
			pod := podtest.Random(r)
			if i%2 == 0 {
				pod = restricted(func(own *corev1.Pod) { loosen(r, own, pod) })
			}
			pods = append(pods, deployment(podtest.Pick(r, "a", "b", "c"), pod))
		}
		want := render(pods)
		shuffled := append(slices.Clone(pods), pods[r.IntN(len(pods))])
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, render(shuffled)); diff != "" {
			t.Fatalf("another order (-first +now):\n%s", diff)
		}
		a, b := pods[:3], pods[3:]
		both := level(pods...)
		if api.CompareLevels(both, level(a...)) > 0 || api.CompareLevels(both, level(b...)) > 0 || level(a...) == level(b...) && both != level(a...) {
			t.Fatalf("%s and %s are %s together", level(a...), level(b...), both)
		}
	}
}
