package publish_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// fleet is a source with a number of workloads per namespace. Those of "large"
// have much to say.
type fleet struct {
	workloads map[string]int
	// name is what the workloads' names begin with.
	name string
	// version changes what the workloads need.
	version int
	gaps    []observe.Gap
}

func (f *fleet) Namespaces() []string { return slices.Sorted(maps.Keys(f.workloads)) }

func (f *fleet) Gaps(namespaces ...string) []observe.Gap {
	var list []observe.Gap
	for _, g := range f.gaps {
		if len(namespaces) == 0 || g.Namespace == "" || slices.Contains(namespaces, g.Namespace) {
			list = append(list, g)
		}
	}
	return list
}

func (f *fleet) Observe(namespaces ...string) *observe.Observation {
	if len(namespaces) == 0 {
		namespaces = f.Namespaces()
	}
	obs := &observe.Observation{Scope: options.Scope.In(namespaces...), Gaps: f.Gaps(namespaces...)}
	var members aggregate.Fleet
	for _, namespace := range namespaces {
		volume := fmt.Sprint("type", f.version)
		if namespace == "large" {
			volume += strings.Repeat("e", 100<<10)
		}
		for n := range f.workloads[namespace] {
			name := f.name
			if name == "" {
				name = fmt.Sprintf("web-%d", n)
			}
			members.Add(aggregate.Pod{
				Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
				ServiceAccount: fmt.Sprintf("account-%d", n),
				Profile:        &profile.Profile{RunAsUser: profile.SetOf(profile.User{}), Volumes: profile.SetOf(profile.Name(volume))},
			})
		}
	}
	obs.Members = members.Members()
	return obs
}

var options = publish.Options{Scope: observe.Scope{Pods: true, Templates: true}, Level: aggregate.ByWorkload, Engines: []generate.Engine{psp.Engine()}}

// advisor is a writer and the server it writes to.
type advisor struct {
	*publish.Writer
	server *apitest.Server
	config *rest.Config
}

func start(t *testing.T) advisor {
	t.Helper()
	server, config := apitest.Serve(t)
	w, err := publish.NewWriter(config, "advisor")
	if err != nil {
		t.Fatal(err)
	}
	return advisor{w, server, config}
}

// put stores a ConfigMap in the report namespace, as if another client had made it.
func (a advisor) put(cm *corev1.ConfigMap, manager string) {
	cm = cm.DeepCopy()
	cm.Namespace, cm.ManagedFields = "advisor", apitest.ManagedBy(manager)
	a.server.Put(cm)
}

// remove takes a ConfigMap of the report namespace away.
func (a advisor) remove(name string) { a.server.Remove("configmaps", "advisor", name) }

// before has f called before each request.
func (a advisor) before(f func(verb, name string)) {
	a.server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
		f(q.Verb, q.Name)
		return false
	})
}

// requests returns how many requests there were with a verb.
func (a advisor) requests(verb string) int {
	n := 0
	for _, q := range a.server.Requested() {
		if q.Verb == verb {
			n++
		}
	}
	return n
}

func (a advisor) publish(t *testing.T, f *fleet) publish.Result {
	t.Helper()
	return a.publishPass(t, options.NewPass(f))
}

