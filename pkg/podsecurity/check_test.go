package podsecurity

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"k8s.io/pod-security-admission/policy"
)

// The newest minor is that of the module.
func TestLatest(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`k8s.io/pod-security-admission v0\.(\d+)\.`).FindSubmatch(data)
	if m == nil || string(m[1]) != strconv.Itoa(Latest) {
		t.Errorf("go.mod requires minor %s, Latest is %d", m, Latest)
	}
}

// All checks of upstream are in force, in ranges that touch.
func TestChecks(t *testing.T) {
	upstream := policy.DefaultChecks()
	if len(checks) != len(upstream) {
		t.Errorf("%d checks, upstream has %d", len(checks), len(upstream))
	}
	for _, c := range checks {
		for i, v := range c.versions {
			if v.from > v.to || v.from < First || (i == len(c.versions)-1) != (v.to == Latest) || i > 0 && v.from != c.versions[i-1].to+1 {
				t.Errorf("%s: versions %v", c.id, c.versions)
			}
		}
	}
}
