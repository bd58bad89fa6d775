package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fixture is the objects of a file or a fleet that a current server accepts, what the
// advisor observes of them, and the pods that the server makes of them.
type fixture struct {
	name string
	list []objects.Object
	// accounts are the service accounts among the objects, as text.
	accounts string
	members  []aggregate.Member
	subjects []subject
	// refused are objects that the server refuses without any policy: they are neither
	// observed nor judged. unread are those that only the advisor refuses.
	refused, unread []string
}

// subject is a pod that a workload asks the server for.
type subject struct {
	request podRequest
	// pod is as admission sees it.
	pod  *corev1.Pod
	asks asks
	set  privilege.Set
	// mirror: a node asks, for a pod that runs already.
	mirror bool
}

func (s subject) account() string { return s.pod.Spec.ServiceAccountName }

// podKinds are the kinds of objects that make pods.
var podKinds = []string{"Pod", "PodTemplate", "ReplicationController", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"}

// prepare makes a fixture of objects. The pods come from a server without policies.
func prepare(p *judge.Process, name string, list []objects.Object) (fixture, error) {
	f := fixture{name: name, list: list}
	for {
		dropped, err := f.ask(p)
		if err != nil {
			return f, err
		}
		if len(dropped) == 0 {
			if dropped, err = f.observe(); err != nil || len(dropped) == 0 {
				return f, err
			}
		}
		// What an object means may depend on those that are not there now.
		var kept []objects.Object
		for i, o := range f.list {
			if !dropped[i] {
				kept = append(kept, o)
			}
		}
		f.list = kept
	}
}

// ask finds the subjects. It returns the indices of the objects that the server refuses.
func (f *fixture) ask(p *judge.Process) (map[int]bool, error) {
	var err error
	if f.accounts, err = objects.Join(slices.Collect(accountsOf(f.list))); err != nil {
		return nil, err
	}
	f.subjects = nil
	shown := shownBy(f.list)
	var pods []podRequest
	var makers []int
	for i, o := range f.list {
		u := unstructured.Unstructured{Object: o}
		if !slices.Contains(podKinds, u.GetKind()) || finished(u) || shown(u) {
			continue
		}
		raw, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("encoding: %w", err)
		}
		request := podRequest{Object: raw}
		if isMirror(u) {
			request.User = &user{Username: "system:node:node1", Groups: []string{"system:nodes"}}
		}
		pods, makers = append(pods, request), append(makers, i)
	}
	verdicts, err := ask(p, request{Name: f.name, Cluster: &cluster{Objects: f.accounts}, Pods: pods, ReturnPods: true})
	if err != nil {
		return nil, err
	}
	dropped := map[int]bool{}
	for i, v := range verdicts {
		if v.Outcome != admitted {
			dropped[makers[i]] = true
			u := unstructured.Unstructured{Object: f.list[makers[i]]}
			f.refused = append(f.refused, fmt.Sprintf("%s: %s/%s: %s", f.name, u.GetKind(), u.GetName(), v.Reason))
			continue
		}
		request := pods[i]
		request.ID = v.ID
		a := asksOf(v.Pod)
		f.subjects = append(f.subjects, subject{request: request, pod: v.Pod, asks: a, set: a.set(), mirror: request.User != nil})
	}
	return dropped, nil
}

// observe has the advisor observe the objects. It returns the indices of those that it
// cannot read: Kubernetes 1.24 refuses them.
func (f *fixture) observe() (map[int]bool, error) {
	text, err := objects.Join(f.list)
	if err != nil {
		return nil, err
	}
	obs, err := observed(text)
	if err != nil {
		return nil, err
	}
	f.members = obs.Members
	dropped := map[int]bool{}
	if len(obs.Skipped) == 0 {
		return dropped, nil
	}
	for i, o := range f.list {
		text, err := objects.Join([]objects.Object{o})
		if err != nil {
			return nil, err
		}
		own, err := observed(text)
		if err != nil {
			return nil, err
		}
		for _, s := range own.Skipped {
			dropped[i] = true
			f.unread = append(f.unread, fmt.Sprintf("%s: %v", f.name, s))
		}
	}
	return dropped, nil
}

// accountsOf yields the service accounts among objects, with their namespaces.
func accountsOf(list []objects.Object) iter.Seq[objects.Object] {
	return func(yield func(objects.Object) bool) {
		for _, o := range list {
			if o["kind"] != "ServiceAccount" || o["apiVersion"] != "v1" {
				continue
			}
			u := (&unstructured.Unstructured{Object: o}).DeepCopy()
			if u.GetNamespace() == "" {
				u.SetNamespace(metav1.NamespaceDefault)
			}
			if !yield(u.Object) {
				return
			}
		}
	}
}

func isMirror(u unstructured.Unstructured) bool {
	_, mirror := u.GetAnnotations()[corev1.MirrorPodAnnotationKey]
	return u.GetKind() == "Pod" && mirror
}

// finished reports whether an object creates no more pods.
func finished(u unstructured.Unstructured) bool {
	if u.GetUID() == "" && u.GetKind() != "Pod" {
		return false // the status of a manifest means nothing
	}
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	if u.GetKind() == "Pod" {
		return phase == string(corev1.PodSucceeded) || phase == string(corev1.PodFailed)
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		condition, _ := c.(map[string]any)
		return (condition["type"] == "Complete" || condition["type"] == "Failed") && condition["status"] == "True"
	})
}

// shownBy returns what says of a ReplicaSet or Job that another of the objects shows its
// pods: its controller, or where that is not among them, a ReplicaSet of the same controller
// that has replicas while this one has none.
func shownBy(list []objects.Object) func(unstructured.Unstructured) bool {
	key := func(namespace, kind, name string) string {
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		return namespace + "/" + kind + "/" + name
	}
	owner := func(u unstructured.Unstructured) (string, *metav1.OwnerReference) {
		o := metav1.GetControllerOf(&u)
		if o == nil {
			return "", nil
		}
		return key(u.GetNamespace(), o.Kind, o.Name), o
	}
	replicas := func(u unstructured.Unstructured) int64 {
		switch n := nested(u.Object, "spec", "replicas").(type) {
		case int64:
			return n
		case float64:
			return int64(n)
		default:
			return 1
		}
	}
	uids, running := map[string][]string{}, map[string]bool{}
	for _, o := range list {
		u := unstructured.Unstructured{Object: o}
		id := key(u.GetNamespace(), u.GetKind(), u.GetName())
		uids[id] = append(uids[id], string(u.GetUID()))
		if name, o := owner(u); o != nil && u.GetKind() == "ReplicaSet" && replicas(u) > 0 {
			running[name+"/"+string(o.UID)] = true
		}
	}
	return func(u unstructured.Unstructured) bool {
		name, o := owner(u)
		if o == nil || u.GetKind() != "ReplicaSet" && u.GetKind() != "Job" {
			return false
		}
		// A name alone may be made up. What has no uid is judged, too.
		if o.UID != "" && slices.Contains(uids[name], string(o.UID)) {
			return true
		}
		among := false
		if known := uids[name]; len(known) > 0 {
			last := slices.Max(known) // the one that a reference without a uid means
			among = last == "" || o.UID == ""
		}
		return !among && u.GetKind() == "ReplicaSet" && replicas(u) == 0 && running[name+"/"+string(o.UID)]
	}
}

func nested(o map[string]any, path ...string) any {
	var v any = o
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
