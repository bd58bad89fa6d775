package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reports is a server with reports of two namespaces, and how to reach it.
func reports(t *testing.T, args ...string) (*apitest.Server, client) {
	t.Helper()
	server, config := apitest.Serve(t, runningPod("shop", "web"), runningPod("shop", "api"), runningPod("team", "tool"))
	c := newClient(config)
	c.published(t, args...)
	return server, c
}

func (c client) getReport(t *testing.T, args ...string) result {
	t.Helper()
	return c.run(t.Context(), append([]string{"get-report", "--report-namespace", "reports"}, args...)...)
}

// TestGetReport: each format of a report is what inspect prints, or a file of it.
func TestGetReport(t *testing.T) {
	_, c := reports(t)
	inspect := func(args ...string) result {
		return c.run(t.Context(), append([]string{"inspect", "-n", "shop", "--engine", "psp"}, args...)...).expect(t, exitOK)
	}
	// The summary is also about what every report has, though it is not printed.
	summary := c.run(t.Context(), "inspect", "-n", "shop", "--engine", "psp,psa").expect(t, exitOK).errs
	for _, tc := range []struct {
		format string
		want   string
	}{
		{"", inspect().out},
		{"yaml", inspect().out},
		{"name", inspect("-o", "name").out},
		{"observation", inspect("-o", "observation").out},
		{"summary", summary},
	} {
		t.Run(tc.format, func(t *testing.T) {
			args := []string{"-n", "shop"}
			if tc.format != "" {
				args = append(args, "-o", tc.format)
			}
			r := c.getReport(t, args...).expect(t, exitOK)
			if diff := cmp.Diff(tc.want, r.out); diff != "" {
				t.Errorf("-inspect +get-report:\n%s", diff)
			}
			if tc.format != "summary" && r.errs != summary || tc.format == "summary" && r.errs != "" {
				t.Errorf("standard error is\n%s", r.errs)
			}
		})
	}
	if diff := cmp.Diff(itemsOfList(t, inspect("-o", "json").out), itemsOfList(t, c.getReport(t, "-n", "shop", "-o", "json").expect(t, exitOK).out)); diff != "" {
		t.Errorf("JSON (-inspect +get-report):\n%s", diff)
	}
	doc, err := publish.ReadReport([]byte(c.getReport(t, "-n", "shop", "-o", "report").expect(t, exitOK).out))
	if err != nil || doc.Namespace != "shop" || len(doc.Workloads) != 2 {
		t.Errorf("%v, report %+v", err, doc)
	}
}

// TestGetReportOfEngines: what several engines set on one Namespace is one object, as
// inspect prints it.
func TestGetReportOfEngines(t *testing.T) {
	_, c := reports(t, "--engine", "psa,vap")
	for _, format := range []string{"yaml", "name"} {
		want := c.run(t.Context(), "inspect", "-n", "shop", "--engine", "psa,vap", "-o", format).expect(t, exitOK).out
		got := c.getReport(t, "-n", "shop", "--engine", "vap,psa", "-o", format).expect(t, exitOK).out
		if diff := cmp.Diff(want, got); diff != "" || strings.Count(strings.ToLower(got), "kind: namespace")+strings.Count(got, "namespace/") != 1 {
			t.Errorf("-o %s (-inspect +get-report):\n%s", format, diff)
		}
	}
}

func TestGetReportTable(t *testing.T) {
	_, c := reports(t)
	r := c.getReport(t).expect(t, exitOK)
	want := result{exitOK, `NAMESPACE   PODS   TEMPLATES   POLICIES   FINDINGS          WARNINGS   STATE
shop        2      0           3          8 medium, 2 low   1          current
team        1      0           2          4 medium, 1 low   1          current
`, "2 reports in namespace reports (all namespaces inspected): one policy per workload, for psp, psa, from pods and templates\n"}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if again := c.getReport(t, "-o", "table").expect(t, exitOK); again != r {
		t.Errorf("-o table: %s", again)
	}
	var index publish.Index
	if err := json.Unmarshal([]byte(c.getReport(t, "-o", "index").expect(t, exitOK).out), &index); err != nil || len(index.Reports) != 2 || index.Kind != publish.KindIndex {
		t.Errorf("%v, index %+v", err, index)
	}
}

