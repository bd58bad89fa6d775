package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// uidOf returns a uid in the form that a server gives.
func uidOf(namespace, name string) types.UID {
	sum := sha256.Sum256([]byte(namespace + "/" + name))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

func object(namespace, name string, owner ...metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: uidOf(namespace, name), ResourceVersion: "1",
		OwnerReferences: owner, Labels: map[string]string{"app": name},
	}
}

func ownedBy(apiVersion, kind, namespace, name string) metav1.OwnerReference {
	controller := true
	return metav1.OwnerReference{
		APIVersion: apiVersion, Kind: kind, Name: name, UID: uidOf(namespace, name), Controller: &controller,
	}
}

// refuse answers with a code, in the words of a server.
func refuse(w http.ResponseWriter, code int) { apitest.Refuse(w, apitest.Status(code)) }

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}}
}

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "template"}}, Spec: podSpec()}
}

func pod(namespace, name string, owner ...metav1.OwnerReference) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: object(namespace, name, owner...), Spec: podSpec()}
	p.Status.Phase = corev1.PodRunning
	return p
}

func replicaSet(namespace, name string, owner ...metav1.OwnerReference) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: object(namespace, name, owner...), Spec: appsv1.ReplicaSetSpec{Template: template()}}
}

func job(namespace, name string, owner ...metav1.OwnerReference) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: object(namespace, name, owner...), Spec: batchv1.JobSpec{Template: template()}}
}

func finishedJob(namespace, name string) *batchv1.Job {
	j := job(namespace, name)
	j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	return j
}

func deployment(namespace, name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: object(namespace, name), Spec: appsv1.DeploymentSpec{Template: template()}}
}

func cronJob(namespace, name string) *batchv1.CronJob {
	c := &batchv1.CronJob{ObjectMeta: object(namespace, name)}
	c.Spec.JobTemplate.Spec.Template = template()
	return c
}

// shop is a namespace with a bit of everything.
func shop(namespace string) []apiruntime.Object {
	optOut := false
	withAccount := template()
	withAccount.Spec.ServiceAccountName = "quiet"
	donePod := pod(namespace, "done")
	donePod.Status.Phase = corev1.PodSucceeded
	static := pod(namespace, "proxy-node-1", ownedBy("v1", "Node", namespace, "node-1"))
	static.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
	static.Spec.NodeName = "node-1"
	return []apiruntime.Object{
		pod(namespace, "web-1-a", ownedBy("apps/v1", "ReplicaSet", namespace, "web-1")),
		replicaSet(namespace, "web-1", ownedBy("apps/v1", "Deployment", namespace, "web")),
		deployment(namespace, "web"),
		pod(namespace, "backup-1-a", ownedBy("batch/v1", "Job", namespace, "backup-1")),
		job(namespace, "backup-1", ownedBy("batch/v1", "CronJob", namespace, "backup")),
		cronJob(namespace, "backup"),
		pod(namespace, "roll-1-a", ownedBy("apps/v1", "ReplicaSet", namespace, "roll-1")),
		replicaSet(namespace, "roll-1", ownedBy("argoproj.io/v1alpha1", "Rollout", namespace, "roll")),
		pod(namespace, "thing-0", ownedBy("example.org/v1", "Thing", namespace, "thing")),
		replicaSet(namespace, "bare-set"),
		job(namespace, "bare-job"),
		finishedJob(namespace, "old-job"),
		pod(namespace, "bare"),
		donePod,
		static,
		&appsv1.StatefulSet{ObjectMeta: object(namespace, "db"), Spec: appsv1.StatefulSetSpec{
			Template:             template(),
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}},
		}},
		&appsv1.DaemonSet{ObjectMeta: object(namespace, "agent"), Spec: appsv1.DaemonSetSpec{Template: withAccount}},
		&corev1.ReplicationController{ObjectMeta: object(namespace, "old"), Spec: corev1.ReplicationControllerSpec{Template: &withAccount}},
		&corev1.ServiceAccount{ObjectMeta: object(namespace, "quiet"), AutomountServiceAccountToken: &optOut},
		&corev1.ServiceAccount{ObjectMeta: object(namespace, "default")},
	}
}

func workloads(obs *observe.Observation) []string {
	var list []string
	for _, m := range obs.Members {
		list = append(list, m.Workload.Namespace+"/"+m.Workload.String()+" as "+m.ServiceAccount)
	}
	return list
}

func both() observe.Scope { return observe.Scope{Pods: true, Templates: true} }

// look lists a cluster and returns what was seen.
func look(ctx context.Context, config *rest.Config, scope observe.Scope) (*observe.Observation, error) {
	s, err := List(ctx, config, scope, nil)
	if err != nil {
		return nil, err
	}
	return s.Observe(), nil
}

