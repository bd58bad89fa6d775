package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestRunAsGroup(t *testing.T) {
	podGroup := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsGroup = new(int64(3000)) })
	testAttributes(t, []attributeCase{
		{name: "pod level", pod: podtest.Pod(podGroup), want: map[string][]string{"runAsGroup": {"3000 by c"}}},
		{
			name: "container over pod",
			pod:  podtest.Pod(podGroup, podtest.Sidecar("proxy", podtest.Context(func(sc *corev1.SecurityContext) { sc.RunAsGroup = new(int64(0)) }))),
			want: map[string][]string{"runAsGroup": {"0 by proxy", "3000 by c"}},
		},
		{
			name: "one container without",
			pod:  podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsGroup = new(int64(1)) }), podtest.Sidecar("proxy")),
			want: map[string][]string{"runAsGroup": {"unset by proxy", "1 by c"}},
		},
	})
}

func TestFSGroup(t *testing.T) {
	testAttributes(t, []attributeCase{
		{
			name: "set",
			pod:  podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.FSGroup = new(int64(0)) })),
			want: map[string][]string{"fsGroup": {"0"}},
		},
		{name: "unset", pod: podtest.Pod(), want: map[string][]string{"fsGroup": {"unset"}}},
	})
}

func TestSupplementalGroups(t *testing.T) {
	groups := func(list []int64) *corev1.Pod {
		return podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SupplementalGroups = list }))
	}
	testAttributes(t, []attributeCase{
		{name: "nil", pod: groups(nil), want: map[string][]string{"supplementalGroups": {"unset"}}},
		{name: "empty is unset too", pod: groups([]int64{}), want: map[string][]string{"supplementalGroups": {"unset"}}},
		{name: "sorted by number", pod: groups([]int64{1000, 9, 1000}), want: map[string][]string{"supplementalGroups": {"9", "1000"}}},
	})
}
