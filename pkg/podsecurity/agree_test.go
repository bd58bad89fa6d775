package podsecurity

import (
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// evaluator is upstream's, with all that it does beside running checks.
func evaluator(t *testing.T) policy.Evaluator {
	t.Helper()
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// agrees checks in each minor, at each level, that the verdicts refuse the pod exactly
// when upstream's evaluator does. It returns the refused combinations.
func agrees(t *testing.T, e policy.Evaluator, pod *corev1.Pod) (refused int) {
	t.Helper()
	var verdicts []Verdict
	for v := range Judge(&pod.ObjectMeta, &pod.Spec) {
		verdicts = append(verdicts, v)
	}
	for _, view := range viewsOf(&pod.ObjectMeta, &pod.Spec) {
		for minor := view.from; minor <= view.to; minor++ {
			for _, level := range []api.Level{api.LevelPrivileged, api.LevelBaseline, api.LevelRestricted} {
				results := e.EvaluatePod(api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}, view.meta, view.spec)
				allowed := policy.AggregateCheckResults(results).Allowed
				if ours := !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Refuses(level, minor) }); ours != allowed {
					t.Fatalf("%s in 1.%d: admitted: %t, by the evaluator: %t\n%v\n%+v", level, minor, ours, allowed, verdicts, pod.Spec)
				}
				if !allowed {
					refused++
				}
			}
		}
	}
	return refused
}

func TestAgreesWithEvaluator(t *testing.T) {
	r, e := podtest.Rand(t), evaluator(t)
	refused, n := 0, 1000
	for range n {
		pod := podtest.Random(r)
		pod.Spec.OS = podtest.Maybe(r, corev1.PodOS{Name: corev1.Windows}, corev1.PodOS{Name: corev1.Linux})
		if podtest.Pick(r, true, false) {
			// Random pods are seldom admitted: the less they have, the more is seen of one check.
			pod = restricted(func(p *corev1.Pod) {
				p.Annotations, p.Spec.OS, p.Spec.HostUsers = pod.Annotations, pod.Spec.OS, pod.Spec.HostUsers
				switch r.IntN(4) {
				case 0:
					p.Spec.Volumes = pod.Spec.Volumes
				case 1:
					p.Spec.SecurityContext = pod.Spec.SecurityContext
				case 2:
					p.Spec.Containers[0].SecurityContext = pod.Spec.Containers[0].SecurityContext
				case 3:
					p.Spec.Containers[0].LivenessProbe = pod.Spec.Containers[0].LivenessProbe
				}
			})
		}
		refused += agrees(t, e, pod)
	}
	if all := n * 2 * (Latest - First + 1); refused < all/10 || refused > all*9/10 {
		t.Errorf("%d of %d verdicts refuse: the test sees one side only", refused, all)
	}
}

// Upstream's fixtures are admitted or refused as their directory says, and in every
// other minor as the evaluator says.
func TestFixtures(t *testing.T) {
	e := evaluator(t)
	minors := map[int]bool{}
	for _, f := range podtest.Fixtures(t, First) {
		minors[f.Minor] = true
		admitted := true
		for v := range Judge(&f.Pod.ObjectMeta, &f.Pod.Spec) {
			admitted = admitted && !v.Refuses(api.Level(f.Level), f.Minor)
		}
		if admitted != f.Admitted {
			t.Errorf("%s: admitted: %t", f.Name, admitted)
		}
		agrees(t, e, f.Pod)
	}
	if len(minors) != Latest-First+1 {
		t.Errorf("fixtures for %d minors, want one for each from %d to %d", len(minors), First, Latest)
	}
}

// Every verdict but the first is about a check that fails for the named container alone.
func TestContainersAreToBlame(t *testing.T) {
	r := podtest.Rand(t)
	for range 300 {
		pod := podtest.Random(r)
		all, byPart := map[Verdict]bool{}, map[Verdict]bool{}
		for i := range checks {
			for _, f := range checks[i].failures(viewsOf(&pod.ObjectMeta, &pod.Spec)) {
				all[checks[i].verdict(f.span)] = true
			}
		}
		for v, container := range Judge(&pod.ObjectMeta, &pod.Spec) {
			if v.Judged() {
				continue
			}
			byPart[v] = true
			if container == "" {
				continue
			}
			alone := pod.DeepCopy()
			other := func(name string) bool { return name != container }
			alone.Spec.InitContainers = slices.DeleteFunc(alone.Spec.InitContainers, func(c corev1.Container) bool { return other(c.Name) })
			alone.Spec.Containers = slices.DeleteFunc(alone.Spec.Containers, func(c corev1.Container) bool { return other(c.Name) })
			alone.Spec.EphemeralContainers = slices.DeleteFunc(alone.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return other(c.Name) })
			found := false
			for own := range Judge(&alone.ObjectMeta, &alone.Spec) {
				found = found || own == v
			}
			if !found {
				t.Fatalf("%s: not by container %s alone", v, container)
			}
		}
		// In each minor the parts fail what the whole fails.
		for minor := First; minor <= Latest; minor++ {
			for _, c := range checks {
				in := func(of map[Verdict]bool) bool {
					for v := range of {
						if v.Check == c.id && v.Refuses(c.level, minor) {
							return true
						}
					}
					return false
				}
				if in(all) != in(byPart) {
					t.Fatalf("%s in 1.%d: the whole fails: %t, its parts: %t", c.id, minor, in(all), in(byPart))
				}
			}
		}
	}
}
