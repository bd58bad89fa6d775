package report_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	upstream "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/image"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// writers are the formats of findings.
var writers = map[string]func(report.FindingReport) ([]byte, error){
	"why":      func(r report.FindingReport) ([]byte, error) { return r.About("root user").Table(false), nil },
	"table":    func(r report.FindingReport) ([]byte, error) { return r.Table(false), nil },
	"rows":     func(r report.FindingReport) ([]byte, error) { return []byte(fmt.Sprint(len(r.Rows()), "\n")), nil },
	"markdown": func(r report.FindingReport) ([]byte, error) { return r.Markdown(), nil },
	"json":     report.FindingReport.JSON, "yaml": report.FindingReport.YAML, "sarif": report.FindingReport.SARIF, "openreports": report.FindingReport.OpenReports,
	"patches": func(r report.FindingReport) ([]byte, error) {
		files, _, err := r.Patches(finding.Test)
		var all []byte
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for n := range files {
				if !yield(n) {
					return
				}
			}
		}) {
			all = append(all, files[name]...)
		}
		return all, err
	},
}

var hostileStrings = []string{
	"a b", "`", "``x`", "|", "*", "<script>alert(1)</script>", "[x](javascript:alert(1))", "@all", "#1", "\n", "a\n\n# x", "a\n---\nkind: Secret\n", "\r\nb", "\x1b[31m",
	"\u202egol", "\u200b", "\xff", "a\u3164b", strings.Repeat("long", 1000), `"`, `\`, "%0A", "../x", "é", "{{.}}", "${x}", "y: z", "- a", "null",
}

// bad is a pod with the string in each place that a finding quotes.
func bad(s string) *corev1.Pod {
	pod := podtest.Pod(podtest.Ephemeral(s), podtest.Volume(s, corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: s}}, &corev1.VolumeMount{MountPath: s}))
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: s, Value: s}}}
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
		Name: s, Image: s, Ports: []corev1.ContainerPort{{HostPort: 1, ContainerPort: 1, HostIP: s, Protocol: corev1.Protocol(s)}},
		Env:             []corev1.EnvVar{{Name: s, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: s}, Key: s}}}},
		SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{corev1.Capability(s)}}},
	})
	return pod
}

func badReport(s string) report.FindingReport {
	obs := &observe.Observation{Scope: observe.Scope{Namespaces: []string{s}}}
	w := aggregate.Workload{Namespace: s, Group: s, Kind: s, Name: s}
	obs.Members = []aggregate.Member{{Workload: w, ServiceAccount: s, Templates: 1, Profile: profile.Of(bad(s), profile.Options{Template: true, EphemeralContainers: true})}}
	obs.Places = map[aggregate.Workload]observe.Place{w: {File: s, Line: 3}}
	obs.Gaps = []observe.Gap{{Namespace: s, Resource: s}}
	facts := image.Facts{Digest: s, User: s, Results: []image.Result{{Rule: image.Secrets, Detail: printable.Text(s)}}}
	return report.Findings(obs, map[string]image.Facts{s: facts}, 0).WithDockerfile(s, []image.Result{{Rule: image.Add, Line: 2, Detail: printable.Text(s)}})
}

// Whatever the strings are, the output has the same lines, and nothing that is not
// printable.
func TestFindingsOfHostileStrings(t *testing.T) {
	for name, write := range writers {
		plain, err := write(badReport("x"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range hostileStrings {
			got, err := write(badReport(s))
			if err != nil {
				t.Errorf("%s of %q: %v", name, s, err)
				continue
			}
			folded := name == "table" || name == "why" // what does not fit a line
			if g, w := bytes.Count(got, []byte("\n")), bytes.Count(plain, []byte("\n")); name != "patches" && !near(g, w) && (!folded || g < w || g > 2*w) {
				t.Errorf("%s of %q: %d lines, want about %d:\n%s", name, s, g, w, got)
			}
			if clean := printable.Lines(got); !bytes.Equal(clean, got) || !utf8.Valid(got) {
				t.Errorf("%s of %q is not printable:\n%q", name, s, got)
			}
			for line := range strings.Lines(string(got)) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); folded && n > 80 {
					t.Errorf("table of %q: a line of %d characters: %s", s, n, line)
				}
			}
			if name == "yaml" || name == "openreports" {
				for doc := range bytes.SplitSeq(got, []byte("\n---\n")) {
					var object struct{ Kind string }
					if err := yaml.Unmarshal(doc, &object); err != nil || object.Kind != "FindingReport" && object.Kind != "Report" {
						t.Errorf("%s of %q: a document of kind %q: %v", name, s, object.Kind, err)
					}
				}
			}
		}
	}
}

// near reports whether two numbers of lines are the same but for findings that only some
// strings make: a path or a tag of another severity, a protocol, a rule that is sorted out.
func near(a, b int) bool { return max(a, b)-min(a, b) <= max(a, b)/4+2 }

// Outside of code spans, Markdown has no string of a cluster.
// TestTimeline: a report has each version of Kubernetes that changes a level, and why.
func TestTimeline(t *testing.T) {
	root := func(p *corev1.Pod) { // which restricted allows with the users of a pod since 1.35
		p.Spec.HostUsers = new(false)
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = new(int64(0)), nil })(p)
	}
	probe := podtest.Container(func(c *corev1.Container) {
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "10.0.0.1"}}}
	})
	least := func(name string, tweak func(*corev1.Pod)) aggregate.Pod {
		pod := deployment(name, "x")
		pod.Profile = profile.Of(podtest.Least(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsNonRoot = new(true) }), tweak), profile.Options{})
		return pod
	}
	r := report.Findings(observed(least("a/probe", probe), least("b/root", root), least("c/plain", func(*corev1.Pod) {})), nil, 0)
	want := map[string][]report.LevelChange{
		"a": {{Version: "1.34", Before: "restricted", After: "privileged", HeldBack: []report.HeldBack{
			{Level: "restricted", Check: "hostProbesAndHostLifecycle", Workloads: []string{"Deployment/probe"}},
		}}},
		"b": {{Version: "1.35", Before: "baseline", After: "restricted", HeldBack: []report.HeldBack{
			{Level: "restricted", Check: "runAsNonRoot", Workloads: []string{"Deployment/root"}},
			{Level: "restricted", Check: "runAsUser", Workloads: []string{"Deployment/root"}},
		}}},
		"c": nil,
	}
	for _, n := range r.Namespaces {
		if diff := cmp.Diff(want[n.Name], n.Timeline); diff != "" {
			t.Errorf("namespace %s (-want +got):\n%s", n.Name, diff)
		}
	}
	for format, lines := range map[string][]string{
		"table": {
			"    restricted before 1.34, from then on privileged because of\n      hostProbesAndHostLifecycle  Deployment/probe\n",
			"    from 1.35 on restricted, before that baseline because of\n      runAsNonRoot                Deployment/root\n",
		},
		"markdown": {
			"; restricted before 1.34, from then on privileged because of `hostProbesAndHostLifecycle` of `Deployment/probe`\n",
			"- `b`: restricted; from 1.35 on restricted, before that baseline because of `runAsNonRoot`, `runAsUser` of `Deployment/root`\n",
		},
	} {
		text, err := writers[format](r)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s does not have %q:\n%s", format, line, text)
			}
		}
	}
}

func TestMarkdownHasStringsInCode(t *testing.T) {
	for _, s := range []string{"<b>", "[x](y)", "@all", "#1", "*x*", "|", "a_b_"} {
		for line := range strings.Lines(string(badReport(s).Markdown())) {
			if outside := outsideOfCode(line); strings.Contains(outside, s) {
				t.Errorf("%q is outside of code: %s", s, line)
			}
		}
	}
}

// outsideOfCode returns a line without what stands between single backticks.
func outsideOfCode(line string) string {
	parts := strings.Split(line, "`")
	var out strings.Builder
	for i := 0; i < len(parts); i += 2 {
		out.WriteString(parts[i])
	}
	return out.String()
}

