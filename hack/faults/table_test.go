package faults_test

import (
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/hack/faults"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
)

// outcome is how a command ends: its exit code, and what standard error has.
type outcome struct {
	code int
	errs string
}

// regressions are schedules with what becomes of each command: one for each kind of
// fault, and those that once failed. Of random schedules only the checks are known.
var regressions = []struct {
	schedule         string
	inspect, publish outcome
}{
	{
		`[{"kind":"refused","verb":"list","resource":"pods"}]`,
		outcome{3, "listing pods: "},
		outcome{3, "connection refused"},
	},
	{`[{"kind":"closed","verb":"list","resource":"pods","times":2}]`, outcome{}, outcome{}},
	{`[{"kind":"closed","verb":"list","resource":"pods","times":-1}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{`[{"kind":"lost","verb":"list","resource":"pods","page":2}]`, outcome{}, outcome{}},
	{`[{"kind":"reset","verb":"list","resource":"pods","page":2,"at":500}]`, outcome{}, outcome{}},
	{`[{"kind":"reset","verb":"list","resource":"pods","page":2,"at":500,"times":-1}]`, outcome{3, "connection reset by peer"}, outcome{3, "listing pods: "}},
	{`[{"kind":"truncated","verb":"list","resource":"pods","page":2,"at":500,"times":-1}]`, outcome{3, "listing pods: "}, outcome{3, "unexpected EOF"}},
	{`[{"kind":"shortened","verb":"list","resource":"pods","at":-1}]`, outcome{}, outcome{}},
	{`[{"kind":"shortened","verb":"list","resource":"pods","at":-1,"times":-1}]`, outcome{3, "listing pods: reading the response: it has no content"}, outcome{3, "listing pods: "}},
	{`[{"kind":"shortened","verb":"list","resource":"replicasets","at":-1,"times":-1}]`, outcome{3, "listing replicasets.apps: "}, outcome{3, "listing replicasets.apps: "}},
	{`[{"kind":"shortened","verb":"get","resource":"jobs","at":-1,"times":-1}]`, outcome{3, "listing jobs.batch: reading bare-job-"}, outcome{3, "listing jobs.batch: "}},
	{`[{"kind":"corrupted","verb":"list","resource":"pods","page":3,"at":700}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{`[{"kind":"reset","verb":"list","resource":"pods","page":2,"at":500,"packed":true}]`, outcome{}, outcome{}},
	{`[{"kind":"truncated","verb":"list","resource":"pods","page":2,"at":999,"packed":true,"times":-1}]`, outcome{3, "listing pods: "}, outcome{3, "unexpected EOF"}},
	{`[{"kind":"shortened","verb":"list","resource":"pods","page":2,"at":999,"packed":true,"times":-1}]`, outcome{3, "listing pods: "}, outcome{3, "unexpected EOF"}},
	{`[{"kind":"shortened","verb":"list","resource":"replicasets","at":999,"packed":true}]`, outcome{}, outcome{}},
	{`[{"kind":"corrupted","verb":"list","resource":"pods","page":3,"at":700,"packed":true}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{`[{"kind":"slow","verb":"list","resource":"pods","at":10}]`, outcome{}, outcome{}},
	{`[{"kind":"silent","verb":"list","resource":"pods"}]`, outcome{}, outcome{}},
	{`[{"kind":"silent","verb":"list","resource":"pods","times":-1}]`, outcome{3, "context deadline exceeded"}, outcome{3, "listing pods"}},
	{`[{"kind":"answered","verb":"list","resource":"pods","page":2,"code":410}]`, outcome{}, outcome{}},
	{`[{"kind":"answered","verb":"list","resource":"pods","page":2,"code":410,"times":-1}]`, outcome{3, "continue parameter is too old"}, outcome{3, "listing pods: "}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":429,"retryAfter":1,"times":3}]`, outcome{}, outcome{}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":429,"times":-1}]`, outcome{3, "too many requests"}, outcome{3, "listing pods: "}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":503,"times":4}]`, outcome{}, outcome{}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":502,"body":"html","times":-1}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":504,"body":"empty","times":-1}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":200,"body":"html"}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{`[{"kind":"answered","verb":"list","resource":"pods","code":200,"body":"empty"}]`, outcome{3, "listing pods: "}, outcome{3, "listing pods: "}},
	{
		`[{"kind":"answered","verb":"list","resource":"pods","from":2,"code":401,"times":-1}]`,
		outcome{3, "listing pods: Unauthorized"},
		outcome{3, "listing pods: "},
	},
	{
		`[{"kind":"answered","verb":"list","resource":"pods","page":2,"code":403,"times":-1}]`,
		outcome{3, "not observed: pods in all namespaces: pods is forbidden"},
		outcome{1, "not observed: pods in all namespaces"},
	},
	{
		`[{"kind":"answered","verb":"list","resource":"cronjobs","code":404,"times":-1}]`,
		outcome{3, "not observed: cronjobs.batch in all namespaces"},
		outcome{1, "published in part: 1 gap"},
	},
	{
		`[{"kind":"answered","verb":"get","resource":"replicasets","code":404}]`,
		outcome{3, "not observed: replicasets.apps in all namespaces"},
		outcome{1, "not observed: replicasets.apps in all namespaces"},
	},
	{`[{"kind":"skewed","at":-24,"times":-1}]`, outcome{}, outcome{}},
	{`[{"kind":"upgraded","verb":"discovery","times":-1}]`, outcome{}, outcome{}},
	{
		`[{"kind":"answered","verb":"discovery","resource":"version","code":503}]`,
		outcome{0, "warning: reading the server's version: "},
		outcome{3, "choosing engines: reading the server's version: "},
	},
	{`[{"kind":"refused","verb":"write","resource":"configmaps"}]`, outcome{}, outcome{3, "creating ConfigMap reports/psp-advisor-index"}},
	{`[{"kind":"lost","verb":"write","resource":"configmaps"}]`, outcome{}, outcome{3, "creating ConfigMap reports/psp-advisor-index"}},
	{`[{"kind":"lost","verb":"write","resource":"configmaps","from":2}]`, outcome{}, outcome{3, "writing ConfigMap reports/psp-advisor."}},
	{`[{"kind":"closed","verb":"write","resource":"configmaps","from":4}]`, outcome{}, outcome{3, "writing ConfigMap reports/psp-advisor"}},
	{`[{"kind":"silent","verb":"write","resource":"configmaps","from":2}]`, outcome{}, outcome{3, "writing ConfigMap reports/psp-advisor."}},
	{`[{"kind":"answered","verb":"write","resource":"configmaps","code":500}]`, outcome{}, outcome{3, "creating ConfigMap reports/psp-advisor-index"}},
	{`[{"kind":"answered","verb":"write","resource":"configmaps","from":2,"code":500,"times":3}]`, outcome{}, outcome{}},
	{`[{"kind":"answered","verb":"write","resource":"configmaps","from":2,"code":403}]`, outcome{}, outcome{3, "not published: report of "}},
	{`[{"kind":"corrupted","verb":"get","resource":"configmaps","at":1}]`, outcome{}, outcome{}},
	{
		`[{"kind":"shortened","verb":"list","resource":"configmaps","at":-1}]`,
		outcome{},
		outcome{3, "listing the ConfigMaps of namespace reports: reading the response: it has no content"},
	},
	{`[{"kind":"shortened","verb":"write","resource":"configmaps","from":2,"at":-1}]`, outcome{}, outcome{3, "reading the response: it has no content"}},
}

func TestRegressions(t *testing.T) {
	a := newAdvisor(t)
	inspect, publish := newInspection(t, a, inspections[0]), newPublication(t, a, false)
	check := func(t *testing.T, command string, r result, want outcome) {
		t.Helper()
		if r.code != want.code || !strings.Contains(r.errs, want.errs) {
			t.Errorf("%s: %s\nwant exit code %d and %q", command, r, want.code, want.errs)
		}
	}
	for _, tc := range regressions {
		t.Run(tc.schedule, func(t *testing.T) {
			s, err := faults.Parse(tc.schedule)
			if err != nil {
				t.Fatal(err)
			}
			r, _ := inspect.try(t, s)
			check(t, "inspect", r, tc.inspect)
			if err := inspect.check(r, append(s, faults.Fault{Resource: "pods"})); err != nil {
				t.Errorf("inspect: %v", err)
			}
			publish.inBubble(t, func(t *testing.T, server *apitest.Server) {
				check(t, "publish", publish.publish(t.Context(), server, s), tc.publish)
			})
			if err := publish.check(t, s); err != nil {
				t.Errorf("publish: %v", err)
			}
		})
	}
}

// controllerRegressions are schedules after which the controller recovers.
var controllerRegressions = []string{
	`[{"kind":"silent","verb":"get","resource":"replicasets"}]`,
	`[{"kind":"silent","verb":"watch","resource":"pods","from":2}]`,
	`[{"kind":"silent","verb":"get","resource":"leases"}]`,
	`[{"kind":"silent","verb":"write","resource":"configmaps","from":2}]`,
	`[{"kind":"closed","verb":"watch","resource":"pods","times":8}]`,
	`[{"kind":"ended","verb":"watch","resource":"pods","times":8}]`,
	`[{"kind":"truncated","verb":"watch","resource":"pods","from":2,"at":1}]`,
	`[{"kind":"corrupted","verb":"watch","resource":"pods","from":2,"at":1}]`,
	`[{"kind":"errorEvent","verb":"watch","resource":"pods","from":2,"at":1,"code":410}]`,
	`[{"kind":"errorEvent","verb":"watch","resource":"deployments","from":2,"at":1,"code":500}]`,
	`[{"kind":"answered","verb":"watch","resource":"pods","from":2,"times":3,"code":403},{"kind":"ended","verb":"watch","resource":"pods","from":2}]`,
	`[{"kind":"answered","verb":"list","resource":"pods","page":2,"code":410,"times":4}]`,
	`[{"kind":"answered","times":30,"code":401}]`,
	`[{"kind":"answered","times":30,"code":503,"body":"html"}]`,
	`[{"kind":"skewed","at":24,"times":-1}]`,
	`[{"kind":"lost","verb":"write","resource":"configmaps","times":3}]`,
	`[{"kind":"lost","verb":"write","resource":"leases","times":3}]`,
	`[{"kind":"answered","verb":"get","resource":"jobs","code":404,"times":3}]`,
	`[{"kind":"shortened","verb":"list","resource":"deployments","at":-1}]`,
}

func TestControllerRegressions(t *testing.T) {
	c := newControl(t)
	for _, text := range controllerRegressions {
		t.Run(text, func(t *testing.T) {
			s, err := faults.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.check(t, s, false); err != nil {
				t.Error(err)
			}
		})
	}
}