func (a advisor) publishPass(t *testing.T, pass publish.Pass) publish.Result {
	t.Helper()
	r, err := a.Publish(t.Context(), pass)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// renderOnce returns a function that returns the fleet's pass. It renders each report
// once for all of them, which is most of the work.
func (f *fleet) renderOnce() func() publish.Pass {
	bundles := map[string]publish.Bundle{}
	return func() publish.Pass {
		pass := options.NewPass(f)
		render := pass.Render
		pass.Render = func(namespace string) (publish.Bundle, error) {
			if _, ok := bundles[namespace]; !ok {
				bundle, err := render(namespace)
				if err != nil {
					return bundle, err
				}
				bundles[namespace] = bundle
			}
			// A writer keeps in the ConfigMaps what the server has said of them.
			bundle := bundles[namespace]
			bundle.ConfigMaps = slices.Clone(bundle.ConfigMaps)
			for i, cm := range bundle.ConfigMaps {
				bundle.ConfigMaps[i] = cm.DeepCopy()
			}
			return bundle, nil
		}
		return pass
	}
}

// follow reads what a reader of the index reads; anything missing or torn is an
// error. Without an index there is nothing.
func follow(all map[string]*corev1.ConfigMap) (publish.Index, map[string]publish.Document, error) {
	cm, ok := all[publish.IndexName]
	if !ok || len(cm.Data) == 0 {
		return publish.Index{}, nil, nil
	}
	index, err := publish.ReadIndex(cm)
	if err != nil {
		return publish.Index{}, nil, err
	}
	docs := map[string]publish.Document{}
	for _, e := range index.Reports {
		var parts []*corev1.ConfigMap
		for _, name := range e.ConfigMaps {
			part, ok := all[name]
			if !ok {
				return index, nil, fmt.Errorf("%s is missing", name)
			}
			parts = append(parts, part)
		}
		files, err := publish.Unpack(e, parts)
		if err != nil {
			return index, nil, err
		}
		doc, err := publish.ReadReport(files[publish.ReportFile])
		if err != nil {
			return index, nil, err
		}
		docs[e.Namespace] = doc
	}
	return index, docs, nil
}

func (a advisor) follow(t *testing.T) (publish.Index, map[string]publish.Document) {
	t.Helper()
	index, docs, err := follow(a.server.ConfigMaps())
	if err != nil {
		t.Fatal(err)
	}
	return index, docs
}

// content is what is stored, without what a server adds.
func content(all map[string]*corev1.ConfigMap) map[string]string {
	list := map[string]string{}
	for name, cm := range all {
		list[name] = publish.Hash(cm)
	}
	return list
}

func TestPublish(t *testing.T) {
	a := start(t)
	a.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kube-root-ca.crt"}}, "controller-manager")
	f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 3, "empty": 0, strings.Repeat("n", 63): 2}}

	r := a.publish(t, f)
	if want := (publish.Writes{Created: 4}); r.Writes != want {
		t.Errorf("the first pass did %+v, want %+v", r.Writes, want)
	}
	index, docs := a.follow(t)
	if got, want := slices.Sorted(maps.Keys(docs)), []string{"monitoring", strings.Repeat("n", 63), "shop"}; !slices.Equal(got, want) {
		t.Errorf("reports of %q, want %q", got, want)
	}
	if !index.Coverage.Complete || len(docs["shop"].Workloads) != 3 {
		t.Errorf("index %+v, shop %+v", index, docs["shop"])
	}

	a.server.TakeWrites()
	r = a.publish(t, f)
	if writes := a.server.TakeWrites(); len(writes) > 0 || r.Writes != (publish.Writes{Unchanged: 4}) {
		t.Errorf("with no change the second pass wrote %q: %+v", writes, r.Writes)
	}

	// One namespace changes, one goes: shard, index, prune.
	f.workloads["shop"], f.workloads["monitoring"] = 4, 0
	r = a.publish(t, f)
	writes := a.server.TakeWrites()
	if len(writes) != 4 || !strings.HasPrefix(writes[0], "patch psp-advisor.shop.") || writes[1] != "patch "+publish.IndexName ||
		!strings.HasPrefix(writes[2], "delete psp-advisor.monitoring.") || !strings.HasPrefix(writes[3], "delete psp-advisor.shop.") {
		t.Errorf("writes are %q", writes)
	}
	if want := (publish.Writes{Created: 1, Configured: 1, Unchanged: 1, Deleted: 2}); r.Writes != want {
		t.Errorf("the third pass did %+v, want %+v", r.Writes, want)
	}
	if _, docs := a.follow(t); len(docs) != 2 {
		t.Errorf("%d reports are left, want 2", len(docs))
	}
	if _, ok := a.server.ConfigMaps()["kube-root-ca.crt"]; !ok {
		t.Error("somebody else's ConfigMap is gone")
	}
}

