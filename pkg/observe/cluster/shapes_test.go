package cluster

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// recordOf returns the record of a pod that a server sends in protobuf.
func recordOf(t *testing.T, l *lister, pod *corev1.Pod) *observe.Record {
	t.Helper()
	raw, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := (&decoder{tables: tablesFor(l.recorder.Scope)}).decode("Pod", raw)
	if err != nil {
		t.Fatal(err)
	}
	i, err := l.item(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return i.Record
}

func newPodLister() *lister {
	return &lister{
		resource: podResource, shapes: &shapes{}, records: &records{},
		recorder: observe.Recorder{Scope: observe.Scope{Pods: true}, Interner: &profile.Interner{}},
	}
}

// The names of tokens' volumes are no part of a shape, unless they show: whatever else
// has them, or has what stands for them, a pod's record is its own.
func TestTokenNames(t *testing.T) {
	r := podtest.Rand(t)
	l := newPodLister()
	names := []string{"kube-api-access-aaaaa", "kube-api-access-bbbbb", "kube-api-access-*****", "kube-api-access-aaaaab"}
	// Few fields have one of the names at a time, so that each combination occurs often.
	sometimes := func(otherwise string) string {
		return podtest.Pick(r, append(slices.Repeat([]string{otherwise}, 3*len(names)), names...)...)
	}
	var kept []*observe.Record // or its profile, and with it its shape, is forgotten
	for i := range 5000 {
		pod := podtest.Pod(
			podtest.Volume(podtest.Pick(r, names...), podtest.Token(), &corev1.VolumeMount{MountPath: "/" + sometimes("token")}),
			podtest.Volume(sometimes("data"), podtest.HostPath("/"+sometimes("data")), &corev1.VolumeMount{}),
		)
		pod.UID = types.UID(fmt.Sprint(i))
		pod.Spec.ServiceAccountName = sometimes("default")
		pod.Spec.Containers[0].Name = sometimes("c")
		pod.Spec.Containers[0].VolumeMounts[0].MountPropagation = podtest.Maybe(r, corev1.MountPropagationBidirectional)
		got, want := recordOf(t, l, pod), l.recorder.Pod(pod)
		kept = append(kept, got)
		if *got != *want {
			t.Fatalf("pod %d: %+v, want %+v\n%+v", i, got, want, pod.Spec)
		}
	}
	runtime.KeepAlive(kept)
}

// The pods of one template have one shape, which is computed once.
func TestShapesAreShared(t *testing.T) {
	l := newPodLister()
	var kept []*observe.Record
	for i := range 100 {
		pod := podtest.Pod(podtest.Volume(fmt.Sprintf("kube-api-access-a%04d", i), podtest.Token(), &corev1.VolumeMount{MountPath: "/a"}))
		pod.Name = fmt.Sprint("web-", i)
		pod.UID = types.UID(pod.Name)
		pod.Spec.NodeName = fmt.Sprint("node-", i)
		got := recordOf(t, l, pod)
		kept = append(kept, got)
		if got.Name != pod.Name || got.UID != pod.UID || got.Profile != kept[0].Profile {
			t.Errorf("pod %d has the record of another: %+v", i, got)
		}
	}
	if n := len(l.shapes.recent); n != 1 {
		t.Errorf("%d shapes, want one", n)
	}
	runtime.KeepAlive(kept)
}

// Old shapes are forgotten, and profiles that nobody uses are not kept.
func TestShapesAreBounded(t *testing.T) {
	var s shapes
	p := profile.Of(podtest.Pod(), profile.Options{})
	for i := range 3 * maxShapes {
		s.remember(digest{byte(i), byte(i >> 8), byte(i >> 16)}, observe.Shape{ServiceAccount: "a", Profile: p})
	}
	if n := len(s.recent) + len(s.older); n > 2*maxShapes {
		t.Errorf("%d shapes are remembered, want at most %d", n, 2*maxShapes)
	}
	last := 3*maxShapes - 1
	if got, ok := s.find(digest{byte(last), byte(last >> 8), byte(last >> 16)}); !ok || got.Profile != p || got.ServiceAccount != "a" {
		t.Errorf("the last shape: %+v, %t", got, ok)
	}
	if _, ok := s.find(digest{}); ok {
		t.Error("the first shape is still remembered")
	}
	runtime.KeepAlive(p)
}