// A comment is bounded, says what did not fit, and begins with the worst.
func TestFindingsInMarkdownAreBounded(t *testing.T) {
	var pods []aggregate.Pod
	for i := range 2000 {
		pods = append(pods, deployment(fmt.Sprintf("shop/w%04d", i), "web"))
	}
	pods = append(pods, deployment("shop/zz", "zz", podtest.Security(privileged)))
	got := string(report.Findings(observed(pods...), nil, 0).Markdown())
	first := strings.Index(got, "`Deployment/")
	if len(got) > 60_000 || !strings.Contains(got, "more workloads, which do not fit here\n") || !strings.HasPrefix(got[first:], "`Deployment/zz`") {
		t.Errorf("%d bytes, begins with\n%.600s\nends with %q", len(got), got, got[len(got)-200:])
	}
}

// Many namespaces and gaps leave room for what is wrong with workloads.
func TestMarkdownHasWorkloads(t *testing.T) {
	var pods []aggregate.Pod
	for i := range 2000 {
		pods = append(pods, deployment(fmt.Sprintf("namespace-%04d/web", i), "web", podtest.Security(privileged)))
	}
	r := report.Findings(observed(pods...), nil, 0)
	for i := range 2000 {
		r.Gaps = append(r.Gaps, fmt.Sprintf("pods in namespace other-%04d", i))
	}
	got := string(r.Markdown())
	for _, want := range []string{"more gaps, which do", "more namespaces, which do", "more workloads, which do", "\n**Workloads**\n\n- `namespace-0000` `Deployment/web`\n  - **critical** privileged: "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %d bytes", want, len(got))
		}
	}
	if len(got) > 60_000 {
		t.Errorf("%d bytes", len(got))
	}
}

