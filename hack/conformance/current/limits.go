package main

import (
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// largest are pods that are as large as pods get, and larger.
func largest() map[string]*corev1.Pod {
	containers := func(n int, tweak func(int, *corev1.Container)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers = nil
			for i := range n {
				c := corev1.Container{Name: fmt.Sprintf("c%d", i), Image: "x"}
				tweak(i, &c)
				p.Spec.Containers = append(p.Spec.Containers, c)
			}
		}
	}
	volumes := func(n int, source func(int) corev1.VolumeSource) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			for i := range n {
				p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: source(i)})
			}
		}
	}
	everywhere := func(p *corev1.Pod) {
		for i := range p.Spec.Containers {
			for _, v := range p.Spec.Volumes {
				podtest.Mount(v.Name, corev1.VolumeMount{ReadOnly: i%2 == 1})(&p.Spec.Containers[i])
			}
		}
	}
	plain := func(int, *corev1.Container) {}
	path := func(i int) corev1.VolumeSource {
		return podtest.HostPath(fmt.Sprintf("/var/lib/some/where/data-%d", i))
	}
	return map[string]*corev1.Pod{
		"50 containers that mount 50 host paths":  podtest.Pod(containers(50, plain), volumes(50, path), everywhere),
		"100 containers":                          podtest.Pod(containers(100, plain)),
		"100 containers that mount 20 host paths": podtest.Pod(containers(100, plain), volumes(20, path), everywhere),
		"10 containers that mount 200 host paths": podtest.Pod(containers(10, plain), volumes(200, path), everywhere),
		"200 host ports": podtest.Pod(containers(10, func(i int, c *corev1.Container) {
			for k := range 20 {
				port := int32(1000 + 20*i + k) //nolint:gosec // small
				c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: port, HostPort: port})
			}
		})),
		"40 containers with 60 capabilities": podtest.Pod(containers(40, func(_ int, c *corev1.Container) {
			c.SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{}}
			for k := range 60 {
				add(c.SecurityContext, corev1.Capability(fmt.Sprintf("CAP_NUMBER_%d", k)))
			}
		})),
		"200 projected volumes": podtest.Pod(volumes(200, func(int) corev1.VolumeSource { return podtest.Token() })),
		"300 groups and sysctls": podtest.Pod(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			for i := range 300 {
				sc.SupplementalGroups = append(sc.SupplementalGroups, int64(i))
				sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: fmt.Sprintf("a.b%d", i), Value: "1"})
			}
		})),
		"long strings": podtest.Pod(containers(20, func(i int, c *corev1.Container) {
			c.SecurityContext = &corev1.SecurityContext{SELinuxOptions: &corev1.SELinuxOptions{Type: strings.Repeat(`\ `, 500), Level: fmt.Sprint(i)}}
		})),
	}
}

// permits returns tables for a pod that are as large as a text may be: they have
// alternatives that permit nearly the pod, then perhaps one that does.
func permits(pod *corev1.Pod, account string, limit, alternatives int, last bool) cel.Table {
	lines := append(asksOf(pod).set().Lines(), privilege.TokenVolume)
	var t cel.Table
	size := 0
	for i := range alternatives {
		// One line is missing, and another one makes each alternative different.
		own := append([]string{fmt.Sprintf("hostPath /alternative/%d", i)}, lines...)
		k := 1 + i%len(lines)
		own = append(own[:k:k], own[k+1:]...)
		a := cel.Alternative{Account: account, Permits: privilege.SetOf(own...)}
		size += len(strings.Join(a.Permits.Lines(), "\n")) + len(account) + 5
		if size > limit-4096 {
			break
		}
		t.Alternatives = append(t.Alternatives, a)
	}
	if last {
		t.Alternatives = append(t.Alternatives, cel.Alternative{Account: account, Permits: privilege.SetOf(lines...)})
	}
	return t
}

