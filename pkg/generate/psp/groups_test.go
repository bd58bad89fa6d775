package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// group is a rule with ranges, whichever field it is of.
type group struct {
	Rule   string
	Ranges []idRange
}

func must(ranges ...idRange) group { return group{"MustRunAs", ranges} }
func may(ranges ...idRange) group  { return group{"MayRunAs", ranges} }

func idRangeOf(first, last int64) idRange {
	return idRange{Min: first, Max: last}
}

func TestRowRunAsGroup(t *testing.T) {
	gid := func(id int64) func(*corev1.SecurityContext) {
		return func(sc *corev1.SecurityContext) { sc.RunAsGroup = &id }
	}
	podGroup := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsGroup = new(int64(3000)) })
	testRow(t, func(p policy) group { return group{string(spec(p).RunAsGroup.Rule), spec(p).RunAsGroup.Ranges} }, []rowCase[group]{
		{"unset", pods(podtest.Pod()), may(idRangeOf(65534, 65534))},
		{"the pod's", pods(podtest.Pod(podGroup, podtest.Security(escalation(false)))), must(idRangeOf(3000, 3000))},
		{
			"every container", pods(podtest.Pod(podGroup, podtest.Security(gid(3001))), podtest.Pod(podtest.Security(gid(0)), podtest.Sidecar("s", podtest.Context(gid(3000))))),
			must(idRangeOf(0, 0), idRangeOf(3000, 3001)),
		},
		{"one container without", pods(podtest.Pod(podtest.Security(gid(1)), podtest.Init("i"))), may(idRangeOf(1, 1))},
	})
}

func TestRowFSGroup(t *testing.T) {
	pod := func(id int64) *corev1.Pod {
		return podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.FSGroup = &id }))
	}
	testRow(t, func(p policy) group { return group{string(spec(p).FSGroup.Rule), spec(p).FSGroup.Ranges} }, []rowCase[group]{
		{"unset", pods(podtest.Pod()), may(idRangeOf(65534, 65534))},
		{"every pod", pods(pod(2), pod(1), pod(4)), must(idRangeOf(1, 2), idRangeOf(4, 4))},
		{"some pods", pods(pod(2), podtest.Pod()), may(idRangeOf(2, 2))},
	})
}

func TestRowSupplementalGroups(t *testing.T) {
	pod := func(list ...int64) *corev1.Pod {
		return podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroups = list }))
	}
	testRow(t, func(p policy) group {
		return group{string(spec(p).SupplementalGroups.Rule), spec(p).SupplementalGroups.Ranges}
	}, []rowCase[group]{
		{"unset", pods(podtest.Pod()), may(idRangeOf(65534, 65534))},
		{"every pod", pods(pod(1, 2), pod(3)), must(idRangeOf(1, 3))},
		{"some pods", pods(pod(1, 7), podtest.Pod()), may(idRangeOf(1, 1), idRangeOf(7, 7))},
		{"an empty list would be denied", pods(pod(1), pod([]int64{}...)), may(idRangeOf(1, 1))},
	})
}