// The log is valid, and each result has a rule and the place of its workload.
func TestFindingsInSARIF(t *testing.T) {
	obs, err := manifest.Read(t.Context(), []string{"../../examples"}, manifest.Options{Recursive: true, SkipInvalid: true}, observe.Scope{Pods: true, Templates: true})
	if err != nil {
		t.Fatal(err)
	}
	found := report.Findings(obs, nil, 0)
	for _, r := range []report.FindingReport{found, badReport("a b"), {}} {
		data, err := r.SARIF()
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
		n := 0
		for _, result := range log.Runs[0].Results {
			n++
			if rule := log.Runs[0].Tool.Driver.Rules[result.RuleIndex]; *rule.ID != *result.RuleID {
				t.Errorf("result of %s has the index of %s", *result.RuleID, *rule.ID)
			}
		}
		if n != r.Counts.Total() {
			t.Errorf("%d results for %d findings", n, r.Counts.Total())
		}
	}
	if found.Counts.Total() < 30 {
		t.Errorf("%d findings only", found.Counts.Total())
	}
}

// The order of pods makes no difference to any format.
func TestFindingsInAnyOrder(t *testing.T) {
	r := podtest.Rand(t)
	pods := make([]aggregate.Pod, 12)
	for i := range pods {
		pods[i] = deployment(fmt.Sprintf("ns%d/w%d", i%3, i%5), fmt.Sprint("a", i%2))
		pods[i].Profile = profile.Of(podtest.Random(r), profile.Options{})
	}
	for name, write := range writers {
		want, err := write(report.Findings(observed(pods...), nil, 0))
		if err != nil {
			t.Fatal(err)
		}
		shuffled := slices.Clone(pods)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got, err := write(report.Findings(observed(shuffled...), nil, 0))
		if diff := cmp.Diff(string(want), string(got)); diff != "" || err != nil {
			t.Errorf("%s (-first +second), %v:\n%s", name, err, diff)
		}
	}
}