// limits judges the largest pods under the smallest and the largest permits: each must
// be admitted or denied as the Go model says, at costs that a server allows.
func (r *runner) limits(p *judge.Process) error {
	for _, params := range []vap.Params{vap.Annotation, vap.CRD} {
		text, err := policies(params)
		if err != nil {
			return err
		}
		found := result{steps: map[string]int{}, faults: map[string]string{}}
		var requests []podRequest
		var tables []cel.Table
		limit := cel.MaxText
		if params == vap.CRD {
			limit = 1 << 20
		}
		ask := func(what string, pod *corev1.Pod, t cel.Table) {
			namespace := fmt.Sprintf("n%d", len(requests))
			text += "---\n" + covering(params, namespace, t.Text(false))
			pod = pod.DeepCopy()
			pod.APIVersion, pod.Kind, pod.Namespace, pod.Spec.ServiceAccountName = "v1", "Pod", namespace, "robot"
			requests, tables = append(requests, podRequest{ID: what, Object: encode(pod)}), append(tables, t)
		}
		pods := largest()
		pods["a small pod"] = podtest.Pod()
		for _, what := range sorted(pods) {
			for _, last := range []bool{true, false} {
				for _, n := range []int{1, 500} {
					t := permits(pods[what], "robot", limit, n, last)
					ask(fmt.Sprintf("%s, %d alternatives", what, len(t.Alternatives)), pods[what], t)
				}
			}
		}
		// One alternative that is as large as a text may be.
		lines := asksOf(podtest.Pod()).set().Lines()
		for size := 0; size < limit-8192; size += 65 {
			lines = append(lines, fmt.Sprintf("hostPath /a/path/to/something/that/is/long/enough/%09d", size))
		}
		t := cel.Table{Alternatives: []cel.Alternative{{Account: "robot", Permits: privilege.SetOf(lines...)}}}
		ask("a small pod, one large alternative", podtest.Pod(), t)
		t.Alternatives[0].Account = "other"
		ask("a small pod, one large alternative of another account", podtest.Pod(), t)
		if err := r.large(p, string(params), text, requests, tables, &found); err != nil {
			return err
		}
	}
	return nil
}

// covering returns a namespace with permits.
func covering(params vap.Params, namespace, text string) string {
	if params != vap.CRD {
		return covered(namespace, text) + "\n"
	}
	var all []objects.Object
	all = append(all,
		objects.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": objects.Object{"name": namespace, "labels": objects.Object{cel.Key: "object"}}},
		objects.Object{"apiVersion": "psp-advisor.github.io/v1", "kind": "PodPermits", "metadata": objects.Object{"name": "permits", "namespace": namespace}, "spec": objects.Object{"permits": text}})
	joined, err := objects.Join(all)
	if err != nil {
		panic(err) // of strings
	}
	return joined
}

func (r *runner) large(p *judge.Process, level, text string, requests []podRequest, tables []cel.Table, found *result) error {
	verdicts, err := ask(p, request{Name: "large pods", Cluster: &cluster{Objects: text}, Pods: requests, ReturnPods: true})
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		found.pods++
		found.costs.add(v)
		if v.Outcome == refused {
			found.fault("refused", "%s: %s", v.ID, v.Reason)
			continue
		}
		model := denied
		if ok, _ := tables[i].Admits("robot", asksOf(v.Pod).set()); ok {
			model = admitted
		}
		for _, e := range v.Errors {
			found.fault("evaluation error", "%s: %s", v.ID, e.Message)
		}
		for _, d := range v.Denials {
			if d.MessageError != "" {
				found.fault("no message", "%s: %s", v.ID, d.MessageError)
			}
		}
		// Few alternatives are always compared; many may be too many, which must be said.
		if strings.Contains(v.Message, "too many to compare") && len(tables[i].Alternatives) > 2 {
			found.uncompared++
		} else if v.Outcome != model {
			found.fault("verdict", "%s: %s, the model says %s: %s", v.ID, v.Outcome, model, v.Message)
		}
	}
	return r.finish("limits", level, "the largest pods, "+level, *found)
}
