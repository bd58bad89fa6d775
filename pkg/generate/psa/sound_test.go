package psa

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func evaluator(t *testing.T) policy.Evaluator {
	t.Helper()
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stored returns the pod as a server of a minor stores it.
func stored(pod *corev1.Pod, minor int) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.Spec.EphemeralContainers = nil
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	if minor > 26 {
		return pod
	}
	if a, ok := pod.Annotations[corev1.SeccompPodAnnotationKey]; ok {
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			if sc.SeccompProfile == nil {
				sc.SeccompProfile = podtest.Seccomp(a)
			}
		})(pod)
	}
	for c := range podtest.Containers(&pod.Spec) {
		if a, ok := pod.Annotations[corev1.SeccompContainerAnnotationKeyPrefix+c.Name]; ok {
			podtest.Context(func(sc *corev1.SecurityContext) {
				if sc.SeccompProfile == nil {
					sc.SeccompProfile = podtest.Seccomp(a)
				}
			})(c)
		}
	}
	return pod
}

// holds checks the labels of each namespace in each minor: they are valid, the enforced
// level admits every pod, and each tighter one refuses some pod.
func holds(t *testing.T, e policy.Evaluator, pods map[string][]*corev1.Pod) map[api.Level]int {
	t.Helper()
	var fleet aggregate.Fleet
	for namespace, list := range pods {
		for i, p := range list {
			w := aggregate.Workload{Namespace: namespace, Kind: "Pod", Name: fmt.Sprint("p", i)}
			fleet.Add(aggregate.Pod{Workload: w, ServiceAccount: "default", Profile: profile.Of(p, profile.Options{})})
		}
	}
	members, levels := fleet.Members(), map[api.Level]int{}
	for minor := podsecurity.First; minor <= podsecurity.Latest; minor++ {
		byNamespace := map[string][]*corev1.Pod{}
		for namespace, list := range pods {
			for _, p := range list {
				byNamespace[namespace] = append(byNamespace[namespace], stored(p, minor))
			}
		}
		admits := func(namespace string, lv api.LevelVersion) bool {
			return !slices.ContainsFunc(byNamespace[namespace], func(p *corev1.Pod) bool {
				return !policy.AggregateCheckResults(e.EvaluatePod(lv, &p.ObjectMeta, &p.Spec)).Allowed
			})
		}
		outputs := Engine(Options{Minor: minor}).Outputs(members, aggregate.ByNamespace)
		if len(outputs) != len(pods) {
			t.Fatalf("%d outputs for %d namespaces", len(outputs), len(pods))
		}
		for _, o := range outputs {
			ns := o.Objects()[0].Value.(*metav1.PartialObjectMetadata)
			pinned := func(level api.Level) api.LevelVersion {
				return api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}
			}
			p, errs := api.PolicyToEvaluate(ns.Labels, api.Policy{})
			if len(errs) > 0 || p.Enforce != pinned(p.Enforce.Level) {
				t.Fatalf("%s: %v, %v", ns.Name, p, errs)
			}
			levels[p.Enforce.Level]++
			if !admits(ns.Name, p.Enforce) {
				t.Errorf("%s: %s refuses a pod", ns.Name, p.Enforce)
			}
			stricter := p.Enforce.Level
			for _, level := range []api.Level{api.LevelRestricted, api.LevelBaseline} {
				if api.CompareLevels(level, p.Enforce.Level) <= 0 {
					continue
				}
				stricter = level
				if admits(ns.Name, pinned(level)) {
					t.Errorf("%s: %s admits all pods too, enforced is %s", ns.Name, pinned(level), p.Enforce)
				}
			}
			if p.Audit != pinned(stricter) || p.Warn != pinned(stricter) {
				t.Errorf("%s: enforce %s, audit %s, warn %s", ns.Name, p.Enforce, p.Audit, p.Warn)
			}
		}
	}
	return levels
}

func TestSoundAndMinimal(t *testing.T) {
	r, e := podtest.Rand(t), evaluator(t)
	levels := map[api.Level]int{}
	for range 10 {
		pods := map[string][]*corev1.Pod{}
		for i := range 8 {
			namespace := fmt.Sprint("n", i)
			for range 1 + r.IntN(3) {
				p := podtest.Random(r)
				if p.Spec.OS = podtest.Maybe(r, corev1.PodOS{Name: corev1.Windows}); i%4 > 0 {
					p = restricted(func(own *corev1.Pod) { loosen(r, own, p) })
				}
				pods[namespace] = append(pods[namespace], p)
			}
		}
		for level, n := range holds(t, e, pods) {
			levels[level] += n
		}
	}
	if len(levels) != 3 {
		t.Errorf("levels %v: the test sees no other", levels)
	}
}

// loosen gives the pod one part of another.
func loosen(r *rand.Rand, own, other *corev1.Pod) {
	switch own.Spec.HostUsers, own.Spec.OS = other.Spec.HostUsers, other.Spec.OS; r.IntN(6) {
	case 0:
		own.Spec.Volumes = other.Spec.Volumes
	case 1:
		own.Spec.SecurityContext = other.Spec.SecurityContext
	case 2:
		own.Spec.Containers[0].SecurityContext = other.Spec.Containers[0].SecurityContext
	case 3:
		own.Spec.Containers[0].LivenessProbe = other.Spec.Containers[0].LivenessProbe
	case 4:
		own.Annotations = other.Annotations
		own.Spec.SecurityContext.SeccompProfile = nil
	}
}

// Upstream's fixtures get the level that upstream says.
func TestFixtures(t *testing.T) {
	for _, f := range podtest.Fixtures(t, podsecurity.First) {
		got, _ := labelsOf(t, Engine(Options{Minor: f.Minor}).Outputs(members(deployment("web", f.Pod)), aggregate.ByNamespace))
		level, version := api.Level(got[api.EnforceLevelLabel]), got[api.EnforceVersionLabel]
		if admitted := api.CompareLevels(level, api.Level(f.Level)) >= 0; admitted != f.Admitted || version != fmt.Sprintf("v1.%d", f.Minor) {
			t.Errorf("%s: enforced is %s:%s", f.Name, level, version)
		}
	}
}
