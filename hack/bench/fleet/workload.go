package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// workload is what creates pods, with what it has at random.
type workload struct {
	kind, name string
	uid        types.UID
	// owner is the controller of the pods, and hash the end of its name: the current
	// ReplicaSet of a Deployment, the latest Job of a CronJob.
	owner    metav1.OwnerReference
	hash     string
	replicas int
	old      int // ReplicaSets and Jobs of the past
	template corev1.PodTemplateSpec
	random   func(replica int) *rand.Rand
	first    uint64 // which name the first pod has
	managed  []metav1.ManagedFieldsEntry
}

var names = []string{
	"api", "billing", "cache", "catalog", "checkout", "export", "frontend", "gateway", "identity", "importer", "indexer",
	"ledger", "mailer", "notifier", "orders", "payments", "reports", "scheduler", "search", "shipping", "sync", "worker",
}

func (f Fleet) workload(n, w int, s size) *workload {
	r := f.random(n, w)
	it := &workload{
		kind: s.kind, name: fmt.Sprintf("%s-%s", names[w%len(names)], suffix(r.Uint64(), 3)), uid: uid(r),
		replicas: s.replicas, old: r.IntN(maxOldReplicaSets + 1), hash: suffix(r.Uint64(), 9),
		random: func(replica int) *rand.Rand { return f.random(n, w, replica) }, first: r.Uint64() >> 32,
	}
	it.template = it.podTemplate(r, namespaceName(n), it.account(w))
	yes := true
	it.owner = metav1.OwnerReference{APIVersion: "apps/v1", Kind: s.kind, Name: it.name, UID: it.uid, Controller: &yes, BlockOwnerDeletion: &yes}
	switch s.kind {
	case "Deployment":
		it.owner.Kind, it.owner.Name, it.owner.UID = "ReplicaSet", it.name+"-"+it.hash, uid(r)
	case "Job":
		it.hash = fmt.Sprint(29_000_000 + r.IntN(100_000)) // the minute
		it.owner.APIVersion, it.owner.Name, it.owner.UID = "batch/v1", it.name+"-"+it.hash, uid(r)
	}
	it.managed = managedFields(it.template.Spec.Containers, it.owner.Kind)
	return it
}

// account returns the service account of a workload: half of them share one with others.
func (w *workload) account(number int) string {
	if number%2 == 0 {
		return w.name
	}
	return fmt.Sprintf("account-%d", number%accounts)
}

// meta returns the metadata of an object of the workload.
func (w *workload) meta(name string, id types.UID, controller *metav1.OwnerReference) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: w.template.Namespace, Name: name, UID: id, ResourceVersion: version(w.first), Generation: 3,
		CreationTimestamp: at(w.first), Labels: w.template.Labels,
		Annotations:   map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(w.old + 1)},
		ManagedFields: w.managed,
	}
	if controller != nil {
		m.OwnerReferences = []metav1.OwnerReference{*controller}
	}
	return m
}

// self is a reference to the workload itself.
func (w *workload) self(apiVersion, kind string) *metav1.OwnerReference {
	yes := true
	return &metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: w.name, UID: w.uid, Controller: &yes, BlockOwnerDeletion: &yes}
}

func (w *workload) selector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": w.name}}
}

// bare is the template as the user has written it: without metadata of its own.
func (w *workload) bare() corev1.PodTemplateSpec {
	t := w.template
	t.Namespace = ""
	return t
}

func (in *namespace) each(kind string, objects func(*workload) []Object) []Object {
	var all []Object
	for _, w := range in.workloads {
		if w.kind == kind {
			all = append(all, objects(w)...)
		}
	}
	return all
}

func (in *namespace) serviceAccounts() []Object {
	names := map[string]bool{"default": true}
	for _, w := range in.workloads {
		names[w.template.Spec.ServiceAccountName] = true
	}
	var all []Object
	for name := range names {
		all = append(all, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: in.name, Name: name, UID: types.UID(in.name + "-" + name), ResourceVersion: "100", CreationTimestamp: at(0),
		}})
	}
	return all
}

func (in *namespace) deployments() []Object {
	return in.each("Deployment", func(w *workload) []Object {
		n := count(w.replicas)
		return []Object{&appsv1.Deployment{
			ObjectMeta: w.meta(w.name, w.uid, nil),
			Spec: appsv1.DeploymentSpec{
				Replicas: &n, Selector: w.selector(), Template: w.bare(),
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType},
			},
			Status: appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n},
		}}
	})
}

