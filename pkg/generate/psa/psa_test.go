package psa

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
)

// deployment is a pod of a Deployment of the namespace shop.
func deployment(name string, pod *corev1.Pod) aggregate.Pod {
	return aggregate.Pod{
		Workload:       aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: name,
		Profile:        profile.Of(pod, profile.Options{}),
	}
}

func members(pods ...aggregate.Pod) []aggregate.Member {
	var fleet aggregate.Fleet
	for _, p := range pods {
		fleet.Add(p)
	}
	return fleet.Members()
}

// restricted is a pod that the level restricted admits; its first container is "c".
func restricted(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	return podtest.Pod(append([]func(*corev1.Pod){
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.RunAsNonRoot = new(true)
			sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
		}),
		podtest.Security(func(sc *corev1.SecurityContext) {
			sc.AllowPrivilegeEscalation = new(false)
			sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
		}),
	}, tweaks...)...)
}

func spec(tweak func(*corev1.PodSpec)) func(*corev1.Pod) {
	return func(p *corev1.Pod) { tweak(&p.Spec) }
}

func probe(p *corev1.Pod) {
	p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "10.0.0.1"}}}
}

func userNamespaceRoot(p *corev1.Pod) {
	p.Spec.HostUsers = new(false)
	p.Spec.Containers[0].SecurityContext.RunAsUser = new(int64(0))
}

// labelsOf returns the labels of the only output, and the reasons for the enforced one.
func labelsOf(t *testing.T, outputs []generate.Output) (map[string]string, []string) {
	t.Helper()
	if len(outputs) != 1 || len(outputs[0].Objects()) != 1 {
		t.Fatalf("outputs %+v", outputs)
	}
	object := outputs[0].Objects()[0]
	if n := len(object.Reasons); n > 1 || n == 1 && object.Reasons[labels+api.EnforceLevelLabel] == nil {
		t.Errorf("reasons at %v", slices.Collect(maps.Keys(object.Reasons)))
	}
	return object.Value.(*metav1.PartialObjectMetadata).Labels, object.Reasons[labels+api.EnforceLevelLabel]
}

func TestOutputs(t *testing.T) {
	mirror := deployment("etcd", podtest.Pod(spec(func(s *corev1.PodSpec) { s.HostNetwork = true })))
	mirror.ServiceAccount = ""
	template := deployment("web", podtest.Pod())
	template.Template = true
	foreign := deployment("old", restricted())
	foreign.Profile = &profile.Profile{Privileged: profile.SetOf(profile.Unset)}
	newer := deployment("new", restricted())
	newer.Profile = &profile.Profile{PodSecurity: profile.SetOf(
		podsecurity.Verdict{From: 30, To: 40}, podsecurity.Verdict{Level: api.LevelBaseline, Check: "ofANewerVersion", From: 39},
	)}
	for _, tc := range []struct {
		name    string
		minor   int
		pods    []aggregate.Pod
		want    string // enforce:version, stricter
		reasons []string
	}{
		{"restricted", 0, []aggregate.Pod{deployment("web", restricted())}, "restricted:v1.37 restricted", nil},
		{"baseline", 0, []aggregate.Pod{deployment("web", restricted()), deployment("api", podtest.Pod())}, "baseline:v1.37 restricted", []string{
			"not restricted because of allowPrivilegeEscalation: Deployment/api (container c)",
			"not restricted because of capabilities_restricted: Deployment/api (container c)",
			"not restricted because of runAsNonRoot: Deployment/api (container c)",
			"not restricted because of seccompProfile_restricted: Deployment/api (container c)",
		}},
		{"privileged", 0, []aggregate.Pod{
			deployment("web", podtest.Pod()), deployment("agent", restricted(podtest.Volume("v", podtest.HostPath("/"), nil), spec(func(s *corev1.PodSpec) { s.HostPID = true }))),
		}, "privileged:v1.37 baseline", []string{
			"not baseline because of hostNamespaces: Deployment/agent", "not baseline because of hostPathVolumes: Deployment/agent",
		}},
		{"a template is considered", 0, []aggregate.Pod{deployment("web", restricted()), template}, "baseline:v1.37 restricted", []string{
			"not restricted because of allowPrivilegeEscalation: Deployment/web (container c)",
			"not restricted because of capabilities_restricted: Deployment/web (container c)",
			"not restricted because of runAsNonRoot: Deployment/web (container c)",
			"not restricted because of seccompProfile_restricted: Deployment/web (container c)",
		}},
		{"a mirror pod is considered", 0, []aggregate.Pod{deployment("web", restricted()), mirror}, "privileged:v1.37 baseline", []string{
			"not baseline because of hostNamespaces: Deployment/etcd",
		}},
		{"before a check", 33, []aggregate.Pod{deployment("web", restricted(probe))}, "restricted:v1.33 restricted", nil},
		{"since a check", 34, []aggregate.Pod{deployment("web", restricted(probe))}, "privileged:v1.34 baseline", []string{
			"not baseline because of hostProbesAndHostLifecycle: Deployment/web (container c)",
		}},
		{"before a relaxation", 34, []aggregate.Pod{deployment("web", restricted(userNamespaceRoot))}, "baseline:v1.34 restricted", []string{
			"not restricted because of runAsUser: Deployment/web (container c)",
		}},
		{"since a relaxation", 35, []aggregate.Pod{deployment("web", restricted(userNamespaceRoot))}, "restricted:v1.35 restricted", nil},
		{"an old minor", 1, []aggregate.Pod{deployment("web", restricted())}, "restricted:v1.24 restricted", nil},
		{"an unknown minor", 99, []aggregate.Pod{deployment("web", restricted())}, "restricted:v1.37 restricted", nil},
		{"judged for some minors by another version", 29, []aggregate.Pod{deployment("web", restricted()), newer}, "restricted:v1.30 restricted", nil},
		{"never judged", 0, []aggregate.Pod{deployment("web", restricted()), foreign}, "privileged:v1.37 baseline", []string{
			"not judged: observe it again with this version of advisor",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// The labels are the same whatever the level.
			for _, level := range aggregate.Levels() {
				got, reasons := labelsOf(t, Engine(Options{Minor: tc.minor}).Outputs(members(tc.pods...), level))
				enforced, stricter, _ := strings.Cut(tc.want, " ")
				name, version, _ := strings.Cut(enforced, ":")
				want := map[string]string{
					"pod-security.kubernetes.io/enforce": name, "pod-security.kubernetes.io/enforce-version": version,
					"pod-security.kubernetes.io/audit": stricter, "pod-security.kubernetes.io/audit-version": version,
					"pod-security.kubernetes.io/warn": stricter, "pod-security.kubernetes.io/warn-version": version,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: labels (-want +got):\n%s", level, diff)
				}
				if diff := cmp.Diff(tc.reasons, reasons); diff != "" {
					t.Errorf("%s: reasons (-want +got):\n%s", level, diff)
				}
			}
		})
	}
}

