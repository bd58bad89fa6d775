package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"k8s.io/client-go/rest"
)

func TestInspectCluster(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(*apitest.Server)
		args    []string
		code    int
		// policies is how many are printed, and errs all of standard error.
		policies int
		errs     string
	}{
		{
			"all namespaces", func(*apitest.Server) {}, nil, exitOK,
			2, "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n",
		},
		{
			"all namespaces, by their flag", func(*apitest.Server) {},
			[]string{"-A"},
			exitOK,
			2, "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n",
		},
		{
			"one namespace", func(*apitest.Server) {},
			[]string{"-n", "team"},
			exitOK,
			1, "1 pod and 0 templates in 1 namespace (namespace team inspected): 1 policy\n",
		},
		{
			"a server without policies", func(s *apitest.Server) { s.Version, s.Serves = "v1.30.1", nil },
			[]string{"-n", "team"},
			exitOK,
			1, "warning: the server (v1.30.1) does not serve podsecuritypolicies: 1.24 was the last release that did\n" +
				"1 pod and 0 templates in 1 namespace (namespace team inspected): 1 policy\n",
		},
		{
			"a right is missing", forbid("cronjobs"), nil, exitFailure,
			0, "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n" +
				"not observed: cronjobs.batch in all namespaces: cronjobs.batch is forbidden: User \"advisor\" cannot list resource \"cronjobs\" in API group \"batch\" at the cluster scope\n" +
				"advisor: 1 kind of objects could not be observed, and policies without them might refuse pods: grant the rights, or go on with --allow-partial\n",
		},
		{
			"a right is missing, and not needed", forbid("cronjobs"),
			[]string{"--allow-partial"},
			exitOK,
			2, "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n" +
				"not observed: cronjobs.batch in all namespaces: cronjobs.batch is forbidden: User \"advisor\" cannot list resource \"cronjobs\" in API group \"batch\" at the cluster scope\n",
		},
		{
			"an unknown user", func(s *apitest.Server) { s.Intercept(unauthorized("pods")) },
			[]string{"--source", "pods"},
			exitFailure,
			0, "advisor: observing http://api.example: listing pods: the server has asked for the client to provide credentials\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, config := apitest.Serve(t, runningPod("shop", "web"), runningPod("team", "tool"))
			tc.prepare(server)
			r := newClient(config).run(t.Context(), append([]string{"inspect"}, tc.args...)...).expect(t, tc.code)
			if n := strings.Count(r.out, "\nkind: PodSecurityPolicy\n"); n != tc.policies || (n == 0) != (r.out == "") {
				t.Errorf("%d policies, want %d:\n%s", n, tc.policies, r.out)
			}
			if diff := cmp.Diff(tc.errs, r.errs); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// forbid takes the right to a resource away.
func forbid(resource string) func(*apitest.Server) {
	return func(s *apitest.Server) {
		s.Authorize = func(q apitest.Request) bool { return q.Resource != resource }
	}
}

// unauthorized has the server not know who asks for a resource.
func unauthorized(resource string) func(http.ResponseWriter, apitest.Request) bool {
	return func(w http.ResponseWriter, q apitest.Request) bool {
		if q.Resource == resource {
			apitest.Refuse(w, apitest.Status(http.StatusUnauthorized))
		}
		return q.Resource == resource
	}
}

// TestConnection: the flags of the connection reach the client.
func TestConnection(t *testing.T) {
	server, config := apitest.Serve(t)
	c := newClient(config)
	c.run(t.Context(), "inspect", "--as", "somebody").expect(t, exitOK)
	for _, q := range server.Requested() {
		if q.Header.Get("Impersonate-User") != "somebody" {
			t.Errorf("%s has the headers %v", q.URL, q.Header)
		}
	}
	var unreachable rest.Config
	unreachable.Host = "https://127.0.0.1:1"
	r := newClient(&unreachable).run(t.Context(), "inspect").expect(t, exitFailure)
	if !strings.HasSuffix(r.errs, "connection refused\n") {
		t.Errorf("standard error is %q", r.errs)
	}
}