func (in *namespace) replicaSets() []Object {
	return in.each("Deployment", func(w *workload) []Object {
		var all []Object
		r := w.random(-1 + 1<<20) // of no replica
		for i := range w.old + 1 {
			name, id, n := w.owner.Name, w.owner.UID, count(w.replicas)
			if i > 0 {
				name, id, n = w.name+"-"+suffix(r.Uint64(), 9), uid(r), 0
			}
			t := w.bare()
			t.Labels = with(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey, strings.TrimPrefix(name, w.name+"-"))
			all = append(all, &appsv1.ReplicaSet{
				ObjectMeta: w.meta(name, id, w.self("apps/v1", "Deployment")),
				Spec:       appsv1.ReplicaSetSpec{Replicas: &n, Selector: w.selector(), Template: t},
				Status:     appsv1.ReplicaSetStatus{ObservedGeneration: 1, Replicas: n, FullyLabeledReplicas: n, ReadyReplicas: n, AvailableReplicas: n},
			})
		}
		return all
	})
}

func (in *namespace) statefulSets() []Object {
	return in.each("StatefulSet", func(w *workload) []Object {
		n := count(w.replicas)
		return []Object{&appsv1.StatefulSet{
			ObjectMeta: w.meta(w.name, w.uid, nil),
			Spec: appsv1.StatefulSetSpec{
				Replicas: &n, Selector: w.selector(), Template: w.bare(), ServiceName: w.name,
				PodManagementPolicy: appsv1.ParallelPodManagement, UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			},
			Status: appsv1.StatefulSetStatus{ObservedGeneration: 3, Replicas: n, ReadyReplicas: n, CurrentReplicas: n, UpdatedReplicas: n},
		}}
	})
}

func (in *namespace) daemonSets() []Object {
	return in.each("DaemonSet", func(w *workload) []Object {
		n := count(w.replicas)
		return []Object{&appsv1.DaemonSet{
			ObjectMeta: w.meta(w.name, w.uid, nil),
			Spec: appsv1.DaemonSetSpec{
				Selector: w.selector(), Template: w.bare(),
				UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType},
			},
			Status: appsv1.DaemonSetStatus{ObservedGeneration: 3, CurrentNumberScheduled: n, DesiredNumberScheduled: n, NumberReady: n, NumberAvailable: n},
		}}
	})
}

func (w *workload) jobSpec() batchv1.JobSpec {
	n := count(w.replicas)
	t := w.bare()
	return batchv1.JobSpec{Parallelism: &n, Completions: &n, Template: t}
}

func (in *namespace) cronJobs() []Object {
	return in.each("Job", func(w *workload) []Object {
		return []Object{&batchv1.CronJob{
			ObjectMeta: w.meta(w.name, w.uid, nil),
			Spec: batchv1.CronJobSpec{
				Schedule: "*/5 * * * *", ConcurrencyPolicy: batchv1.ForbidConcurrent,
				JobTemplate: batchv1.JobTemplateSpec{Spec: w.jobSpec()},
			},
		}}
	})
}

func (in *namespace) jobs() []Object {
	return in.each("Job", func(w *workload) []Object {
		var all []Object
		r := w.random(-1 + 1<<20) // of no replica
		for i := range w.old + 1 {
			name, id := w.owner.Name, w.owner.UID
			status := batchv1.JobStatus{Active: count(w.replicas)}
			if i > 0 {
				name, id = fmt.Sprintf("%s-%d", w.name, 28_000_000+i), uid(r)
				status = batchv1.JobStatus{Succeeded: count(w.replicas), Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}
			}
			spec := w.jobSpec()
			spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"controller-uid": string(id)}}
			spec.Template.Labels = with(with(spec.Template.Labels, "controller-uid", string(id)), "job-name", name)
			all = append(all, &batchv1.Job{ObjectMeta: w.meta(name, id, w.self("batch/v1", "CronJob")), Spec: spec, Status: status})
		}
		return all
	})
}

func with(labels map[string]string, key, value string) map[string]string {
	c := map[string]string{key: value}
	maps.Copy(c, labels)
	return c
}

func count(n int) int32 { return int32(n) } //nolint:gosec // replicas are few

func version(n uint64) string { return fmt.Sprint(1_000_000 + n%1_000_000_000) }

func port(n int) intstr.IntOrString { return intstr.FromInt32(count(n)) }
