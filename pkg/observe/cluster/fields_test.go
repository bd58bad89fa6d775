package cluster

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster/wire"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/randfill"
)

// filler fills all fields of an object with random values.
func filler(r *rand.Rand) *randfill.Filler {
	return randfill.NewWithSeed(r.Int64()).NilChance(0.3).NumElements(0, 3).MaxDepth(20).Funcs(
		func(i *runtime.RawExtension, _ randfill.Continue) { *i = runtime.RawExtension{} },
		func(f *metav1.FieldsV1, _ randfill.Continue) { *f = metav1.FieldsV1{} },
		func(s *string, c randfill.Continue) {
			*s = podtest.Pick(r, "", "a", "b", "/a", "kube-api-access-abcde", "ü\n", "Windows", c.String(4))
		},
		func(p *corev1.PodPhase, _ randfill.Continue) {
			*p = podtest.Pick(r, corev1.PodRunning, corev1.PodRunning, corev1.PodFailed)
		},
		func(n *corev1.OSName, _ randfill.Continue) { *n = podtest.Pick(r, corev1.Windows, corev1.Linux) },
		func(m *map[string]string, c randfill.Continue) {
			*m = map[string]string{}
			for _, key := range []string{
				corev1.MirrorPodAnnotationKey, corev1.SeccompPodAnnotationKey, "pod-template-hash", "other",
				corev1.SeccompContainerAnnotationKeyPrefix + "a", corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "a",
			} {
				if c.Bool() {
					(*m)[key] = podtest.Pick(r, "runtime/default", "unconfined", "localhost/x", "")
				}
			}
			delete(*m, podtest.Pick(r, corev1.MirrorPodAnnotationKey, ""))
		},
	)
}

// A record of what is left of an object in protobuf is that of the whole object.
func TestFieldsSuffice(t *testing.T) {
	if testing.Short() {
		t.Skip("slow with the race detector, and faster tests have the same goroutines")
	}
	r, scopes := podtest.Rand(t), testScopes(t)
	for name, kind := range tablesFor(observe.Scope{}).kinds {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				object := kind.empty()
				filler(r).Fill(object)
				compareRecords(t, scopes, name, object)
			}
		})
	}
	t.Run("Pod", func(t *testing.T) {
		for i := range 1000 {
			pod := &corev1.Pod{}
			filler(r).Fill(pod)
			if i%2 == 0 { // a pod that is more like one
				like := podtest.Random(r)
				like.UID, like.Namespace = pod.UID, pod.Namespace
				pod = like
			}
			compareRecords(t, scopes, "Pod", pod)
		}
	})
}

// testScopes returns scopes that read different things, with their tables.
func testScopes(t *testing.T) map[*tables]observe.Scope {
	t.Helper()
	selector, err := labels.Parse("other=unconfined")
	if err != nil {
		t.Fatal(err)
	}
	scopes := map[*tables]observe.Scope{}
	for _, scope := range []observe.Scope{{}, {EphemeralContainers: true}, {Selector: selector}} {
		scope.Pods, scope.Templates = true, true
		scopes[tablesFor(scope)] = scope
	}
	return scopes
}

func compareRecords(t *testing.T, scopes map[*tables]observe.Scope, name string, object runtime.Object) {
	t.Helper()
	m, ok := object.(metav1.Object)
	if !ok {
		t.Fatalf("%T has no metadata", object)
	}
	raw, err := object.(interface{ Marshal() ([]byte, error) }).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for tables, scope := range scopes {
		recorder := observe.Recorder{Scope: scope, Interner: &profile.Interner{}}
		l := &lister{resource: resource{kind: name}, recorder: recorder, shapes: &shapes{}, records: &records{}}
		for try := range 2 { // the second time, the shape of a pod is known
			decoded, err := (&decoder{tables: tables}).decode(name, raw)
			if err != nil {
				t.Fatal(err)
			}
			got, err := l.item(decoded)
			if err != nil {
				t.Fatal(err)
			}
			want := recorder.Record(m, schema.GroupKind{Kind: name})
			if (want == nil) != (got == nil) {
				t.Fatalf("try %d: item %v, record %v", try, got, want)
			}
			if want == nil {
				continue
			}
			pointer := cmp.Comparer(func(a, b *profile.Profile) bool { return a == b })
			if diff := cmp.Diff(want, got.Record, pointer); diff != "" {
				for _, a := range append(profile.Attributes(), "containers", "mounts", "ports", "variables", "sysctlSettings", "privileges", "podSecurity") {
					if d := cmp.Diff(want.Profile.Text(a), got.Profile.Text(a)); d != "" {
						diff += fmt.Sprintf("%s: %s", a, d)
					}
				}
				t.Fatalf("try %d (-whole +left):\n%s", try, diff)
			}
		}
	}
}

// Without any of the fields of a shape, some pod has another one.
func TestNoFieldIsSuperfluous(t *testing.T) {
	r := podtest.Rand(t)
	recorder := observe.Recorder{Scope: observe.Scope{Pods: true, EphemeralContainers: true}, Interner: &profile.Interner{}}
	var raws [][]byte
	var uids []types.UID
	var shapes []observe.Shape
	for i := range 1000 {
		pod := podtest.Random(r)
		if i%2 == 0 {
			pod = &corev1.Pod{}
			filler(r).Fill(pod)
		}
		pod.UID = types.UID(podtest.Pick(r, "u", "")) // without, it is like a template
		raw, err := pod.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		raws, uids, shapes = append(raws, raw), append(uids, pod.UID), append(shapes, recorder.Shape(pod, ""))
	}
	paths := 0
	for path, fields := range without(shapeFields) {
		paths++
		m := messageOf[corev1.Pod](fields)
		differs := false
		for i := 0; i < len(raws) && !differs; i++ {
			left, err := m.Append(nil, raws[i])
			if err != nil {
				t.Fatal(err)
			}
			pod, err := podOf(left)
			if err != nil {
				t.Fatal(err)
			}
			pod.UID = uids[i]
			differs = recorder.Shape(pod, "") != shapes[i]
		}
		if !differs {
			t.Errorf("%s makes no difference", path)
		}
	}
	if paths < 50 {
		t.Errorf("%d fields", paths)
	}
}

// without yields the fields without one of them, each in turn, with its path.
func without(fields wire.Fields) iter.Seq2[string, wire.Fields] {
	return func(yield func(string, wire.Fields) bool) {
		for name, inner := range fields {
			less := maps.Clone(fields)
			delete(less, name)
			if !yield(name, less) {
				return
			}
			for path, changed := range without(inner) {
				less := maps.Clone(fields)
				less[name] = changed
				if !yield(name+"."+path, less) {
					return
				}
			}
		}
	}
}
