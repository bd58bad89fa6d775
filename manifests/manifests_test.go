// Package manifests_test checks the manifests: that they build, ask for no more
// than they need, and that the advisor's own policies are the ones it makes.
package manifests_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// overlay is a built overlay: its YAML and its objects by kind.
type overlay struct {
	yaml     []byte
	pods     []corev1.PodTemplateSpec
	roles    []rbacv1.ClusterRole // with a namespace, where it is a Role
	kinds    []string
	networks []networkingv1.NetworkPolicy
	budgets  []policyv1.PodDisruptionBudget
	services []corev1.Service
	monitors []serviceMonitor
	alerts   []prometheusRule
	settings []corev1.ConfigMap
}

// serviceMonitor is what matters here of a monitoring.coreos.com/v1 ServiceMonitor.
type serviceMonitor struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// prometheusRule is what matters here of a monitoring.coreos.com/v1 PrometheusRule.
type prometheusRule struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Groups []ruleGroup `json:"groups"`
	} `json:"spec"`
}

// ruleGroup is a group of rules of Prometheus.
type ruleGroup struct {
	Name  string           `json:"name"`
	Rules []map[string]any `json:"rules"`
}

// homes are the namespaces that the advisor runs in.
var homes = map[string]string{"controller": "psp-advisor", "cronjob": "psp-advisor", "single-namespace": "shop-advisor"}

func build(t *testing.T, name string) overlay {
	t.Helper()
	return buildPath(t, "overlays/"+name, homes[name])
}

// buildPath builds an overlay whose advisor runs in the namespace home.
func buildPath(t *testing.T, path, home string) overlay {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	var o overlay
	if o.yaml, err = resources.AsYaml(); err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.Resources() {
		data, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		o.kinds = append(o.kinds, r.GetKind())
		switch kind := r.GetKind(); {
		case slices.Contains([]string{"Namespace", "ClusterRole", "ClusterRoleBinding"}, kind):
		case slices.Contains([]string{"Role", "RoleBinding"}, kind) && r.GetNamespace() == "shop":
			// What is observed.
		case r.GetNamespace() != home:
			t.Errorf("%s %s is in namespace %q", kind, r.GetName(), r.GetNamespace())
		}
		switch r.GetKind() {
		case "Deployment":
			o.pods = append(o.pods, decode[appsv1.Deployment](t, data).Spec.Template)
		case "CronJob":
			o.pods = append(o.pods, decode[batchv1.CronJob](t, data).Spec.JobTemplate.Spec.Template)
		case "Role", "ClusterRole":
			o.roles = append(o.roles, decode[rbacv1.ClusterRole](t, data))
		case "RoleBinding", "ClusterRoleBinding":
			b := decode[rbacv1.RoleBinding](t, data)
			if s := b.Subjects; len(s) != 1 || s[0].Name != "psp-advisor" || s[0].Namespace != home {
				t.Errorf("%s %s binds %+v", r.GetKind(), r.GetName(), s)
			}
		case "NetworkPolicy":
			o.networks = append(o.networks, decode[networkingv1.NetworkPolicy](t, data))
		case "PodDisruptionBudget":
			o.budgets = append(o.budgets, decode[policyv1.PodDisruptionBudget](t, data))
		case "Service":
			o.services = append(o.services, decode[corev1.Service](t, data))
		case "ServiceMonitor":
			o.monitors = append(o.monitors, decode[serviceMonitor](t, data))
		case "PrometheusRule":
			o.alerts = append(o.alerts, decode[prometheusRule](t, data))
		case "ConfigMap":
			o.settings = append(o.settings, decode[corev1.ConfigMap](t, data))
		case "ServiceAccount":
			decode[corev1.ServiceAccount](t, data)
		case "Namespace":
			if n := decode[corev1.Namespace](t, data); n.Name != home {
				t.Errorf("Namespace %s is not the advisor's own", n.Name)
			}
		default:
			t.Errorf("unexpected kind %s", r.GetKind())
		}
	}
	slices.Sort(o.kinds)
	return o
}

// role returns the rules of a Role or ClusterRole.
func (o overlay) role(t *testing.T, name string) []rbacv1.PolicyRule {
	t.Helper()
	for _, r := range o.roles {
		if r.Name == name {
			return r.Rules
		}
	}
	t.Fatalf("no role %s", name)
	return nil
}

// decode refuses fields that the kind does not have.
func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(data, &object); err != nil {
		t.Error(err)
	}
	return object
}

