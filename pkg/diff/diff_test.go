package diff_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// member is a workload, NAMESPACE/NAME, with its pods.
func member(path string, pods ...*corev1.Pod) aggregate.Member {
	namespace, name, _ := strings.Cut(path, "/")
	var profiles []*profile.Profile
	for _, pod := range pods {
		profiles = append(profiles, profile.Of(pod, profile.Options{}))
	}
	return aggregate.Member{
		Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: "default", Pods: len(pods), Profile: profile.Join(profiles...),
	}
}

func as(account string, m aggregate.Member) aggregate.Member {
	m.ServiceAccount = account
	return m
}

// small is a pod with few privileges, and those that are added.
func small(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	return podtest.Least(append([]func(*corev1.Pod){func(p *corev1.Pod) { p.Spec.RuntimeClassName = nil }}, tweaks...)...)
}

func capable(names ...corev1.Capability) func(*corev1.SecurityContext) {
	return func(sc *corev1.SecurityContext) {
		podtest.Tight(sc)
		sc.Capabilities.Add = names
	}
}

func image(name string) func(*corev1.Container) {
	return func(c *corev1.Container) { c.Image = name }
}

func hostPath(path string, readOnly bool) func(*corev1.Pod) {
	return podtest.Volume("v", podtest.HostPath(path), &corev1.VolumeMount{ReadOnly: readOnly})
}

func compare(base, head []aggregate.Member) []diff.Change {
	return diff.Compare(&observe.Observation{Members: base}, &observe.Observation{Members: head})
}

// text writes changes as one line each, and one for each privilege.
func text(changes []diff.Change) []string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %s", c.Workload.Namespace, c.Workload, c.State))
		for _, list := range []struct {
			mark       string
			privileges []diff.Privilege
		}{{"+", c.Escalated}, {"-", c.Reduced}, {"~", c.Spread}, {"^", c.Withdrawn}} {
			for _, p := range list.privileges {
				line := fmt.Sprintf("%s %s: %s", list.mark, p.Severity, p.Line)
				if len(p.Containers) > 0 {
					line += " by " + strings.Join(p.Containers, ",")
				}
				if len(p.Other) > 0 {
					line += " other " + strings.Join(p.Other, ", ")
				}
				lines = append(lines, line)
			}
		}
		if len(c.BaseAccounts)+len(c.HeadAccounts) > 0 {
			lines = append(lines, fmt.Sprintf("~ accounts %s, %s", c.BaseAccounts, c.HeadAccounts))
		}
	}
	return lines
}

