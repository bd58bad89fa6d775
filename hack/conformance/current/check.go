package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
)

// effort is how much of a fixture is tried. Negative numbers mean all.
type effort struct{ wider, tighter, removals int }

// result is what the check of a fixture found.
type result struct {
	// pods are observed ones; wider and tighter are steps from them; lines were removed
	// under the Go model, removals under CEL.
	pods, wider, tighter, lines, removals int
	// invalid are steps that the server refuses itself; uncompared are pods that ask for too
	// much to be compared with their permits.
	invalid, uncompared int
	// steps has how often each kind of step asked for exactly one line more, or for less.
	steps  map[string]int
	faults map[string]string
	costs  costs
}

func (r *result) fault(kind, format string, args ...any) {
	if r.faults[kind] == "" {
		r.faults[kind] = fmt.Sprintf(format, args...)
	}
}

// check has the advice for a fixture judged: every observed pod must be admitted, a pod
// that asks for more denied with a message that names exactly that, one that asks for
// less admitted, and without any one line some observed pod is denied. The verdict on
// every pod must be that of the Go model on the pod that the server made.
//
// Every line is removed under the Go model. For real, only a sample is: all verdicts of
// this run are compared with that model, so it stands for the rest.
func check(p *judge.Process, f fixture, level aggregate.Level, params vap.Params, e effort, r *rand.Rand) (result, error) {
	c := &checker{result: result{steps: map[string]int{}, faults: map[string]string{}}, fixture: f, rand: r}
	if len(f.members) == 0 {
		return c.result, nil
	}
	var err error
	if c.advice, err = advise(f.members, level, params); err != nil {
		c.fault("error", "%v", err) // the advisor's own failure is a fault like any other
		return c.result, nil
	}
	text := f.accounts + "---\n" + c.policies
	c.sound()
	c.sample(wider(), e.wider, false)
	c.sample(debugging(), min(e.wider, 1+e.wider/8), false)
	c.sample(tighter(), e.tighter, true)
	removed := c.minimal(level)
	if level != aggregate.ByCluster && params != vap.CRD {
		text += c.remove(removed, e.removals)
	}
	requests := make([]podRequest, len(c.questions))
	for i, q := range c.questions {
		requests[i] = q.request
	}
	verdicts, err := ask(p, request{Name: f.name, Cluster: &cluster{Objects: text}, Pods: requests, ReturnPods: true})
	if bad := (*badObject)(nil); errors.As(err, &bad) {
		c.fault("object", "%v", bad)
		return c.result, nil
	} else if err != nil {
		return c.result, err
	}
	for i, v := range verdicts {
		c.costs.add(v)
		c.judge(c.questions[i], v)
	}
	return c.result, nil
}

type checker struct {
	result
	fixture
	advice
	rand      *rand.Rand
	questions []question
}

// question is a pod that is judged, and what is expected of it.
type question struct {
	request podRequest
	// what the pod is: its kind names faults.
	kind, what string
	// step that made it, if any.
	step string
	// must be admitted or denied, if not empty; else as the model says.
	must string
	// table that judges it.
	table cel.Table
	// exempt: a node asks for a static pod.
	exempt bool
}

// sound asks about the observed pods, and about mirror pods as if others asked for them.
func (c *checker) sound() {
	for _, s := range c.subjects {
		q := question{request: s.request, kind: "observed", what: s.request.ID, must: admitted, table: c.table(s.pod.Namespace), exempt: s.mirror}
		c.questions = append(c.questions, q)
		c.pods++
		if s.mirror {
			q.request.User, q.kind, q.must, q.exempt = nil, "made-up mirror", "", false
			c.questions = append(c.questions, q)
		}
	}
}

// sample asks about steps from the pods: n of them, or every one from every pod.
func (c *checker) sample(steps []step, n int, less bool) {
	var pods []subject
	for _, s := range c.subjects {
		if !s.mirror {
			pods = append(pods, s)
		}
	}
	if len(pods) == 0 {
		return
	}
	if n < 0 {
		for _, s := range pods {
			for _, step := range steps {
				c.try(s, step, less)
			}
		}
		return
	}
	for range n {
		// Most steps from most pods change nothing, or too much.
		for range 8 {
			if c.try(pods[c.rand.IntN(len(pods))], steps[c.rand.IntN(len(steps))], less) {
				break
			}
		}
	}
}

// try asks about a step from a pod, if it makes the difference that it should.
func (c *checker) try(s subject, step step, less bool) bool {
	pod := s.pod.DeepCopy()
	if !step.do(c.rand, pod) {
		return false
	}
	table := c.table(pod.Namespace)
	if less {
		if asked := asksOf(pod).set(); asked.Equal(s.set) && step.name != "nothing" {
			return false
		}
	} else if len(nearest(table, pod)) != 1 {
		return false
	}
	q := question{request: podRequest{Object: encode(pod)}, what: s.request.ID + ", " + step.name, step: step.name, table: table}
	if len(pod.Spec.EphemeralContainers) > 0 {
		q.request.Subresource = "ephemeralcontainers"
	}
	if less {
		q.kind, q.must = "tighter", admitted
		c.tighter++
	} else {
		q.kind, q.must = "wider", denied
		c.wider++
	}
	c.questions = append(c.questions, q)
	return true
}

// nearest returns what a pod asks for beyond the nearest alternative of its account.
func nearest(t cel.Table, pod *corev1.Pod) []string {
	a := asksOf(pod)
	var least []string
	for i, s := range t.Permits(pod.Spec.ServiceAccountName) {
		if lines := a.beyond(s); i == 0 || len(lines) < len(least) {
			least = lines
		}
	}
	return least
}

