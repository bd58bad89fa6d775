package cel_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// member is a workload, given as namespace/name, under an account.
func member(path, account string, pods ...*corev1.Pod) aggregate.Member {
	namespace, name, _ := strings.Cut(path, "/")
	m := aggregate.Member{
		Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: account, Pods: len(pods),
	}
	var profiles []*profile.Profile
	for _, pod := range pods {
		profiles = append(profiles, profile.Of(pod, profile.Options{}))
	}
	m.Profile = profile.Join(profiles...)
	return m
}

// small is a pod with few privileges, and those that are added.
func small(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	return podtest.Least(append([]func(*corev1.Pod){func(p *corev1.Pod) { p.Spec.RuntimeClassName = nil }}, tweaks...)...)
}

func hostPID(p *corev1.Pod) { p.Spec.HostPID = true }
func hostIPC(p *corev1.Pod) { p.Spec.HostIPC = true }

func TestText(t *testing.T) {
	debugger := podtest.Init("i\n[x]", podtest.Context(func(sc *corev1.SecurityContext) {
		sc.AllowPrivilegeEscalation, sc.ReadOnlyRootFilesystem = new(false), new(true)
		sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_ADMIN"}}
	}))
	members := []aggregate.Member{
		member("shop/web", "web", small(hostPID, debugger)),
		member("shop/small", "web", small(), small(hostPID)),
		member("shop/other", "web", small(hostIPC)),
		member("shop/evil\n[*]\nprivileged", "db", small(podtest.Volume("v", podtest.HostPath("/a\n[*]\n\nprivileged"), nil))),
		{Workload: aggregate.Workload{Namespace: "shop", Kind: "Node", Name: "n"}, Profile: profile.Of(small(hostPID), profile.Options{})},
		member("bank/web", "web", small(hostIPC)),
	}
	for _, tc := range []struct {
		level aggregate.Level
		want  []string
	}{
		{aggregate.ByWorkload, []string{
			`[web]
# for Deployment/web
default runtimeClass
# Deployment/web (container c)
group 1000
# Deployment/web
hostIPC
# Deployment/web (container c)
user 1000`, `[db]
# for Deployment/evil\n[*]\nprivileged
default runtimeClass
# Deployment/evil\n[*]\nprivileged (container c)
group 1000
# Deployment/evil\n[*]\nprivileged
hostPath /a\n[*]\n\nprivileged
# Deployment/evil\n[*]\nprivileged (container c)
user 1000

[web]
# for Deployment/other
default runtimeClass
# Deployment/other (container c)
group 1000
# Deployment/other
hostIPC
# Deployment/other (container c)
user 1000

[web]
# for Deployment/small, Deployment/web
# Deployment/web (container i\n[x])
capability NET_ADMIN
# Deployment/small, Deployment/web
default runtimeClass
# Deployment/small (container c), Deployment/web (containers c, i\n[x])
group 1000
# Deployment/small, Deployment/web
hostPID
# Deployment/small (container c), Deployment/web (containers c, i\n[x])
user 1000`,
		}},
		{aggregate.ByNamespace, []string{
			`[*]
# for Deployment/web
default runtimeClass
# Deployment/web (container c)
group 1000
# Deployment/web
hostIPC
# Deployment/web (container c)
user 1000`, `[*]
# for Deployment/evil\n[*]\nprivileged, Deployment/other, Deployment/small and 1 more
# Deployment/web (container i\n[x])
capability NET_ADMIN
# Deployment/evil\n[*]\nprivileged, Deployment/other, Deployment/small and 1 more
default runtimeClass
# Deployment/evil\n[*]\nprivileged (container c), Deployment/other (container c), Deployment/small (container c) and 1 more
group 1000
# Deployment/other
hostIPC
# Deployment/small, Deployment/web
hostPID
# Deployment/evil\n[*]\nprivileged
hostPath /a\n[*]\n\nprivileged
# Deployment/evil\n[*]\nprivileged (container c), Deployment/other (container c), Deployment/small (container c) and 1 more
user 1000`,
		}},
	} {
		t.Run(string(tc.level), func(t *testing.T) {
			var got []string
			for _, table := range cel.Tables(members, tc.level) {
				got = append(got, table.Text(true))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// parse reads a text as a policy does.
func parse(text string) map[string][]privilege.Set {
	permits := map[string][]privilege.Set{}
	for block := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(block, "\n")
		account := strings.TrimSuffix(strings.TrimPrefix(lines[0], "["), "]")
		var privileges []string
		for _, line := range lines[1:] {
			if !strings.HasPrefix(line, "#") {
				privileges = append(privileges, line)
			}
		}
		permits[account] = append(permits[account], privilege.SetOf(privileges...))
	}
	return permits
}

func randomMembers(r *rand.Rand) []aggregate.Member {
	var members []aggregate.Member
	for n := range 1 + r.IntN(6) {
		var pods []*corev1.Pod
		for range 1 + r.IntN(2) {
			pods = append(pods, podtest.Random(r))
		}
		m := member(fmt.Sprintf("%s/w%d", podtest.Pick(r, "shop", "bank"), n), podtest.Pick(r, "a", "b", ""), pods...)
		members = append(members, m)
	}
	return members
}

// Every pod is admitted under its account; without any one line of an alternative, some
// pod is not; and the text says what the table does, with its comments or not.
func TestTablesAreSoundAndMinimal(t *testing.T) {
	r := podtest.Rand(t)
	fewer, more := false, false
	for range 300 {
		members := randomMembers(r)
		for _, level := range aggregate.Levels() {
			tables := cel.Tables(members, level)
			shuffled := slices.Clone(members)
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			for i, other := range cel.Tables(shuffled, level) {
				if tables[i].Text(true) != other.Text(true) {
					t.Fatalf("the order of the members counts:\n%s\n%s", tables[i].Text(true), other.Text(true))
				}
			}
			for _, table := range tables {
				if refused := refusedBy(table, members); len(refused) > 0 {
					t.Fatalf("%s: %v refused by\n%s", level, refused, table.Text(true))
				}
				checkMinimal(t, table, members)
				want := map[string][]privilege.Set{}
				for _, a := range table.Alternatives {
					want[a.Account] = append(want[a.Account], a.Permits)
				}
				for _, comments := range []bool{true, false} {
					if len(table.Alternatives) == 0 {
						continue
					}
					if diff := cmp.Diff(want, parse(table.Text(comments)), cmp.Comparer(privilege.Set.Equal)); diff != "" {
						t.Fatalf("the text is another table (-table +text):\n%s", diff)
					}
				}
				if level == aggregate.ByWorkload {
					fewer = fewer || len(table.Alternatives) < len(table.Group.Members)
					more = more || len(table.Alternatives) > len(table.Group.Members)
				}
			}
		}
	}
	if !fewer || !more {
		t.Errorf("a member was part of another: %t, pods of a member differed: %t", fewer, more)
	}
}

func refusedBy(table cel.Table, members []aggregate.Member) []string {
	var refused []string
	for _, m := range members {
		if m.ServiceAccount == "" || table.Group.Namespace != "" && m.Workload.Namespace != table.Group.Namespace {
			continue
		}
		for _, pod := range m.Profile.PodPrivileges.Values() {
			if ok, excess := table.Admits(m.ServiceAccount, privilege.SetOf(pod...)); !ok {
				refused = append(refused, fmt.Sprintf("%s: %q", m.Workload, excess))
			}
		}
	}
	return refused
}

func checkMinimal(t *testing.T, table cel.Table, members []aggregate.Member) {
	t.Helper()
	for i, a := range table.Alternatives {
		for l, line := range a.Permits.Lines() {
			less := table
			less.Alternatives = slices.Clone(table.Alternatives)
			less.Alternatives[i].Permits = privilege.SetOf(slices.Delete(slices.Clone(a.Permits.Lines()), l, l+1)...)
			if len(refusedBy(less, members)) == 0 {
				t.Fatalf("[%s] does not need %q in\n%s", a.Account, line, table.Text(true))
			}
		}
	}
}

// A line is not permitted twice because pods of one workload differ.
func TestPodsThatDiffer(t *testing.T) {
	table := cel.Tables([]aggregate.Member{
		member("shop/a", "web", small(hostPID), small(hostIPC), small()),
		member("shop/b", "web", small(hostIPC, func(p *corev1.Pod) { p.Spec.HostNetwork = true })),
	}, aggregate.ByWorkload)[0]
	want := `[web]
default runtimeClass
group 1000
hostPID
user 1000

[web]
default runtimeClass
group 1000
hostIPC
hostNetwork
user 1000`
	if diff := cmp.Diff(want, table.Text(false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := len(table.Alternatives[1].Group.Members); got != 2 {
		t.Errorf("the second alternative is for %d members, want both", got)
	}
}

// What does not fit gives up its comments, then its alternatives, then its accounts.
func TestFit(t *testing.T) {
	table := cel.Tables([]aggregate.Member{
		member("shop/a", "a", small(hostPID)), member("shop/b", "a", small(hostIPC)), member("shop/c", "c", small()),
	}, aggregate.ByWorkload)[0]
	blocks := func(text string) (accounts []string) {
		for block := range strings.SplitSeq(text, "\n\n") {
			first, _, _ := strings.Cut(block, "\n")
			accounts = append(accounts, first)
		}
		return accounts
	}
	whole := table.Text(true)
	for _, tc := range []struct {
		name     string
		limit    int
		accounts []string
		given    string
	}{
		{"all", len(whole), []string{"[a]", "[a]", "[c]"}, ""},
		{"no comments", len(whole) - 1, []string{"[a]", "[a]", "[c]"}, "no comments"},
		{"accounts", len(table.Text(false)) - 1, []string{"[a]", "[c]"}, "one alternative for each service account"},
		{"any account", 70, []string{"[*]"}, "one alternative for all service accounts"},
		{"nothing fits", 5, []string{"[*]"}, "still larger than 5 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, given := table.Fit(tc.limit)
			if diff := cmp.Diff(tc.accounts, blocks(text)); diff != "" {
				t.Errorf("accounts (-want +got):\n%s", diff)
			}
			if (tc.given == "") != (given == "") || !strings.Contains(given, tc.given) {
				t.Errorf("given up: %q", given)
			}
			for account, sets := range parse(text) {
				for _, a := range table.Alternatives {
					if (account == a.Account || account == cel.AnyAccount) && len(sets) == 1 && !sets[0].Permits(a.Permits) {
						t.Errorf("[%s] does not permit %q", account, a.Permits.Lines())
					}
				}
			}
		})
	}
}

// A table that fits, but that no server could compare a pod with, has one alternative
// for each account.
func TestFitForServers(t *testing.T) {
	var members []aggregate.Member
	for i := range 400 {
		paths := func(p *corev1.Pod) {
			for k := range 8 {
				podtest.Volume(fmt.Sprintf("v%d", k), podtest.HostPath(fmt.Sprintf("/data/%d", i+k)), nil)(p)
			}
		}
		members = append(members, member(fmt.Sprintf("shop/w%d", i), "web", small(paths)))
	}
	table := cel.Tables(members, aggregate.ByWorkload)[0]
	text, given := table.Fit(1 << 30)
	if n := strings.Count(text, "[web]"); n != 1 || !strings.Contains(given, "too many lines for a server to compare pods with: it has no comments, and one alternative for each service account") {
		t.Errorf("%d alternatives, given up: %q", n, given)
	}
	if text, given := cel.Tables(members[:40], aggregate.ByWorkload)[0].Fit(1 << 30); strings.Count(text, "[web]") != 40 || given != "" {
		t.Errorf("of 40 workloads: %d alternatives, given up: %q", strings.Count(text, "[web]"), given)
	}
}