func TestOverlays(t *testing.T) {
	for name, kinds := range map[string][]string{
		"cronjob":          {"ClusterRole", "ClusterRoleBinding", "CronJob", "Namespace", "NetworkPolicy", "Role", "RoleBinding", "ServiceAccount"},
		"controller":       {"ClusterRole", "ClusterRole", "ClusterRoleBinding", "ClusterRoleBinding", "Deployment", "Namespace", "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Role", "Role", "RoleBinding", "RoleBinding", "Service", "ServiceAccount"},
		"single-namespace": {"CronJob", "Namespace", "NetworkPolicy", "Role", "Role", "RoleBinding", "RoleBinding", "ServiceAccount"},
	} {
		t.Run(name, func(t *testing.T) {
			o := build(t, name)
			if d := gocmp.Diff(kinds, o.kinds); d != "" {
				t.Errorf("kinds (-want +got):\n%s", d)
			}
			if len(o.pods) != 1 {
				t.Fatalf("%d pod templates", len(o.pods))
			}
			restricted(t, o.pods[0].Spec)
			for _, n := range o.networks {
				selects(t, "NetworkPolicy "+n.Name, n.Spec.PodSelector.MatchLabels, o.pods[0].Labels)
			}
			for _, b := range o.budgets {
				selects(t, "PodDisruptionBudget "+b.Name, b.Spec.Selector.MatchLabels, o.pods[0].Labels)
			}
			for _, service := range o.services {
				selects(t, "Service "+service.Name, service.Spec.Selector, o.pods[0].Labels)
				for _, port := range service.Spec.Ports {
					if !slices.ContainsFunc(o.pods[0].Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == port.TargetPort.StrVal }) {
						t.Errorf("Service %s leads to the port %s, which the advisor does not have", service.Name, port.TargetPort.String())
					}
				}
			}
			if strings.Contains(string(o.yaml), generate.ManagedBy+"\n") && strings.Contains(string(o.yaml), generate.ManagedByLabel) {
				t.Error("the label of generated objects is on the advisor's own: pruning would take them")
			}
		})
	}
}

// selects checks that a selector finds the advisor, and not everything.
func selects(t *testing.T, who string, selector, labels map[string]string) {
	t.Helper()
	if len(selector) == 0 {
		t.Errorf("%s is for everything", who)
	}
	for label, value := range selector {
		if labels[label] != value {
			t.Errorf("%s does not select the advisor", who)
		}
	}
}

// monitoring builds the overlay of the controller with the component.
func monitoring(t *testing.T) overlay {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	up, err := filepath.Rel(dir, here)
	if err != nil {
		t.Fatal(err)
	}
	text := "resources: [" + up + "/overlays/controller]\ncomponents: [" + up + "/monitoring]\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return buildPath(t, dir, "psp-advisor")
}

// TestMonitoring: the component finds the Service of the controller, by a port that
// it has.
func TestMonitoring(t *testing.T) {
	o := monitoring(t)
	if len(o.monitors) != 1 || len(o.services) != 1 {
		t.Fatalf("%d monitors, %d services", len(o.monitors), len(o.services))
	}
	monitor, service := o.monitors[0], o.services[0]
	selects(t, "ServiceMonitor "+monitor.Metadata.Name, monitor.Spec.Selector.MatchLabels, service.Labels)
	if e := monitor.Spec.Endpoints; len(e) != 1 || e[0].Path != "/metrics" || e[0].Port != service.Spec.Ports[0].Name {
		t.Errorf("endpoints %+v of %+v", e, service.Spec.Ports)
	}
}

// dashboard is what matters here of a dashboard of Grafana.
type dashboard struct {
	UID    string `json:"uid"`
	Title  string `json:"title"`
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ Expr, RefID string }
	} `json:"panels"`
	Templating struct {
		List []struct{ Name string } `json:"list"`
	} `json:"templating"`
}

