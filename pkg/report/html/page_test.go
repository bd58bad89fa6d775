package html_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/psp-advisor/psp-advisor/pkg/report/html"
)

// reportOf returns the report of manifests.
func reportOf(t testing.TB, o manifest.Options, paths ...string) report.FindingReport {
	t.Helper()
	o.SkipInvalid = true
	obs, err := manifest.Read(t.Context(), paths, o, observe.Scope{Pods: true, Templates: true, EphemeralContainers: true})
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings(obs, nil, 0)
}

// examples returns the report of the examples.
func examples(t testing.TB) report.FindingReport {
	t.Helper()
	paths, err := filepath.Glob("../../../examples/*/input.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return reportOf(t, manifest.Options{}, paths...)
}

// corpus returns the report of the manifests of other projects; that of the examples
// where they are absent.
func corpus(t testing.TB) report.FindingReport {
	t.Helper()
	paths, err := filepath.Glob("../../../../shared/corpus/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		return examples(t)
	}
	return reportOf(t, manifest.Options{}, paths...)
}

// fleet returns a report of n workloads: those of r again and again, with other names of
// namespaces, workloads and containers.
func fleet(t testing.TB, r report.FindingReport, n int) report.FindingReport {
	t.Helper()
	r = r.Filter(func(report.Finding) bool { return true })
	many := r
	many.Namespaces, many.Workloads = nil, nil
	for round := 0; len(many.Workloads) < n; round++ {
		renamed := r
		if round > 0 {
			renamed = rename(t, r, fmt.Sprintf("-v%d", round))
		}
		many.Namespaces = append(many.Namespaces, renamed.Namespaces...)
		many.Workloads = append(many.Workloads, renamed.Workloads...)
	}
	many.Workloads = many.Workloads[:n]
	return many.Filter(func(report.Finding) bool { return true })
}

func rename(t testing.TB, r report.FindingReport, suffix string) report.FindingReport {
	t.Helper()
	r.Namespaces, r.Workloads = slices.Clone(r.Namespaces), slices.Clone(r.Workloads)
	for i := range r.Namespaces {
		n := &r.Namespaces[i]
		n.Name += suffix
		n.HeldBack = slices.Clone(n.HeldBack)
		for j := range n.HeldBack {
			n.HeldBack[j].Workloads = slices.Clone(n.HeldBack[j].Workloads)
			for k := range n.HeldBack[j].Workloads {
				n.HeldBack[j].Workloads[k] += suffix
			}
		}
	}
	for i, w := range r.Workloads {
		data, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		containers := map[string]bool{}
		for _, p := range w.Privileges {
			for _, c := range p.Containers {
				containers[c] = true
			}
		}
		for c := range containers {
			if c != "" {
				text = strings.ReplaceAll(text, fmt.Sprintf("%q", c), fmt.Sprintf("%q", c+suffix))
				text = strings.ReplaceAll(text, "[name="+c+"]", "[name="+c+suffix+"]")
				text = strings.ReplaceAll(text, "kubernetes.io/"+c+"\"", "kubernetes.io/"+c+suffix+"\"")
				text = strings.ReplaceAll(text, "kubernetes.io/"+c+"\\\"", "kubernetes.io/"+c+suffix+"\\\"")
			}
		}
		text = strings.ReplaceAll(text, fmt.Sprintf("%q", w.Name), fmt.Sprintf("%q", w.Name+suffix))
		r.Workloads[i] = report.FindingWorkload{}
		if err := json.Unmarshal([]byte(text), &r.Workloads[i]); err != nil {
			t.Fatal(err)
		}
		r.Workloads[i].Namespace = w.Namespace + suffix
		r.Workloads[i].Name = w.Name + suffix
	}
	return r
}

func page(t testing.TB, r report.FindingReport) []byte {
	t.Helper()
	data, err := html.Page(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSize(t *testing.T) {
	t.Parallel()
	r := fleet(t, corpus(t), 2000)
	data := page(t, r)
	t.Logf("%d workloads, %d bytes, %d for each", len(r.Workloads), len(data), len(data)/len(r.Workloads))
	if len(data) >= 1<<20 {
		t.Errorf("the page has %d bytes, want less than 1 MiB", len(data))
	}
}

// TestSizeOfOwn: that each workload has an image and a Secret of its own does not keep
// them from sharing the rest.
func TestSizeOfOwn(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&in, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app%[1]d, namespace: team-%[2]d}
spec:
  template:
    spec:
      containers:
      - name: web
        image: registry.example.com/app%[1]d
        env:
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: app%[1]d-db, key: password}}}
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: app%[1]d-api, key: token}}}
      - {name: proxy, image: envoy}
`, i, i/20)
	}
	r := reportOf(t, manifest.Options{In: strings.NewReader(in.String())}, manifest.Stdin)
	data := page(t, r)
	t.Logf("%d workloads, %d bytes, %d for each", len(r.Workloads), len(data), len(data)/len(r.Workloads))
	if len(r.Workloads) != 2000 || len(data) >= 1<<20 {
		t.Errorf("the page of %d workloads has %d bytes, want less than 1 MiB", len(r.Workloads), len(data))
	}
}

func BenchmarkPage(b *testing.B) {
	r := corpus(b)
	size := 0
	for b.Loop() {
		size = len(page(b, r))
	}
	b.ReportMetric(float64(size)/float64(len(r.Workloads)), "bytes/workload")
}
