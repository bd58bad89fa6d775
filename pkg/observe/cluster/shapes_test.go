package cluster

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// recordOf returns the record of a pod that a server sends in protobuf.
func recordOf(t *testing.T, l *lister, d *decoder, pod *corev1.Pod) *observe.Record {
	t.Helper()
	raw, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := d.decode("Pod", raw)
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
	d := &decoder{tables: tablesFor(l.recorder.Scope)}
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
		got, want := recordOf(t, l, d, pod), l.recorder.Pod(pod)
		kept = append(kept, got)
		if *got != *want {
			t.Fatalf("pod %d: %+v, want %+v\n%+v", i, got, want, pod.Spec)
		}
	}
	runtime.KeepAlive(kept)
}

// Pods are counted as one if their records are alike, whatever has the names of their
// tokens' volumes.
func TestAgain(t *testing.T) {
	r := podtest.Rand(t)
	names := []string{"kube-api-access-aaaaa", "kube-api-access-bbbbb", "kube-api-access-*****"}
	sometimes := func(otherwise ...string) string {
		return podtest.Pick(r, append(slices.Repeat(otherwise, 30), names...)...)
	}
	selector, err := labels.Parse("tier!=kube-api-access-aaaaa")
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []observe.Scope{{Pods: true}, {Pods: true, Selector: selector}} {
		c := &collector{lister: newPodLister(), all: &listed{}, counted: map[*observe.Record]bool{}, alike: map[digest]*observe.Record{}}
		c.recorder.Scope = scope
		c.decoder = decoder{tables: tablesFor(scope)}
		want, not, found := map[observe.Alike]int{}, 0, 0
		for i := range 5000 {
			pod := podtest.Pod(podtest.Volume(podtest.Pick(r, names[i%len(names):]...), podtest.Token(), &corev1.VolumeMount{MountPath: "/token"}))
			pod.Name, pod.Namespace, pod.UID = fmt.Sprint("web-", i), sometimes("shop"), types.UID(fmt.Sprint(i))
			pod.Labels = map[string]string{"pod-template-hash": sometimes("a", "b"), "tier": sometimes("web")}
			pod.Spec.NodeName, pod.Spec.ServiceAccountName = fmt.Sprint("node-", i%7), sometimes("default")
			pod.Spec.Containers[0].Name = sometimes("c")
			if r.IntN(10) > 0 {
				pod.OwnerReferences = []metav1.OwnerReference{{
					APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-" + sometimes("a", "b"), UID: types.UID(sometimes("u", "v")), Controller: new(r.IntN(20) > 0),
				}}
			}
			if r.IntN(20) == 0 {
				pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "a"}
			}
			raw, err := pod.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			object, err := c.object("Pod", raw)
			if err != nil {
				t.Fatal(err)
			}
			if object == nil {
				found++
			} else if err := c.add(object); err != nil {
				t.Fatal(err)
			}
			if record := c.recorder.Pod(pod); record == nil {
				continue
			} else if alike, ok := record.Alike(); ok {
				want[alike]++
			} else {
				not++
			}
		}
		got := map[observe.Alike]int{}
		for _, i := range c.all.items {
			if alike, ok := i.Alike(); ok {
				got[alike] += 1 + i.More
			} else {
				not--
			}
		}
		if !maps.Equal(got, want) || not != 0 {
			t.Errorf("%d records that are alike, want %d; %d others too few", len(got), len(want), not)
		}
		if found < 1000 {
			t.Errorf("only %d pods were not decoded", found)
		}
	}
}

// The pods of one template have one shape, which is computed once.
func TestShapesAreShared(t *testing.T) {
	l := newPodLister()
	d := &decoder{tables: tablesFor(l.recorder.Scope)}
	var kept []*observe.Record
	for i := range 100 {
		pod := podtest.Pod(podtest.Volume(fmt.Sprintf("kube-api-access-a%04d", i), podtest.Token(), &corev1.VolumeMount{MountPath: "/a"}))
		pod.Name = fmt.Sprint("web-", i)
		pod.UID = types.UID(pod.Name)
		pod.Spec.NodeName = fmt.Sprint("node-", i)
		got := recordOf(t, l, d, pod)
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
