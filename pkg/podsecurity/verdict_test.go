package podsecurity

import (
	"cmp"
	"testing"

	"k8s.io/pod-security-admission/api"
)

func TestRefuses(t *testing.T) {
	for _, tc := range []struct {
		verdict Verdict
		level   api.Level
		minor   int
		want    bool
	}{
		{Verdict{From: First, To: Latest}, api.LevelRestricted, 30, false},
		{Verdict{api.LevelBaseline, "hostPorts", 24, 0}, api.LevelPrivileged, 30, false},
		{Verdict{api.LevelBaseline, "hostPorts", 24, 0}, api.LevelBaseline, 30, true},
		{Verdict{api.LevelBaseline, "hostPorts", 24, 0}, api.LevelRestricted, 30, true},
		{Verdict{api.LevelBaseline, "hostPathVolumes", 24, 0}, api.LevelBaseline, 30, true},
		{Verdict{api.LevelBaseline, "hostPathVolumes", 24, 0}, api.LevelRestricted, 30, false}, // restrictedVolumes replaces it
		{Verdict{api.LevelBaseline, "procMount", 24, 0}, api.LevelRestricted, 34, true},
		{Verdict{api.LevelBaseline, "procMount", 24, 0}, api.LevelRestricted, 35, false},
		{Verdict{api.LevelRestricted, "runAsUser", 24, 34}, api.LevelBaseline, 30, false},
		{Verdict{api.LevelRestricted, "runAsUser", 24, 34}, api.LevelRestricted, 34, true},
		{Verdict{api.LevelRestricted, "runAsUser", 24, 34}, api.LevelRestricted, 35, false},
		{Verdict{api.LevelRestricted, "ofANewerVersion", 30, 0}, api.LevelRestricted, 29, false},
		{Verdict{api.LevelRestricted, "ofANewerVersion", 30, 0}, api.LevelRestricted, 30, true},
	} {
		if got := tc.verdict.Refuses(tc.level, tc.minor); got != tc.want {
			t.Errorf("%s: refuses at %s in 1.%d: %t", tc.verdict, tc.level, tc.minor, got)
		}
	}
}

// Different verdicts have different texts, in a total order.
func TestVerdictOrder(t *testing.T) {
	list := []Verdict{
		{From: 24, To: 37},
		{From: 24, To: 38},
		{api.LevelBaseline, "a", 24, 0},
		{api.LevelBaseline, "a", 24, 30},
		{api.LevelBaseline, "a", 25, 0},
		{api.LevelBaseline, "b", 24, 0},
		{api.LevelRestricted, "a", 24, 0},
	}
	texts := map[string]bool{}
	for i, a := range list {
		texts[a.String()] = true
		for j, b := range list {
			if got, want := a.Compare(b), cmp.Compare(i, j); got != want {
				t.Errorf("%s and %s: %d, want %d", a, b, got, want)
			}
		}
	}
	if len(texts) != len(list) {
		t.Errorf("texts %v", texts)
	}
}
