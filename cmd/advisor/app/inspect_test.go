package app

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// told says that PodSecurityPolicies were chosen because the server has them.
const told = "engine: psp (the server serves policy/v1beta1 podsecuritypolicies)\n"

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
			2, told + "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n",
		},
		{
			"all namespaces, by their flag", func(*apitest.Server) {},
			[]string{"-A"},
			exitOK,
			2, told + "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n",
		},
		{
			"one namespace", func(*apitest.Server) {},
			[]string{"-n", "team"},
			exitOK,
			1, told + "1 pod and 0 templates in 1 namespace (namespace team inspected): 1 policy\n",
		},
		{
			"namespaces in any order", func(*apitest.Server) {},
			[]string{"-n", "team,shop,team"},
			exitOK,
			2, told + "2 pods and 0 templates in 2 namespaces (namespaces shop, team inspected): 2 policies\n",
		},
		{
			"a server without policies", func(s *apitest.Server) { s.Version, s.Serves = "v1.30.1", nil },
			[]string{"-n", "team", "--engine", "psp"},
			exitOK,
			1, "warning: the server (v1.30.1) does not serve podsecuritypolicies, so the policies have no effect there: Kubernetes 1.24 was the last release that serves them\n" +
				"1 pod and 0 templates in 1 namespace (namespace team inspected): 1 policy\n",
		},
		{
			"a server that does not list its resources", func(s *apitest.Server) { s.Intercept(unauthorized("")) },
			[]string{"-n", "team"},
			exitOK,
			1, "engine: psp (the server cannot be asked)\n" +
				"warning: reading the server's version: the server has asked for the client to provide credentials\n" +
				"1 pod and 0 templates in 1 namespace (namespace team inspected): 1 policy\n",
		},
		{
			"a right is missing", forbid("cronjobs"), nil, exitFailure,
			0, told + "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n" +
				"not observed: cronjobs.batch in all namespaces: cronjobs.batch is forbidden: User \"advisor\" cannot list resource \"cronjobs\" in API group \"batch\" at the cluster scope\n" +
				"advisor: 1 gap in what was observed, see above: the policies could deny pods that are missing: grant the permissions, or set --allow-partial\n",
		},
		{
			"a right is missing, and not needed", forbid("cronjobs"),
			[]string{"--allow-partial"},
			exitOK,
			2, told + "2 pods and 0 templates in 2 namespaces (all namespaces inspected): 2 policies\n" +
				"not observed: cronjobs.batch in all namespaces: cronjobs.batch is forbidden: User \"advisor\" cannot list resource \"cronjobs\" in API group \"batch\" at the cluster scope\n",
		},
		{
			"a volume of a newer server", withUnknownVolume,
			[]string{"-n", "team"},
			exitFailure,
			0, told + "1 pod and 0 templates in 1 namespace (namespace team inspected): 1 policy\n" +
				"warning: team: volumes of Pod/tool have a source that this version of the advisor does not know: the policies do not permit it: use a version that does\n" +
				"advisor: there are volumes that this version does not know, see above: the policies deny their pods: use a version that knows them, or set --allow-partial\n",
		},
		{
			"no right at all", func(s *apitest.Server) { s.Authorize = func(apitest.Request) bool { return false } },
			[]string{"--allow-partial", "--source", "pods", "-n", "team"},
			exitFailure,
			0, told + "0 pods and 0 templates in 0 namespaces (namespace team inspected): 0 policies\n" +
				"not observed: jobs.batch in namespace team: jobs.batch is forbidden: User \"advisor\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"team\"\n" +
				"not observed: pods in namespace team: pods is forbidden: User \"advisor\" cannot list resource \"pods\" in API group \"\" in the namespace \"team\"\n" +
				"not observed: replicasets.apps in namespace team: replicasets.apps is forbidden: User \"advisor\" cannot list resource \"replicasets\" in API group \"apps\" in the namespace \"team\"\n" +
				"advisor: no pod or template could be observed: grant the permissions that are missing above\n",
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

// withUnknownVolume stores a pod whose volume has a source that is newer than our API.
func withUnknownVolume(s *apitest.Server) {
	pod := runningPod("team", "tool")
	pod.UID = "u"
	pod.Spec.Volumes = []corev1.Volume{{Name: "v"}}
	s.Put(pod)
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

// TestObservationRoundTrip: what is made of an observation's document is what was
// made of the cluster or the manifests, byte for byte.
func TestObservationRoundTrip(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Glob("../../../examples/*/input.yaml")
	if err != nil || len(examples) < 8 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	_, config := apitest.Serve(t, objects(t, "examples/web-shop/input.yaml", "examples/node-agent/input.yaml")...)
	direct := map[string]func(...string) result{
		"a cluster": func(args ...string) result {
			return newClient(config).run(t.Context(), append([]string{"inspect"}, args...)...)
		},
		"two files": func(args ...string) result {
			return run(t, "", append([]string{"inspect", "-f", examples[0], "-f", examples[1], "--source-name", "staging"}, args...)...)
		},
		"one namespace": func(args ...string) result {
			return newClient(config).run(t.Context(), append([]string{"inspect", "-n", "shop"}, args...)...)
		},
	}
	for _, file := range examples {
		direct[filepath.Base(filepath.Dir(file))] = func(args ...string) result {
			return run(t, "", append([]string{"inspect", "-f", file}, args...)...)
		}
	}
	for name, inspect := range direct {
		t.Run(name, func(t *testing.T) {
			document := filepath.Join(t.TempDir(), "observation.json")
			inspect("-o", "observation", "--output-file", document).expect(t, exitOK)
			for _, level := range aggregate.Levels() {
				for _, format := range formats {
					args := []string{"--level", string(level), "-o", format, "--engine", "psp"}
					want := inspect(args...).expect(t, exitOK)
					got := run(t, "", append([]string{"inspect", "-f", document}, args...)...).expect(t, exitOK)
					if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
						t.Errorf("%v (-direct +from the document):\n%s", args, diff)
					}
				}
			}
		})
	}
}

// TestEngines: the policies of several engines stand one after the other, each
// engine has a directory, and a report has a file for each.
func TestEngines(t *testing.T) {
	_, config := apitest.Serve(t, runningPod("shop", "web"), runningPod("team", "tool"))
	c := client{config, append(engines(), second())}
	inspect := func(args ...string) result { return c.run(t.Context(), append([]string{"inspect"}, args...)...) }
	one := inspect().expect(t, exitOK)

	both := inspect("--engine", "second,psp").expect(t, exitOK)
	if both.out != one.out+one.out {
		t.Errorf("policies of both engines:\n%s", both.out)
	}
	for _, want := range []string{"warning: the server (v1.24.17) does not serve secondpolicies, so the policies have no effect there: install it first\n", "(all namespaces inspected): 4 policies\n"} {
		if !strings.Contains(both.errs, want) {
			t.Errorf("standard error does not hold %q:\n%s", want, both.errs)
		}
	}
	if r := inspect("--engine", "second").expect(t, exitOK); r.out != one.out {
		t.Errorf("policies of the second engine:\n%s", r.out)
	}
	names := inspect("--engine", "psp,second", "-o", "name").expect(t, exitOK).out
	if want := inspect("-o", "name").expect(t, exitOK).out; names != want+want {
		t.Errorf("names:\n%s", names)
	}
	items := documentsOf(t, one.out)
	if diff := cmp.Diff(slices.Concat(items, items), itemsOfList(t, inspect("--engine", "psp,second", "-o", "json").expect(t, exitOK).out)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}

	dir := filepath.Join(t.TempDir(), "policies")
	check := func(code int, lines ...string) {
		t.Helper()
		r := inspect("--engine", "psp,second", "--output-dir", dir, "--check").expect(t, code)
		var want []string
		for _, line := range lines {
			want = append(want, "advisor: "+filepath.Join(dir, line))
		}
		got := slices.DeleteFunc(strings.Split(r.errs, "\n"), func(line string) bool { return !strings.HasPrefix(line, "advisor: ") })
		if diff := cmp.Diff(want, got); len(want)+len(got) > 0 && diff != "" {
			t.Errorf("--check (-want +got):\n%s", diff)
		}
	}
	const outOfDate = " is not up to date, 5 files to change: run the same command without --check"
	check(exitDrift, "psp"+outOfDate, "second"+outOfDate)
	inspect("--engine", "psp,second", "--output-dir", dir).expect(t, exitOK)
	check(exitOK)
	tree := readTree(t, dir)
	for _, file := range []string{"psp/shop/pod.web.yaml", "second/team/pod.tool.yaml", "second/kustomization.yaml"} {
		if tree[file] == "" {
			t.Errorf("no %s in %d files", file, len(tree))
		}
	}
	if tree["kustomization.yaml"] != "" {
		t.Error("something stands beside the engines")
	}

	flat := filepath.Join(t.TempDir(), "policies")
	inspect("--output-dir", flat).expect(t, exitOK)
	r := inspect("--engine", "psp,second", "--output-dir", flat).expect(t, exitFailure)
	if !strings.Contains(r.errs, "kustomization.yaml was written for a single engine: choose another directory") {
		t.Errorf("standard error is %q", r.errs)
	}

	c.run(t.Context(), "publish", "--report-namespace", "reports", "--engine", "second,psp").expect(t, exitOK)
	get := func(engine string) result {
		return c.run(t.Context(), "get-report", "-n", "shop", "--report-namespace", "reports", "--engine", engine).expect(t, exitOK)
	}
	shop := inspect("-n", "shop").expect(t, exitOK).out
	if get("psp").out != shop || get("second").out != shop || get("second,psp").out != shop+shop {
		t.Errorf("published for both:\n%s", get("second,psp").out)
	}
	c.run(t.Context(), "publish", "--report-namespace", "reports").expect(t, exitOK)
	r = c.run(t.Context(), "get-report", "-n", "shop", "--report-namespace", "reports", "--engine", "second").expect(t, exitDrift)
	if want := "advisor: the report of shop has no policies of the engine second: publish with --engine second\n"; r.errs != want || r.out != "" {
		t.Errorf("%s", r)
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