// lookRecords is look, and returns the kinds and names of the records that it was made of,
// sorted.
func lookRecords(t *testing.T, config *rest.Config, scope observe.Scope) (*observe.Observation, []string) {
	t.Helper()
	client, err := newClient(config, scope)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	var mu sync.Mutex
	found, records := map[string]*observe.Observation{}, []string{}
	l := newListing(client, scope, nil, true, func(namespace string, o *observe.Observation) {
		mu.Lock()
		defer mu.Unlock()
		found[namespace] = o
	})
	take := l.pace.take
	l.pace.take = func(namespace string, all *gathered) {
		mu.Lock()
		for _, r := range all.records {
			records = append(records, r.Kind.Kind+"/"+r.Name)
		}
		mu.Unlock()
		take(namespace, all)
	}
	if err := l.run(within(t)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(records)
	return (&Snapshot{scope: scope, found: found}).Observe(), records
}

// bubble runs a test in which no time passes but what everybody waits for, and
// which fails when a goroutine is left over.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// within bounds what must not hang.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestList(t *testing.T) {
	all := []string{
		"shop/CronJob/backup as default", "shop/DaemonSet/agent as quiet", "shop/Deployment/web as default",
		"shop/Job/bare-job as default", "shop/Pod/bare as default", "shop/Pod/proxy as ",
		"shop/ReplicaSet/bare-set as default", "shop/ReplicationController/old as quiet",
		"shop/Rollout/roll as default", "shop/StatefulSet/db as default", "shop/Thing/thing as default",
	}
	tests := map[string]struct {
		scope           func(*observe.Scope)
		want            []string
		pods, templates int
	}{
		"everything":             {func(*observe.Scope) {}, all, 6, 8},
		"one namespace":          {func(o *observe.Scope) { o.Namespaces = []string{"shop", "shop"} }, all, 6, 8},
		"all but another one":    {func(o *observe.Scope) { o.ExcludedNamespaces = []string{"other"} }, all, 6, 8},
		"excluded and asked for": {func(o *observe.Scope) { o.Namespaces, o.ExcludedNamespaces = []string{"shop", "x"}, []string{"x"} }, all, 6, 8},
		"nothing left":           {func(o *observe.Scope) { o.Namespaces, o.ExcludedNamespaces = []string{"shop"}, []string{"shop"} }, nil, 0, 0},
		"pods alone": {func(o *observe.Scope) { o.Templates = false }, []string{
			"shop/CronJob/backup as default", "shop/Deployment/web as default", "shop/Pod/bare as default",
			"shop/Pod/proxy as ", "shop/Rollout/roll as default", "shop/Thing/thing as default",
		}, 6, 0},
		"templates alone": {func(o *observe.Scope) { o.Pods = false }, []string{
			"shop/CronJob/backup as default", "shop/DaemonSet/agent as quiet", "shop/Deployment/web as default",
			"shop/Job/bare-job as default", "shop/ReplicaSet/bare-set as default",
			"shop/ReplicationController/old as quiet", "shop/Rollout/roll as default", "shop/StatefulSet/db as default",
		}, 0, 8},
		"by label of the pod, owners still seen": {func(o *observe.Scope) {
			o.Selector = labels.SelectorFromSet(labels.Set{"app": "web-1-a"})
		}, []string{"shop/Deployment/web as default"}, 1, 0},
	}
	for name, tc := range tests {
		bubble(t, name, func(t *testing.T) {
			_, config := apitest.Serve(t, shop("shop")...)
			o := both()
			tc.scope(&o)
			obs, err := look(within(t), config, o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, workloads(obs)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if obs.Pods() != tc.pods || obs.Templates() != tc.templates || obs.Gaps != nil || obs.UnknownOwners != nil {
				t.Errorf("got %d pods, %d templates, gaps %v, unknown owners %v", obs.Pods(), obs.Templates(), obs.Gaps, obs.UnknownOwners)
			}
		})
	}
}

func TestListInPages(t *testing.T) {
	const n = 2*pageSize + 1
	expires := func(times int) func(*apitest.Server) {
		return func(server *apitest.Server) {
			server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				if q.Resource != "pods" || q.Continue != 2*pageSize || times == 0 {
					return false
				}
				times--
				refuse(w, http.StatusGone)
				return true
			})
		}
	}
	tests := map[string]func(*apitest.Server){
		"whole":                      func(*apitest.Server) {},
		"a page expires once":        expires(1),
		"a page expires three times": expires(3),
		"and another list is late": func(server *apitest.Server) {
			again, times := make(chan struct{}), 0
			server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				switch {
				case q.Resource == "replicasets":
					<-again
				case q.Resource == "pods" && q.Continue == 2*pageSize:
					if times++; times == 1 {
						refuse(w, http.StatusGone)
						return true
					}
					close(again)
				}
				return false
			})
		},
		"the other way round": func(s *apitest.Server) { s.Backward = true },
		"both": func(s *apitest.Server) {
			s.Backward = true
			expires(1)(s)
		},
	}
	for name, prepare := range tests {
		bubble(t, name, func(t *testing.T) {
			var objects []apiruntime.Object
			for i := range n {
				// Keys in etcd are sorted otherwise than names.
				namespace := []string{"shop", "shop-a", "shop0"}[i/(n/3+1)]
				objects = append(objects, pod(namespace, fmt.Sprintf("pod-%04d", i)))
			}
			server, config := apitest.Serve(t, objects...)
			prepare(server)
			var counts []int
			seen, err := List(within(t), config, observe.Scope{Pods: true}, func(resource string, n int) {
				if resource == "pods" {
					counts = append(counts, n)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			obs := seen.Observe()
			if len(obs.Members) != n || obs.Pods() != n || obs.Gaps != nil {
				t.Errorf("got %d workloads with %d pods of %d, gaps %v", len(obs.Members), obs.Pods(), n, obs.Gaps)
			}
			if want := []int{pageSize, 2 * pageSize, n}; !cmp.Equal(want, counts[len(counts)-3:]) {
				t.Errorf("progress %v, want it to end in %v", counts, want)
			}
		})
	}
}

// A namespace is observed as soon as all lists are past it, whatever else there is: few of
// them are in memory as records.
func TestEachInPages(t *testing.T) {
	const namespaces, each = 40, 50
	bubble(t, "", func(t *testing.T) {
		var objects []apiruntime.Object
		for n := range namespaces {
			ns := fmt.Sprintf("team-%02d", n)
			for i := range each {
				set := fmt.Sprintf("web-%d", i)
				objects = append(objects,
					deployment(ns, set), replicaSet(ns, set, ownedBy("apps/v1", "Deployment", ns, set)),
					pod(ns, set+"-a", ownedBy("apps/v1", "ReplicaSet", ns, set)))
			}
			objects = append(objects, job(ns, "run"), pod(ns, "run-a", ownedBy("batch/v1", "Job", ns, "run")))
		}
		server, config := apitest.Serve(t, objects...)
		var mu sync.Mutex
		observed, asked := 0, 0
		server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
			if q.Resource != "pods" || q.Continue == 0 {
				return false
			}
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			// One page of pods is asked for while another one is read.
			if asked = q.Continue / (each + 1); observed < asked-2*pageSize/each {
				t.Errorf("%d namespaces are observed when %d were listed", observed, asked)
			}
			return false
		})
		rest, err := Each(within(t), config, both(), nil, func() func(string, *observe.Observation) {
			return func(namespace string, found *observe.Observation) {
				mu.Lock()
				defer mu.Unlock()
				observed++
				if found.Pods() != each+1 || found.Templates() != each+1 || found.UnknownOwners != nil || !slices.Equal(found.Namespaces(), []string{namespace}) {
					t.Errorf("%s: %d pods, %d templates, unknown owners %v", namespace, found.Pods(), found.Templates(), found.UnknownOwners)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if rest.Gaps != nil || observed != namespaces || asked == 0 {
			t.Errorf("gaps %v, %d namespaces, the last page of pods begins with the %dth", rest.Gaps, observed, asked)
		}
	})
}

func TestListGaps(t *testing.T) {
	tests := map[string]struct {
		scope   observe.Scope
		refused func(q apitest.Request) int
		want    []string
		pods    int
	}{
		"a kind that may not be listed": {
			both(), func(q apitest.Request) int { return map[string]int{"deployments": http.StatusForbidden}[q.Resource] },
			[]string{"deployments.apps in all namespaces"},
			6,
		},
		"a kind that is not served": {
			both(), func(q apitest.Request) int { return map[string]int{"cronjobs": http.StatusNotFound}[q.Resource] },
			[]string{"cronjobs.batch in all namespaces"},
			6,
		},
		"a right in one namespace of two": {
			observe.Scope{Pods: true, Namespaces: []string{"shop", "vault"}},
			func(q apitest.Request) int {
				if q.Namespace != "shop" {
					return http.StatusForbidden
				}
				return 0
			},
			[]string{"jobs.batch in namespace vault", "pods in namespace vault", "replicasets.apps in namespace vault"},
			6,
		},
		"no right to read what has no controller": {
			both(), func(q apitest.Request) int {
				if q.Name != "" {
					return http.StatusForbidden
				}
				return 0
			},
			[]string{"jobs.batch in all namespaces", "replicasets.apps in all namespaces"},
			6,
		},
		"no right at all": {
			observe.Scope{Pods: true},
			func(apitest.Request) int { return http.StatusForbidden },
			[]string{"jobs.batch in all namespaces", "pods in all namespaces", "replicasets.apps in all namespaces"},
			0,
		},
	}
	for name, tc := range tests {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, shop("shop")...)
			server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				code := tc.refused(q)
				if code != 0 {
					refuse(w, code)
				}
				return code != 0
			})
			obs, err := look(within(t), config, tc.scope)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range obs.Gaps {
				text, _, _ := strings.Cut(g.String(), ": ")
				got = append(got, text)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if obs.Pods() != tc.pods {
				t.Errorf("got %d pods, want %d", obs.Pods(), tc.pods)
			}
			if tc.pods > 0 && !slices.Contains(workloads(obs), "shop/Deployment/web as default") {
				t.Errorf("links are lost: %v", workloads(obs))
			}
		})
	}
}

func TestListNeedsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		o := both()
		o.Namespaces = []string{"shop"}
		if _, err := look(within(t), config, o); err != nil {
			t.Fatal(err)
		}
		for _, q := range server.Requested() {
			if q.Namespace != "shop" || (q.Verb != "list" && q.Verb != "get") {
				t.Errorf("a request that needs more than list and get in the namespace: %s", q.URL)
			}
		}
	})
}

// A list is of one moment: what changes between two pages makes no pod twice or missing.
func TestListOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var objects []apiruntime.Object
		for i := range pageSize + 1 {
			objects = append(objects, pod("shop", fmt.Sprintf("pod-%04d", i)))
		}
		server, config := apitest.Serve(t, objects...)
		server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
			if q.Resource == "pods" && q.Continue > 0 {
				server.Remove("pods", "shop", "pod-0000")
				server.Put(pod("shop", "zz-new"))
			}
			return false
		})
		seen, err := List(within(t), config, observe.Scope{Pods: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, m := range seen.Observe().Members {
			names[m.Workload.Name] = true
		}
		if len(names) != pageSize+1 || !names["pod-0000"] || names["zz-new"] {
			t.Errorf("%d pods, with the one that is gone: %t, with the new one: %t", len(names), names["pod-0000"], names["zz-new"])
		}
	})
}