// A report that was written as JSON is the same, and one of another type is an error.
func TestReadFindings(t *testing.T) {
	want := badReport("x")
	data, err := want.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := report.ReadFindings(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.JSON()
	if diff := cmp.Diff(string(data), string(again)); diff != "" || err != nil {
		t.Errorf("read back (-want +got), %v:\n%s", err, diff)
	}
	for _, text := range []string{"", "[]", `{"apiVersion": "v1", "kind": "Pod"}`, `{"apiVersion": "psp-advisor.github.io/v2", "kind": "FindingReport"}`} {
		if _, err := report.ReadFindings([]byte(text)); err == nil {
			t.Errorf("%q is no report", text)
		}
	}
}

// Reports of parts, joined, are the report of the whole.
func TestJoinFindings(t *testing.T) {
	r := podtest.Rand(t)
	var pods []aggregate.Pod
	for i := range 9 {
		p := deployment(fmt.Sprintf("ns%d/w%d", i%3, i), "own")
		p.Profile = profile.Of(podtest.Random(r), profile.Options{})
		pods = append(pods, p)
	}
	want := report.Findings(observed(pods...), nil, 0)
	var parts []report.FindingReport
	for _, namespace := range []string{"ns2", "ns0", "ns1"} {
		part := slices.DeleteFunc(slices.Clone(pods), func(p aggregate.Pod) bool { return p.Workload.Namespace != namespace })
		parts = append(parts, report.Findings(observed(part...), nil, 0))
	}
	got := report.JoinFindings(parts...)
	got.Inspected = want.Inspected
	a, _ := want.JSON()
	b, _ := got.JSON()
	if diff := cmp.Diff(string(a), string(b)); diff != "" {
		t.Errorf("-whole +joined:\n%s", diff)
	}
}

func TestWhy(t *testing.T) {
	obs := observed(
		deployment("shop/agent", "agent", podtest.Volume("v", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/run/docker.sock"}}, &corev1.VolumeMount{MountPath: "/s"})),
		deployment("shop/logs", "logs", podtest.Volume("v", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/run2"}}, &corev1.VolumeMount{MountPath: "/s", ReadOnly: true})),
		deployment("node/root", "root", podtest.Volume("v", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}, &corev1.VolumeMount{MountPath: "/s", ReadOnly: true})),
		deployment("node/all", "all", podtest.Security(privileged)),
		deployment("node/net", "net", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, podtest.Container(func(c *corev1.Container) {
			c.Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}, {ContainerPort: 8080, HostPort: 8080}}
		})),
	)
	whole := report.Findings(obs, nil, 0)
	for _, tc := range []struct {
		word, line string
		want       []string
	}{
		{"hostNetwork", "hostNetwork", []string{"node/net hostNetwork spec.template.spec.hostNetwork"}},
		{"hostPath:/var/run", "hostPath /var/run", []string{
			"node/root hostPath / spec.template.spec.containers[name=c].volumeMounts",
			"shop/agent write hostPath /var/run/docker.sock spec.template.spec.containers[name=c].volumeMounts",
		}},
		{"cap:net_admin", "capability NET_ADMIN", []string{"node/all privileged spec.template.spec.containers[name=c].securityContext.privileged"}},
		{"hostPort:80", "hostPort 80", []string{"node/net hostPort 80/TCP spec.template.spec.containers[name=c].ports"}},
		{"hostPort:080/tcp", "hostPort 80/TCP", []string{"node/net hostPort 80/TCP spec.template.spec.containers[name=c].ports"}},
		{"hostPath:/var//run/", "hostPath /var/run", []string{
			"node/root hostPath / spec.template.spec.containers[name=c].volumeMounts",
			"shop/agent write hostPath /var/run/docker.sock spec.template.spec.containers[name=c].volumeMounts",
		}},
		{"write hostPath /var", "write hostPath /var", []string{
			"shop/agent write hostPath /var/run/docker.sock spec.template.spec.containers[name=c].volumeMounts",
		}},
		{"privileged", "privileged", []string{"node/all privileged spec.template.spec.containers[name=c].securityContext.privileged"}},
		{"cap:ALL", "capability ALL", []string{"node/all privileged spec.template.spec.containers[name=c].securityContext.privileged"}},
		{"seccomp unconfined", "seccomp unconfined", []string{"node/all privileged spec.template.spec.containers[name=c].securityContext.privileged"}},
		{`hostPath:\\.\pipe\docker_engine`, `hostPath \\.\pipe\docker_engine`, nil},
		{"hostPID", "hostPID", nil},
		{"user:0", "root user", nil},
		{"group:0", "root group", nil},
	} {
		line, err := report.ParseWhy(tc.word)
		if err != nil || line != tc.line {
			t.Errorf("%s: %q, %v", tc.word, line, err)
			continue
		}
		var got []string
		about := whole.About(line)
		for _, w := range about.Workloads {
			for _, p := range w.Privileges {
				got = append(got, fmt.Sprintf("%s/%s %s %s", w.Namespace, w.Name, p.Line, strings.Join(p.Fields, " ")))
			}
			for _, f := range w.Findings {
				if !strings.Contains(fmt.Sprint(got), f.Subject) {
					t.Errorf("%s: a finding about %q", tc.word, f.Subject)
				}
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.word, diff)
		}
		if text := string(about.Table(false)); !strings.HasPrefix(text, line+" asked for by ") {
			t.Errorf("%s: %s", tc.word, text)
		}
	}
	for _, word := range []string{"", "host", "cap:", "hostPath:", "x\ny", "everything", "hostPath:relative", "hostPort:0", "hostPort:99999", "hostPort:http"} {
		if line, err := report.ParseWhy(word); err == nil {
			t.Errorf("%q is %q", word, line)
		}
	}
}

// Tables fit a terminal, and still have where a workload stands and which field it is.
func TestTablesFit(t *testing.T) {
	name := strings.Repeat("longer-than-a-line-", 3)
	file := strings.Repeat("directory/", 6) + "file.yaml"
	obs := observed(deployment("shop/"+name, name, podtest.Security(privileged), podtest.Container(func(c *corev1.Container) { c.Name = name })))
	obs.Places = map[aggregate.Workload]observe.Place{obs.Members[0].Workload: {File: file, Line: 1234}}
	whole := report.Findings(obs, nil, 0)
	whole.Counts.Info, whole.Counts.High = 123_456_789, 123_456_789
	if got := string(whole.Table(false)); !strings.Contains(got, " info\nin 1 workload of 1 namespace\n") {
		t.Errorf("the headline is cut:\n%s", got)
	}
	for about, r := range map[string]report.FindingReport{"all": whole, "privileged": whole.About("privileged")} {
		got := string(r.Table(false))
		for line := range strings.Lines(got) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%s: a line of %d characters: %s", about, n, line)
			}
		}
		if !strings.Contains(got, "\n  "+file+":1234\n") {
			t.Errorf("%s: where the workload stands is missing:\n%s", about, got)
		}
		field := "spec.template.spec.containers[name=" + name + "].securityContext.privileged"
		if about == "privileged" && !strings.Contains(strings.Join(strings.Fields(got), ""), field) {
			t.Errorf("%s: the field is missing:\n%s", about, got)
		}
	}
}

