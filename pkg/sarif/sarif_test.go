package sarif_test

import (
	"fmt"
	"testing"

	upstream "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/sarif"
)

// A log is valid, whatever the number of results. What is left out of one with too many is
// no worse than the rest, and named.
func TestLogIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name    string
		results int
		warning string
	}{
		{"none", 0, ""},
		{"as many as there can be", sarif.MaxResults, ""},
		{"one more", sarif.MaxResults + 1, "1 of 25001 results are left out, none of them worse than info: code scanning takes 25000 of a run"},
		{"many more", 2 * sarif.MaxResults, "25000 of 50000 results are left out, none of them worse than medium: code scanning takes 25000 of a run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			severities := privilege.Severities()
			var results []sarif.Result
			worst := map[string]int{}
			for i := range tc.results {
				s := severities[i%len(severities)]
				results = append(results, sarif.Result{Rule: "r", Severity: s, Message: fmt.Sprint(i), Subject: "s", Identity: []string{fmt.Sprint(i)}})
				if s.Compare(privilege.High) >= 0 {
					worst[fmt.Sprint(i)]++
				}
			}
			data, err := sarif.Log([]sarif.Rule{{ID: "r", Text: "a rule", Severity: privilege.Critical}}, results)
			if err != nil {
				t.Fatal(err)
			}
			log, err := upstream.FromBytes(data)
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Validate(); err != nil {
				t.Error(err)
			}
			run := log.Runs[0]
			if want := min(tc.results, sarif.MaxResults); len(run.Results) != want {
				t.Errorf("%d results, want %d", len(run.Results), want)
			}
			for _, r := range run.Results {
				delete(worst, *r.Message.Text)
			}
			if len(worst) > 0 {
				t.Errorf("%d of the worst results are left out", len(worst))
			}
			warning := ""
			for _, i := range run.Invocations {
				for _, n := range i.ToolExecutionNotifications {
					warning += *n.Message.Text
				}
			}
			if warning != tc.warning {
				t.Errorf("the notification is %q", warning)
			}
		})
	}
}
