package publish_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func read(t *testing.T) (advisor, *publish.Reader) {
	t.Helper()
	server, config := apitest.Serve(t)
	w, err := publish.NewWriter(config, "advisor")
	if err != nil {
		t.Fatal(err)
	}
	r, err := publish.NewReader(config, "advisor")
	if err != nil {
		t.Fatal(err)
	}
	return advisor{w, server, config}, r
}

// What is read is what was observed, however many ConfigMaps it takes.
func TestReader(t *testing.T) {
	a, r := read(t)
	if _, _, err := r.Report(t.Context(), "shop"); !errors.Is(err, publish.ErrNoReport) {
		t.Errorf("error before the first pass: %v", err)
	}
	f := &fleet{workloads: map[string]int{"shop": 2, "large": 12}}
	a.publish(t, f)
	for _, namespace := range []string{"shop", "large"} {
		entry, files, err := r.Report(t.Context(), namespace)
		if err != nil {
			t.Fatal(err)
		}
		if namespace == "large" && len(entry.ConfigMaps) < 2 {
			t.Errorf("the large report is in %d ConfigMaps", len(entry.ConfigMaps))
		}
		obs := f.Observe(namespace)
		want, err := generate.YAML(options.Engines[0].Outputs(obs.Members, aggregate.ByWorkload), true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(files["psp.yaml"])); diff != "" {
			t.Errorf("policies of %s (-want +got):\n%s", namespace, diff)
		}
		back, err := observe.Decode(files[publish.ObservationFile])
		if err != nil {
			t.Fatal(err)
		}
		// Everything else can be made from the observation.
		again, err := generate.YAML(options.Engines[0].Outputs(back.Members, aggregate.ByWorkload), true)
		if err != nil || string(again) != string(want) {
			t.Errorf("policies of the observation differ: %v", err)
		}
	}
	if _, _, err := r.Report(t.Context(), "other"); !errors.Is(err, publish.ErrNoReport) || !strings.Contains(err.Error(), "no report of other in namespace advisor") {
		t.Errorf("error %v", err)
	}
}

// A report that is replaced while it is read is read again.
func TestReaderDuringPass(t *testing.T) {
	a, r := read(t)
	f := &fleet{workloads: map[string]int{"shop": 1}}
	a.publish(t, f)
	busy := false
	a.before(func(verb, name string) {
		if verb == "get" && strings.HasPrefix(name, "psp-advisor.shop.") && !busy && f.version == 0 {
			busy = true
			f.version++
			a.publish(t, f)
			busy = false
		}
	})
	_, files, err := r.Report(t.Context(), "shop")
	if err != nil || !strings.Contains(string(files["psp.yaml"]), "type1") {
		t.Errorf("error %v, read\n%s", err, files["psp.yaml"])
	}
}

// Whoever may write ConfigMaps in the report namespace does not make policies: a
// look-alike is not read, what was tampered with is an error, and both are mended.
func TestReaderAndOthers(t *testing.T) {
	a, r := read(t)
	f := &fleet{workloads: map[string]int{"shop": 1}}
	result := a.publish(t, f)
	name := result.Entries["shop"].ConfigMaps[0]
	genuine := a.server.ConfigMaps()[name]

	look := genuine.DeepCopy()
	look.Name, look.UID, look.ManagedFields = "psp-advisor.shop.0000000000000000", "", nil
	look.Data["psp.yaml"] = "---\nkind: ClusterRoleBinding\n"
	a.put(look, "kubectl-create")
	result = a.publish(t, f)
	if diff := cmp.Diff([]string{"advisor/" + look.Name}, result.LookAlikes); diff != "" {
		t.Errorf("look-alikes (-want +got):\n%s", diff)
	}
	if text := strings.Join(result.Lines(), "\n"); !strings.Contains(text, look.Name+" has the labels of a report") || result.Problem() != "" {
		t.Errorf("problem %q, lines %s", result.Problem(), text)
	}
	_, files, err := r.Report(t.Context(), "shop")
	if err != nil || strings.Contains(string(files["psp.yaml"]), "ClusterRoleBinding") {
		t.Errorf("error %v, read\n%s", err, files["psp.yaml"])
	}

	forged := genuine.DeepCopy()
	forged.UID, forged.Data["psp.yaml"] = "", "---\nkind: ClusterRoleBinding\n"
	a.put(forged, publish.FieldManager)
	if _, _, err := r.Report(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), "the hash of psp.yaml is not that in the index") {
		t.Errorf("what was tampered with is read: %v", err)
	}
	a.publish(t, f)
	if _, _, err := r.Report(t.Context(), "shop"); err != nil {
		t.Errorf("the next pass did not mend it: %v", err)
	}

	stolen := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: publish.IndexName}, Data: map[string]string{publish.IndexFile: "{}"}}
	a.put(stolen, "kubectl-create")
	if _, _, err := r.Report(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), "it was not written by the advisor") {
		t.Errorf("error %v", err)
	}
}

// Whatever strings a cluster holds, its report is one that a server takes, and the
// run after finds it unchanged.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"a\u009bb", "a\x7fb", "a\ufffeb", "a\u0085b", "a\u2028b", "a\u202eb", "a\u200bb", "a\U000e0041b", "a\ufeffb", "a\x00b", "\x1b[2J"} {
		a, r := read(t)
		f := &fleet{workloads: map[string]int{"shop": 1}, name: name}
		if result := a.publish(t, f); result.Problem() != "" || len(result.Failed) > 0 {
			t.Fatalf("%q: %v", name, result.Lines())
		}
		a.server.TakeWrites()
		again, err := publish.NewWriter(a.config, "advisor")
		if err != nil {
			t.Fatal(err)
		}
		result, err := again.Publish(t.Context(), options.NewPass(f))
		if err != nil {
			t.Fatal(err)
		}
		if writes := a.server.TakeWrites(); len(writes) > 0 || !result.Index.Coverage.Complete {
			t.Errorf("%q: the run after wrote %v", name, writes)
		}
		_, files, err := r.Report(t.Context(), "shop")
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		obs, err := observe.Decode(files[publish.ObservationFile])
		if err != nil || obs.Members[0].Workload.Name != name {
			t.Errorf("%q: %v", name, err)
		}
	}
}
