package app

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const cannotListPods = `pods is forbidden: User "advisor" cannot list resource "pods" in API group "" at the cluster scope`

func TestPublish(t *testing.T) {
	foreign := func(name string) func(*apitest.Server) {
		return func(s *apitest.Server) {
			s.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "reports", Name: name, ManagedFields: apitest.ManagedBy("kubectl")}})
		}
	}
	_, config := apitest.Serve(t, runningPod("shop", "web"))
	shop := newClient(config).published(t)["shop"].ConfigMaps[0]
	for _, tc := range []struct {
		name    string
		prepare func(*apitest.Server)
		args    []string
		code    int
		errs    string
	}{
		{
			"all is published", func(*apitest.Server) {}, nil, exitOK,
			told + "2 reports in namespace reports, index psp-advisor-index; ConfigMaps: 3 created, 0 configured, 0 unchanged, 0 deleted\n",
		},
		{
			"one namespace", func(*apitest.Server) {},
			[]string{"--namespace", "shop"},
			exitOK,
			told + "1 report in namespace reports, index psp-advisor-index; ConfigMaps: 2 created, 0 configured, 0 unchanged, 0 deleted\n",
		},
		{
			"something cannot be observed", forbid("pods"), nil, exitDrift,
			told + "0 reports in namespace reports, index psp-advisor-index; ConfigMaps: 1 created, 0 configured, 0 unchanged, 0 deleted\n" +
				"not observed: pods in all namespaces: " + cannotListPods + "\n" +
				"advisor: published in part: 1 gap: grant the missing permissions; see the index for details\n",
		},
		{
			"nothing can be observed", func(s *apitest.Server) { s.Intercept(unauthorized("pods")) }, nil, exitFailure,
			"advisor: observing http://api.example: listing pods: the server has asked for the client to provide credentials\n",
		},
		{
			"nothing can be published", forbid("configmaps"), nil, exitFailure,
			told + "advisor: publishing: reading the index in namespace reports: configmaps \"psp-advisor-index\" is forbidden: " +
				"User \"advisor\" cannot get resource \"configmaps\" in API group \"\" in the namespace \"reports\"\n",
		},
		{
			"the index is another client's", foreign(publish.IndexName), nil, exitFailure,
			told + "advisor: publishing: ConfigMap reports/psp-advisor-index: it was not written by the advisor: delete it or choose another report namespace\n",
		},
		{
			"a report is another client's", foreign(shop), nil, exitFailure,
			told + "1 report in namespace reports, index psp-advisor-index; ConfigMaps: 2 created, 0 configured, 0 unchanged, 0 deleted\n" +
				"not published: report of shop: ConfigMap reports/" + shop + ": it was not written by the advisor: delete it or choose another report namespace\n" +
				"advisor: publishing: 1 report could not be published: see above\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, config := apitest.Serve(t, runningPod("shop", "web"), runningPod("team", "tool"))
			tc.prepare(server)
			r := newClient(config).run(t.Context(), append([]string{"publish", "--report-namespace", "reports"}, tc.args...)...).expect(t, tc.code)
			if diff := cmp.Diff(tc.errs, r.errs); diff != "" || r.out != "" {
				t.Errorf("standard output %q, standard error (-want +got):\n%s", r.out, diff)
			}
		})
	}
}

// published publishes into the namespace reports, and returns the entries of the
// index by namespace.
func (c client) published(t *testing.T, args ...string) map[string]publish.Entry {
	t.Helper()
	c.run(t.Context(), append([]string{"publish", "--report-namespace", "reports"}, args...)...).expect(t, exitOK)
	reader, err := publish.NewReader(c.config, "reports")
	if err != nil {
		t.Fatal(err)
	}
	index, err := reader.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]publish.Entry{}
	for _, e := range index.Reports {
		entries[e.Namespace] = e
	}
	return entries
}

// TestReportNamespace: outside of a pod, nothing is published into a namespace that
// no flag names.
func TestReportNamespace(t *testing.T) {
	server, config := apitest.Serve(t)
	for _, command := range []string{"publish", "controller"} {
		r := newClient(config).run(t.Context(), command).expect(t, exitUsage)
		if want := "advisor: --report-namespace: required outside of a pod: set the namespace to publish to\n"; r.errs != want {
			t.Errorf("%s: standard error is %q", command, r.errs)
		}
	}
	if n := len(server.Requested()); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// TestLookAlike: a ConfigMap that looks like a report is named, and is no failure.
func TestLookAlike(t *testing.T) {
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	c := newClient(config)
	entry := c.published(t)["shop"]
	look, ok := server.Get("configmaps", "reports", entry.ConfigMaps[0]).(*corev1.ConfigMap)
	if !ok {
		t.Fatal("no report")
	}
	look.Name, look.UID, look.ManagedFields = "psp-advisor.shop.0000000000000000", "", apitest.ManagedBy("kubectl")
	server.Put(look)
	r := c.run(t.Context(), "publish", "--report-namespace", "reports").expect(t, exitOK)
	if !strings.Contains(r.errs, "warning: ConfigMap reports/"+look.Name+" has the labels of a report and was written by another client") {
		t.Errorf("standard error is\n%s", r.errs)
	}
}

// TestUnreachable: a server that goes away is a failure that says so, at each request.
func TestUnreachable(t *testing.T) {
	for _, args := range [][]string{{"inspect"}, {"publish", "--report-namespace", "reports"}, {"get-report"}, {"get-report", "-n", "shop"}} {
		server, config := apitest.Serve(t, runningPod("shop", "web"))
		server.Away(true)
		r := newClient(config).run(t.Context(), args...).expect(t, exitFailure)
		if !strings.HasPrefix(r.errs, "advisor: ") || !strings.HasSuffix(r.errs, "connection refused\n") || strings.Count(r.errs, "\n") != 1 || r.out != "" {
			t.Errorf("%v: %s", args, r)
		}
	}
	// After everything was observed, and before it is published.
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	server.DieAfter = 1
	r := newClient(config).run(t.Context(), "publish", "--report-namespace", "reports").expect(t, exitFailure)
	if lines := strings.Split(strings.TrimSpace(r.errs), "\n"); !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "advisor: publishing: ") }) {
		t.Errorf("standard error is %q", r.errs)
	}
}

// TestTimeout: a server that does not answer is given up on, and what was waited for
// is named.
func TestTimeout(t *testing.T) {
	server, config := apitest.Serve(t)
	server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
		if q.Resource == "pods" {
			<-q.Context().Done()
		}
		return q.Resource == "pods"
	})
	r := newClient(config).run(t.Context(), "inspect", "--timeout", "50ms", "--source", "pods").expect(t, exitFailure)
	if !strings.HasPrefix(r.errs, "advisor: observing http://api.example: listing pods") || !strings.HasSuffix(r.errs, "context deadline exceeded\n") {
		t.Errorf("standard error is %q", r.errs)
	}
}