// TestKnown: what did not change is not made again, unless it is gone.
func TestKnown(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1, "empty": 0}}
	known := a.publish(t, f).Entries
	a.server.TakeWrites()
	var rendered []string
	pass := func() publish.Pass {
		p := options.NewPass(f)
		render := p.Render
		p.Known, p.Render = known, func(namespace string) (publish.Bundle, error) {
			rendered = append(rendered, namespace)
			return render(namespace)
		}
		return p
	}
	if _, err := a.Publish(t.Context(), pass()); err != nil || len(rendered) > 0 {
		t.Errorf("rendered %q, error %v", rendered, err)
	}
	a.remove(known["shop"].ConfigMaps[0])
	if _, err := a.Publish(t.Context(), pass()); err != nil || !slices.Equal(rendered, []string{"shop"}) {
		t.Errorf("rendered %q, error %v", rendered, err)
	}
	if _, docs := a.follow(t); len(docs) != 2 {
		t.Errorf("%d reports, want 2", len(docs))
	}
}

// TestKnownWithGaps: a known entry is out of date when a gap comes or goes.
func TestKnownWithGaps(t *testing.T) {
	a := start(t)
	o := options
	o.AllowPartial = true
	f := &fleet{workloads: map[string]int{"shop": 1}}
	known := a.publishPass(t, o.NewPass(f)).Entries
	for _, gaps := range [][]observe.Gap{{{Resource: "pods", Reason: apierror.Forbidden}}, nil} {
		f.gaps = gaps
		pass := o.NewPass(f)
		pass.Known = known
		r := a.publishPass(t, pass)
		if e := r.Index.Reports[0]; e.Partial != (gaps != nil) {
			t.Errorf("with gaps %v, partial is %t", gaps, e.Partial)
		}
		known = r.Entries
	}
}

// TestGapSinceThePassBegan: a report that cannot be made is in the index as a gap, also
// if there is no older report to keep.
func TestGapSinceThePassBegan(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"shop": 1}}
	pass := options.NewPass(f)
	f.gaps = []observe.Gap{{Resource: "pods", Reason: apierror.Interrupted}}
	r := a.publishPass(t, pass)
	index, _ := a.follow(t)
	if index.Coverage.Complete || len(index.Coverage.Gaps) != 1 || r.Problem() != "1 gap" {
		t.Errorf("coverage %+v, problem %q", index.Coverage, r.Problem())
	}
}

// TestKilled: whichever write is the last, a reader finds everything that the
// index names, old or new, and the next pass leaves what a clean one leaves.
func TestKilled(t *testing.T) {
	before := (&fleet{workloads: map[string]int{"gone": 1, "large": 8, "same": 2, "shop": 1}}).renderOnce()
	after := (&fleet{workloads: map[string]int{"large": 9, "new": 2, "same": 2, "shop": 2}}).renderOnce()
	clean := start(t)
	clean.publishPass(t, before())
	clean.server.TakeWrites()
	clean.publishPass(t, after())
	writes := clean.server.TakeWrites()
	if len(writes) < 9 {
		t.Fatalf("only %d writes: %q", len(writes), writes)
	}
	want := content(clean.server.ConfigMaps())
	for n := range len(writes) + 1 {
		a := start(t)
		a.server.AfterWrite = func(write string, stored map[string]*corev1.ConfigMap) {
			if _, _, err := follow(stored); err != nil {
				t.Errorf("killed after %d writes: after %s: %v", n, write, err)
			}
		}
		a.publishPass(t, before())
		a.server.TakeWrites()
		a.server.DieAfter = n // 0 never dies
		_, err := a.Publish(t.Context(), after())
		if (err == nil) != (n == 0) {
			t.Errorf("killed after %d writes: error is %v", n, err)
		}
		a.server.Revive()
		a.publishPass(t, after())
		if d := cmp.Diff(want, content(a.server.ConfigMaps())); d != "" {
			t.Errorf("killed after %d writes, then published (-clean +got):\n%s", n, d)
		}
		a.server.TakeWrites()
		a.publishPass(t, after())
		if writes := a.server.TakeWrites(); len(writes) > 0 {
			t.Errorf("killed after %d writes: does not come to rest: %q", n, writes)
		}
	}
}