func encode(pod *corev1.Pod) json.RawMessage {
	raw, err := json.Marshal(pod)
	if err != nil {
		panic(err) // it came as JSON
	}
	return raw
}

// judge compares a verdict with what is expected.
func (c *checker) judge(q question, v verdict) {
	describe := func() string {
		return fmt.Sprintf("%s %s: %s%s", q.kind, q.what, v.Outcome, strings.TrimRight(" "+v.Message+v.Reason, " "))
	}
	switch {
	case v.Outcome == refused && q.must != admitted || v.Outcome == refused && q.step != "":
		c.invalid++
		return
	case v.Outcome != admitted && v.Outcome != denied:
		c.fault("failed", "%s", describe())
		return
	case len(v.Errors) > 0:
		c.fault("evaluation error", "%s: %s", q.what, v.Errors[0].Message)
		return
	}
	for _, d := range v.Denials {
		if d.MessageError != "" {
			c.fault("no message", "%s: %s", q.what, d.MessageError)
		}
	}
	account, a := v.Pod.Spec.ServiceAccountName, asksOf(v.Pod)
	model := admitted
	if ok, _ := q.table.Admits(account, a.set()); !ok {
		model = denied
	}
	if q.exempt {
		model = admitted
	}
	sets := q.table.Permits(account)
	switch {
	case v.Outcome != model:
		c.fault(v.Outcome+" against the model", "%s; the model says %s: %q", describe(), model, nearest(q.table, v.Pod))
	case q.must != "" && model != q.must && (q.step == "" || q.must == admitted):
		c.fault(q.kind+" "+v.Outcome, "%s: %q", describe(), nearest(q.table, v.Pod))
	case model == denied && len(sets) > 0 && !a.explains(v.Message, account, sets):
		c.fault("message", "%s; the model says %q", describe(), nearest(q.table, v.Pod))
	case model == denied && len(sets) == 0 && !strings.Contains(v.Message, "service account "+account+" may not have pods"):
		c.fault("message", "%s: the account is unknown", describe())
	case q.step != "" && (q.must == admitted || len(nearest(q.table, v.Pod)) == 1):
		c.steps[q.step]++
	}
}

// removal is a line that an observed pod needs.
type removal struct {
	table cel.Table
	// less is the table without the line.
	less        cel.Table
	alternative int
	line        string
	subject     subject
}

// minimal removes each line of each alternative, under the Go model, and returns the
// lines with a pod that each keeps out.
func (c *checker) minimal(level aggregate.Level) []removal {
	var removals []removal
	for _, t := range c.tables {
		var pods []subject
		for _, s := range c.subjects {
			if !s.mirror && (level == aggregate.ByCluster || s.pod.Namespace == t.Group.Namespace) {
				pods = append(pods, s)
			}
		}
		for i, a := range t.Alternatives {
			for l, line := range a.Permits.Lines() {
				c.lines++
				less := t
				less.Alternatives = slices.Clone(t.Alternatives)
				less.Alternatives[i].Permits = privilege.SetOf(slices.Delete(slices.Clone(a.Permits.Lines()), l, l+1)...)
				k := slices.IndexFunc(pods, func(s subject) bool {
					if a.Account != cel.AnyAccount && a.Account != s.account() {
						return false
					}
					ok, _ := less.Admits(s.account(), s.set)
					return !ok
				})
				if k < 0 {
					c.fault("not minimal", "[%s] of %s does not need %q", a.Account, t.Group.Namespace, line)
					continue
				}
				removals = append(removals, removal{t, less, i, line, pods[k]})
			}
		}
	}
	return removals
}

// remove asks about n of the removals: each in a namespace of its own, with the text of
// the permits but for one line. It returns the namespaces.
func (c *checker) remove(removals []removal, n int) string {
	if n >= 0 {
		c.rand.Shuffle(len(removals), func(i, j int) { removals[i], removals[j] = removals[j], removals[i] })
		removals = removals[:min(n, len(removals))]
	}
	var text strings.Builder
	for i, removed := range removals {
		namespace := fmt.Sprintf("without-%d", i)
		text.WriteString("---\n" + covered(namespace, without(removed)) + "\n")
		pod := removed.subject.pod.DeepCopy()
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return strings.HasPrefix(v.Name, "kube-api-access-") }) {
			pod.Spec.AutomountServiceAccountToken = new(false) // the account of this namespace does not opt out
		}
		c.questions = append(c.questions, question{
			request: podRequest{Object: encode(pod), Namespace: namespace},
			kind:    "not needed line", what: fmt.Sprintf("%s without %q", removed.subject.request.ID, removed.line), must: denied, table: removed.less,
		})
		c.removals++
	}
	return text.String()
}

// without returns the text of a table without a line.
func without(r removal) string {
	blocks := strings.Split(r.table.Text(true), "\n\n")
	lines := strings.Split(blocks[r.alternative], "\n")
	i := slices.Index(lines, r.line)
	blocks[r.alternative] = strings.Join(slices.Delete(lines, i, i+1), "\n")
	return strings.Join(blocks, "\n\n")
}

// covered returns a Namespace with permits, as JSON.
func covered(name, permits string) string {
	raw, err := objects.JSON(map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": name, "labels": map[string]string{cel.Key: "annotation"}, "annotations": map[string]string{cel.Key: permits}},
	})
	if err != nil {
		panic(err) // of strings
	}
	return raw
}
