package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	observation "github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// origin is the annotation of a pod that says where it comes from.
const origin = "psp-advisor.github.io/origin"

// testCase is a request for a pod, and what vap does and says about it: nothing if it is
// permitted.
type testCase struct {
	pod *corev1.Pod
	// user sends the request; nil is anybody.
	user *user
	// debugging: the request adds the ephemeral containers of the pod, which exists.
	debugging bool
	action    cel.Enforcement
	message   string
}

// said returns what vap does and says about the case.
func (c testCase) said() string {
	if c.message == "" {
		return ""
	}
	return said(c.action, c.message)
}

func said(action cel.Enforcement, message string) string { return string(action) + ": " + message }

// special reports whether the request is another one than for a new pod by anybody.
func (c testCase) special() bool { return c.user != nil || c.debugging }

// corpus returns the pods of all manifests, and says in lines what there is.
func (s server) corpus(o options) (pods []*corev1.Pod, notes []string, err error) {
	corpora, missing, err := objects.ReadCorpora(o.root, o.corpora)
	if err != nil {
		return nil, nil, fmt.Errorf("reading corpora: %w", err)
	}
	for _, dir := range missing {
		notes = append(notes, "not there, so not judged: "+dir)
	}
	files, refused := 0, 0
	for _, c := range corpora {
		for _, file := range c.Sources {
			found, no, err := s.podsOf(file, fmt.Sprintf("n%d-", files))
			if err != nil {
				return nil, nil, err
			}
			files, refused = files+1, refused+no
			for _, pod := range found {
				pods = append(pods, named(pod, len(pods), file.Name+" "+pod.Name))
			}
		}
	}
	return pods, append(notes, fmt.Sprintf("%d manifests; the server refuses %d of their pods", files, refused)), nil
}

// named returns the pod under a short name. It has its token already, if it gets one.
func named(pod *corev1.Pod, number int, from string) *corev1.Pod {
	named := pod.DeepCopy()
	named.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	named.Name, named.GenerateName, named.OwnerReferences = fmt.Sprintf("p%d", number), "", nil
	named.Spec.AutomountServiceAccountToken = new(false)
	if named.Annotations == nil {
		named.Annotations = map[string]string{}
	}
	named.Annotations[origin] = from
	return named
}

// perturb returns requests for the pods and, for each of them, some that are a step
// away.
func perturb(r *rand.Rand, pods []*corev1.Pod, n int) []testCase {
	var cases []testCase
	for _, pod := range pods {
		cases = append(cases, testCase{pod: pod})
	}
	for _, pod := range pods {
		for _, i := range r.Perm(len(steps))[:n] {
			other := named(pod, len(cases), pod.Annotations[origin]+", "+steps[i].name)
			if steps[i].take(other) {
				cases = append(cases, testCase{pod: other})
			}
		}
	}
	return cases
}

// specials returns requests that policies treat in another way, or look as if: for
// mirror pods, by nodes, and for ephemeral containers.
func specials(pods []*corev1.Pod, number int) []testCase {
	node := &user{Username: "system:node:n", Groups: []string{"system:nodes"}}
	var cases []testCase
	add := func(pod *corev1.Pod, c testCase, from string, change func(*corev1.Pod)) {
		c.pod = named(pod, number+len(cases), pod.Annotations[origin]+", "+from)
		change(c.pod)
		cases = append(cases, c)
	}
	mirror := func(p *corev1.Pod) {
		p.Annotations[corev1.MirrorPodAnnotationKey], p.Spec.NodeName, p.Spec.HostPID = "x", "n", true
		p.Spec.ServiceAccountName, p.Spec.DeprecatedServiceAccount, p.Spec.Volumes = "", "", nil
		p.Spec.Containers, p.Spec.InitContainers = []corev1.Container{{Name: "c", Image: "c", TerminationMessagePolicy: "File", ImagePullPolicy: "Always"}}, nil
	}
	debug := func(sc *corev1.SecurityContext) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			common := corev1.EphemeralContainerCommon{Name: "debugger", Image: "c", TerminationMessagePolicy: "File", ImagePullPolicy: "Always", SecurityContext: sc}
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: common}}
		}
	}
	for _, pod := range pods[:min(len(pods), 8)] {
		add(pod, testCase{user: node}, "by a node", func(*corev1.Pod) {})
		add(pod, testCase{user: node}, "wider, by a node", func(p *corev1.Pod) { p.Spec.HostPID = true })
		add(pod, testCase{user: node}, "mirror pod by a node", mirror)
		add(pod, testCase{user: &user{Username: "someone"}}, "mirror pod by somebody", mirror)
		add(pod, testCase{debugging: true}, "debugging", debug(first(pod).SecurityContext))
		add(pod, testCase{debugging: true}, "debugging with privileges", debug(&corev1.SecurityContext{Privileged: new(true)}))
	}
	return cases
}

