package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/psp-advisor/psp-advisor/hack/conformance/fleet"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// sides is how many pairs of a base and a head are compared.
const sides = 200

// workload is a workload of one side with its pods, as a server stores them.
type workload struct {
	aggregate.Workload
	pods []*corev1.Pod
}

// diffs compares random bases and heads: a workload of the head escalates exactly when
// the policy with what the base asks for denies one of its pods. What counts is the same
// workload of the base, or, if there is none, all of its namespace.
func (r *runner) diffs(p *judge.Process) error {
	rnd := r.random("diffs")
	pool, err := r.storedPods(p, rnd)
	if err != nil {
		return err
	}
	text, err := policies(vap.Annotation)
	if err != nil {
		return err
	}
	found := result{steps: map[string]int{}, faults: map[string]string{}}
	var requests []podRequest
	var owners []string            // of each request
	escalates := map[string]bool{} // by owner
	for pair := range sides {
		few := []*corev1.Pod{podtest.Pick(rnd, pool...), podtest.Pick(rnd, pool...), podtest.Pick(rnd, pool...)}
		base, head := randomSide(rnd, few), randomSide(rnd, few)
		for _, c := range diff.Compare(observationOf(base), observationOf(head)) {
			escalates[fmt.Sprintf("pair %d, %s %s", pair, c.Workload.Namespace, c.Workload)] = len(c.Escalated) > 0
		}
		for _, w := range head {
			owner, namespace := fmt.Sprintf("pair %d, %s %s", pair, w.Namespace, w.Workload), fmt.Sprintf("n%d", len(requests))
			text += "---\n" + covered(namespace, cel.Table{Alternatives: []cel.Alternative{{Account: cel.AnyAccount, Permits: asked(base, w.Workload)}}}.Text(false)) + "\n"
			for _, pod := range w.pods {
				pod = pod.DeepCopy()
				pod.Namespace = namespace
				q := podRequest{Object: encode(pod)}
				if len(pod.Spec.EphemeralContainers) > 0 {
					q.Subresource = "ephemeralcontainers"
				}
				requests, owners = append(requests, q), append(owners, owner)
			}
		}
	}
	verdicts, err := ask(p, request{Name: "bases and heads", Cluster: &cluster{Objects: text}, Pods: requests, ReturnPods: true})
	if err != nil {
		return err
	}
	refusedBy, why := map[string]bool{}, map[string]string{}
	for i, v := range verdicts {
		found.pods++
		switch v.Outcome {
		case denied:
			refusedBy[owners[i]], why[owners[i]] = true, v.Message
		case admitted:
		default:
			found.fault("failed", "%s: %s", owners[i], v.Reason)
		}
	}
	seen := map[string]bool{}
	for _, owner := range owners {
		if seen[owner] {
			continue
		}
		seen[owner] = true
		if escalates[owner] {
			found.wider++
		} else {
			found.tighter++
		}
		if escalates[owner] != refusedBy[owner] {
			found.fault("escalation", "%s: escalates: %t, denied: %t %s", owner, escalates[owner], refusedBy[owner], why[owner])
		}
	}
	if found.wider < sides/10 || found.tighter < sides/10 {
		found.fault("too few", "%d workloads escalate, %d do not", found.wider, found.tighter)
	}
	return r.finish("diffs", "", "bases and heads", found)
}

// storedPods returns random pods, and steps from them, as a server stores them.
func (r *runner) storedPods(p *judge.Process, rnd *rand.Rand) ([]*corev1.Pod, error) {
	var requests []podRequest
	steps := append(wider(), tighter()...)
	for range 60 {
		pod := fleet.CurrentPod(rnd)
		pod.Namespace, pod.Spec.AutomountServiceAccountToken = "", new(false)
		for _, one := range []*corev1.Pod{pod, pod.DeepCopy(), pod.DeepCopy()} {
			if one != pod {
				podtest.Pick(rnd, steps...).do(rnd, one)
			}
			q := podRequest{Object: encode(one)}
			if len(one.Spec.EphemeralContainers) > 0 {
				q.Subresource = "ephemeralcontainers"
			}
			requests = append(requests, q)
		}
	}
	verdicts, err := ask(p, request{Name: "pods for bases and heads", Cluster: &cluster{}, Pods: requests, ReturnPods: true})
	var pods []*corev1.Pod
	for _, v := range verdicts {
		if v.Outcome == admitted {
			pods = append(pods, v.Pod)
		}
	}
	return pods, err
}

func randomSide(r *rand.Rand, pods []*corev1.Pod) []workload {
	var side []workload
	for n := range r.IntN(4) {
		w := workload{Workload: aggregate.Workload{Namespace: podtest.Pick(r, "a", "a", "b"), Kind: "Pod", Name: fmt.Sprint("w", n)}}
		for range 1 + r.IntN(2) {
			w.pods = append(w.pods, podtest.Pick(r, pods...))
		}
		side = append(side, w)
	}
	return side
}

func observationOf(side []workload) *observe.Observation {
	o := &observe.Observation{}
	for _, w := range side {
		var profiles []*profile.Profile
		for _, pod := range w.pods {
			profiles = append(profiles, profile.Of(pod, profile.Options{EphemeralContainers: true}))
		}
		o.Members = append(o.Members, aggregate.Member{Workload: w.Workload, ServiceAccount: "default", Profile: profile.Join(profiles...)})
	}
	return o
}

// asked returns what a workload of the base asks for, or all of its namespace.
func asked(base []workload, w aggregate.Workload) privilege.Set {
	var own, all []privilege.Set
	for _, b := range base {
		for _, pod := range b.pods {
			set := asksOf(pod).set()
			if b.Workload == w {
				own = append(own, set)
			}
			if b.Namespace == w.Namespace {
				all = append(all, set)
			}
		}
	}
	if len(own) == 0 {
		own = all
	}
	return privilege.Union(own...)
}