func TestColor(t *testing.T) {
	r := report.Findings(observed(deployment("shop/web", "web", podtest.Security(privileged))), nil, 0)
	plain, colored := string(r.Table(false)), string(r.Table(true))
	if strings.Contains(plain, "\x1b") || !strings.Contains(colored, "\x1b[1;31mcritical\x1b[0m") {
		t.Errorf("%s\n%q", plain, colored)
	}
	for _, code := range []string{"\x1b[1;31m", "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[2m", "\x1b[0m"} {
		colored = strings.ReplaceAll(colored, code, "")
	}
	if colored != plain {
		t.Errorf("colors change more than colors:\n%s\n%s", plain, colored)
	}
}

// What an API server takes as a Report of openreports.io: only its own fields, no time.
func TestOpenReports(t *testing.T) {
	r := report.Findings(observed(deployment("shop/web", "web", podtest.Security(privileged)), deployment("shop/api", "api")), nil, 0)
	data, err := r.OpenReports()
	if err != nil {
		t.Fatal(err)
	}
	docs := strings.Split(strings.TrimPrefix(string(data), "---\n"), "\n---\n")
	if len(docs) != 2 {
		t.Fatalf("%d documents", len(docs))
	}
	for _, doc := range docs {
		var o v1alpha1.Report
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, row := range o.Results {
			if row.Result == "fail" {
				failed++
			}
			if !slices.Contains(privilege.Severities(), privilege.Severity(row.Severity)) {
				t.Errorf("severity %q", row.Severity)
			}
		}
		if failed != o.Summary.Fail || len(o.Results)-failed != o.Summary.Pass || failed == 0 {
			t.Errorf("%d of %d failed, summary %+v", failed, len(o.Results), o.Summary)
		}
	}
	if strings.Contains(string(data), "timestamp") {
		t.Error("a report has a time")
	}
}