// Each namespace has an output of its own, at every level.
func TestNamespaces(t *testing.T) {
	other := deployment("web", podtest.Pod())
	other.Workload.Namespace = "bank"
	for _, level := range aggregate.Levels() {
		outputs := Engine(Options{}).Outputs(members(deployment("web", restricted()), deployment("api", restricted()), other), level)
		var got []string
		for _, o := range outputs {
			ns := o.Objects()[0].Value.(*metav1.PartialObjectMetadata)
			if ns.Labels[generate.ManagedByLabel] != "" || ns.Kind != "Namespace" {
				t.Errorf("a namespace of others: %+v", ns)
			}
			got = append(got, fmt.Sprint(o.Name, " ", o.Key(), " ", ns.Name, " ", ns.Labels[api.EnforceLevelLabel]))
		}
		if diff := cmp.Diff([]string{"advisor.bank {bank namespace} bank baseline", "advisor.shop {shop namespace} shop restricted"}, got); diff != "" {
			t.Errorf("%s: outputs (-want +got):\n%s", level, diff)
		}
	}
	if outputs := Engine(Options{}).Outputs(nil, aggregate.ByWorkload); len(outputs) > 0 {
		t.Errorf("no pods, but outputs %+v", outputs)
	}
}

// A document can have any number of checks.
func TestReasonsAreBounded(t *testing.T) {
	verdicts := []podsecurity.Verdict{{From: podsecurity.First, To: podsecurity.Latest}}
	for i := range 1000 {
		verdicts = append(verdicts, podsecurity.Verdict{Level: api.LevelBaseline, Check: fmt.Sprintf("c%03d", i) + strings.Repeat("x", 500), From: 24})
	}
	pod := deployment("web", restricted())
	pod.Profile = &profile.Profile{PodSecurity: profile.SetOf(verdicts...)}
	outputs := Engine(Options{}).Outputs(members(pod), aggregate.ByNamespace)
	_, reasons := labelsOf(t, outputs)
	if n := len(reasons); n != maxChecks+1 || reasons[n-1] != "and 976 more checks" {
		t.Errorf("%d reasons, the last is %q", n, reasons[n-1])
	}
	for _, f := range Engine(Options{}).Findings(outputs) {
		if len(f.Message) > 1000 {
			t.Errorf("a message of %d bytes: %s", len(f.Message), f.Message)
		}
	}
}
