// Package podsecurity judges pods by the levels of Pod Security admission.
//
// Input is a pod as the API server would store it; output is what refuses it: each
// check that the pod fails, with the minors of Kubernetes in which it does, and the
// containers that fail it. The checks are the functions of
// k8s.io/pod-security-admission, which servers run; none is repeated here. Each
// version of a check runs once, whatever the number of minors that have it. Laws, each
// tested:
//   - In each minor from First to Latest, at each level, some verdict refuses a pod
//     exactly when upstream's Evaluator does.
//   - Judge never changes the pod.
package podsecurity

import (
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/policy"
)

// The minors of Kubernetes 1 that pods are judged for. Latest is that of the evaluator.
const (
	First  = 24
	Latest = 37
)

// Judge yields the verdicts on a pod, each with a container that it is about. The
// container is empty for the pod as a whole.
func Judge(meta *metav1.ObjectMeta, spec *corev1.PodSpec) iter.Seq2[Verdict, string] {
	return func(yield func(Verdict, string) bool) {
		if !yield(Verdict{From: First, To: Latest}, "") {
			return
		}
		views := viewsOf(meta, spec)
		var part corev1.PodSpec
		for i := range checks {
			c := &checks[i]
			for _, b := range blame(c.failures(views), &part) {
				if !yield(c.verdict(b.span), b.container) {
					return
				}
			}
		}
	}
}

// view is a pod as admission sees it in a range of minors.
type view struct {
	span
	meta *metav1.ObjectMeta
	spec *corev1.PodSpec
}

// failure is a range of minors in which a check refuses a view of the pod, with the
// same message in each.
type failure struct {
	span
	view   view
	run    policy.CheckPodFn
	result policy.CheckResult
}

// failures returns the failures of a check, in order.
func (c *check) failures(views []view) []failure {
	var list []failure
	for _, view := range views {
		for i := range c.versions {
			v := &c.versions[i]
			s := span{max(v.from, view.from), min(v.to, view.to)}
			if s.from > s.to {
				continue
			}
			result := v.run(view.meta, view.spec)
			if result.Allowed {
				continue
			}
			if n := len(list); n > 0 && list[n-1].to+1 == s.from && list[n-1].result == result {
				list[n-1].to = s.to
				continue
			}
			list = append(list, failure{s, view, v.run, result})
		}
	}
	return list
}

// blamed is a container, or the pod as a whole, in a range of minors in which a check
// fails because of it.
type blamed struct {
	span
	container string
}

// blame returns who is to blame for the failures of one check. It overwrites part.
func blame(list []failure, part *corev1.PodSpec) []blamed {
	var all []blamed
	for _, f := range list {
		for name := range f.parts(part) {
			same := func(b blamed) bool { return b.container == name && b.to >= f.from-1 }
			if i := slices.IndexFunc(all, same); i >= 0 {
				all[i].to = f.to
			} else {
				all = append(all, blamed{f.span, name})
			}
		}
	}
	return all
}

// parts yields the names of the containers that fail the check alone, or an empty name
// if the pod fails it without them. Every check is a conjunction over the pod and its
// containers. Each part of the pod is put in part.
func (f failure) parts(part *corev1.PodSpec) iter.Seq[string] {
	return func(yield func(string) bool) {
		whole := f.view.spec
		*part = *whole
		none := func() { part.InitContainers, part.Containers, part.EphemeralContainers = nil, nil, nil }
		fails := func() bool { return !f.run(f.view.meta, part).Allowed }
		if none(); fails() {
			yield("")
			return
		}
		only := len(whole.InitContainers)+len(whole.Containers)+len(whole.EphemeralContainers) == 1
		for i := range whole.InitContainers {
			none()
			part.InitContainers = whole.InitContainers[i : i+1]
			if (only || fails()) && !yield(whole.InitContainers[i].Name) {
				return
			}
		}
		for i := range whole.Containers {
			none()
			part.Containers = whole.Containers[i : i+1]
			if (only || fails()) && !yield(whole.Containers[i].Name) {
				return
			}
		}
		for i := range whole.EphemeralContainers {
			none()
			part.EphemeralContainers = whole.EphemeralContainers[i : i+1]
			if (only || fails()) && !yield(whole.EphemeralContainers[i].Name) {
				return
			}
		}
	}
}