// readDashboard returns the dashboard in its ConfigMap, which the sidecar of Grafana
// finds by its label.
func readDashboard(t *testing.T, o overlay) dashboard {
	t.Helper()
	if len(o.settings) != 1 || o.settings[0].Labels["grafana_dashboard"] != "1" || len(o.settings[0].Data) != 1 {
		t.Fatalf("%+v", o.settings)
	}
	var d dashboard
	for _, data := range o.settings[0].Data {
		if err := json.Unmarshal([]byte(data), &d); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// TestDashboard: panels are explained, do not overlap, and fit the grid of Grafana.
func TestDashboard(t *testing.T) {
	d := readDashboard(t, monitoring(t))
	if d.UID == "" || d.Title == "" || len(d.Panels) < 8 || len(d.Templating.List) != 2 {
		t.Errorf("%q %q, %d panels, variables %v", d.UID, d.Title, len(d.Panels), d.Templating.List)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 || ids[p.ID] {
			t.Errorf("panel %d %q: %+v", p.ID, p.Title, p)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, is := taken[[2]int{x, y}]; is || x >= 24 {
					t.Fatalf("%q is on %q, or beyond the 24 columns", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// expressions returns all expressions of the alerts and the dashboard, with values for
// the variables.
func expressions(t *testing.T) []string {
	t.Helper()
	o := monitoring(t)
	if len(o.alerts) != 1 {
		t.Fatalf("%d PrometheusRules", len(o.alerts))
	}
	var list []string
	for _, g := range o.alerts[0].Spec.Groups {
		for _, r := range g.Rules {
			list = append(list, r["expr"].(string))
		}
	}
	for _, p := range readDashboard(t, o).Panels {
		for _, target := range p.Targets {
			list = append(list, strings.NewReplacer("$job", ".*", "$__rate_interval", "5m").Replace(target.Expr))
		}
	}
	return list
}

// TestExpressions: alerts and the dashboard use metrics that the controller has.
func TestExpressions(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, e := range expressions(t) {
		for _, match := range regexp.MustCompile(`psp_advisor_(\w+)`).FindAllStringSubmatch(e, -1) {
			used++
			name := strings.TrimSuffix(match[1], "_bucket")
			if !bytes.Contains(readme, []byte("`"+name+"`")) && !bytes.Contains(readme, []byte("`"+name+"{")) {
				t.Errorf("%s: the controller has no metric psp_advisor_%s", e, name)
			}
		}
	}
	if used < 20 {
		t.Errorf("%d metrics are used", used)
	}
}

// TestPromtool has Prometheus' own tool check the alerts, and the expressions of the
// dashboard.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("NOT RUN: promtool is not installed")
	}
	rules := monitoring(t).alerts[0].Spec
	shown := ruleGroup{Name: "dashboard"}
	for i, e := range expressions(t) {
		shown.Rules = append(shown.Rules, map[string]any{"record": fmt.Sprint("e", i), "expr": e})
	}
	rules.Groups = append(rules.Groups, shown)
	data, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestFindingsIncreased has Prometheus' own tool evaluate the alert about more findings: of a
// rule that had some, of a rule that had none, and at the beginning.
func TestFindingsIncreased(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("NOT RUN: promtool is not installed")
	}
	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	rules, err := yaml.Marshal(monitoring(t).alerts[0].Spec)
	if err != nil {
		t.Fatal(err)
	}
	const leader = `psp_advisor_leader{instance="a"}`
	finding := func(rule, values string) series {
		return series{`psp_advisor_findings{instance="a",rule="` + rule + `",severity="high"}`, values}
	}
	for name, tc := range map[string]struct {
		series []series
		want   []string
	}{
		"as many":           {[]series{{leader, "1x240"}, finding("host-pid", "2x240")}, nil},
		"more":              {[]series{{leader, "1x240"}, finding("host-pid", "2x149 3x90")}, []string{"host-pid"}},
		"fewer":             {[]series{{leader, "1x240"}, finding("host-pid", "2x149 1x90")}, nil},
		"the first":         {[]series{{leader, "1x240"}, finding("host-pid", "2x240"), finding("root-user", "_x149 1x90")}, []string{"root-user"}},
		"at the beginning":  {[]series{{leader, "_x149 1x90"}, finding("host-pid", "_x149 2x90")}, nil},
		"of another leader": {[]series{{leader, "1x149 0x90"}, {`psp_advisor_leader{instance="b"}`, "0x149 1x90"}, finding("host-pid", "2x240"), {`psp_advisor_findings{instance="b",rule="host-pid",severity="high"}`, "_x149 2x90"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			samples := []map[string]any{}
			for _, rule := range tc.want {
				samples = append(samples, map[string]any{"labels": `{rule="` + rule + `"}`, "value": 1})
			}
			test := map[string]any{
				"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m",
				"tests": []any{map[string]any{
					"interval": "1m", "input_series": tc.series,
					"promql_expr_test": []any{map[string]any{
						"expr":      `count by (rule) (ALERTS{alertname="PspAdvisorFindingsIncreased",alertstate="firing"})`,
						"eval_time": "3h", "exp_samples": samples,
					}},
				}},
			}
			data, err := yaml.Marshal(test)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for file, text := range map[string][]byte{"rules.yaml": rules, "test.yaml": data} {
				if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", filepath.Join(dir, "test.yaml")).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// restricted holds a pod against the restricted profile, and against what the
// advisor needs of it.
func restricted(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	s := spec.SecurityContext
	if !*s.RunAsNonRoot || *s.RunAsUser != 65534 || *s.RunAsGroup != 65534 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the pod is %+v", s)
	}
	if spec.HostNetwork || spec.HostPID || spec.HostIPC || len(spec.Volumes) > 0 || spec.ServiceAccountName != "psp-advisor" {
		t.Errorf("pod is %+v", spec)
	}
	for _, c := range spec.Containers {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Privileged != nil ||
			!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("security context of %s is %+v", c.Name, s)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("resources of %s are %+v", c.Name, c.Resources)
		}
		if c.ImagePullPolicy != corev1.PullIfNotPresent {
			t.Errorf("image pull policy of %s is %s", c.Name, c.ImagePullPolicy)
		}
	}
}

// TestRights: nothing is written but reports and the lease, both in the advisor's
// own namespace; nothing is read that holds secrets. That the rights suffice and are
// needed is shown where the commands are tested.
func TestRights(t *testing.T) {
	read := []string{"get", "list", "watch"}
	for name, home := range homes {
		for _, role := range build(t, name).roles {
			for _, r := range role.Rules {
				for _, resource := range r.Resources {
					own := role.Namespace == home && (resource == "configmaps" || resource == "leases")
					reads := !slices.ContainsFunc(r.Verbs, func(v string) bool { return !slices.Contains(read, v) })
					if resource == "secrets" || resource == "*" || (!own && !reads) || (!own && resource == "configmaps") {
						t.Errorf("%s: %s in namespace %q may %v %s", name, role.Name, role.Namespace, r.Verbs, resource)
					}
				}
			}
		}
	}
	// The namespaced reader has the same rights as the other one.
	whole, single := build(t, "cronjob"), build(t, "single-namespace")
	if d := gocmp.Diff(whole.role(t, "psp-advisor-reader"), single.role(t, "psp-advisor-reader")); d != "" {
		t.Errorf("readers differ (-cluster +namespace):\n%s", d)
	}
	// Whatever is listed can be watched, and nothing else.
	both := build(t, "controller")
	if d := gocmp.Diff(resources(both.role(t, "psp-advisor-reader")), resources(both.role(t, "psp-advisor-watcher"))); d != "" {
		t.Errorf("what is listed and watched differs (-list +watch):\n%s", d)
	}
}

func resources(rules []rbacv1.PolicyRule) []string {
	var list []string
	for _, r := range rules {
		for _, name := range r.Resources {
			list = append(list, r.APIGroups[0]+"/"+name)
		}
	}
	slices.SortFunc(list, cmp.Compare[string])
	return list
}

// TestReadmeReasons: the contract lists every reason of a gap.
func TestReadmeReasons(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range []string{"../pkg/apierror/apierror.go", "../pkg/publish/index.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`Reason = "(\w+)"`).FindAllSubmatch(source, -1) {
			n++
			if !bytes.Contains(readme, []byte("| `"+string(match[1])+"` |")) {
				t.Errorf("README.md does not explain %s", match[1])
			}
		}
	}
	if n < 15 {
		t.Errorf("found %d reasons only", n)
	}
}

// TestOwnPolicies: the advisor makes its own policies, from these manifests.
func TestOwnPolicies(t *testing.T) {
	for _, tc := range []struct {
		golden, title string
		overlays      []string
	}{
		{"psp/policies.yaml", "overlays controller and cronjob", []string{"controller", "cronjob"}},
		{"overlays/single-namespace/psp/policies.yaml", "overlay single-namespace", []string{"single-namespace"}},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			var in []byte
			for _, name := range tc.overlays {
				in = slices.Concat(in, []byte("---\n"), build(t, name).yaml)
			}
			obs, err := manifest.Read(t.Context(), []string{manifest.Stdin}, manifest.Options{In: bytes.NewReader(in)}, observe.Scope{Pods: true, Templates: true})
			if err != nil {
				t.Fatal(err)
			}
			results := generate.Run([]generate.Engine{psp.Engine()}, obs.Members, aggregate.ByWorkload)
			got, err := generate.YAML(results[0].Outputs, true)
			if err != nil {
				t.Fatal(err)
			}
			got = append([]byte("# What the advisor says about the "+tc.title+".\n"), got...)
			if *update {
				if err := os.WriteFile(tc.golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(tc.golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := gocmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s is out of date; run hack/update-generated.sh (-want +got):\n%s", tc.golden, d)
			}
			if f := report.New(obs, aggregate.ByWorkload, results).Findings; len(f) > 0 {
				t.Errorf("the advisor has something to say about itself: %+v", f)
			}
		})
	}
}
