package psa

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestFindings(t *testing.T) {
	plain := func(name string) aggregate.Pod { return deployment(name, restricted()) }
	host := func(name string) aggregate.Pod {
		return deployment(name, podtest.Pod(spec(func(s *corev1.PodSpec) { s.HostPID = true })))
	}
	root := func(name string) aggregate.Pod {
		return deployment(name, restricted(podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(0)) })))
	}
	rootOfUsers := func(name string) aggregate.Pod { return deployment(name, restricted(userNamespaceRoot)) }
	probing := func(name string) aggregate.Pod { return deployment(name, restricted(probe)) }
	judged := func(name string, verdicts ...podsecurity.Verdict) aggregate.Pod {
		p := plain(name)
		p.Profile = &profile.Profile{PodSecurity: profile.SetOf(verdicts...)}
		return p
	}
	other := plain("far")
	other.Workload.Namespace = "bank"
	second := root("db")
	second.ServiceAccount = "other"
	for _, tc := range []struct {
		name  string
		minor int
		pods  []aggregate.Pod
		// want are the findings as "SEVERITY RULE NAMESPACE [WORKLOADS]: MESSAGE".
		want []string
	}{
		{"no pods", 22, nil, nil},
		{"nothing to say", 0, []aggregate.Pod{plain("web"), other}, nil},
		{"one workload of several", 0, []aggregate.Pod{plain("web"), root("db"), second}, []string{
			"info pod-security-level shop [Deployment/db]: the level is baseline, but would be restricted without Deployment/db (runAsUser): --engine psa,vap adds a policy that confines them to what they ask for",
		}},
		{"all workloads", 0, []aggregate.Pod{root("web"), root("db")}, nil},
		{"the only workload uses the host", 0, []aggregate.Pod{host("agent")}, []string{
			"info pod-security-level shop [Deployment/agent]: the level is privileged, but would be baseline without Deployment/agent (hostNamespaces): --engine psa,vap adds a policy that confines them to what they ask for",
		}},
		{"many workloads", 0, []aggregate.Pod{plain("web"), root("a"), root("b"), root("c"), root("d")}, nil},
		{"a check of a later version", 33, []aggregate.Pod{plain("web"), probing("db")}, []string{
			"warning pod-security-timeline shop [Deployment/db]: from 1.34 on the level is privileged instead of restricted, because of hostProbesAndHostLifecycle of Deployment/db (container c): restricted in a later version refuses these pods",
		}},
		{"a check of this version", 34, []aggregate.Pod{plain("web"), probing("db")}, []string{
			"info pod-security-level shop [Deployment/db]: the level is privileged, but would be baseline without Deployment/db (hostProbesAndHostLifecycle): --engine psa,vap adds a policy that confines them to what they ask for",
			"info pod-security-timeline shop [Deployment/db]: from 1.34 on the level is privileged instead of restricted, because of hostProbesAndHostLifecycle of Deployment/db (container c)",
		}},
		{"a relaxation", 35, []aggregate.Pod{rootOfUsers("db")}, []string{
			"info pod-security-timeline shop [Deployment/db]: up to 1.34 the level is baseline instead of restricted, because of runAsUser of Deployment/db (container c)",
		}},
		{"a relaxation of a later version", 30, []aggregate.Pod{rootOfUsers("db")}, []string{
			"info pod-security-timeline shop [Deployment/db]: up to 1.34 the level is baseline instead of restricted, because of runAsUser of Deployment/db (container c)",
		}},
		{"several changes", 30, []aggregate.Pod{rootOfUsers("db"), probing("web")}, []string{
			"info pod-security-level shop [Deployment/db]: the level is baseline, but would be restricted without Deployment/db (runAsUser): --engine psa,vap adds a policy that confines them to what they ask for",
			"warning pod-security-timeline shop [Deployment/web]: from 1.34 on the level is privileged instead of baseline, because of hostProbesAndHostLifecycle of Deployment/web (container c): baseline in a later version refuses these pods",
		}},
		{"before it was on", 22, []aggregate.Pod{plain("web")}, []string{
			"warning pod-security-version  []: Kubernetes 1.22 ignores Pod Security levels unless its feature gate PodSecurity is on: it is off by default before 1.23",
		}},
		{"beta", 24, []aggregate.Pod{plain("web")}, []string{
			"info pod-security-version  []: Pod Security admission is beta in Kubernetes 1.24 and on by default, unless its feature gate PodSecurity is off: it is stable since 1.25",
		}},
		{"stable", 25, []aggregate.Pod{plain("web")}, nil},
		{"a server that is newer", 38, []aggregate.Pod{plain("web")}, []string{
			"info pod-security-version  []: levels are pinned to v1.37, the latest version that this advisor knows; the server has 1.38",
		}},
		{"judged by an older version", 0, []aggregate.Pod{plain("web"), judged("db", podsecurity.Verdict{From: 24, To: 36})}, []string{
			"warning pod-security-version shop [Deployment/db Deployment/web]: the level is pinned to v1.36 instead of v1.37, because the observation has verdicts for 1.24 to 1.36 only: observe again with this version of advisor",
		}},
		{"judged by a newer version", 25, []aggregate.Pod{judged("db", podsecurity.Verdict{From: 26, To: 40})}, []string{
			"warning pod-security-version shop [Deployment/db]: the level is pinned to v1.26 instead of v1.25, because the observation has verdicts for 1.26 to 1.37 only: observe again with this version of advisor",
		}},
		{"never judged", 0, []aggregate.Pod{plain("web"), judged("db")}, []string{
			"warning pod-security-unknown shop [Deployment/db]: the observation has no Pod Security verdicts on Deployment/db, so the level is privileged: observe again with this version of advisor",
		}},
		{"judged for no minor in common", 0, []aggregate.Pod{judged("db", podsecurity.Verdict{From: 24, To: 25}), judged("web", podsecurity.Verdict{From: 26, To: 37})}, []string{
			"warning pod-security-unknown shop [Deployment/db Deployment/web]: the observation has no Pod Security verdicts on Deployment/db, Deployment/web, so the level is privileged: observe again with this version of advisor",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			engine := Engine(Options{Minor: tc.minor, Beside: "vap"})
			var got []string
			for _, f := range engine.Findings(engine.Outputs(members(tc.pods...), aggregate.ByWorkload)) {
				got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Namespace+" ["+strings.Join(f.Workloads, " ")+"]: "+f.Message)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Who has chosen another engine, or can choose none, is not told to.
func TestNothingBeside(t *testing.T) {
	engine := Engine(Options{})
	pod := deployment("agent", podtest.Pod(spec(func(s *corev1.PodSpec) { s.HostPID = true })))
	found := engine.Findings(engine.Outputs(members(pod), aggregate.ByWorkload))
	if want := "the level is privileged, but would be baseline without Deployment/agent (hostNamespaces)"; len(found) != 1 || found[0].Message != want {
		t.Errorf("findings %v, want %q", found, want)
	}
}

// Strings of the cluster keep to their line, and are cut.
func TestHostileNames(t *testing.T) {
	const hostile = "web\n# all is well\x1b[2J\u202e"
	pod := deployment(hostile, restricted(probe, podtest.Container(func(c *corev1.Container) { c.Name = hostile + strings.Repeat("x", 500) })))
	for _, minor := range []int{33, 34} {
		engine := Engine(Options{Minor: minor})
		outputs := engine.Outputs(members(pod), aggregate.ByNamespace)
		_, reasons := labelsOf(t, outputs)
		for _, f := range engine.Findings(outputs) {
			reasons = append(reasons, f.Message)
		}
		if len(reasons) == 0 {
			t.Error("nothing is said")
		}
		for _, line := range reasons {
			if printable.Text(line) != line || len(line) > 800 {
				t.Errorf("1.%d: %q", minor, line)
			}
		}
	}
}
