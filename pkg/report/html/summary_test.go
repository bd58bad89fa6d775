package html

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// Each rule is in one family, and each family has rules that exist.
func TestFamilies(t *testing.T) {
	t.Parallel()
	var listed, want []string
	for _, f := range families {
		listed = append(listed, f.rules...)
	}
	for _, r := range finding.Rules() {
		if families[familyOf(r.ID)].name != others {
			want = append(want, r.ID)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("rules of families (-want +got):\n%s", diff)
	}
}

func workloads(namespace string, n int, findings ...report.Finding) []report.FindingWorkload {
	var list []report.FindingWorkload
	for i := range n {
		list = append(list, report.FindingWorkload{Namespace: namespace, Kind: "Pod", Name: fmt.Sprint("pod-", i), Findings: findings})
	}
	return list
}

func TestFixes(t *testing.T) {
	t.Parallel()
	of := func(rule string, s privilege.Severity) report.Finding { return report.Finding{Rule: rule, Severity: s} }
	r := report.FindingReport{Workloads: slices.Concat(
		workloads("a", 1, of("privileged", privilege.Critical), of("host-path", privilege.High)),
		workloads("b", 3, of("host-path", privilege.Low), of("root-user", privilege.High), of("sysctl", privilege.Info)),
		workloads("c", 2, of("root-user", privilege.High)), workloads("d", 2, of("root-user", privilege.High)), workloads("e", 1, of("root-user", privilege.High)),
	)}
	var got []string
	for _, f := range fixesOf(r) {
		got = append(got, fmt.Sprintf("%s %s: %s", f.Severity, f.Rule, f.Where))
	}
	want := []string{
		"critical privileged: 1 workload in a",
		"high root-user: 8 workloads in b, c, d and 1 more namespace",
		"high host-path: 1 workload in a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what to fix first (-want +got):\n%s", diff)
	}
}

// However many namespaces there are, the heat map has a bounded number of rows, which
// account for every finding.
func TestHeatmap(t *testing.T) {
	t.Parallel()
	var h heatmap
	for i := range 500 {
		n := namespace{ID: fmt.Sprint("n", i+1), Name: fmt.Sprint("ns-", i)}
		h.add(n, workloads(n.Name, 2, report.Finding{Rule: "privileged", Severity: privilege.Critical}, report.Finding{Rule: "image-tag", Severity: privilege.Low}))
	}
	h.finish()
	want := heatmap{
		Columns: []string{"Root of the node", "Images and files"}, More: 440,
		Rest: []cell{{880, privilege.Critical}, {880, privilege.Low}},
	}
	for i := range heatRows {
		want.Rows = append(want.Rows, heatRow{fmt.Sprint("n", i+1), fmt.Sprint("ns-", i), []cell{{2, privilege.Critical}, {2, privilege.Low}}})
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("heat map (-want +got):\n%s", diff)
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	all := map[string]bool{"a": true, "b": true, "c": true, "d": true}
	for _, tc := range []struct {
		list []string
		want string
	}{
		{[]string{"a", "b", "c", "d"}, "all workloads"},
		{[]string{"a", "b", "d"}, "a, b, d"},
		{[]string{"a"}, "a"},
		{[]string{"gone"}, "gone"},
	} {
		if got := failing(tc.list, all); got != tc.want {
			t.Errorf("%v of 4 workloads is %q, want %q", tc.list, got, tc.want)
		}
	}
	all["e"] = true
	if got, want := failing([]string{"a", "b", "c", "d"}, all), "all workloads but e"; got != want {
		t.Errorf("4 of 5 workloads is %q, want %q", got, want)
	}
}