// observe returns the members that the advisor makes of pods.
func observe(ctx context.Context, pods []*corev1.Pod) ([]aggregate.Member, error) {
	var text strings.Builder
	for _, pod := range pods {
		raw, err := json.Marshal(pod)
		if err != nil {
			return nil, fmt.Errorf("writing a pod: %w", err)
		}
		fmt.Fprintf(&text, "---\n%s\n", raw)
	}
	obs, err := manifest.Read(ctx, []string{manifest.Stdin}, manifest.Options{In: strings.NewReader(text.String())}, observation.Scope{Pods: true})
	if err != nil {
		return nil, fmt.Errorf("observing: %w", err)
	}
	return obs.Members, nil
}

// verdicts of vap.
type verdicts struct {
	cases     []testCase
	cost      uint64
	costliest string
}

// verdicts returns the pods that a server accepts, each with the pod as admission sees it
// and what vap does and says.
func (s server) verdicts(members []aggregate.Member, level aggregate.Level, v variant, requests []testCase) (verdicts, error) {
	engine := vap.Engine(vap.Options{Enforcement: v.enforcement, UnknownAccounts: v.unknown})
	policies, err := generate.YAML(engine.Outputs(members, level), false)
	if err != nil {
		return verdicts{}, fmt.Errorf("writing policies: %w", err)
	}
	ask := request{Cluster: &clusterRequest{Objects: string(policies)}, ReturnPods: true}
	for _, c := range requests {
		raw, err := json.Marshal(c.pod)
		if err != nil {
			return verdicts{}, fmt.Errorf("writing a pod: %w", err)
		}
		asked := podRequest{Object: raw, User: c.user}
		if c.debugging {
			asked.Subresource = "ephemeralcontainers"
		}
		ask.Pods = append(ask.Pods, asked)
	}
	a, err := s.ask(ask)
	if err != nil {
		return verdicts{}, err
	}
	var judged verdicts
	for i, p := range a.Pods {
		c := requests[i]
		switch {
		case len(p.Errors) > 0 || len(p.Denials) > 1 || p.Outcome == "failed":
			return judged, fmt.Errorf("judging %s: %v, %v, %s", c.pod.Annotations[origin], p.Errors, p.Denials, p.Reason)
		case p.Outcome == "refused" && c.special():
			return judged, fmt.Errorf("the server refuses %s: %s", c.pod.Annotations[origin], p.Reason)
		case p.Outcome == "refused":
			continue
		case len(p.Denials) == 1:
			c.action, c.message = p.action(), p.Denials[0].Message
		}
		c.pod = p.Pod
		c.pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		judged.cases = append(judged.cases, c)
		if cost := p.Costs[cel.PolicyName].Total; cost > judged.cost {
			judged.cost, judged.costliest = cost, c.pod.Annotations[origin]
		}
	}
	return judged, nil
}

// sampled returns the cases that the engine judges: all special ones that its program
// knows, and n others, half of them admitted; 0 means all.
func (e engine) sampled(r *rand.Rand, cases []testCase, n int) []testCase {
	var chosen []testCase
	left := map[bool]int{true: n / 2, false: n / 2}
	for _, i := range r.Perm(len(cases)) {
		c := cases[i]
		admitted := c.message == ""
		switch {
		case c.debugging && !e.debugging:
		case c.special():
			chosen = append(chosen, c)
		case n == 0 || left[admitted] > 0:
			chosen = append(chosen, c)
			left[admitted]--
		}
	}
	return chosen
}