// A ReplicaSet that appears while the pods are listed is not missing for its pods.
func TestListDuringRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t,
			pod("shop", "web-1-a", ownedBy("apps/v1", "ReplicaSet", "shop", "web-1")),
			pod("team", "app-1-a", ownedBy("apps/v1", "ReplicaSet", "team", "app-1")),
			replicaSet("team", "app-1", ownedBy("apps/v1", "Deployment", "team", "app")))
		server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
			if q.Resource == "pods" {
				time.Sleep(50 * time.Millisecond)
				server.Put(replicaSet("shop", "web-1", ownedBy("apps/v1", "Deployment", "shop", "web")))
			}
			return false
		})
		obs, err := look(within(t), config, observe.Scope{Pods: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"shop/Deployment/web as default", "team/Deployment/app as default"}, workloads(obs)); diff != "" || obs.UnknownOwners != nil {
			t.Errorf("workloads (-want +got):\n%s, unknown owners %v", diff, obs.UnknownOwners)
		}
	})
}

// Of the links only those are kept that something refers to, links of links included.
func TestListLinks(t *testing.T) {
	objects := []apiruntime.Object{
		deployment("shop", "web"),
		replicaSet("shop", "web-1", ownedBy("apps/v1", "Deployment", "shop", "web")),
		replicaSet("shop", "web-2", ownedBy("apps/v1", "Deployment", "shop", "web")),
		pod("shop", "web-2-a", ownedBy("apps/v1", "ReplicaSet", "shop", "web-2")),

		pod("shop", "odd", ownedBy("batch/v1", "Job", "shop", "first")),
		job("shop", "first", ownedBy("apps/v1", "ReplicaSet", "shop", "second")),
		replicaSet("shop", "second", ownedBy("batch/v1", "Job", "shop", "third")),
		job("shop", "third", ownedBy("batch/v1", "CronJob", "shop", "last")),

		pod("shop", "lone", ownedBy("batch/v1", "Job", "shop", "over")),
		job("shop", "over", ownedBy("apps/v1", "ReplicaSet", "shop", "bare")),
		replicaSet("shop", "bare"),

		pod("shop", "round", ownedBy("batch/v1", "Job", "shop", "cycle")),
		job("shop", "cycle", ownedBy("batch/v1", "Job", "shop", "cycle")),
		pod("shop", "late", ownedBy("batch/v1", "Job", "shop", "gone")),
	}
	tests := map[string]struct {
		scope       observe.Scope
		links, want []string
		templates   int
		unknown     []aggregate.Workload
	}{
		"both": {
			scope: both(),
			links: []string{"Job/cycle", "Job/first", "Job/over", "Job/third", "ReplicaSet/bare", "ReplicaSet/second", "ReplicaSet/web-2"},
			want: []string{
				"shop/CronJob/last as default", "shop/Deployment/web as default", "shop/Job/cycle as default",
				"shop/Job/gone as default", "shop/ReplicaSet/bare as default",
			},
			templates: 2,
			unknown:   []aggregate.Workload{{Namespace: "shop", Group: "batch", Kind: "Job", Name: "gone"}},
		},
		"templates": {
			scope:     observe.Scope{Templates: true},
			links:     []string{"ReplicaSet/bare"},
			want:      []string{"shop/Deployment/web as default", "shop/ReplicaSet/bare as default"},
			templates: 2,
		},
	}
	for name, tc := range tests {
		bubble(t, name, func(t *testing.T) {
			_, config := apitest.Serve(t, objects...)
			obs, records := lookRecords(t, config, tc.scope)
			links := slices.DeleteFunc(records, func(r string) bool { return !strings.HasPrefix(r, "Job/") && !strings.HasPrefix(r, "ReplicaSet/") })
			if diff := cmp.Diff(tc.links, links); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, workloads(obs)); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.unknown, obs.UnknownOwners); diff != "" {
				t.Errorf("unknown owners (-want +got):\n%s", diff)
			}
			if obs.Templates() != tc.templates {
				t.Errorf("%d templates, want %d", obs.Templates(), tc.templates)
			}
		})
	}
}

