package main

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pair are two pods that differ so little that one could be taken to be permitted what
// the other is. The second one asks for a line of which the first one has none.
type pair struct {
	has, asks func(*corev1.Pod)
	line      string
}

func nearPods() []pair {
	user := func(uid *int64, nonRoot *bool) func(*corev1.Pod) {
		return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = uid, nonRoot })
	}
	group := func(gid *int64) func(*corev1.Pod) {
		return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsGroup = gid })
	}
	path := func(path string, readOnly bool) func(*corev1.Pod) {
		return podtest.Volume("v", podtest.HostPath(path), &corev1.VolumeMount{ReadOnly: readOnly})
	}
	seccomp := func(profile string) func(*corev1.Pod) {
		return podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.SeccompProfile = nil
			if profile != "" {
				sc.SeccompProfile = podtest.Seccomp(profile)
			}
		})
	}
	capabilities := func(names ...corev1.Capability) func(*corev1.Pod) {
		return podtest.Security(func(sc *corev1.SecurityContext) {
			sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: names}
		})
	}
	port := func(p corev1.ContainerPort) func(*corev1.Pod) {
		p.ContainerPort = p.HostPort
		return podtest.Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{p} })
	}
	privileged := podtest.Security(func(sc *corev1.SecurityContext) { sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil })
	seLinux := func(p *corev1.Pod) {
		privileged(p)
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"} })(p)
	}
	return []pair{
		{user(nil, nil), user(new(int64(0)), nil), "root user"},
		{user(nil, new(true)), user(nil, nil), "image user root"},
		{user(new(int64(1)), nil), user(new(int64(10)), nil), "user 10"},
		{group(nil), group(new(int64(0))), "root group"},
		{path("/var/log", true), path("/var/log", false), "write hostPath /var/log"},
		{path("/var/log", true), path("/var/logs", true), "hostPath /var/logs"},
		{path("/var/log/pods", true), path("/var/log", true), "hostPath /var/log"},
		{seccomp("localhost/a"), seccomp("localhost/ab"), "seccomp localhost/ab"},
		{seccomp("localhost/a"), seccomp(""), "no seccomp profile"},
		{seccomp(""), seccomp("unconfined"), "seccomp unconfined"},
		{capabilities("NET_ADMIN"), capabilities("NET_ADMIN", "SYS_ADMIN"), "capability SYS_ADMIN"},
		{capabilities("NET_ADMIN"), capabilities("ALL"), "capability ALL"},
		{port(corev1.ContainerPort{HostPort: 80, HostIP: "127.0.0.1"}), port(corev1.ContainerPort{HostPort: 80}), "hostPort 80/TCP"},
		{port(corev1.ContainerPort{HostPort: 80}), port(corev1.ContainerPort{HostPort: 80, Protocol: corev1.ProtocolUDP}), "hostPort 80/UDP"},
		{capabilities("ALL"), privileged, "privileged"},
		{privileged, seLinux, "seLinux type=spc_t"},
	}
}

// near judges pods with the permits of a pod that is near. Each must be denied, with a
// message that names the line, whatever the Go model says.
func (r *runner) near(p *judge.Process) error {
	text, err := policies(vap.Annotation)
	if err != nil {
		return err
	}
	found := result{steps: map[string]int{}, faults: map[string]string{}}
	var pods []podRequest
	cases := nearPods()
	for i, n := range cases {
		namespace := fmt.Sprintf("n%d", i)
		has, asks := podtest.Least(onHost, n.has), podtest.Least(onHost, n.asks)
		asks.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		asks.Namespace, asks.Spec.ServiceAccountName, asks.Spec.AutomountServiceAccountToken = namespace, "robot", new(false)
		table := cel.Table{Alternatives: []cel.Alternative{{Account: "robot", Permits: privilege.SetOf(asksOf(has).set().Lines()...)}}}
		text += "---\n" + covered(namespace, table.Text(false)) + "\n"
		pods = append(pods, podRequest{ID: n.line, Object: encode(asks)})
	}
	verdicts, err := ask(p, request{Name: "pods that are near", Cluster: &cluster{Objects: text}, Pods: pods})
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		found.pods++
		if v.Outcome != denied || !strings.Contains(v.Message, cases[i].line) {
			found.fault("near", "%q is not permitted: %s %s%s", cases[i].line, v.Outcome, v.Message, v.Reason)
		}
	}
	return r.finish("near", "", "pods that are near", found)
}
