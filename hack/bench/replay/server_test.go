package replay

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

var small = fleet.Fleet{Seed: 7, Pods: 450}

func start(t *testing.T, streams bool) (*Server, *rest.Config) {
	t.Helper()
	s := New(Options{Fleet: small, Version: "v1.24.17", Streams: streams})
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
		s.Close()
	})
	return s, &rest.Config{Host: h.URL, QPS: -1}
}

// wanted are the objects of a resource as clients decode them.
func wanted(t *testing.T, resource string) map[string]fleet.Object {
	t.Helper()
	all := map[string]fleet.Object{}
	for _, r := range fleet.Resources() {
		if r.Name == resource {
			for o := range small.Objects(r) {
				all[o.GetNamespace()+"/"+o.GetName()] = o
			}
		}
	}
	return all
}

// same compares a pod with that of the fleet by what is encoded.
func same(t *testing.T, got *corev1.Pod, all map[string]fleet.Object) {
	t.Helper()
	want, ok := all[got.Namespace+"/"+got.Name].(*corev1.Pod)
	if !ok {
		t.Fatalf("pod %s/%s is not in the fleet", got.Namespace, got.Name)
	}
	encoded := func(p *corev1.Pod) []byte {
		data, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(encoded(want), encoded(got)) {
		t.Errorf("pod %s differs: %s", got.Name, cmp.Diff(want, got))
	}
}

// TestList: the pages of pods are the fleet, in both encodings.
func TestList(t *testing.T) {
	all := wanted(t, "pods")
	for _, contentType := range []string{runtime.ContentTypeProtobuf, runtime.ContentTypeJSON} {
		for _, namespace := range []string{"", "team-0001"} {
			t.Run(contentType+namespace, func(t *testing.T) {
				_, config := start(t, true)
				config.ContentType = contentType
				client := kubernetes.NewForConfigOrDie(config)
				var pods []corev1.Pod
				options := metav1.ListOptions{Limit: 47}
				for {
					page, err := client.CoreV1().Pods(namespace).List(t.Context(), options)
					if err != nil {
						t.Fatal(err)
					}
					pods = append(pods, page.Items...)
					if page.ResourceVersion == "" || len(page.Items) > 47 {
						t.Errorf("%d pods of version %q", len(page.Items), page.ResourceVersion)
					}
					if options.Continue = page.Continue; options.Continue == "" {
						break
					}
				}
				if want := map[string]int{"": 450, "team-0001": 200}[namespace]; len(pods) != want {
					t.Errorf("got %d pods, want %d", len(pods), want)
				}
				for i := range pods {
					same(t, &pods[i], all)
				}
			})
		}
	}
}

// TestVersions: what a list asks for of resource versions is honored, or refused.
func TestVersions(t *testing.T) {
	_, config := start(t, true)
	pods := kubernetes.NewForConfigOrDie(config).CoreV1().Pods("")
	for _, tc := range []struct {
		name    string
		options metav1.ListOptions
		want    int
		is      func(error) bool
	}{
		{"from the cache", metav1.ListOptions{Limit: 10, ResourceVersion: "0"}, 450, nil},
		{"current", metav1.ListOptions{Limit: 10, ResourceVersion: fmt.Sprint(firstVersion), ResourceVersionMatch: metav1.ResourceVersionMatchExact}, 10, nil},
		{"not older", metav1.ListOptions{Limit: 10, ResourceVersion: "1", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}, 10, nil},
		{"gone", metav1.ListOptions{ResourceVersion: "1", ResourceVersionMatch: metav1.ResourceVersionMatchExact}, 0, apierrors.IsResourceExpired},
		{"match alone", metav1.ListOptions{ResourceVersionMatch: metav1.ResourceVersionMatchExact}, 0, apierrors.IsBadRequest},
		{"wrong token", metav1.ListOptions{Continue: "wrong"}, 0, apierrors.IsBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := pods.List(t.Context(), tc.options)
			switch {
			case tc.is != nil && !tc.is(err):
				t.Errorf("got error %v", err)
			case tc.is == nil && (err != nil || len(list.Items) != tc.want):
				t.Errorf("got %d pods, %v", len(list.Items), err)
			}
		})
	}
}