func TestListErrors(t *testing.T) {
	always := func(code int) func(http.ResponseWriter, apitest.Request) bool {
		return func(w http.ResponseWriter, _ apitest.Request) bool {
			refuse(w, code)
			return true
		}
	}
	hang := func(_ http.ResponseWriter, q apitest.Request) bool {
		if q.Resource == "pods" {
			<-q.Context().Done()
		}
		return q.Resource == "pods"
	}
	tests := map[string]struct {
		answer  func(http.ResponseWriter, apitest.Request) bool
		config  func(*rest.Config)
		timeout time.Duration
		want    string
	}{
		"unknown user": {answer: always(http.StatusUnauthorized), want: "provide credentials"},
		"bad request":  {answer: always(http.StatusBadRequest), want: "listing "},
		"unreachable": {
			config: func(c *rest.Config) { c.Host, c.Transport = "127.0.0.1:1", nil }, want: "connection refused",
		},
		"not an API server": {answer: func(w http.ResponseWriter, _ apitest.Request) bool {
			_, _ = w.Write([]byte("<html>")) // the client may be gone
			return true
		}, want: "listing "},
		"a server that hangs": {answer: hang, timeout: 3 * time.Second, want: "listing pods, replicasets.apps, jobs.batch: context deadline exceeded"},
		"a server that is busy": {
			answer: always(http.StatusServiceUnavailable), timeout: 2 * time.Second,
			want: "the server is currently unable to handle the request",
		},
	}
	for name, tc := range tests {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, shop("shop")...)
			server.Intercept(tc.answer)
			if tc.config != nil {
				tc.config(config)
			}
			ctx := within(t)
			if tc.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tc.timeout)
				defer cancel()
			}
			obs, err := look(ctx, config, observe.Scope{Pods: true})
			if obs != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v and error %v, want one about %q", obs, err, tc.want)
			}
			if tc.timeout > 0 && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v hides the timeout", err)
			}
		})
	}
}

// TestListWithoutContent: a response in protobuf that ends after its type can be decoded,
// and is an error nevertheless: as a list it would have no objects.
func TestListWithoutContent(t *testing.T) {
	for name, resource := range map[string]string{"a list": "pods", "an object": "replicasets"} {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, shop("shop")...)
			var cut atomic.Int32 // how many responses end early
			server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				if q.Resource != resource || (q.Name == "") != (resource == "pods") || cut.Add(-1) < 0 {
					return false
				}
				kind := "PodList"
				if q.Name != "" {
					kind = "ReplicaSet"
				}
				version := q.GroupVersion.String()
				typeMeta := fmt.Appendf(nil, "\x0a%c%s\x12%c%s", len(version), version, len(kind), kind)
				w.Header().Set("Content-Type", apiruntime.ContentTypeProtobuf)
				_, _ = w.Write(fmt.Appendf(nil, "k8s\x00\x0a%c%s", len(typeMeta), typeMeta)) // the client may be gone
				return true
			})
			want, err := look(within(t), config, both())
			if err != nil {
				t.Fatal(err)
			}
			cut.Store(1)
			got, err := look(within(t), config, both())
			if err != nil {
				t.Fatalf("a second attempt succeeds, and yet: %v", err)
			}
			if diff := cmp.Diff(workloads(want), workloads(got)); diff != "" {
				t.Errorf("(-undisturbed +got):\n%s", diff)
			}
			cut.Store(1000)
			if obs, err := look(within(t), config, both()); err == nil || !strings.Contains(err.Error(), "no content") {
				t.Errorf("got %v and error %v", workloads(obs), err)
			}
		})
	}
}

// TestListNoLongerServed: an object of a resource that the server no longer serves was not
// deleted, so the resource is a gap.
func TestListNoLongerServed(t *testing.T) {
	bubble(t, "replicasets", func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
			unserved := q.Resource == "replicasets" && q.Name != ""
			if unserved {
				http.NotFound(w, q.Request)
			}
			return unserved
		})
		obs, err := look(within(t), config, both())
		if err != nil {
			t.Fatal(err)
		}
		if len(obs.Gaps) != 1 || obs.Gaps[0].Resource != "replicasets.apps" || obs.Gaps[0].Reason != apierror.NotServed {
			t.Errorf("gaps %v", obs.Gaps)
		}
	})
}

// start runs a cluster until the test ends; the channel brings changes.
func start(t *testing.T, config *rest.Config, o observe.Scope) (*Watcher, chan string) {
	t.Helper()
	c, err := NewWatcher(config, o)
	if err != nil {
		t.Fatal(err)
	}
	changes := make(chan string, 1000)
	c.Changed = func(namespace string) { changes <- namespace }
	ctx, stop := context.WithCancel(within(t))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	if err := c.WaitForSync(ctx); err != nil {
		t.Fatal(err)
	}
	return c, changes
}

