package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mutable are the changes of a pod that a server accepts
// (pkg/apis/core/validation/validation.go, ValidatePodUpdate).
func mutable() []step {
	every := func(do func(*corev1.Container)) func(*rand.Rand, *corev1.Pod) bool {
		return ofContainer(func(_ *rand.Rand, _ *corev1.Pod, c *corev1.Container) bool { do(c); return true })
	}
	return []step{
		{"image", every(func(c *corev1.Container) { c.Image = "example.com/another" })},
		{"activeDeadlineSeconds", ofSpec(func(s *corev1.PodSpec) { s.ActiveDeadlineSeconds = new(int64(5)) })},
		{"tolerations", ofSpec(func(s *corev1.PodSpec) {
			s.Tolerations = append(s.Tolerations, corev1.Toleration{Operator: corev1.TolerationOpExists})
		})},
		{"labels", func(_ *rand.Rand, p *corev1.Pod) bool { p.Labels = map[string]string{"a": "b"}; return true }},
		{"annotations", func(_ *rand.Rand, p *corev1.Pod) bool {
			p.Annotations = map[string]string{"a": "b"}
			return true
		}},
		{"seccomp annotations", func(_ *rand.Rand, p *corev1.Pod) bool {
			p.Annotations = map[string]string{corev1.SeccompPodAnnotationKey: "unconfined", corev1.SeccompContainerAnnotationKeyPrefix + "c": "unconfined"}
			return true
		}},
		{"finalizers and owners", func(_ *rand.Rand, p *corev1.Pod) bool {
			p.Finalizers = []string{"example.com/x"}
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}}
			return true
		}},
		{"scheduling gates", ofSpec(func(s *corev1.PodSpec) { s.SchedulingGates = nil })},
		{"node selector of a gated pod", ofSpec(func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"a": "b"} })},
	}
}

// updates tries every step as an update of a pod that runs. Policies do not judge them,
// so the server must refuse each that makes a difference to the lines of the pod.
func (r *runner) updates(p *judge.Process) error {
	found := result{steps: map[string]int{}, faults: map[string]string{}}
	rnd := r.random("updates")
	var pods []podRequest
	for _, pod := range ownPods() {
		pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
		pods = append(pods, podRequest{Object: encode(pod)})
	}
	created, err := ask(p, request{Name: "pods to update", Cluster: &cluster{}, Pods: pods, ReturnPods: true})
	if err != nil {
		return err
	}
	allowed := mutable()
	var requests []podRequest
	var kinds []string
	var old []*corev1.Pod
	for _, v := range created {
		if v.Pod == nil {
			return fmt.Errorf("creating a pod to update: %s", v.Reason)
		}
		for _, s := range slices.Concat(allowed, wider(), debugging(), tighter()) {
			changed := v.Pod.DeepCopy()
			if s.do(rnd, changed) {
				requests = append(requests, podRequest{Object: encode(changed), OldObject: encode(v.Pod), Update: true})
				kinds, old = append(kinds, s.name), append(old, v.Pod)
			}
		}
	}
	verdicts, err := ask(p, request{Name: "updates", Pods: requests, ReturnPods: true})
	if err != nil {
		return err
	}
	accepted := map[string]bool{}
	for i, v := range verdicts {
		found.pods++
		if v.Outcome == refused {
			found.invalid++
			continue
		}
		accepted[kinds[i]] = true
		if diff := cmp.Diff(asksOf(old[i]).canonical(), asksOf(v.Pod).canonical()); diff != "" {
			found.fault("update", "%s changes the lines of a pod that runs: %s", kinds[i], diff)
		}
	}
	for _, s := range allowed {
		if !accepted[s.name] {
			found.fault("update refused", "%s is mutable, or so we thought", s.name)
		}
	}
	return r.finish("updates", "", "updates of pods", found)
}
