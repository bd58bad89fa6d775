package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/conformance/fleet"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// batch is how many random pods are judged at once.
const batch = 500

// differential returns the tasks that compare CEL with the Go model on random pods.
func (r *runner) differential() []judge.Task {
	var tasks []judge.Task
	for i := range (r.pods + batch - 1) / batch {
		tasks = append(tasks, func(p *judge.Process) error { return r.compare(p, i) })
	}
	return tasks
}

// compare judges one batch of random pods: the lines that CEL computes of a pod must be
// those of the Go model, and with permits that are made for the pod, so must the
// verdict. Every other batch is handed to CEL as servers before 1.37 do. Every third one
// is judged by a policy.
func (r *runner) compare(p *judge.Process, number int) error {
	name := fmt.Sprintf("pods %d of seed %d", number, r.seed)
	rnd := r.random(name)
	found := result{steps: map[string]int{}, faults: map[string]string{}}
	core := cel.Core(cel.Source{Object: "object", Text: `""`})
	e := &evaluate{Values: []string{"podAsks", "containerAsks"}}
	for _, v := range core {
		e.Variables = append(e.Variables, variable(v))
	}
	c := &cluster{Unstructured: number%2 == 1, Evaluate: e}
	judged := number%3 == 0
	if judged {
		a, err := policies(vap.Annotation)
		if err != nil {
			return err
		}
		c.Objects = a
	}
	requests, tables := make([]podRequest, batch), make([]cel.Table, batch)
	for i := range batch {
		pod := fleet.CurrentPod(rnd)
		pod.Namespace = fmt.Sprintf("n%d", i)
		requests[i] = podRequest{ID: pod.Namespace, Object: encode(pod)}
		if len(pod.Spec.EphemeralContainers) > 0 {
			requests[i].Subresource = "ephemeralcontainers"
		}
		if judged {
			tables[i] = randomTable(rnd, pod)
			c.Objects += "---\n" + covered(pod.Namespace, tables[i].Text(false)) + "\n"
		}
	}
	verdicts, err := ask(p, request{Name: name, Cluster: c, Pods: requests, ReturnPods: true})
	if err != nil {
		return err
	}
	reason := ""
	for i, v := range verdicts {
		if v.Outcome == refused {
			found.invalid++
			reason = v.Reason
			continue
		}
		found.pods++
		compareAsks(&found, v)
		if !judged {
			continue
		}
		found.costs.add(v)
		model := denied
		if ok, _ := tables[i].Admits(v.Pod.Spec.ServiceAccountName, asksOf(v.Pod).set()); ok {
			model = admitted
			found.tighter++
		} else {
			found.wider++
		}
		if v.Outcome != model {
			found.fault("verdict", "%s %s; the model says %s: permits\n%s\npod %s", v.Outcome, v.Message, model, tables[i].Text(false), encode(v.Pod))
		}
		if len(v.Errors) > 0 {
			found.fault("evaluation error", "%s: pod %s", v.Errors[0].Message, encode(v.Pod))
		}
	}
	if 10*found.pods < 6*batch {
		found.fault("too few pods", "the server refuses %d of %d, for example: %s", found.invalid, batch, reason)
	}
	return r.finish("pods", map[bool]string{false: "typed", true: "unstructured"}[c.Unstructured], name, found)
}

// policies returns the policies that find permits in a place.
func policies(params vap.Params) (string, error) {
	member := aggregate.Member{Workload: aggregate.Workload{Namespace: "x", Kind: "Pod", Name: "x"}, ServiceAccount: "x", Profile: profile.Of(podtest.Pod(), profile.Options{})}
	a, err := advise([]aggregate.Member{member}, aggregate.ByWorkload, params)
	return a.policies, err
}

// compareAsks compares what CEL computed of a pod with the Go model.
func compareAsks(found *result, v verdict) {
	if pod, containers := v.Values["podAsks"], v.Values["containerAsks"]; pod.Error+containers.Error != "" {
		found.fault("evaluation error", "%s%s: pod %s", pod.Error, containers.Error, encode(v.Pod))
		return
	}
	var pod []string
	var containers []struct{ Name, Asks []string }
	for value, into := range map[string]any{"podAsks": &pod, "containerAsks": &containers} {
		if err := json.Unmarshal(v.Values[value].JSON, into); err != nil {
			found.fault("evaluation error", "%s is %s: pod %s", value, v.Values[value].JSON, encode(v.Pod))
			return
		}
	}
	got := asks{pod, map[string][]string{}}
	for _, c := range containers {
		got.containers[c.Name[0]] = append(got.containers[c.Name[0]], c.Asks...)
	}
	if diff := cmp.Diff(asksOf(v.Pod).canonical(), got.canonical()); diff != "" {
		found.fault("lines", "(-Go +CEL) %s: pod %s", diff, encode(v.Pod))
	}
}

// canonical returns sets of lines, by container; those of the pod are under "".
func (a asks) canonical() map[string][]string {
	all := maps.Clone(a.containers)
	all[""] = a.pod
	for name, lines := range all {
		all[name] = slices.Compact(slices.Sorted(slices.Values(lines)))
	}
	maps.DeleteFunc(all, func(_ string, lines []string) bool { return len(lines) == 0 })
	return all
}

// randomTable returns a table that admits a pod, or nearly: its alternatives have what
// the pod asks for and perhaps what others do, as it stands or under another line, and
// perhaps without some line.
func randomTable(r *rand.Rand, pod *corev1.Pod) cel.Table {
	var t cel.Table
	for range 1 + r.IntN(3) {
		lines := slices.Clone(asksOf(pod).set().Lines())
		// The server adds a volume, and lines of the host's network.
		lines = append(lines, privilege.TokenVolume)
		for i, line := range lines {
			if r.IntN(3) == 0 {
				lines[i] = above(r, line)
			}
		}
		if r.IntN(4) == 0 {
			lines = append(lines, asksOf(podtest.Random(r)).set().Lines()...)
		}
		if r.IntN(2) == 0 {
			i := r.IntN(len(lines))
			lines = slices.Delete(lines, i, i+1)
		}
		account := pod.Spec.ServiceAccountName
		if account == "" {
			account = podtest.Pick(r, "default", pod.Spec.DeprecatedServiceAccount)
		}
		account = podtest.Pick(r, account, account, account, cel.AnyAccount, "other")
		t.Alternatives = append(t.Alternatives, cel.Alternative{Account: account, Permits: privilege.SetOf(lines...)})
	}
	return t
}

// above returns a line that permits another one, or looks as if it did.
func above(r *rand.Rand, line string) string {
	candidates := slices.Sorted(maps.Keys(privilege.Implied))
	candidates = slices.DeleteFunc(candidates, func(c string) bool { return !privilege.Under(line, c) })
	for i := range len(line) {
		if i > 0 && (line[i] == '/' || line[i] == ' ') {
			candidates = append(candidates, line[:i], line[:i+1])
		}
	}
	candidates = append(candidates, "write "+line, line+"/", line+"x", line[:len(line)-1])
	candidates = slices.DeleteFunc(candidates, func(c string) bool { return !privilege.Valid(c) })
	return podtest.Pick(r, append(candidates, line)...)
}