// The patches of all workloads, as they are written.
func TestPatches(t *testing.T) {
	web, unnamedPod := template("shop/web", "web"), template("shop/web-", "own")
	web.Profile = profile.Of(podtest.Pod(), profile.Options{Template: true})
	unnamedPod.Profile = web.Profile
	obs := observed(web, unnamedPod)
	files, unnamed, err := report.Findings(obs, nil, 0).Patches(finding.Likely)
	if err != nil || unnamed != 1 || len(files) != 1 {
		t.Fatalf("%d files, %d without a name, %v", len(files), unnamed, err)
	}
	want := `# likely safe, privilege-escalation of container c: spec.template.spec.containers[name=c].securityContext.allowPrivilegeEscalation: false
# likely safe, seccomp-unset of container c: spec.template.spec.containers[name=c].securityContext.seccompProfile.type: RuntimeDefault
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      containers:
      - name: c
        securityContext:
          allowPrivilegeEscalation: false
          seccompProfile:
            type: RuntimeDefault
`
	if diff := cmp.Diff(want, string(files["shop/deployment.web.yaml"])); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}

// Writing the patch of a pod does not change the remedy that it is made from.
func TestPatchesChangeNothing(t *testing.T) {
	patch := finding.Patch{"metadata": finding.Patch{"annotations": finding.Patch{"a": nil}}}
	r := report.FindingReport{Workloads: []report.FindingWorkload{{Namespace: "shop", Kind: "Pod", Name: "web", Findings: []report.Finding{
		{Rule: "apparmor-unconfined", Remedy: &finding.Remedy{Confidence: finding.Test, Patch: patch}},
	}}}}
	if _, _, err := r.Patches(finding.Test); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(finding.Patch{"metadata": finding.Patch{"annotations": finding.Patch{"a": nil}}}, patch); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}

// BenchmarkFindings is the report of the corpus, from what was observed to the table.
func BenchmarkFindings(b *testing.B) {
	const corpus = "../../../shared/corpus"
	if _, err := os.Stat(corpus); err != nil {
		b.Skip("NOT RUN: the corpus is not there, expected in ../shared/corpus beside the repository")
	}
	obs, err := manifest.Read(b.Context(), []string{corpus}, manifest.Options{Recursive: true, SkipInvalid: true}, observe.Scope{Pods: true, Templates: true})
	if err != nil {
		b.Fatal(err)
	}
	for name, write := range writers {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				data, err := write(report.Findings(obs, nil, 0))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(data)), "bytes")
			}
		})
	}
}
