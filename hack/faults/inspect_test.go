package faults_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/hack/faults"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// inspections are the command lines of inspect that run with faults.
// The last one runs against a server of another version: one that cannot be asked is not
// taken for the other.
var inspections = [][]string{
	{"inspect", "-A", "--engine", "psp"},
	{"inspect", "-A", "--engine", "vap"},
	{"inspect", "-A"},
	{"inspect", "-A", "--engine", "psp", "--allow-partial"},
	{"inspect", "-A", "--engine", "auto"},
}

// listed are the resources that every command lists.
var listed = []string{
	"pods", "replicasets", "jobs", "deployments", "statefulsets", "daemonsets", "cronjobs", "replicationcontrollers", "serviceaccounts",
}

// inspected is what inspect requests.
var inspected = faults.Requests{
	faults.List: listed, faults.Get: {"replicasets", "jobs"}, faults.Discovery: {"version", "apis"},
}

// inspection runs a command line of inspect with faults, and checks it.
type inspection struct {
	*advisor
	args []string
	// want is the output without faults.
	want string
	// hits is how often each kind of fault has occurred; codes how often each exit code.
	hits  map[faults.Kind]int
	codes map[int]int
}

func newInspection(t *testing.T, a *advisor, args []string) *inspection {
	t.Helper()
	i := &inspection{advisor: a, args: args, hits: map[faults.Kind]int{}, codes: map[int]int{}}
	r, _ := i.try(t, nil)
	if r.code != 0 || r.out == "" {
		t.Fatal(r)
	}
	i.want = r.out
	return i
}

// try runs the command with a schedule.
func (i *inspection) try(t *testing.T, s faults.Schedule) (r result, way *faults.Transport) {
	t.Helper()
	inBubble(t, fleet("shop", "shop-a", "team"), func(t *testing.T, server *apitest.Server) {
		if slices.Contains(i.args, "auto") {
			server.Version, server.Serves = "v1.30.1", []schema.GroupVersionResource{{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}}
		}
		way = faults.NewTransport(server, s)
		way.PageSize = pageSize
		r = i.run(t.Context(), way, i.args...)
	})
	i.codes[r.code]++
	for n, hits := range way.Hits() {
		i.hits[s[n].Kind] += hits
	}
	return r, way
}

// check returns what is wrong with the result: the output is neither complete nor
// missing, or nothing says what is missing.
func (i *inspection) check(r result, s faults.Schedule) error {
	partial := strings.Contains(r.errs, "not observed: ")
	switch {
	case r.code == -1:
		return fmt.Errorf("it does not end: %s", r)
	case r.code == 0 && r.out == i.want:
		return nil
	case r.code == 0 && slices.Contains(i.args, "--allow-partial") && partial && s.NamedIn(r.errs):
		return nil
	case r.code == 0 && strings.Contains(r.errs, "(the server cannot be asked)") && slices.ContainsFunc(s, refuses):
		return nil // that is what it is for a server that never answers
	case r.code == 0:
		return fmt.Errorf("another output: %s", r)
	case r.code != 3:
		return fmt.Errorf("another exit code than 3: %s", r)
	case r.out != "":
		return fmt.Errorf("an output beside a failure: %s", r)
	case !s.NamedIn(r.errs):
		return fmt.Errorf("nothing says what is missing: %s", r)
	default:
		return nil
	}
}

// refuses reports whether the server refuses to say what it is.
func refuses(f faults.Fault) bool {
	return f.Verb == faults.Discovery && slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, f.Code)
}

// random runs check with random schedules, or with the one of -replay. It reports the
// smallest schedule that fails.
func random(t *testing.T, n int, about faults.Requests, check func(faults.Schedule) error) {
	t.Helper()
	if testing.Short() {
		n = max(1, n/6)
	}
	r := podtest.Rand(t)
	for range n {
		s := faults.Random(r, about)
		if *replay != "" {
			var err error
			if s, err = faults.Parse(*replay); err != nil {
				t.Fatal(err)
			}
		}
		err := check(s)
		if err == nil {
			continue
		}
		small := faults.Shrink(s, func(s faults.Schedule) bool { return check(s) != nil })
		t.Errorf("%v\nwith -replay='%s'\nwhich is the smallest of\n%s\n%v", err, small, s, check(small))
		return
	}
}

// TestInspect: inspect prints all policies or none, whatever goes wrong.
func TestInspect(t *testing.T) {
	a := newAdvisor(t)
	for _, args := range inspections {
		t.Run(strings.Join(args[1:], " "), func(t *testing.T) {
			i := newInspection(t, a, args)
			random(t, 3**schedules/20, inspected, func(s faults.Schedule) error {
				r, _ := i.try(t, s)
				return i.check(r, s)
			})
			t.Logf("exit codes %v, faults %v", i.codes, i.hits)
		})
	}
}

// TestCheckNotices: a page that nobody can miss is noticed by the check, so the check can
// fail; and Shrink leaves that page only.
func TestCheckNotices(t *testing.T) {
	i := newInspection(t, newAdvisor(t), inspections[0])
	for _, resource := range listed {
		dropped := faults.Fault{Kind: faults.Dropped, Verb: faults.List, Resource: resource, Page: 1, Times: faults.Always}
		fails := func(s faults.Schedule) bool {
			r, _ := i.try(t, s)
			return i.check(r, s) != nil
		}
		s := faults.Schedule{{Kind: faults.Closed, Verb: faults.List, Resource: "pods", From: 2}, dropped, {Kind: faults.Slow, Verb: faults.List, Resource: "jobs", At: 1}}
		if !fails(s) {
			t.Errorf("%s: a page is missing, and the check does not notice", resource)
			continue
		}
		dropped.Page, dropped.Times = 0, 0
		if got, want := faults.Shrink(s, fails).String(), (faults.Schedule{dropped}).String(); got != want {
			t.Errorf("the smallest schedule is %s, want %s", got, want)
		}
	}
}
