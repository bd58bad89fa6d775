package report_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// deployment is a pod of a Deployment, NAMESPACE/NAME, under an account.
func deployment(path, account string, tweaks ...func(*corev1.Pod)) aggregate.Pod {
	namespace, name, _ := strings.Cut(path, "/")
	return aggregate.Pod{
		Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: account,
		Profile:        profile.Of(podtest.Pod(tweaks...), profile.Options{}),
	}
}

func observed(pods ...aggregate.Pod) *observe.Observation {
	var fleet aggregate.Fleet
	for _, p := range pods {
		fleet.Add(p)
	}
	return &observe.Observation{Scope: observe.Scope{Pods: true, Templates: true}, Members: fleet.Members()}
}

func template(path, account string) aggregate.Pod {
	t := deployment(path, account)
	t.Template = true
	return t
}

// plain is an engine that writes a name, and finds what is privileged.
func plain() generate.Engine {
	return generate.Engine{
		Name: "plain",
		Outputs: generate.PerGroup(func(g aggregate.Group) generate.Output {
			return generate.Output{Group: g, Name: generate.Name(g), Objects: generate.Made(generate.Object{Value: &map[string]string{"name": generate.Name(g)}})}
		}, func(m aggregate.Member) bool {
			return m.Profile.SeccompField.Any(func(s profile.Seccomp) bool { return s.Pod != "" })
		}),
		Findings: func(outputs []generate.Output) []generate.Finding {
			var list []generate.Finding
			for _, o := range outputs {
				for _, m := range o.Group.Members {
					if m.Profile.Privileged.Has(profile.True) {
						list = append(list, generate.About([]aggregate.Member{m}, generate.Info, "privileged"))
					}
				}
			}
			return list
		},
	}
}

func reportOn(obs *observe.Observation, level aggregate.Level) report.Report {
	return report.New(obs, level, generate.Run([]generate.Engine{plain()}, obs.Members, level))
}

func privileged(sc *corev1.SecurityContext) { sc.Privileged = new(true) }

