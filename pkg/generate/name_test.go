package generate

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestName(t *testing.T) {
	workload := func(group, kind, name string) aggregate.Group {
		return aggregate.Group{
			Level: aggregate.ByWorkload, Namespace: "shop",
			Workload: &aggregate.Workload{Namespace: "shop", Group: group, Kind: kind, Name: name},
		}
	}
	long := strings.Repeat("x", 253)
	for _, tc := range []struct {
		name  string
		group aggregate.Group
		want  string
	}{
		{"workload", workload("apps", "StatefulSet", "db"), "advisor.shop.statefulset.db"},
		{"pod", workload("", "Pod", "one.two"), "advisor.shop.pod.one.two"},
		{"a kind that is not built in", workload("argoproj.io", "Rollout", "web"), "advisor.shop.rollout--argoproj-io.web"},
		{"a dash in its group", workload("serving-x.dev", "Service", "web"), "advisor.shop.service--serving--x-dev.web"},
		{"a kind of two words", workload("sparkoperator.k8s.io", "SparkApplication", "pi"), "advisor.shop.spark-application--sparkoperator-k8s-io.pi"},
		{"account", aggregate.Group{Level: aggregate.ByServiceAccount, Namespace: "shop", ServiceAccount: "default"}, "advisor.shop.sa.default"},
		{"joined account", aggregate.Group{Level: aggregate.ByWorkload, Namespace: "shop", ServiceAccount: "default"}, "advisor.shop.sa.default"},
		{"static pods", aggregate.Group{Level: aggregate.ByServiceAccount, Namespace: "kube-system"}, "advisor.kube-system.nodes"},
		{"namespace", aggregate.Group{Level: aggregate.ByNamespace, Namespace: "shop"}, "advisor.shop"},
		{"cluster", aggregate.Group{Level: aggregate.ByCluster}, "advisor.cluster"},
		{"a kind that no server serves", workload("apps", "deployment", "web"), "advisor.shop.deployment-apps.web-"},
		{"characters that a name may not have", workload("apps", "Deployment", "We b"), "advisor.shop.deployment.we-b-"},
		{"a namespace that is none", aggregate.Group{Level: aggregate.ByNamespace, Namespace: "a.nodes"}, "advisor.a.nodes-"},
		{"too long", workload("apps", "Deployment", long), "advisor.shop.deployment." + strings.Repeat("x", 212) + "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Name(tc.group)
			if strings.HasSuffix(tc.want, "-") {
				// The hash itself is not spelled out.
				got = strings.TrimRight(got, "0123456789abcdef")
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestNameWithin(t *testing.T) {
	names := map[string]string{}
	for _, namespace := range []string{"shop", strings.Repeat("x", 55), strings.Repeat("x", 56), strings.Repeat("x", 62) + "y", strings.Repeat("x", 63), "UPPER"} {
		name := NameWithin(aggregate.Group{Level: aggregate.ByNamespace, Namespace: namespace}, 63)
		if other, known := names[name]; known || len(name) > 63 || len(validation.IsDNS1123Subdomain(name)) > 0 {
			t.Errorf("the name of %s is %s, that of %q", namespace, name, other)
		}
		if len(namespace) < 56 && name != "advisor."+namespace && namespace != "UPPER" {
			t.Errorf("the name of %s is %s, though it fits", namespace, name)
		}
		names[name] = namespace
	}
}

func TestKey(t *testing.T) {
	web := &aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: "web"}
	odd := &aggregate.Workload{Namespace: "NAMESPACE", Group: "apps", Kind: "Deployment", Name: "web"}
	for _, tc := range []struct {
		name  string
		group aggregate.Group
		want  Key
	}{
		{"workload", aggregate.Group{Level: aggregate.ByWorkload, Namespace: "shop", Workload: web}, Key{"shop", "deployment.web"}},
		{"account", aggregate.Group{Level: aggregate.ByServiceAccount, Namespace: "shop", ServiceAccount: "web"}, Key{"shop", "sa.web"}},
		{"static pods", aggregate.Group{Level: aggregate.ByServiceAccount, Namespace: "shop"}, Key{"shop", "nodes"}},
		{"namespace", aggregate.Group{Level: aggregate.ByNamespace, Namespace: "shop"}, Key{"shop", "namespace"}},
		{"odd namespace", aggregate.Group{Level: aggregate.ByNamespace, Namespace: "NAMESPACE"}, Key{"NAMESPACE", "namespace"}},
		{"a workload in it", aggregate.Group{Level: aggregate.ByWorkload, Namespace: "NAMESPACE", Workload: odd}, Key{"NAMESPACE", "deployment.web-4505485b42ed254b"}},
		{"cluster", aggregate.Group{Level: aggregate.ByCluster}, Key{"", "cluster"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := KeyOf(tc.group); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// Different groups have different names, and each is one that an object may
// have, whatever a file holds.
func TestNamesTellGroupsApart(t *testing.T) {
	r := podtest.Rand(t)
	// The same key may stand for an account of one level and that of another.
	type keyAt struct {
		level aggregate.Level
		Key
	}
	groups, keys := map[string]string{}, map[keyAt]string{}
	check := func(g aggregate.Group) {
		t.Helper()
		data, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		id := string(data)
		name := Name(g)
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			t.Fatalf("name %q: %v", name, problems)
		}
		if known, ok := groups[name]; ok && known != id {
			t.Fatalf("%s names two groups:\n%s\n%s", name, known, id)
		}
		groups[name] = id
		key := keyAt{g.Level, KeyOf(g)}
		if problems := validation.IsDNS1123Subdomain(key.Name); len(problems) > 0 || key.Namespace != g.Namespace {
			t.Fatalf("key %v: %v", key, problems)
		}
		if known, ok := keys[key]; ok && known != id {
			t.Fatalf("%v is the key of two groups:\n%s\n%s", key, known, id)
		}
		keys[key] = id
	}
	check(aggregate.Group{Level: aggregate.ByCluster})
	for range 3000 {
		w := aggregate.Workload{
			Namespace: part(r, namespaces), Group: part(r, apiGroups), Kind: part(r, kinds), Name: part(r, objectNames),
		}
		check(aggregate.Group{Level: aggregate.ByWorkload, Namespace: w.Namespace, Workload: &w})
		check(aggregate.Group{Level: aggregate.ByServiceAccount, Namespace: w.Namespace, ServiceAccount: w.Name})
		check(aggregate.Group{Level: aggregate.ByServiceAccount, Namespace: w.Namespace})
	}
	for _, namespace := range namespaces {
		if namespace != "cluster" { // another level's name, and levels do not meet in one output
			check(aggregate.Group{Level: aggregate.ByNamespace, Namespace: namespace})
		}
	}
}

// Parts that join to the same text in several ways. An owner reference may hold
// any kind and group, a file any name.
var (
	namespaces  = []string{"a", "a-b", "b", "cluster", "a.deployment", "A", "x_y", "x-y", "nodes", "sa", strings.Repeat("n", 63)}
	apiGroups   = []string{"", "apps", "batch", "b", "a.b", "a-b", "a--b", "argoproj.io", "A.b", "b_c", "a..b", "application.b"}
	kinds       = []string{"Pod", "Deployment", "Rollout", "Rollout-a", "RollOut", "ROLLOUT", "Spark", "SparkApplication", "Job.a", "deployment", "a", "a_b", "Sa", "Nodes", "D e", "Dé"}
	objectNames = []string{
		"a", "b", "a-b", "b-c", "a.b", "b.c", "deployment.b", "sa.a", "A", "a_", "a ", "é", "\n---\n", "x\x00y", "default",
		strings.Repeat("x", 253), strings.Repeat("x", 252) + "y", strings.Repeat("long.", 50) + "a",
	}
)

func part(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
