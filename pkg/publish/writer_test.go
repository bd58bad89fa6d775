package publish

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// reportOf has one report, with a content of its own in each pass.
type reportOf struct{ content string }

func (reportOf) Namespaces() []string { return []string{"shop"} }

func (reportOf) Gaps(...string) []observe.Gap { return nil }

func (r reportOf) Observe(...string) *observe.Observation {
	var f aggregate.Fleet
	f.Add(aggregate.Pod{Workload: aggregate.Workload{Namespace: "shop", Kind: "Pod", Name: r.content}, ServiceAccount: "web", Profile: &profile.Profile{}})
	return &observe.Observation{Scope: observe.Scope{Pods: true}, Members: f.Members()}
}

// A writer that runs for months remembers nothing of the reports that are gone.
func TestWriterForgets(t *testing.T) {
	_, config := apitest.Serve(t)
	w, err := NewWriter(config, "advisor")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Scope: observe.Scope{Pods: true}, Level: aggregate.ByWorkload}
	for _, content := range []string{"a", "b", "c", "d", "e"} {
		if _, err := w.Publish(t.Context(), o.NewPass(reportOf{content})); err != nil {
			t.Fatal(err)
		}
	}
	// The one that the last pass has deleted goes with the next list.
	if len(w.verified) > 2 {
		t.Errorf("%d reports remembered: %v", len(w.verified), w.verified)
	}
}

// TestSilentServer: a request on which no response comes fails: the controller can try
// again.
func TestSilentServer(t *testing.T) {
	for _, verb := range []string{"get", "list", "create", "patch"} {
		synctest.Test(t, func(t *testing.T) {
			server, config := apitest.Serve(t)
			server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
				if q.Verb != verb {
					return false
				}
				<-q.Context().Done()
				return true
			})
			w, err := NewWriter(config, "advisor")
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Scope: observe.Scope{Pods: true}, Level: aggregate.ByWorkload}
			if _, err := w.Publish(t.Context(), o.NewPass(reportOf{"a"})); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: error %v", verb, err)
			}
		})
	}
}