// TestKilledAtFirst is TestKilled for the very first pass.
func TestKilledAtFirst(t *testing.T) {
	f := &fleet{workloads: map[string]int{"large": 8, "shop": 1}}
	changed := &fleet{workloads: f.workloads, version: 1}
	for n := 1; n < 6; n++ {
		a := start(t)
		a.server.DieAfter = n
		_, err := a.Publish(t.Context(), options.NewPass(f))
		if err == nil {
			break
		}
		a.follow(t)
		a.server.Revive()
		// What the killed one left behind goes, at the latest with the second pass.
		a.publish(t, changed)
		a.publish(t, changed)
		index, _ := a.follow(t)
		named := 1
		for _, e := range index.Reports {
			named += len(e.ConfigMaps)
		}
		if all := a.server.ConfigMaps(); len(all) != named {
			t.Errorf("killed after %d writes: %d ConfigMaps, %d are named: %q", n, len(all), named, slices.Sorted(maps.Keys(all)))
		}
	}
}

// TestSizes: reports above the limit of a ConfigMap, and many of them.
func TestSizes(t *testing.T) {
	for name, f := range map[string]*fleet{
		"above 1 MiB":    {workloads: map[string]int{"thousands": 1500, "shop": 1}},
		"300 namespaces": {workloads: many(300)},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			a.publish(t, f)
			_, docs := a.follow(t)
			for namespace, n := range f.workloads {
				if len(docs[namespace].Workloads) != n {
					t.Errorf("report of %s has %d workloads, want %d", namespace, len(docs[namespace].Workloads), n)
				}
			}
			a.server.TakeWrites()
			a.publish(t, f)
			if writes := a.server.TakeWrites(); len(writes) > 0 {
				t.Errorf("with no change, wrote %q", writes)
			}
		})
	}
}

func many(n int) map[string]int {
	list := map[string]int{}
	for i := range n {
		list[fmt.Sprintf("namespace-%03d", i)] = 1
	}
	return list
}

// TestForeign: ConfigMaps of others are refused by name and left as they are.
func TestForeign(t *testing.T) {
	f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}}
	clean := start(t)
	shop := clean.publish(t, f).Entries["shop"].ConfigMaps[0]
	labels := map[string]string{generate.ManagedByLabel: generate.ManagedBy, publish.KindLabel: publish.LabelReport}
	for _, tc := range []struct {
		name    string
		foreign *corev1.ConfigMap
		general bool
	}{
		{"index", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: publish.IndexName}}, true},
		{"index with our labels", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: publish.IndexName, Labels: labels}}, true},
		{"report", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: shop}}, false},
		{"report with our labels", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: shop, Labels: labels}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := start(t)
			tc.foreign.Data = map[string]string{"mine": "yes"}
			a.put(tc.foreign, "kubectl-create")
			r, err := a.Publish(t.Context(), options.NewPass(f))
			if !tc.general {
				err = errors.Join(err, r.Failed["shop"])
			}
			want := "ConfigMap advisor/" + tc.foreign.Name + ": it was not written by the advisor"
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want %s", err, want)
			}
			if got := a.server.ConfigMaps()[tc.foreign.Name]; !maps.Equal(got.Data, tc.foreign.Data) || len(got.Labels) != len(tc.foreign.Labels) {
				t.Errorf("it was changed: %+v", got)
			}
			if index, docs := a.follow2(t); !tc.general {
				if len(docs) != 1 || index.Coverage.Complete || len(index.Coverage.Gaps) != 1 {
					t.Errorf("index is %+v", index)
				}
			}
		})
	}
}

// follow2 is follow where the index may be somebody else's.
func (a advisor) follow2(t *testing.T) (publish.Index, map[string]publish.Document) {
	t.Helper()
	all := a.server.ConfigMaps()
	if cm := all[publish.IndexName]; cm != nil && cm.Data["mine"] != "" {
		return publish.Index{}, nil
	}
	return a.follow(t)
}

// TestQuickerForeign: somebody makes a ConfigMap of the name between the list
// and the write.
func TestQuickerForeign(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"shop": 1}}
	a.before(func(verb, name string) {
		if verb == "patch" && name != publish.IndexName {
			if _, there := a.server.ConfigMaps()[name]; !there {
				a.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{publish.PoliciesFile("psp"): "mine"}}, "kubectl-create")
			}
		}
	})
	r := a.publish(t, f)
	if err := r.Failed["shop"]; err == nil || !strings.Contains(err.Error(), "another client writes it too") {
		t.Errorf("error is %v", err)
	}
}