// Findings of one report are those that report prints of the namespace, and those of all
// are those of the cluster.
func TestGetReportFindings(t *testing.T) {
	_, c := reports(t)
	for _, format := range []string{"table", "wide", "findings", "markdown", "sarif", "openreports", "html"} {
		own := format
		if format == "findings" {
			own = "json"
		}
		want := c.run(t.Context(), "report", "-n", "shop", "-o", own, "--server-version", "1.24").expect(t, exitOK).out
		if diff := cmp.Diff(want, c.getReport(t, "-n", "shop", "-o", format).expect(t, exitOK).out); diff != "" {
			t.Errorf("-o %s (-report +get-report):\n%s", format, diff)
		}
		if format == "table" || format == "findings" || format == "html" {
			continue // a table of all is about reports; the document and the page say what was inspected
		}
		want = c.run(t.Context(), "report", "-o", own, "--server-version", "1.24").expect(t, exitOK).out
		if diff := cmp.Diff(want, c.getReport(t, "-o", format).expect(t, exitOK).out); diff != "" {
			t.Errorf("all, -o %s (-report +get-report):\n%s", format, diff)
		}
	}
}

// TestGetReportNotCurrent: what is out of date, partial or missing ends with 1.
func TestGetReportNotCurrent(t *testing.T) {
	for _, tc := range []struct {
		name string
		// publish are the flags of a pass that cannot list pods.
		publish []string
		args    []string
		// out is part of standard output, and errs how standard error ends.
		out, errs string
	}{
		{
			"stale", nil,
			[]string{"-n", "shop"},
			"kind: PodSecurityPolicy",
			"advisor: the report of shop is out of date: not observed: pods: Forbidden\n",
		},
		{
			"stale, in the table", nil, nil, "shop        2      0           3          8 medium, 2 low   1          out of date (not observed: pods: Forbidden)\n",
			"not observed: pods: Forbidden\nadvisor: the reports are not complete: some are out of date or partial, or something could not be observed or published: see above, and the log of publish or controller\n",
		},
		{
			"partial",
			[]string{"--allow-partial"},
			[]string{"-n", "batch"},
			"kind: PodSecurityPolicy",
			"advisor: the report of batch is partial: its policies can deny pods that could not be observed\n",
		},
		{
			"partial, in the table",
			[]string{"--allow-partial"},
			nil, "batch       0      1           2          4 medium, 1 low   1          partial\n",
			"advisor: the reports are not complete: some are out of date or partial, or something could not be observed or published: see above, and the log of publish or controller\n",
		},
		{
			"missing, and not observed", nil,
			[]string{"-n", "other"},
			"",
			"advisor: no report of other in namespace reports: not observed: pods: Forbidden\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, c := reports(t)
			server.Put(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "batch", Name: "worker"}, Spec: appsv1.DeploymentSpec{
				Template: corev1.PodTemplateSpec{Spec: runningPod("batch", "worker").Spec},
			}})
			forbid("pods")(server)
			c.run(t.Context(), append([]string{"publish", "--report-namespace", "reports"}, tc.publish...)...).expect(t, exitDrift)
			server.Authorize = nil
			r := c.getReport(t, tc.args...).expect(t, exitDrift)
			if !strings.Contains(r.out, tc.out) || (tc.out == "") != (r.out == "") || !strings.HasSuffix(r.errs, tc.errs) {
				t.Errorf("%s", r)
			}
		})
	}
}

