package diff_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestAgainst(t *testing.T) {
	pid := func(p *corev1.Pod) { p.Spec.HostPID = true }
	ipc := func(p *corev1.Pod) { p.Spec.HostIPC = true }
	rest := []string{"default runtimeClass", "group 1000", "user 1000"}
	permits := func(namespace, account string) []diff.Permitted {
		if namespace != "shop" || account != "default" {
			return nil
		}
		return []diff.Permitted{privilege.SetOf(append(rest, "hostPID", "hostPath /var/log")...), privilege.SetOf(append(rest, "hostIPC")...)}
	}
	for _, tc := range []struct {
		name string
		head []aggregate.Member
		want []string
	}{
		{"within one", []aggregate.Member{member("shop/a", small(pid)), member("shop/b", small(ipc), small(pid))}, nil},
		{"below a path", []aggregate.Member{member("shop/a", small(hostPath("/var/log/pods", true)))}, nil},
		{"within both together", []aggregate.Member{member("shop/a", small(pid, ipc))}, []string{"shop Deployment/a changed", "+ high: hostIPC"}},
		{
			"two pods",
			[]aggregate.Member{member("shop/a", small(podtest.Security(capable("SYS_TIME"))), small(hostPath("/etc", true)), small(hostPath("/etc", true), podtest.Sidecar("x", podtest.Context(podtest.Tight))))},
			[]string{"shop Deployment/a changed", "+ medium: capability SYS_TIME by c", "+ high: hostPath /etc by c other hostPath /var/log"},
		},
		{"another account", []aggregate.Member{as("b", member("shop/a", small(pid)))}, []string{"shop Deployment/a unpermitted", "+ info: default runtimeClass", "+ info: group 1000 by c", "+ high: hostPID", "+ info: user 1000 by c"}},
		{"another namespace", []aggregate.Member{member("bank/a", small())}, []string{"bank Deployment/a unpermitted", "+ info: default runtimeClass", "+ info: group 1000 by c", "+ info: user 1000 by c"}},
		{"a static pod", []aggregate.Member{as("", member("bank/a", small(pid)))}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, text(diff.Against([]diff.Permits{permits}, &observe.Observation{Members: tc.head}))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A pod must be within each base.
func TestAgainstSeveral(t *testing.T) {
	base := func(state diff.State, lines ...string) diff.Permits {
		return func(_, _ string) []diff.Permitted {
			if state == diff.Unpermitted {
				return nil
			}
			return []diff.Permitted{privilege.SetOf(append(lines, "default runtimeClass", "group 1000", "user 1000")...)}
		}
	}
	head := &observe.Observation{Members: []aggregate.Member{member("shop/a", small(hostPath("/etc", true)))}}
	for _, tc := range []struct {
		name  string
		bases []diff.Permits
		want  []string
	}{
		{"within both", []diff.Permits{base(diff.Changed, "hostPath /"), base(diff.Changed, "hostPath /etc")}, nil},
		{"beyond one", []diff.Permits{base(diff.Changed, "hostPath /"), base(diff.Changed, "hostPath /var")}, []string{"shop Deployment/a changed", "+ high: hostPath /etc by c other hostPath /var"}},
		{"beyond both", []diff.Permits{base(diff.Changed, "hostPath /opt"), base(diff.Changed, "hostPath /var")}, []string{"shop Deployment/a changed", "+ high: hostPath /etc by c other hostPath /opt, hostPath /var"}},
		{
			"one has none",
			[]diff.Permits{base(diff.Changed, "hostPath /"), base(diff.Unpermitted)},
			[]string{"shop Deployment/a unpermitted", "+ info: default runtimeClass", "+ info: group 1000 by c", "+ high: hostPath /etc by c", "+ info: user 1000 by c"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, text(diff.Against(tc.bases, head))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A workload escalates exactly when the table of its namespace does not admit one of its
// pods.
func TestAgainstTables(t *testing.T) {
	r := podtest.Rand(t)
	escalated, within := 0, 0
	for range 300 {
		var pods []*corev1.Pod
		for range 1 + r.IntN(4) {
			pods = append(pods, podtest.Random(r))
		}
		base, head := randomSide(r, pods), randomSide(r, pods)
		for _, level := range aggregate.Levels() {
			tables := map[string]cel.Table{}
			for _, table := range cel.Tables(base, level) {
				tables[table.Group.Namespace] = table
			}
			of := func(namespace string) cel.Table {
				if level == aggregate.ByCluster {
					namespace = ""
				}
				return tables[namespace]
			}
			permits := func(namespace, account string) []diff.Permitted {
				var list []diff.Permitted
				for _, s := range of(namespace).Permits(account) {
					list = append(list, s)
				}
				return list
			}
			changed := map[aggregate.Workload]bool{}
			for _, c := range diff.Against([]diff.Permits{permits}, &observe.Observation{Members: head}) {
				changed[c.Workload] = true
			}
			admitted := map[aggregate.Workload]bool{}
			for _, m := range head {
				if _, seen := admitted[m.Workload]; !seen {
					admitted[m.Workload] = true
				}
				for _, pod := range m.Profile.PodPrivileges.Values() {
					ok, _ := of(m.Workload.Namespace).Admits(m.ServiceAccount, privilege.SetOf(pod...))
					admitted[m.Workload] = admitted[m.Workload] && ok
				}
			}
			for w, ok := range admitted {
				if changed[w] == ok {
					t.Fatalf("%s: %s: admitted: %t, escalates: %t", level, w, ok, changed[w])
				}
				if ok {
					within++
				} else {
					escalated++
				}
			}
		}
	}
	if within < 100 || escalated < 100 {
		t.Errorf("%d workloads within, %d beyond", within, escalated)
	}
}