// TestObjects: single objects, and the metadata of others.
func TestObjects(t *testing.T) {
	_, config := start(t, true)
	for _, contentType := range []string{runtime.ContentTypeProtobuf, runtime.ContentTypeJSON} {
		config.ContentType = contentType
		client, m := kubernetes.NewForConfigOrDie(config), metadata.NewForConfigOrDie(config)
		for _, o := range wanted(t, "jobs") {
			job, err := client.BatchV1().Jobs(o.GetNamespace()).Get(t.Context(), o.GetName(), metav1.GetOptions{})
			if err != nil || job.UID != o.GetUID() || len(job.Spec.Template.Spec.Containers) == 0 {
				t.Errorf("got %v, %v", job, err)
			}
		}
		if _, err := client.BatchV1().Jobs("team-0000").Get(t.Context(), "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("got %v for a job that does not exist", err)
		}
		all := wanted(t, "replicasets")
		list, err := m.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != len(all) {
			t.Fatalf("got %d ReplicaSets, want %d: %v", len(list.Items), len(all), err)
		}
		for i := range list.Items {
			got := &list.Items[i]
			if want := all[got.Namespace+"/"+got.Name]; want == nil || got.UID != want.GetUID() || len(got.ManagedFields) != 2 {
				t.Errorf("got %v", got.ObjectMeta)
			}
		}
	}
}

// TestInformer: a stock informer syncs with the fleet, by a stream or by a list.
func TestInformer(t *testing.T) {
	all := wanted(t, "pods")
	for _, contentType := range []string{runtime.ContentTypeProtobuf, runtime.ContentTypeJSON} {
		for _, streams := range []bool{true, false} {
			t.Run(fmt.Sprint(contentType, streams), func(t *testing.T) {
				s, config := start(t, streams)
				config.ContentType = contentType
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
				defer factory.Shutdown()
				defer cancel()
				pods := factory.Core().V1().Pods().Informer()
				factory.StartWithContext(ctx)
				if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
					t.Fatal("it does not sync")
				}
				got := pods.GetStore().List()
				if len(got) != small.Pods {
					t.Errorf("got %d pods", len(got))
				}
				for _, o := range got {
					same(t, o.(*corev1.Pod), all)
				}
				if n := s.Counts().Requests; streams && n != 1 {
					t.Errorf("a stream takes %d requests", n)
				}
			})
		}
	}
}

// TestEvents: a watch has the changes since a list, and additional pods are gone in the end.
func TestEvents(t *testing.T) {
	s, config := start(t, true)
	client := kubernetes.NewForConfigOrDie(config)
	list, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.events.setRate(2000)
	for s.Counts().Events < 100 {
		time.Sleep(time.Millisecond)
	}
	s.events.setRate(0)
	events := s.Counts().Events
	w, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	all, seen := wanted(t, "pods"), map[watch.EventType]int{}
	present := map[string]bool{}
	for range events {
		e := <-w.ResultChan()
		p, ok := e.Object.(*corev1.Pod)
		if !ok {
			t.Fatalf("got %v", e)
		}
		seen[e.Type]++
		_, exists := all[p.Namespace+"/"+p.Name]
		if exists != (e.Type == watch.Modified) {
			t.Errorf("%s of pod %s", e.Type, p.Name)
		}
		present[p.Name] = e.Type == watch.Added
	}
	for name, is := range present {
		if is {
			t.Errorf("pod %s is still there", name)
		}
	}
	if seen[watch.Modified] < 80 || seen[watch.Added] == 0 || seen[watch.Added] != seen[watch.Deleted] {
		t.Errorf("got %v", seen)
	}
}

// TestAdvisor: the advisor observes the whole fleet.
func TestAdvisor(t *testing.T) {
	s, config := start(t, true)
	snapshot, err := cluster.List(t.Context(), config, observe.Scope{Pods: true, Templates: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	obs := snapshot.Observe()
	if obs.Pods() != small.Pods || len(obs.Gaps) > 0 {
		t.Errorf("observed %d pods with the gaps %v", obs.Pods(), obs.Gaps)
	}
	server, err := cluster.NewServer(config)
	if err != nil {
		t.Fatal(err)
	}
	if version, err := server.Version(t.Context()); err != nil || version != "v1.24.17" {
		t.Errorf("version %q, %v", version, err)
	}
	if c := s.Counts(); c.Requests < 10 || c.Bytes < 1<<20 {
		t.Errorf("counted %+v", c)
	}
}

// TestStore: what is not in the fleet can be written, and writes of ConfigMaps are counted.
func TestStore(t *testing.T) {
	s, config := start(t, true)
	maps := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps("reports")
	if _, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "one"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Get(t.Context(), "one", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if n := s.Counts().Writes; n != 1 {
		t.Errorf("counted %d writes", n)
	}
	response, err := http.Get(config.Host + CountsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || !strings.Contains(response.Header.Get("Content-Type"), "json") {
		t.Errorf("got %v", response)
	}
}
