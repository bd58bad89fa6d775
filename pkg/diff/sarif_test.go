package diff_test

import (
	"encoding/json"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// The log is valid, has a result per escalation at its place, and no rule that a cluster
// has named.
func TestSARIF(t *testing.T) {
	r := podtest.Rand(t)
	var pods []*corev1.Pod
	for range 4 {
		pods = append(pods, podtest.Random(r))
	}
	base, head := randomSide(r, pods[:2]), append(randomSide(r, pods), member("shop/x", pods...))
	changes := append(compare(base, head), changed("a b", diff.Added), changed("https://x.example/a?b=c d", diff.Changed))
	for _, s := range hostile {
		changes = append(changes, changed(s, diff.Changed))
	}
	data, err := diff.SARIF(changes)
	if err != nil {
		t.Fatal(err)
	}
	report, err := sarif.FromBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Validate(); err != nil {
		t.Error(err)
	}
	var raw struct {
		Runs []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Locations []struct {
					PhysicalLocation *struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, c := range changes {
		want += len(c.Escalated)
	}
	run := raw.Runs[0]
	if len(run.Results) != want || len(run.Tool.Driver.Rules) > 40 {
		t.Errorf("%d results, want %d; %d rules", len(run.Results), want, len(run.Tool.Driver.Rules))
	}
	uris := map[string]bool{}
	for _, result := range run.Results {
		if run.Tool.Driver.Rules[result.RuleIndex].ID != result.RuleID {
			t.Errorf("the rule %d is not %s", result.RuleIndex, result.RuleID)
		}
		if p := result.Locations[0].PhysicalLocation; p != nil {
			uris[p.ArtifactLocation.URI] = true
		}
	}
	for _, uri := range []string{"a%20b", "../x", "%C3%A9"} {
		if !uris[uri] {
			t.Errorf("no result at %s: %v", uri, uris)
		}
	}
}