// eventually waits until the observation is as wanted.
func eventually(t *testing.T, c *Watcher, want func(*observe.Observation) bool, namespaces ...string) {
	t.Helper()
	var obs *observe.Observation
	for range 6000 {
		if obs = c.Observe(namespaces...); want(obs) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("got %v, gaps %v", workloads(obs), obs.Gaps)
}

func has(workload string) func(*observe.Observation) bool {
	return func(obs *observe.Observation) bool { return slices.Contains(workloads(obs), workload) }
}

func hasNot(workload string) func(*observe.Observation) bool {
	return func(obs *observe.Observation) bool { return !slices.Contains(workloads(obs), workload) }
}

func TestWatcherFollows(t *testing.T) {
	for name, streams := range map[string]bool{"from pages": false, "from a stream": true} {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, append(shop("shop"), shop("vault")...)...)
			server.Streams = streams
			c, changes := start(t, config, both())
			if streams && slices.ContainsFunc(server.Requested(), func(q apitest.Request) bool { return q.Resource == "pods" && q.Verb == "list" }) {
				t.Error("pods were listed, not streamed")
			}
			all := c.Observe()
			if all.Pods() != 12 || all.Templates() != 16 || all.Gaps != nil {
				t.Fatalf("got %d pods, %d templates, gaps %v", all.Pods(), all.Templates(), all.Gaps)
			}
			if got := c.Observe("shop").Namespaces(); !cmp.Equal(got, []string{"shop"}) {
				t.Errorf("one namespace gave %v", got)
			}

			server.Put(pod("shop", "new"))
			eventually(t, c, has("shop/Pod/new as default"), "shop")
			done := pod("shop", "new")
			done.Status.Phase = corev1.PodSucceeded
			server.Put(done)
			eventually(t, c, hasNot("shop/Pod/new as default"), "shop")

			server.Put(replicaSet("vault", "lonely"))
			eventually(t, c, has("vault/ReplicaSet/lonely as default"), "vault")
			adopted := replicaSet("vault", "lonely", ownedBy("apps/v1", "Deployment", "vault", "web"))
			server.Put(adopted)
			eventually(t, c, hasNot("vault/ReplicaSet/lonely as default"), "vault")

			server.Put(finishedJob("vault", "bare-job"))
			eventually(t, c, hasNot("vault/Job/bare-job as default"), "vault")
			server.Remove("cronjobs", "vault", "backup")
			eventually(t, c, func(obs *observe.Observation) bool { return obs.Templates() == 6 }, "vault")

			for len(changes) > 0 {
				<-changes
			}
			same := pod("shop", "bare")
			same.Status.Message = "still there"
			server.Put(same)
			server.Put(pod("vault", "last"))
			if got := <-changes; got != "vault" {
				t.Errorf("a change in %s that changes nothing was told", got)
			}
		})
	}
}

func TestWatcherGapsHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		allowed := make(chan struct{})
		server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
			select {
			case <-allowed:
				return false
			default:
			}
			if q.Resource != "deployments" {
				return false
			}
			refuse(w, http.StatusForbidden)
			return true
		})
		c, _ := start(t, config, both())
		if obs := c.Observe(); len(obs.Gaps) != 1 || obs.Gaps[0].Resource != "deployments.apps" {
			t.Fatalf("gaps %v", obs.Gaps)
		}
		close(allowed)
		eventually(t, c, func(obs *observe.Observation) bool { return obs.Gaps == nil && obs.Templates() == 8 })
	})
}

func TestWatcherWithoutWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
			if q.Verb == "watch" {
				refuse(w, http.StatusForbidden)
			}
			return q.Verb == "watch"
		})
		c, _ := start(t, config, both())
		if obs := c.Observe(); obs.Pods() != 6 || obs.Templates() != 8 {
			t.Errorf("got %d pods, %d templates", obs.Pods(), obs.Templates())
		}
		eventually(t, c, func(obs *observe.Observation) bool { return len(obs.Gaps) == len(resourcesOf(both())) })
	})
}

// An item's record is the record of the whole object, and what the informer
// needs of the object is there.
func TestItems(t *testing.T) {
	recorder := observe.Recorder{Scope: both(), Interner: &profile.Interner{}}
	resources := map[string]resource{}
	for _, r := range resourcesOf(both()) {
		resources[r.Resource] = r
	}
	server, _ := apitest.Serve(t)
	for _, o := range shop("shop") {
		r := resources[server.ResourceOf(o)]
		l := &lister{resource: r, recorder: recorder, records: &records{}}
		whole, ok := o.(metav1.Object)
		if !ok {
			t.Fatalf("%T is no object", o)
		}
		want := recorder.Record(whole, r.groupKind())
		got, err := l.item(o)
		if err != nil {
			t.Fatal(err)
		}
		if (want == nil) != (got == nil) {
			t.Fatalf("%T: item %v, record %v", o, got, want)
		}
		if want == nil {
			continue
		}
		// Profiles are interned, and a link has none.
		pointer := cmp.Comparer(func(a, b *profile.Profile) bool { return a == b })
		if diff := cmp.Diff(want, got.Record, pointer); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
		if !got.same(&item{Record: want}) {
			t.Errorf("%v and %v are not the same", got.Record, want)
		}
		m := got.GetObjectMeta()
		if m.GetNamespace() != whole.GetNamespace() || m.GetName() != whole.GetName() || m.GetResourceVersion() != whole.GetResourceVersion() {
			t.Errorf("metadata %s/%s@%s, want that of %s", m.GetNamespace(), m.GetName(), m.GetResourceVersion(), whole.GetName())
		}
	}
}