func TestCompare(t *testing.T) {
	debug := podtest.Sidecar("log", podtest.Context(capable("NET_ADMIN")))
	other := podtest.Sidecar("log", podtest.Context(podtest.Tight))
	for _, tc := range []struct {
		name       string
		base, head []aggregate.Member
		want       []string
	}{
		{"nothing", []aggregate.Member{member("shop/web", small())}, []aggregate.Member{member("shop/web", small())}, nil},
		{"another tag", []aggregate.Member{member("shop/web", small(podtest.Container(image("web:1"))))}, []aggregate.Member{member("shop/web", small(podtest.Container(image("web:2"))))}, nil},
		{
			"two containers of one image",
			[]aggregate.Member{member("shop/web", small(podtest.Container(image("web:1")), podtest.Sidecar("log", image("web:1"), podtest.Context(podtest.Tight))))},
			[]aggregate.Member{member("shop/web", small(podtest.Container(image("web:1")), podtest.Sidecar("log", image("web:1"), podtest.Context(capable("SYS_PTRACE")))))},
			[]string{"shop Deployment/web changed", "+ high: capability SYS_PTRACE by log"},
		},
		{
			"a writable path",
			[]aggregate.Member{member("shop/web", small(hostPath("/var/log", true)))},
			[]aggregate.Member{member("shop/web", small(hostPath("/var/run/docker.sock", false)))},
			[]string{
				"shop Deployment/web changed", "+ critical: write hostPath /var/run/docker.sock by c other hostPath /var/log",
				"- low: hostPath /var/log by c other write hostPath /var/run/docker.sock",
			},
		},
		{
			"a path below",
			[]aggregate.Member{member("shop/web", small(hostPath("/var", true)))},
			[]aggregate.Member{member("shop/web", small(hostPath("/var/log", true)))},
			[]string{"shop Deployment/web changed", "- critical: hostPath /var by c other hostPath /var/log"},
		},
		{
			"a new workload",
			[]aggregate.Member{member("shop/web", small(hostPath("/var", true))), member("bank/db", small(podtest.Security(capable("SYS_ADMIN"))))},
			[]aggregate.Member{member("shop/web", small(hostPath("/var", true))), member("bank/db", small(podtest.Security(capable("SYS_ADMIN")))), member("shop/new", small(hostPath("/var/log", true), podtest.Security(capable("SYS_ADMIN"))))},
			[]string{"shop Deployment/new added", "+ critical: capability SYS_ADMIN by c"},
		},
		{"a new workload like others", []aggregate.Member{member("shop/web", small())}, []aggregate.Member{member("shop/web", small()), member("shop/new", small())}, []string{"shop Deployment/new added"}},
		{
			"a new namespace", nil,
			[]aggregate.Member{member("shop/web", small())},
			[]string{"shop Deployment/web added", "+ info: default runtimeClass", "+ info: group 1000 by c", "+ info: user 1000 by c"},
		},
		{
			"a workload that is gone",
			[]aggregate.Member{member("shop/web", small()), member("shop/old", small(podtest.Security(capable("SYS_TIME"))))},
			[]aggregate.Member{member("shop/web", small())},
			[]string{"shop Deployment/old removed", "- medium: capability SYS_TIME by c"},
		},
		{
			"another container does it too",
			[]aggregate.Member{member("shop/web", small(podtest.Security(capable("NET_ADMIN")), other))},
			[]aggregate.Member{member("shop/web", small(podtest.Security(capable("NET_ADMIN")), debug))},
			[]string{"shop Deployment/web changed", "~ high: capability NET_ADMIN by log"},
		},
		{
			"the image's user",
			[]aggregate.Member{member("shop/web", small())},
			[]aggregate.Member{member("shop/web", small(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser = nil })))},
			[]string{"shop Deployment/web changed", "+ medium: image user root by c other user 1000"},
		},
		{
			"another account",
			[]aggregate.Member{member("shop/web", small())},
			[]aggregate.Member{as("admin", member("shop/web", small()))},
			[]string{"shop Deployment/web changed", "~ accounts [default], [admin]"},
		},
		{"two accounts", []aggregate.Member{member("shop/web", small()), as("b", member("shop/web", small()))}, []aggregate.Member{as("b", member("shop/web", small())), member("shop/web", small())}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, text(compare(tc.base, tc.head))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// randomSide returns workloads of two namespaces, with some of another side's pods.
func randomSide(r *rand.Rand, pods []*corev1.Pod) []aggregate.Member {
	var members []aggregate.Member
	for n := range r.IntN(5) {
		var own []*corev1.Pod
		for range 1 + r.IntN(2) {
			own = append(own, podtest.Pick(r, pods...))
		}
		m := member(fmt.Sprintf("%s/w%d", podtest.Pick(r, "shop", "bank"), n), own...)
		members = append(members, as(podtest.Pick(r, "a", "b"), m))
	}
	return members
}

// permitted returns what a pod of a workload may ask for after a base.
func permitted(base []aggregate.Member, w aggregate.Workload) privilege.Set {
	known := slices.ContainsFunc(base, func(m aggregate.Member) bool { return m.Workload == w })
	var sets []privilege.Set
	for _, m := range base {
		if m.Workload == w || !known && m.Workload.Namespace == w.Namespace {
			for _, pod := range m.Profile.PodPrivileges.Values() {
				sets = append(sets, privilege.SetOf(pod...))
			}
		}
	}
	return privilege.Union(sets...)
}

func TestLaws(t *testing.T) {
	r := podtest.Rand(t)
	escalated, equal := 0, 0
	for range 1000 {
		var pods []*corev1.Pod
		for range 1 + r.IntN(4) {
			pods = append(pods, podtest.Random(r))
		}
		base, head := randomSide(r, pods), randomSide(r, pods)
		changes := compare(base, head)
		back := compare(head, base)
		if len(changes) != len(back) {
			t.Fatalf("%d changes one way, %d the other", len(changes), len(back))
		}
		of := map[aggregate.Workload]diff.Change{}
		for i, c := range changes {
			of[c.Workload] = c
			if d := cmp.Diff(c.Escalated, back[i].Reduced); d != "" {
				t.Fatalf("escalations are not the reductions of the other way: %s", d)
			}
			if d := cmp.Diff(c.Spread, back[i].Withdrawn); d != "" {
				t.Fatalf("what spreads is not withdrawn the other way: %s", d)
			}
		}
		for _, m := range head {
			within := true
			for _, pod := range m.Profile.PodPrivileges.Values() {
				within = within && permitted(base, m.Workload).Permits(privilege.SetOf(pod...))
			}
			same := within
			for _, o := range head { // a workload may have two accounts
				if o.Workload == m.Workload {
					for _, pod := range o.Profile.PodPrivileges.Values() {
						same = same && permitted(base, m.Workload).Permits(privilege.SetOf(pod...))
					}
				}
			}
			if got := len(of[m.Workload].Escalated) == 0; got != same {
				t.Fatalf("%s: no escalation: %t, every pod is within the base: %t", m.Workload, got, same)
			}
			if same {
				equal++
			} else {
				escalated++
			}
		}
		if changes := compare(base, base); len(changes) > 0 {
			t.Fatalf("differs from itself: %q", text(changes))
		}
		shuffled := slices.Clone(base)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if d := cmp.Diff(changes, compare(shuffled, head)); d != "" {
			t.Fatalf("the order matters: %s", d)
		}
	}
	if escalated < 100 || equal < 100 {
		t.Errorf("%d workloads with escalations, %d without", escalated, equal)
	}
}