// TestTwoWriters: another advisor publishes in the middle of a pass. Neither
// takes away what the other's index names.
func TestTwoWriters(t *testing.T) {
	first := &fleet{workloads: map[string]int{"monitoring": 2, "shop": 1}}
	second := &fleet{workloads: map[string]int{"shop": 2}}
	clean := start(t)
	clean.publish(t, first)
	requests := clean.requests("patch") + 5
	for n := range requests {
		a := start(t)
		a.publish(t, &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}})
		a.server.AfterWrite = func(write string, stored map[string]*corev1.ConfigMap) {
			if _, _, err := follow(stored); err != nil {
				t.Errorf("second before request %d: after %s: %v", n, write, err)
			}
		}
		seen, busy := 0, false
		a.before(func(string, string) {
			if busy {
				return
			}
			if seen++; seen == n+1 {
				busy = true
				a.publish(t, second)
				busy = false
			}
		})
		a.publish(t, first)
		a.server.Intercept(nil)
		a.publish(t, first)
		if index, docs := a.follow(t); len(docs) != 2 || !index.Coverage.Complete {
			t.Errorf("second before request %d: reports are %v", n, index.Reports)
		}
	}
}

// TestDeletedAndBack: somebody else deletes what is to be deleted, and another
// writer puts it back.
func TestDeletedAndBack(t *testing.T) {
	a := start(t)
	a.publish(t, &fleet{workloads: map[string]int{"shop": 1}})
	a.before(func(verb, name string) {
		if verb == "delete" {
			back := a.server.ConfigMaps()[name].DeepCopy()
			back.UID, back.ResourceVersion = "", ""
			a.remove(name)
			a.put(back, publish.FieldManager)
		}
	})
	before := len(a.server.ConfigMaps())
	a.publish(t, &fleet{workloads: map[string]int{"shop": 2}})
	if after := len(a.server.ConfigMaps()); after != before+1 {
		t.Errorf("%d ConfigMaps, want %d: what came back is not ours to delete", after, before+1)
	}
}

// TestEdited: the advisor takes back edits of its own index.
func TestEdited(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"shop": 1}}
	a.publish(t, f)
	want := content(a.server.ConfigMaps())
	cm := a.server.ConfigMaps()[publish.IndexName]
	cm.Data[publish.IndexFile] = "{}"
	a.put(cm, publish.FieldManager)
	a.publish(t, f)
	if d := cmp.Diff(want, content(a.server.ConfigMaps())); d != "" {
		t.Errorf("after an edit (-want +got):\n%s", d)
	}
}

func TestQuota(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}}
	a.publish(t, f)
	a.server.Quota = 3
	f.version++
	r := a.publish(t, f)
	err := r.Failed["shop"]
	if err == nil || !strings.Contains(err.Error(), "a quota of the namespace is used up") || !strings.Contains(err.Error(), "exceeded quota: few") {
		t.Errorf("error is %v", err)
	}
	index, docs := a.follow(t)
	if len(docs) != 2 || index.Reports[0].Stale == nil || index.Reports[0].Stale.Reason != apierror.QuotaExceeded || index.Coverage.Complete {
		t.Errorf("index is %+v", index)
	}
	a.server.TakeWrites()
	a.publish(t, f)
	if writes := a.server.TakeWrites(); len(writes) > 0 {
		t.Errorf("the same failure wrote %q again", writes)
	}
	a.server.Quota = 0
	a.publish(t, f)
	if index, _ := a.follow(t); !index.Coverage.Complete {
		t.Errorf("index is %+v", index)
	}
}