func TestServer(t *testing.T) {
	policies := schema.GroupVersionResource{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"}
	for version, serves := range map[string]bool{"v1.24.17": true, "v1.37.2": false} {
		t.Run(version, func(t *testing.T) {
			api, config := apitest.Serve(t)
			api.Version = version
			if !serves {
				api.Serves = nil
			}
			server, err := NewServer(config)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := server.Version(within(t)); err != nil || got != version {
				t.Errorf("version %s, %v", got, err)
			}
			if got, err := server.Serves(within(t), policies); err != nil || got != serves {
				t.Errorf("serves %t, %v", got, err)
			}
		})
	}
}

// TestServesNotFound: what is not found is not taken for what is not served.
func TestServesNotFound(t *testing.T) {
	for _, path := range []string{"/apis", "/apis/policy/v1beta1"} {
		t.Run(path, func(t *testing.T) {
			api, config := apitest.Serve(t)
			api.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				if q.URL.Path != path {
					return false
				}
				apitest.Refuse(w, apitest.Status(http.StatusNotFound))
				return true
			})
			server, err := NewServer(config)
			if err != nil {
				t.Fatal(err)
			}
			const want = "checking whether the server serves podsecuritypolicies.policy: "
			got, err := server.Serves(within(t), schema.GroupVersionResource{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"})
			if got || err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("serves %t, %v, want an error that begins with %q", got, err, want)
			}
		})
	}
}

// outages are ways in which a server is away: every watch ends, and requests fail
// until the function that is returned is called.
var outages = map[string]func(*apitest.Server) (end func()){
	"no connection": func(server *apitest.Server) func() {
		server.Away(true)
		return func() { server.Away(false) }
	},
	"errors": func(server *apitest.Server) func() {
		var over atomic.Bool
		server.Intercept(func(w http.ResponseWriter, _ apitest.Request) bool {
			if over.Load() {
				return false
			}
			refuse(w, http.StatusInternalServerError)
			return true
		})
		server.Cut()
		return func() { over.Store(true) }
	},
}

// eachOutage runs a test with a server that lists and one that streams, for each
// outage.
func eachOutage(t *testing.T, test func(*testing.T, bool, func(*apitest.Server) func())) {
	t.Helper()
	for name, outage := range outages {
		bubble(t, name+", from pages", func(t *testing.T) { test(t, false, outage) })
		bubble(t, name+", from a stream", func(t *testing.T) { test(t, true, outage) })
	}
}

// After a watch has failed, the gap heals: by a list, and by a stream.
func TestWatcherHealsAfterAnOutage(t *testing.T) {
	eachOutage(t, func(t *testing.T, streams bool, outage func(*apitest.Server) func()) {
		server, config := apitest.Serve(t, shop("shop")...)
		server.Streams = streams
		w, _ := start(t, config, both())
		eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
		// A watch that was short has the reflector list again by itself.
		time.Sleep(time.Minute)
		end := outage(server)
		eventually(t, w, func(obs *observe.Observation) bool { return len(obs.Gaps) == len(resourcesOf(both())) })
		end()
		eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
	})
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The token of a pod is replaced in its file long before it expires, and sometimes too late:
// that is a gap until the file has been read again, and nothing is missing then.
func TestWatcherTokenIsRotated(t *testing.T) {
	for name, late := range map[string]bool{"in time": false, "too late": true} {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, shop("shop")...)
			file := filepath.Join(t.TempDir(), "token")
			rotate := func(token string) {
				if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
					t.Error(err)
				}
			}
			var refused atomic.Pointer[string]
			rotate("first")
			config.BearerTokenFile = file
			config.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				if token := refused.Load(); token != nil && r.Header.Get("Authorization") == "Bearer "+*token {
					w := httptest.NewRecorder()
					apitest.Refuse(w, apitest.Status(http.StatusUnauthorized))
					return w.Result(), nil
				}
				return server.RoundTrip(r)
			})
			w, _ := start(t, config, both())
			eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
			time.Sleep(40 * time.Second) // client-go reads the file once a minute
			if rotate("second"); !late {
				time.Sleep(30 * time.Second)
			}
			refused.Store(new("first"))
			server.Cut()
			server.Put(pod("shop", "meanwhile"))
			if late {
				eventually(t, w, func(obs *observe.Observation) bool {
					return slices.ContainsFunc(obs.Gaps, func(g observe.Gap) bool { return g.Reason == apierror.Unauthorized })
				})
			}
			eventually(t, w, func(obs *observe.Observation) bool {
				if obs.Gaps == nil && late && !has("shop/Pod/meanwhile as default")(obs) {
					t.Fatalf("complete without what changed: %v", workloads(obs))
				}
				return obs.Gaps == nil && has("shop/Pod/meanwhile as default")(obs)
			})
		})
	}
}

// A watch that is accepted again has not caught up: what changed meanwhile is
// there before the gap is gone.
func TestWatcherHasCaughtUp(t *testing.T) {
	eachOutage(t, func(t *testing.T, streams bool, outage func(*apitest.Server) func()) {
		server, config := apitest.Serve(t, shop("shop")...)
		server.Streams = streams
		w, _ := start(t, config, observe.Scope{Pods: true})
		eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
		// A watch that was short has the reflector list again by itself.
		time.Sleep(time.Minute)
		end := outage(server)
		eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps != nil })
		server.Put(pod("shop", "meanwhile"))
		end()
		eventually(t, w, func(obs *observe.Observation) bool {
			if obs.Gaps == nil && !has("shop/Pod/meanwhile as default")(obs) {
				t.Fatalf("complete without what changed: %v", workloads(obs))
			}
			return obs.Gaps == nil
		})
	})
}