// TestGetReportMissing: why there is no report is said, with exit code 1.
func TestGetReportMissing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		publish []string
		args    []string
		errs    string
	}{
		{"nothing there", nil, []string{"-n", "other"}, "no report of other in namespace reports: no pods and templates were observed there"},
		{"not covered", []string{"-n", "shop,team"}, []string{"-n", "other"}, "no report of other in namespace reports: the published reports cover namespaces shop, team"},
		{"excluded", []string{"--exclude-namespaces", "team"}, []string{"-n", "team"}, "no report of team in namespace reports: the published reports cover all namespaces except team"},
		{"of a cluster", []string{"--level", "cluster"}, []string{"-n", "shop"}, "no report of shop in namespace reports: a single report is about the whole cluster: omit --namespace"},
		{"no reports at all", nil, []string{"--report-namespace", "elsewhere"}, "no report in namespace elsewhere: run advisor publish or advisor controller, or set --report-namespace"},
		{"no reports at all, of a namespace", nil, []string{"--report-namespace", "elsewhere", "-n", "shop"}, "no report in namespace elsewhere: run advisor publish or advisor controller, or set --report-namespace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, c := reports(t, tc.publish...)
			r := c.getReport(t, tc.args...).expect(t, exitDrift)
			if r.errs != "advisor: "+tc.errs+"\n" || r.out != "" {
				t.Errorf("%s", r)
			}
		})
	}
}

// TestGetReportOfCluster: a single report needs no namespace.
func TestGetReportOfCluster(t *testing.T) {
	_, c := reports(t, "--level", "cluster")
	want := c.run(t.Context(), "inspect", "--level", "cluster", "--engine", "psp").expect(t, exitOK)
	want.errs = c.run(t.Context(), "inspect", "--level", "cluster", "--engine", "psp,psa").expect(t, exitOK).errs
	if r := c.getReport(t).expect(t, exitOK); r != want {
		t.Errorf("%s\nwant %s", r, want)
	}
	if r := c.getReport(t, "-o", "summary").expect(t, exitOK); r.out != want.errs {
		t.Errorf("%s", r)
	}
	if r := c.getReport(t, "-o", "table").expect(t, exitOK); !strings.Contains(r.out, "<none>      3      0           3          12 medium, 3 low   1          current\n") {
		t.Errorf("%s", r)
	}
}

// TestGetReportRights: to get ConfigMaps is all that it needs.
func TestGetReportRights(t *testing.T) {
	server, c := reports(t)
	server.Authorize = func(q apitest.Request) bool {
		return q.Verb == "get" && q.Resource == "configmaps" && q.Namespace == "reports"
	}
	c.getReport(t).expect(t, exitOK)
	c.getReport(t, "-n", "shop").expect(t, exitOK)
	forbid("configmaps")(server)
	r := c.getReport(t, "-n", "shop").expect(t, exitFailure)
	if !strings.Contains(r.errs, `cannot get resource "configmaps"`) {
		t.Errorf("%s", r)
	}
}

// TestGetReportTampered: what is not as the index says is not printed.
func TestGetReportTampered(t *testing.T) {
	server, c := reports(t)
	name := c.published(t)["shop"].ConfigMaps[0]
	forged, ok := server.Get("configmaps", "reports", name).(*corev1.ConfigMap)
	if !ok {
		t.Fatal("no report")
	}
	forged.Data[publish.PoliciesFile("psp")] = "---\nkind: ClusterRoleBinding\n"
	server.Put(forged)
	r := c.getReport(t, "-n", "shop").expect(t, exitFailure)
	if want := "advisor: report of shop: the hash of psp.yaml is not that in the index: publish it again\n"; r.errs != want || r.out != "" {
		t.Errorf("%s", r)
	}
}

// TestGetReportObservation: what is published of an observation reads back.
func TestGetReportObservation(t *testing.T) {
	_, c := reports(t)
	obs, err := observe.Decode([]byte(c.getReport(t, "-n", "shop", "-o", "observation").expect(t, exitOK).out))
	if err != nil || len(obs.Members) != 2 {
		t.Errorf("%v, observation %+v", err, obs)
	}
}
