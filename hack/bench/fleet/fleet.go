// Package fleet makes up the objects of large clusters, for benchmarks: pods as they are
// after admission and after they have run, with the objects that own them. What it makes
// depends on a seed and a number of pods alone, and it makes one namespace at a time, so
// that a large fleet is never in memory.
package fleet

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Of each 200 pods, which are a namespace, 180 belong to 20 Deployments, 10 to a
// StatefulSet or DaemonSet, and 10 to the Job of a CronJob.
const (
	podsPerNamespace   = 200
	deployments        = 20
	podsPerDeployment  = 9
	podsPerOther       = 10
	workloads          = deployments + 2
	accounts           = 5
	maxOldReplicaSets  = 4
	nodes              = 400
	managedFieldsBytes = 2048
)

// Object is an object of a fleet.
type Object interface {
	runtime.Object
	metav1.Object
}

// Fleet is the objects of a cluster.
type Fleet struct {
	Seed uint64
	// Pods is the number of pods.
	Pods int
}

// Namespaces returns the names of the namespaces, sorted.
func (f Fleet) Namespaces() []string {
	var names []string
	for n := range (f.Pods + podsPerNamespace - 1) / podsPerNamespace {
		names = append(names, namespaceName(n))
	}
	return names
}

func namespaceName(n int) string { return fmt.Sprintf("team-%04d", n) }

// Resource is a kind of objects in a fleet.
type Resource struct {
	// Name is that in paths, such as pods.
	Name string
	// APIVersion and Kind are those of the objects.
	APIVersion, Kind string

	objects func(*namespace) []Object
}

// Resources are the kinds of objects in a fleet.
func Resources() []Resource {
	return []Resource{
		{"pods", "v1", "Pod", nil}, // not kept in memory
		{"serviceaccounts", "v1", "ServiceAccount", (*namespace).serviceAccounts},
		{"replicationcontrollers", "v1", "ReplicationController", func(*namespace) []Object { return nil }},
		{"deployments", "apps/v1", "Deployment", (*namespace).deployments},
		{"replicasets", "apps/v1", "ReplicaSet", (*namespace).replicaSets},
		{"statefulsets", "apps/v1", "StatefulSet", (*namespace).statefulSets},
		{"daemonsets", "apps/v1", "DaemonSet", (*namespace).daemonSets},
		{"cronjobs", "batch/v1", "CronJob", (*namespace).cronJobs},
		{"jobs", "batch/v1", "Job", (*namespace).jobs},
	}
}

// Objects returns the objects of a resource in the order of a server: by namespace and
// name. They share memory: none may be modified.
func (f Fleet) Objects(r Resource) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for n := range f.Namespaces() {
			in := f.namespace(n)
			objects := in.pods
			if r.objects != nil {
				objects = slices.Values(slices.SortedFunc(slices.Values(r.objects(in)), byName))
			}
			for object := range objects {
				if !yield(object) {
					return
				}
			}
		}
	}
}

func byName(a, b Object) int { return cmp.Compare(a.GetName(), b.GetName()) }

// Replica returns a pod; if the fleet has fewer, counting begins again. Consecutive
// numbers are of different namespaces.
func (f Fleet) Replica(i int) *corev1.Pod {
	i %= f.Pods
	namespaces := len(f.Namespaces())
	n := i % namespaces
	i = i / namespaces % f.podsIn(n)
	for w, s := range f.sizes(n) {
		if i < s.replicas {
			return f.workload(n, w, s).pod(i)
		}
		i -= s.replicas
	}
	panic("unreachable: the replicas are all pods of the namespace")
}

// namespace is a part of a fleet.
type namespace struct {
	name      string
	workloads []*workload
}

func (f Fleet) namespace(n int) *namespace {
	in := &namespace{name: namespaceName(n)}
	for w, s := range f.sizes(n) {
		in.workloads = append(in.workloads, f.workload(n, w, s))
	}
	return in
}

func (f Fleet) podsIn(n int) int { return min(podsPerNamespace, f.Pods-n*podsPerNamespace) }

// size is the kind of a workload, and its number of pods.
type size struct {
	kind     string
	replicas int
}

// sizes returns the workloads of a namespace. The last one may have fewer than others.
func (f Fleet) sizes(n int) []size {
	var all []size
	left := f.podsIn(n)
	for w := 0; w < workloads && left > 0; w++ {
		s := size{"Deployment", podsPerDeployment}
		switch {
		case w == deployments && n%2 == 0:
			s = size{"StatefulSet", podsPerOther}
		case w == deployments:
			s = size{"DaemonSet", podsPerOther}
		case w > deployments:
			s = size{"Job", podsPerOther}
		}
		s.replicas = min(s.replicas, left)
		left -= s.replicas
		all = append(all, s)
	}
	return all
}

// pods yields the pods of a namespace, sorted by name.
func (in *namespace) pods(yield func(Object) bool) {
	type replica struct {
		name string
		*workload
		number int
	}
	var all []replica
	for _, w := range in.workloads {
		for i := range w.replicas {
			all = append(all, replica{w.podName(i), w, i})
		}
	}
	slices.SortFunc(all, func(a, b replica) int { return cmp.Compare(a.name, b.name) })
	for _, r := range all {
		if !yield(r.pod(r.number)) {
			return
		}
	}
}

// random returns a source that depends on the seed and the numbers.
func (f Fleet) random(numbers ...int) *rand.Rand {
	stream := uint64(len(numbers))
	for _, n := range numbers {
		stream = stream*1_000_003 + uint64(n) //nolint:gosec // never negative
	}
	return rand.New(rand.NewPCG(f.Seed, stream)) //nolint:gosec // repeatable on purpose
}

// alphabet has the characters of random names (apimachinery/pkg/util/rand).
const alphabet = "bcdfghjklmnpqrstvwxz2456789"

// suffix returns that many characters for a number: others for each of small numbers.
func suffix(n uint64, length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = alphabet[n%uint64(len(alphabet))]
		n /= uint64(len(alphabet))
	}
	return string(text)
}

// began is when the first object was created: a constant, as nothing may depend on time.
var began = time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC)

func at(seconds uint64) metav1.Time {
	return metav1.NewTime(began.Add(time.Duration(seconds%10_000_000) * time.Second))
}

func uid(r *rand.Rand) types.UID {
	a, b := r.Uint64(), r.Uint64()
	return types.UID(fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff))
}