func TestFindings(t *testing.T) {
	unknown := deployment("shop/web", "web")
	unknown.Profile = unknown.Profile.WithVolume(profile.UnknownVolume)
	for _, tc := range []struct {
		name string
		pods []aggregate.Pod
		// want are the findings as "RULE NAMESPACE [WORKLOADS]: words of the message".
		want []string
	}{
		{"nothing to say", []aggregate.Pod{deployment("shop/web", "web")}, nil},
		{"default account", []aggregate.Pod{deployment("shop/web", "default"), deployment("shop/api", "default")}, []string{
			"default-account shop [Deployment/api Deployment/web]: any pod that names no service account",
		}},
		{"default account in two namespaces", []aggregate.Pod{deployment("shop/web", "default"), deployment("team/web", "default")}, []string{
			"default-account shop [Deployment/web]: service account default is in use by Deployment/web",
			"default-account team [Deployment/web]: service account default is in use by Deployment/web",
		}},
		{"what an engine finds", []aggregate.Pod{deployment("shop/web", "web", podtest.Security(privileged))}, []string{"privileged shop [Deployment/web]: "}},
		{"unknown volume", []aggregate.Pod{unknown}, []string{
			"unknown-volume shop [Deployment/web]: a source that this version of the advisor does not know",
		}},
		{"debug container", []aggregate.Pod{deployment("shop/web", "web", podtest.Ephemeral("shell"))}, []string{
			"debug-container shop [Deployment/web]: ephemeral containers",
		}},
		{"in several namespaces, once", []aggregate.Pod{
			deployment("shop/web", "web", podtest.Ephemeral("shell")), deployment("team/web", "web", podtest.Ephemeral("shell")), deployment("team/api", "api"),
		}, []string{"debug-container  [shop Deployment/web team Deployment/web]: ephemeral containers of shop Deployment/web, team Deployment/web"}},
		{"many workloads are counted", []aggregate.Pod{
			deployment("shop/a", "a", podtest.Ephemeral("s")), deployment("shop/b", "b", podtest.Ephemeral("s")), deployment("shop/c", "c", podtest.Ephemeral("s")),
			deployment("shop/d", "d", podtest.Ephemeral("s")), deployment("shop/e", "e", podtest.Ephemeral("s")),
		}, []string{"debug-container shop [Deployment/a Deployment/b Deployment/c Deployment/d Deployment/e]: ephemeral containers of Deployment/a, Deployment/b, Deployment/c and 2 more were"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			findings := reportOn(observed(tc.pods...), aggregate.ByWorkload).Findings
			for i, f := range findings {
				head := f.Rule + " " + f.Namespace + " [" + strings.Join(f.Workloads, " ") + "]: "
				message := f.Message
				if i < len(tc.want) {
					words, _ := strings.CutPrefix(tc.want[i], head)
					if strings.Contains(message, words) {
						message = words
					}
				}
				got = append(got, head+message)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A debug container that counts is no finding: the policies admit it.
func TestFindingsOfDebugContainersThatCount(t *testing.T) {
	pod := deployment("shop/web", "web", podtest.Ephemeral("shell"))
	obs := observed(pod)
	obs.Scope.EphemeralContainers = true
	if got := reportOn(obs, aggregate.ByWorkload).Findings; len(got) > 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestFindingsAreSorted(t *testing.T) {
	pods := []aggregate.Pod{
		deployment("team/web", "default", podtest.Ephemeral("s")), deployment("shop/b", "default", podtest.Security(privileged)),
		deployment("shop/a", "default"),
	}
	obs := observed(pods...)
	obs.UnknownOwners = []aggregate.Workload{{Namespace: "shop", Group: "apps", Kind: "ReplicaSet", Name: "old"}}
	got := reportOn(obs, aggregate.ByWorkload).Findings
	var rules []string
	for _, f := range got {
		rules = append(rules, f.Namespace+" "+f.Rule)
	}
	want := []string{"shop default-account", "shop privileged", "shop unknown-owner", "team debug-container", "team default-account"}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	slices.Reverse(pods)
	again := observed(pods...)
	again.UnknownOwners = obs.UnknownOwners
	if diff := cmp.Diff(got, reportOn(again, aggregate.ByWorkload).Findings, cmpopts.IgnoreUnexported(generate.Finding{})); diff != "" {
		t.Errorf("another order of pods (-first +now):\n%s", diff)
	}
}

func TestSummary(t *testing.T) {
	hostile := deployment("shop/web", "web", podtest.Ephemeral("s"))
	hostile.Workload.Name = "web\nadvisor: all is well\x1b[2J\u202e"
	gap := observe.Gap{Resource: "cronjobs.batch", Namespace: "shop", Err: errors.New("forbidden\nwarning: not really")}
	for _, tc := range []struct {
		name  string
		obs   *observe.Observation
		level aggregate.Level
		want  string
	}{
		{"nothing", &observe.Observation{}, aggregate.ByWorkload, "0 pods and 0 templates in 0 namespaces (all namespaces inspected): 0 policies\n"},
		{
			"one namespace", &observe.Observation{Scope: observe.Scope{Namespaces: []string{"shop"}}}, aggregate.ByWorkload,
			"0 pods and 0 templates in 0 namespaces (namespace shop inspected): 0 policies\n",
		},
		{
			"many namespaces", &observe.Observation{Scope: observe.Scope{Namespaces: []string{"a", "b", "c", "d"}}}, aggregate.ByWorkload,
			"0 pods and 0 templates in 0 namespaces (namespaces a, b, c and 1 more inspected): 0 policies\n",
		},
		{
			"excluded namespaces", &observe.Observation{Scope: observe.Scope{ExcludedNamespaces: []string{"a", "b\n"}}}, aggregate.ByWorkload,
			"0 pods and 0 templates in 0 namespaces (all namespaces except a, b\\n inspected): 0 policies\n",
		},
		{
			"one of each", observed(deployment("shop/web", "web"), template("shop/web", "web")), aggregate.ByWorkload,
			"1 pod and 1 template in 1 namespace (all namespaces inspected): 1 policy\n",
		},
		{
			"the default account is told once for all namespaces",
			observed(deployment("a/x", "default"), deployment("b/x", "default"), deployment("c/x", "default"), deployment("d/x", "default"), deployment("e/x", "x")), aggregate.ByNamespace,
			"5 pods and 0 templates in 5 namespaces (all namespaces inspected): 5 policies\nwarning: service account default is in use in a, b, c and 1 more: any pod there that names no service account can use its policies\n",
		},
		{
			"cluster", observed(deployment("a/x", "x"), deployment("b/x", "x")), aggregate.ByCluster,
			"2 pods and 0 templates in 2 namespaces (all namespaces inspected): 1 policy\n",
		},
		{
			"strings of the cluster keep to their line",
			&observe.Observation{Members: observed(hostile).Members, Gaps: []observe.Gap{gap}}, aggregate.ByWorkload,
			"1 pod and 0 templates in 1 namespace (all namespaces inspected): 1 policy\n" +
				"not observed: cronjobs.batch in namespace shop: forbidden\\nwarning: not really\n" +
				"warning: shop: ephemeral containers of Deployment/web\\nadvisor: all is well\\x1b[2J\\u202e were ignored, because a recreated pod has none; the server can deny updates of the running pods\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			if err := reportOn(tc.obs, tc.level).Summary(&out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestSummaryFails(t *testing.T) {
	err := reportOn(&observe.Observation{}, aggregate.ByWorkload).Summary(fullDisk{})
	if err == nil || err.Error() != "writing the summary: no space left" {
		t.Errorf("got %v", err)
	}
}

// Workloads are sorted, whichever policy they get.
func TestWorkloadsAreSorted(t *testing.T) {
	together := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	})
	obs := observed(deployment("shop/a", "x", together), deployment("shop/b", "x", together), deployment("shop/z", "own"))
	var got []string
	for _, w := range reportOn(obs, aggregate.ByWorkload).Workloads {
		got = append(got, w.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "z"}, got); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
}

// Each workload of the fleet is in the report, under the policy that it gets.
func TestWorkloads(t *testing.T) {
	static := deployment("kube-system/etcd", "")
	static.Workload.Group, static.Workload.Kind = "", "Pod"
	obs := observed(deployment("shop/web", "web", podtest.Security(privileged)), deployment("shop/web", "other"), deployment("shop/api", "web"), static)
	for _, tc := range []struct {
		level aggregate.Level
		want  []string
	}{
		{aggregate.ByWorkload, []string{
			"kube-system Pod/etcd as : advisor.kube-system.static-pod.etcd", "shop Deployment/api as web: advisor.shop.deployment.api",
			"shop Deployment/web as other: advisor.shop.deployment.web", "shop Deployment/web as web: advisor.shop.deployment.web",
		}},
		{aggregate.ByCluster, []string{
			"kube-system Pod/etcd as : advisor.cluster", "shop Deployment/api as web: advisor.cluster",
			"shop Deployment/web as other: advisor.cluster", "shop Deployment/web as web: advisor.cluster",
		}},
	} {
		t.Run(string(tc.level), func(t *testing.T) {
			var got []string
			for _, w := range reportOn(obs, tc.level).Workloads {
				got = append(got, w.Namespace+" "+w.Kind+"/"+w.Name+" as "+w.ServiceAccount+": "+w.Policies["plain"])
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
		})
	}
}

// Policies for whole namespaces are wrong for pods that were not selected.
func TestFindingsOfSelector(t *testing.T) {
	selector, err := labels.Parse("app=web")
	if err != nil {
		t.Fatal(err)
	}
	whole := plain()
	whole.Name, whole.WholeNamespaces = "whole", true
	for _, tc := range []struct {
		name     string
		engines  []generate.Engine
		selector labels.Selector
		want     bool
	}{
		{"policies for what was observed", []generate.Engine{plain()}, selector, false},
		{"policies for whole namespaces", []generate.Engine{plain(), whole}, selector, true},
		{"no selector", []generate.Engine{whole}, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := observed(deployment("shop/web", "web"))
			obs.Scope.Selector = tc.selector
			got := report.New(obs, aggregate.ByWorkload, generate.Run(tc.engines, obs.Members, aggregate.ByWorkload)).Findings
			if (len(got) == 1) != tc.want || tc.want && (got[0].Rule != report.RuleSelector || !strings.Contains(got[0].Message, "labels app=web were observed, and the policies for whole apply")) {
				t.Errorf("got %v", got)
			}
		})
	}
}