// A watch that the server accepts and then ends with an error has missed what changed:
// that is a gap until the store has it.
func TestWatcherEndedByAnError(t *testing.T) {
	for name, streams := range map[string]bool{"from pages": false, "from a stream": true} {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, shop("shop")...)
			server.Streams = streams
			w, _ := start(t, config, observe.Scope{Pods: true})
			eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
			time.Sleep(time.Minute)
			var requests atomic.Int32
			server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				switch {
				case q.Resource != "pods":
					return false
				case requests.Add(1) > 1:
					time.Sleep(10 * time.Second) // a large list
					return false
				}
				_, _ = w.Write([]byte(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","code":410,"reason":"Expired"}}`))
				return true
			})
			server.Put(pod("shop", "before"))
			server.Cut()
			synctest.Wait()
			server.Put(pod("shop", "meanwhile"))
			eventually(t, w, func(obs *observe.Observation) bool {
				if requests.Load() > 0 && obs.Gaps == nil && !has("shop/Pod/meanwhile as default")(obs) {
					t.Fatalf("complete without what changed: %v", workloads(obs))
				}
				return has("shop/Pod/meanwhile as default")(obs)
			})
			eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
		})
	}
}

// silence swallows the first n requests of a verb for a resource: a connection that is
// there, and on which nothing comes any more.
func silence(verb, resource string, n int32) func(http.ResponseWriter, apitest.Request) bool {
	var seen atomic.Int32
	return func(w http.ResponseWriter, q apitest.Request) bool {
		if q.Verb != verb || q.Resource != resource || seen.Add(1) > n {
			return false
		}
		if q.Verb == "watch" {
			w.WriteHeader(http.StatusOK)
		}
		<-q.Context().Done()
		return true
	}
}

// TestSilence: no request waits forever for a response.
func TestSilence(t *testing.T) {
	for _, tc := range []struct{ verb, resource string }{{"list", "pods"}, {"get", "replicasets"}} {
		bubble(t, tc.verb, func(t *testing.T) {
			server, config := apitest.Serve(t, shop("shop")...)
			server.Intercept(silence(tc.verb, tc.resource, 1))
			obs, err := look(t.Context(), config, both())
			if err != nil || obs.Gaps != nil || !has("shop/Pod/bare as default")(obs) {
				t.Errorf("got %v and error %v", obs, err)
			}
		})
	}
	bubble(t, "watch", func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		server.Intercept(silence("watch", "pods", 2)) // the first attempt is to stream
		w, err := NewWatcher(config, both())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		time.Sleep(time.Minute)
		server.Put(pod("shop", "unheard"))
		// The server ends a watch after ten minutes at most, which is silent too.
		time.Sleep(25 * time.Minute)
		if obs := w.Observe(); obs.Gaps != nil || !has("shop/Pod/unheard as default")(obs) {
			t.Errorf("got %v, gaps %v", workloads(obs), obs.Gaps)
		}
		stop()
		<-done
	})
}

// An object that appears during the watch and cannot be read because the server fails
// is a gap at once.
func TestWatcherFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		w, _ := start(t, config, both())
		eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
		time.Sleep(time.Minute)
		failed := make(chan struct{})
		server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
			if q.Resource == "replicasets" && q.Name != "" {
				refuse(w, http.StatusInternalServerError)
				close(failed)
				server.Intercept(nil)
				return true
			}
			return false
		})
		server.Put(replicaSet("shop", "late"))
		<-failed
		synctest.Wait()
		if w.Gaps() == nil {
			t.Error("no gap, though an object could not be read")
		}
		eventually(t, w, func(obs *observe.Observation) bool {
			return obs.Gaps == nil && has("shop/ReplicaSet/late as default")(obs)
		})
	})
}

// A server that is merely busy is not listed again.
func TestWatcherOfBusyServer(t *testing.T) {
	h := newHealth(func() bool { return true })
	h.listed(t.Context(), listed{}, nil)
	h.watching(t.Context(), nil)
	h.watching(t.Context(), apierrors.NewTooManyRequests("slow", 1))
	if h.gap() == nil || h.needsList() {
		t.Errorf("gap %v, needs a list: %t", h.gap(), h.needsList())
	}
	h.watching(t.Context(), nil)
	if h.gap() != nil {
		t.Errorf("gap %v", h.gap())
	}
}

// A template that appears during the watch and cannot be read is a gap, until it
// can.
func TestWatcherMissingTemplates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t, shop("shop")...)
		w, _ := start(t, config, both())
		eventually(t, w, func(obs *observe.Observation) bool { return obs.Gaps == nil })
		var allowed atomic.Bool
		server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
			if q.Name == "" || allowed.Load() {
				return false
			}
			refuse(w, http.StatusForbidden)
			return true
		})
		server.Put(replicaSet("shop", "late"))
		eventually(t, w, func(obs *observe.Observation) bool {
			return len(obs.Gaps) == 1 && obs.Gaps[0].Resource == "replicasets.apps" && obs.Gaps[0].Reason == apierror.Forbidden
		})
		w.retryMissing(t.Context())
		if gaps := w.Gaps(); len(gaps) != 1 {
			t.Errorf("gaps %v, though it still cannot be read", gaps)
		}
		allowed.Store(true)
		w.retryMissing(t.Context())
		eventually(t, w, func(obs *observe.Observation) bool {
			return obs.Gaps == nil && has("shop/ReplicaSet/late as default")(obs)
		})
	})
}
