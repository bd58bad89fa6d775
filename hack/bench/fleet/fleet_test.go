package fleet

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func pods(f Fleet) []*corev1.Pod {
	var all []*corev1.Pod
	for o := range f.Objects(Resources()[0]) {
		all = append(all, o.(*corev1.Pod))
	}
	return all
}

func encode(t *testing.T, p *corev1.Pod) []byte {
	t.Helper()
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPods: pods depend on the seed and the number alone, are of the usual size, are in
// the order of a server, and survive encoding.
func TestPods(t *testing.T) {
	for _, n := range []int{1, 199, 1000} {
		first, second, other := pods(Fleet{1, n}), pods(Fleet{1, n}), pods(Fleet{2, n})
		if len(first) != n {
			t.Fatalf("got %d pods, want %d", len(first), n)
		}
		total, names := 0, map[string]bool{}
		for i, p := range first {
			data := encode(t, p)
			total += len(data)
			names[p.Namespace+"/"+p.Name] = true
			if !bytes.Equal(data, encode(t, second[i])) {
				t.Errorf("pod %d differs with the same seed", i)
			}
			if bytes.Equal(data, encode(t, other[i])) {
				t.Errorf("pod %d is the same with another seed", i)
			}
			var decoded corev1.Pod
			if err := decoded.Unmarshal(data); err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 && !bytes.Equal(data, encode(t, &decoded)) {
				t.Errorf("pod %d changes when it is encoded: %s", i, cmp.Diff(p, &decoded))
			}
			if len(p.Spec.Containers[0].Env) < 20 || metav1.GetControllerOf(p) == nil || p.Status.Phase != corev1.PodRunning {
				t.Errorf("pod %d: %+v", i, p)
			}
		}
		if len(names) != n {
			t.Errorf("%d pods have %d names", n, len(names))
		}
		if size := total / n; n == 1000 && (size < 8500 || size > 9500) {
			t.Errorf("pods have %d bytes on average", size)
		}
		if !slices.IsSortedFunc(first, func(a, b *corev1.Pod) int {
			return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
		}) {
			t.Error("the pods are not in order")
		}
	}
}

// TestOwners: the controllers of all pods exist, and theirs.
func TestOwners(t *testing.T) {
	f := Fleet{1, 1000}
	found := map[string]int{}
	var owners []metav1.OwnerReference
	for _, r := range Resources() {
		names := map[string]bool{}
		for o := range f.Objects(r) {
			found[r.Kind]++
			found[string(o.GetUID())]++
			names[o.GetNamespace()+"/"+o.GetName()] = true
			owners = append(owners, o.GetOwnerReferences()...)
		}
		if len(names) != found[r.Kind] {
			t.Errorf("%d %s have %d names", found[r.Kind], r.Name, len(names))
		}
	}
	for _, o := range owners {
		if found[string(o.UID)] != 1 {
			t.Errorf("%d objects are %s %s", found[string(o.UID)], o.Kind, o.Name)
		}
	}
	if found["Deployment"] != 100 || found["StatefulSet"] != 3 || found["DaemonSet"] != 2 || found["CronJob"] != 5 || found["ReplicaSet"] < 200 {
		t.Errorf("got %v", found)
	}
}

// TestReplica: it returns a pod of the list.
func TestReplica(t *testing.T) {
	f := Fleet{3, 450}
	byName := map[string]*corev1.Pod{}
	for _, p := range pods(f) {
		byName[p.Namespace+"/"+p.Name] = p
	}
	for i := range 1000 {
		p := f.Replica(i)
		want := byName[p.Namespace+"/"+p.Name]
		if want == nil || !bytes.Equal(encode(t, p), encode(t, want)) {
			t.Errorf("replica %d is no pod of the fleet", i)
		}
	}
}
