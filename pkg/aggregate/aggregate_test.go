package aggregate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// plain and seccomp are profiles of pods without and with a seccomp profile
// for the whole pod.
func plain() *profile.Profile { return profile.Of(podtest.Pod(), profile.Options{}) }

func seccomp() *profile.Profile {
	return profile.Of(podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	})), profile.Options{})
}

// confined makes the workloads of an account one group.
func confined(m Member) bool {
	return m.Profile.Seccomp.Any(func(s profile.Seccomp) bool { return s.Pod != "" })
}

// of makes a pod from "NAMESPACE/NAME ACCOUNT", where a ! at the end stands for
// a seccomp profile for the whole pod; no account for a mirror pod.
func of(text string) Pod {
	text, marked := strings.CutSuffix(text, "!")
	workload, account, _ := strings.Cut(text, " ")
	namespace, name, _ := strings.Cut(workload, "/")
	p := Pod{Workload: Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name}, ServiceAccount: account, Profile: plain()}
	if marked {
		p.Profile = seccomp()
	}
	return p
}

func fleetOf(pods ...Pod) *Fleet {
	f := &Fleet{}
	for _, p := range pods {
		f.Add(p)
	}
	return f
}

// show writes groups as "NAMESPACE account ACCOUNT: WORKLOAD(ACCOUNT) …".
func show(groups []Group) []string {
	var lines []string
	for _, g := range groups {
		line := g.Namespace
		if g.Workload != nil {
			line += " " + g.Workload.String()
		}
		if g.ServiceAccount != "" {
			line += " account " + g.ServiceAccount
		}
		line += ":"
		for _, m := range g.Members {
			line += fmt.Sprintf(" %s/%s(%s)", m.Workload.Namespace, m.Workload.Name, m.ServiceAccount)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestLevels(t *testing.T) {
	pods := []Pod{of("b/web one"), of("a/web one"), of("a/web two"), of("a/db one"), of("a/static ")}
	for _, tc := range []struct {
		level Level
		want  []string
	}{
		{ByWorkload, []string{
			"a Deployment/db: a/db(one)", "a Deployment/static: a/static()", "a Deployment/web: a/web(one) a/web(two)",
			"b Deployment/web: b/web(one)",
		}},
		{ByServiceAccount, []string{
			"a: a/static()", "a account one: a/db(one) a/web(one)", "a account two: a/web(two)", "b account one: b/web(one)",
		}},
		{ByNamespace, []string{"a: a/db(one) a/static() a/web(one) a/web(two)", "b: b/web(one)"}},
		{ByCluster, []string{": a/db(one) a/static() a/web(one) a/web(two) b/web(one)"}},
	} {
		t.Run(string(tc.level), func(t *testing.T) {
			groups := Groups(fleetOf(pods...).Members(), tc.level, confined)
			if diff := cmp.Diff(tc.want, show(groups)); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			for _, g := range groups {
				if g.Level != tc.level {
					t.Errorf("a group of level %s", g.Level)
				}
			}
		})
	}
}

func TestNoPods(t *testing.T) {
	for _, level := range Levels() {
		if got := Groups((&Fleet{}).Members(), level, confined); len(got) != 0 {
			t.Errorf("groups of no pods at level %s: %v", level, show(got))
		}
	}
}

func TestParseLevel(t *testing.T) {
	for _, level := range Levels() {
		if got, err := ParseLevel(string(level)); got != level || err != nil {
			t.Errorf("ParseLevel(%s) = %s, %v", level, got, err)
		}
	}
	for _, bad := range []string{"", "Workload", "pod"} {
		if got, err := ParseLevel(bad); err == nil || got != "" {
			t.Errorf("ParseLevel(%q) = %q, %v", bad, got, err)
		}
	}
}

// Trap 1: where a pod of a shared account sets a seccomp profile for the whole
// pod, every policy counts as mutating and the alphabetically first one wins.
func TestTrap1PodSeccompJoinsSharedAccounts(t *testing.T) {
	for _, tc := range []struct {
		name string
		pods []string
		want []string
	}{
		{
			"nobody sets seccomp",
			[]string{"a/db one", "a/web one"},
			[]string{"a Deployment/db: a/db(one)", "a Deployment/web: a/web(one)"},
		},
		{
			"alone in its account",
			[]string{"a/db one!", "a/web two"},
			[]string{"a Deployment/db: a/db(one)", "a Deployment/web: a/web(two)"},
		},
		{
			"shared",
			[]string{"a/db one!", "a/web one"},
			[]string{"a account one: a/db(one) a/web(one)"},
		},
		{
			"the same name in another namespace is another account",
			[]string{"a/db one!", "b/web one"},
			[]string{"a Deployment/db: a/db(one)", "b Deployment/web: b/web(one)"},
		},
		{
			"a static pod of the name of another pod",
			[]string{"a/web ", "a/web one", "a/db one!"},
			[]string{"a Deployment/web: a/web()", "a account one: a/db(one) a/web(one)"},
		},
		{
			"only the pods under another account set it",
			[]string{"a/db one", "a/db two!", "a/web one"},
			[]string{"a Deployment/db: a/db(one) a/db(two)", "a Deployment/web: a/web(one)"},
		},
		{
			"a workload brings its other account along",
			[]string{"a/db one!", "a/web one", "a/web two", "a/api two"},
			[]string{"a Deployment/api: a/api(two)", "a account one: a/db(one) a/web(one) a/web(two)"},
		},
		{
			"a chain over several accounts is one group, named by the smallest",
			[]string{"a/w1 z!", "a/w2 z", "a/w2 y!", "a/w3 y", "a/w3 x!", "a/w4 x", "a/w5 w"},
			[]string{"a Deployment/w5: a/w5(w)", "a account x: a/w1(z) a/w2(y) a/w2(z) a/w3(x) a/w3(y) a/w4(x)"},
		},
		{
			"two chains stay apart",
			[]string{"a/w1 x!", "a/w2 x", "a/w3 y!", "a/w4 y"},
			[]string{"a account x: a/w1(x) a/w2(x)", "a account y: a/w3(y) a/w4(y)"},
		},
		{
			"static pods share the nodes",
			[]string{"a/etcd !", "a/proxy ", "a/web one"},
			[]string{"a: a/etcd() a/proxy()", "a Deployment/web: a/web(one)"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var pods []Pod
			for _, p := range tc.pods {
				pods = append(pods, of(p))
			}
			if diff := cmp.Diff(tc.want, show(Groups(fleetOf(pods...).Members(), ByWorkload, confined))); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
}

// A seccomp profile on the containers only is no annotation of the pod, and
// does not make a policy mutate.
func TestTrap1ContainerSeccompDoesNotJoin(t *testing.T) {
	own := of("a/db one")
	own.Profile = profile.Of(podtest.Pod(podtest.Security(func(sc *corev1.SecurityContext) {
		sc.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	})), profile.Options{})
	if got := Groups(fleetOf(own, of("a/web one")).Members(), ByWorkload, confined); len(got) != 2 {
		t.Errorf("joined: %v", show(got))
	}
}

// The group's evidence names its members.
func TestEvidence(t *testing.T) {
	pods := []Pod{of("a/web one"), of("a/db two!"), of("b/web one!")}
	g := Groups(fleetOf(pods...).Members(), ByCluster, nil)[0]
	set := func(s profile.Seccomp) bool { return s.Pod != "" }
	var names []string
	for _, u := range g.Profile().Seccomp.Uses(set) {
		names = append(names, g.Members[u.Member].Workload.Namespace+"/"+g.Members[u.Member].Workload.Name)
	}
	if diff := cmp.Diff([]string{"a/db", "b/web"}, names); diff != "" {
		t.Errorf("who sets seccomp (-want +got):\n%s", diff)
	}
}

func asJSON(t *testing.T, list []Member) string {
	t.Helper()
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestJoin(t *testing.T) {
	r := podtest.Rand(t)
	show := func(list []Member) string { return asJSON(t, list) }
	for range 30 {
		a, b, c := fleetOf(randomPods(r)...).Members(), fleetOf(randomPods(r)...).Members(), fleetOf(randomPods(r)...).Members()
		before := show(a)
		for _, law := range []struct {
			name        string
			left, right []Member
		}{
			{"commutative", Join(a, b), Join(b, a)},
			{"associative", Join(Join(a, b), c), Join(a, Join(b, c))},
			{"many at once", Join(c, a, b), Join(a, Join(b, c))},
			{"idempotent", Join(a, a), a},
			{"identity", Join(a, nil), a},
		} {
			if diff := cmp.Diff(show(law.left), show(law.right)); diff != "" {
				t.Fatalf("%s (-left +right):\n%s", law.name, diff)
			}
		}
		if diff := cmp.Diff(before, show(a)); diff != "" {
			t.Fatalf("Join changed its argument (-before +after):\n%s", diff)
		}
	}
}

func TestServiceAccounts(t *testing.T) {
	groups := Groups(fleetOf(of("b/web one"), of("a/web two"), of("a/db two"), of("a/static ")).Members(), ByCluster, confined)
	want := []Account{{"a", "two"}, {"b", "one"}}
	if diff := cmp.Diff(want, groups[0].ServiceAccounts()); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if !groups[0].HasMirrorPods() || Groups(fleetOf(of("a/web two")).Members(), ByCluster, confined)[0].HasMirrorPods() {
		t.Error("mirror pods are those without an account")
	}
}

// randomPods returns pods of few namespaces, workloads and accounts, so that
// they have them in common.
func randomPods(r *rand.Rand) []Pod {
	var in profile.Interner
	pods := make([]Pod, 1+r.IntN(25))
	for i := range pods {
		pods[i] = Pod{
			Workload: Workload{
				Namespace: []string{"a", "b"}[r.IntN(2)],
				Group:     []string{"apps", "example.com"}[r.IntN(2)],
				Kind:      []string{"Deployment", "Pod"}[r.IntN(2)],
				Name:      fmt.Sprint("w", r.IntN(4)),
			},
			ServiceAccount: []string{"", "default", "one", "two"}[r.IntN(4)],
			Profile:        in.Intern(profile.Of(podtest.Random(r), profile.Options{})),
		}
	}
	return pods
}

// text writes groups, evidence included, but for how many pods there are.
func text(t *testing.T, groups []Group) string {
	t.Helper()
	for _, g := range groups {
		for i := range g.Members {
			g.Members[i].Pods, g.Members[i].Templates = 0, 0
		}
	}
	type withUnion struct {
		Group
		Union *profile.Profile
	}
	var all []withUnion
	for _, g := range groups {
		all = append(all, withUnion{g, g.Profile()})
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnyOrderAndRepetition(t *testing.T) {
	r := podtest.Rand(t)
	for range 20 {
		pods := randomPods(r)
		fleet := fleetOf(pods...)
		shuffled := append(slices.Clone(pods), pods[:r.IntN(len(pods))]...)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for i := range shuffled {
			if r.IntN(2) == 0 {
				// Not the interned profile, but an equal one.
				shuffled[i].Profile = profile.Join(shuffled[i].Profile, &profile.Profile{})
			}
		}
		for _, level := range Levels() {
			want := text(t, Groups(fleet.Members(), level, confined))
			if diff := cmp.Diff(want, text(t, Groups(fleetOf(shuffled...).Members(), level, confined))); diff != "" {
				t.Fatalf("level %s, another order (-want +got):\n%s", level, diff)
			}
			if diff := cmp.Diff(want, text(t, Groups(fleet.Members(), level, confined))); diff != "" {
				t.Fatalf("level %s, asked twice (-first +second):\n%s", level, diff)
			}
		}
	}
}

// Any split: fleets of the parts, added together, are the fleet of the whole.
func TestAnySplit(t *testing.T) {
	r := podtest.Rand(t)
	for range 15 {
		pods := randomPods(r)
		cut := r.IntN(len(pods) + 1)
		var whole Fleet
		for _, part := range []*Fleet{fleetOf(pods[cut:]...), fleetOf(pods[:cut]...)} {
			for _, m := range part.Members() {
				whole.Add(Pod{Workload: m.Workload, ServiceAccount: m.ServiceAccount, Profile: m.Profile})
			}
		}
		for _, level := range Levels() {
			if diff := cmp.Diff(text(t, Groups(fleetOf(pods...).Members(), level, confined)), text(t, Groups(whole.Members(), level, confined))); diff != "" {
				t.Fatalf("level %s, split at %d (-whole +split):\n%s", level, cut, diff)
			}
		}
	}
}

func TestEachPodIsInOneGroup(t *testing.T) {
	r := podtest.Rand(t)
	for range 20 {
		pods := randomPods(r)
		for _, level := range Levels() {
			groups := Groups(fleetOf(pods...).Members(), level, confined)
			for _, p := range pods {
				found := 0
				for _, g := range groups {
					for _, m := range g.Members {
						if m.Workload != p.Workload || m.ServiceAccount != p.ServiceAccount {
							continue
						}
						found++
						if !m.Profile.Covers(p.Profile) || !g.Profile().Covers(m.Profile) {
							t.Fatalf("level %s: the group of %v does not cover it", level, p.Workload)
						}
					}
				}
				if found != 1 {
					t.Fatalf("level %s: %v under %q is in %d groups", level, p.Workload, p.ServiceAccount, found)
				}
			}
			for _, g := range groups {
				joined := &profile.Profile{}
				for _, m := range g.Members {
					joined = profile.Join(joined, m.Profile)
				}
				if !g.Profile().Equal(joined) {
					t.Fatalf("level %s: a group has more than its members", level)
				}
				volumes := func(p *profile.Profile) profile.Set[profile.Name] { return p.Volumes }
				if diff := cmp.Diff(g.Profile().Volumes.Items(), Attribute(g, volumes).Items()); diff != "" {
					t.Fatalf("level %s: an attribute of a group (-of its profile +alone):\n%s", level, diff)
				}
			}
		}
	}
}

// No account holds two groups when one of its pods sets seccomp for the whole
// pod, and no workload is torn apart, but for its static pods.
func TestSharedAccountsAreSafe(t *testing.T) {
	r := podtest.Rand(t)
	for range 100 {
		pods := randomPods(r)
		groupOf := map[unit]int{}
		groups := Groups(fleetOf(pods...).Members(), ByWorkload, confined)
		for i, g := range groups {
			for _, m := range g.Members {
				if known, ok := groupOf[unitOf(m)]; ok && known != i {
					t.Fatalf("%v is in two groups", m.Workload)
				}
				groupOf[unitOf(m)] = i
				if (m.ServiceAccount == "") != g.HasMirrorPods() {
					t.Fatalf("%v shares a group with static pods", m.Workload)
				}
			}
		}
		for _, p := range pods {
			if !p.Profile.Seccomp.Any(func(s profile.Seccomp) bool { return s.Pod != "" }) {
				continue
			}
			for _, o := range pods {
				if o.Workload.Namespace == p.Workload.Namespace && o.ServiceAccount == p.ServiceAccount &&
					groupOf[unit{o.Workload, o.ServiceAccount == ""}] != groupOf[unit{p.Workload, p.ServiceAccount == ""}] {
					t.Fatalf("account %q has a pod with seccomp and two policies:\n%s", p.ServiceAccount, strings.Join(show(groups), "\n"))
				}
			}
		}
	}
}

func TestNoMutation(t *testing.T) {
	r := podtest.Rand(t)
	for range 15 {
		pods := randomPods(r)
		var before []string
		for _, p := range pods {
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			before = append(before, string(data))
		}
		fleet := fleetOf(pods...)
		members := fleet.Members()
		for _, level := range Levels() {
			Groups(fleet.Members(), level, confined)
		}
		for i, p := range pods {
			after, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before[i], string(after)); diff != "" {
				t.Fatalf("a pod was changed (-before +after):\n%s", diff)
			}
		}
		if diff := cmp.Diff(asJSON(t, fleet.Members()), asJSON(t, members)); diff != "" {
			t.Fatalf("grouping changed the fleet (-before +after):\n%s", diff)
		}
	}
}