// TestUnread: what cannot be read keeps its report, marked stale; what is gone
// does not.
func TestUnread(t *testing.T) {
	forbidden := errors.New(`pods is forbidden: User "advisor" cannot list resource "pods"`)
	for _, tc := range []struct {
		name  string
		gap   observe.Gap
		stale []string
		left  []string
	}{
		{"one namespace", observe.Gap{Resource: "pods", Namespace: "shop", Reason: apierror.Forbidden, Err: forbidden}, []string{"shop"}, []string{"monitoring", "shop"}},
		{"all namespaces", observe.Gap{Resource: "pods", Reason: apierror.Forbidden, Err: forbidden}, []string{"gone", "monitoring", "shop"}, []string{"gone", "monitoring", "shop"}},
		{"one that never had a report", observe.Gap{Resource: "pods", Namespace: "new", Reason: apierror.Forbidden, Err: forbidden}, nil, []string{"monitoring", "shop"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := start(t)
			f := &fleet{workloads: map[string]int{"gone": 1, "monitoring": 1, "shop": 1}}
			a.publish(t, f)
			f = &fleet{workloads: map[string]int{"monitoring": 1, "new": 1}, gaps: []observe.Gap{tc.gap}}
			r := a.publish(t, f)
			if r.Problem() == "" {
				t.Error("the result says nothing of it")
			}
			index, docs := a.follow(t)
			want := slices.Clone(tc.left)
			if tc.gap.Namespace == "shop" {
				want = append(want, "new")
				slices.Sort(want)
			}
			if tc.gap.Namespace == "new" {
				want = []string{"monitoring"}
			}
			if got := slices.Sorted(maps.Keys(docs)); !slices.Equal(got, want) {
				t.Errorf("reports of %q, want %q", got, want)
			}
			var stale []string
			for _, e := range index.Reports {
				if e.Stale != nil && *e.Stale == (publish.Gap{Namespace: tc.gap.Namespace, Resource: "pods", Reason: apierror.Forbidden}) {
					stale = append(stale, e.Namespace)
				}
			}
			if !slices.Equal(stale, tc.stale) {
				t.Errorf("stale: %q, want %q", stale, tc.stale)
			}
			if index.Coverage.Complete || len(index.Coverage.Gaps) != 1 {
				t.Errorf("coverage is %+v", index.Coverage)
			}
		})
	}
}

// TestAllowPartial: reports are made all the same, and say so.
func TestAllowPartial(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"shop": 1}, gaps: []observe.Gap{{Resource: "jobs.batch", Reason: apierror.Forbidden, Err: errors.New("forbidden")}}}
	o := options
	o.AllowPartial = true
	if _, err := a.Publish(t.Context(), o.NewPass(f)); err != nil {
		t.Fatal(err)
	}
	index, docs := a.follow(t)
	if len(docs["shop"].Workloads) != 1 || !index.Reports[0].Partial || index.Coverage.Complete {
		t.Errorf("index is %+v", index)
	}
}

// TestClusterLevel: one report of all, which replaces those of another level.
func TestClusterLevel(t *testing.T) {
	a := start(t)
	f := &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}}
	a.publish(t, f)
	o := options
	o.Level = aggregate.ByCluster
	if _, err := a.Publish(t.Context(), o.NewPass(f)); err != nil {
		t.Fatal(err)
	}
	if _, docs := a.follow(t); len(docs) != 1 || len(docs[""].Workloads) != 2 || len(a.server.ConfigMaps()) != 2 {
		t.Errorf("reports are %v", docs)
	}
}

// TestErrors: messages name what is missing.
func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		verb string
		want string
	}{
		{"get", `reading the index in namespace advisor: configmaps "psp-advisor-index" is forbidden: User "advisor" cannot get resource "configmaps"`},
		{"patch", `writing ConfigMap advisor/psp-advisor-index: configmaps "psp-advisor-index" is forbidden: User "advisor" cannot patch resource "configmaps"`},
		{"delete", `deleting ConfigMap advisor/psp-advisor.`},
	} {
		a := start(t)
		f := &fleet{workloads: map[string]int{"shop": 1}}
		if tc.verb == "delete" {
			a.publish(t, f)
		}
		a.server.Authorize = func(q apitest.Request) bool { return q.Verb != tc.verb }
		f.version++
		_, err := a.Publish(t.Context(), options.NewPass(f))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error is %v, want %s", err, tc.want)
		}
	}
}
