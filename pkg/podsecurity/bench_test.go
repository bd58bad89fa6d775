package podsecurity

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// BenchmarkJudge is what a pod costs beside BenchmarkEvaluator, which asks upstream for
// each minor and level.
func BenchmarkJudge(b *testing.B) {
	for name, pod := range map[string]*corev1.Pod{
		"restricted":                 restricted(podtest.Sidecar("s", podtest.Context(harmless))),
		"baseline":                   podtest.Pod(),
		"baseline, three containers": podtest.Pod(podtest.Sidecar("s"), podtest.Init("i")),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for range Judge(&pod.ObjectMeta, &pod.Spec) {
				}
			}
		})
	}
}

// BenchmarkEvaluator asks upstream's evaluator for each minor and level.
func BenchmarkEvaluator(b *testing.B) {
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		b.Fatal(err)
	}
	pod := podtest.Pod(podtest.Sidecar("s"), podtest.Init("i"))
	b.ReportAllocs()
	for b.Loop() {
		for minor := First; minor <= Latest; minor++ {
			for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
				e.EvaluatePod(api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}, &pod.ObjectMeta, &pod.Spec)
			}
		}
	}
}
