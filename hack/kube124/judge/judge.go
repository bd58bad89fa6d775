package judge

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/capabilities"
)

// configure sets the process up like an API server that can run anything:
// privileged pods are allowed by its flag, and the gate is on for what
// policies can govern but 1.24 has off by default. Without ProcMountType the
// server drops that field of pods and policies alike
// (pkg/api/podsecuritypolicy/util.go:28, v1.24.17), and nothing about it could
// be judged.
var configure = sync.OnceValue(func() error {
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
	return utilfeature.DefaultMutableFeatureGate.Set("ProcMountType=true")
})

// Judge answers one request.
func Judge(request Request) Verdict {
	verdict, err := judge(request)
	verdict.Name = request.Name
	if err != nil {
		verdict.OK, verdict.Error = false, err.Error()
	}
	return verdict
}

// arrival is a form that a server without policies accepts.
type arrival struct {
	form
	request, plain *api.Pod
}

func judge(request Request) (Verdict, error) {
	verdict := Verdict{Counts: map[Outcome]int{}}
	if err := configure(); err != nil {
		return verdict, fmt.Errorf("configuring the server: %w", err)
	}
	objects, skipped, err := decode(request.Objects)
	if err != nil {
		return verdict, fmt.Errorf("reading objects: %w", err)
	}
	generated, skippedPolicies, err := decode(request.Policies)
	if err != nil {
		return verdict, fmt.Errorf("reading policies: %w", err)
	}
	for _, err := range skipped {
		verdict.Skipped = append(verdict.Skipped, err.Error())
	}
	if !request.SkipInvalid && len(skipped) > 0 {
		return verdict, fmt.Errorf("reading objects: %w", errors.Join(skipped...))
	}
	if len(skippedPolicies) > 0 {
		return verdict, fmt.Errorf("reading policies: %w", errors.Join(skippedPolicies...))
	}

	c, err := newCluster(objects)
	if err != nil {
		return verdict, err
	}
	p, err := newPolicies(generated)
	if err != nil {
		return verdict, err
	}
	s, err := newServer(c, p)
	if err != nil {
		return verdict, err
	}

	made := memberIndex(request.Members)
	pods := map[string][]arrival{} // by the policy made for them
	for _, f := range c.forms {
		req, plain, err := s.arrive(f)
		if err != nil {
			verdict.add(Pod{Pod: f.id, Form: f.kind, Outcome: Refused, Detail: err.Error()})
			continue
		}
		pod := s.admit(f, req, plain)
		verdict.add(pod)
		a := arrival{form: f, request: req, plain: plain}
		for _, name := range made.policiesOf(f.names, req.Spec.ServiceAccountName) {
			pods[name] = append(pods[name], a)
		}
		if _, named := request.Members[pod.Policy]; pod.Policy != "" && !named {
			pods[pod.Policy] = append(pods[pod.Policy], a)
		}
	}

	verdict.Judged = len(p.psps)
	for _, fault := range p.faults {
		verdict.fault(fault)
	}
	for _, psp := range p.psps {
		fault, err := s.examine(psp, pods[psp.Name])
		if err != nil {
			return verdict, fmt.Errorf("examining policy %s: %w", psp.Name, err)
		}
		verdict.fault(fault)
	}
	for _, fault := range s.strayGrants(pods) {
		verdict.fault(fault)
	}

	verdict.OK = len(verdict.Policies) == 0
	for outcome, n := range verdict.Counts {
		if n > 0 && outcome != Unchanged && outcome != Refused {
			verdict.OK = false
		}
	}
	return verdict, nil
}

func (v *Verdict) add(pod Pod) {
	v.Counts[pod.Outcome]++
	if pod.Outcome != Unchanged {
		v.Pods = append(v.Pods, pod)
	}
}

// fault keeps the verdict on a policy that has one.
func (v *Verdict) fault(p Policy) {
	if p.Invalid == "" && !p.Unused && len(p.Slack) == 0 {
		return
	}
	if p.Invalid != "" {
		v.InvalidTotal++
	}
	v.SlackTotal += len(p.Slack)
	v.Policies = append(v.Policies, p)
}

// memberSet is the hint turned around: from workload or pod to policies.
type memberSet map[string][]string

func memberIndex(members map[string][]string) memberSet {
	index := memberSet{}
	for name, ids := range members {
		for _, id := range ids {
			index[id] = append(index[id], name)
		}
	}
	return index
}

// policiesOf gives the policies made for a pod with these names and account.
func (m memberSet) policiesOf(names []string, account string) []string {
	set := map[string]bool{}
	for _, name := range names {
		for _, policy := range slices.Concat(m[name], m[name+"@"+account]) {
			set[policy] = true
		}
	}
	return sortedKeys(set)
}

// strayGrants finds accounts that may use a policy made for none of their
// pods, or may use their policy outside their namespace.
func (s *server) strayGrants(pods map[string][]arrival) []Policy {
	type account struct{ namespace, name string }
	named := map[account]bool{}
	for _, b := range s.policies.bindings {
		for _, subject := range b.Subjects {
			if subject.Kind == "ServiceAccount" {
				named[account{subject.Namespace, subject.Name}] = true
			}
		}
	}
	for _, b := range s.policies.clusterBindings {
		for _, subject := range b.Subjects {
			if subject.Kind == "ServiceAccount" {
				named[account{subject.Namespace, subject.Name}] = true
			}
		}
	}
	var faults []Policy
	for acc := range named {
		info := serviceaccount.UserInfo(acc.namespace, acc.name, "")
		for _, psp := range s.policies.psps {
			own := false
			for _, a := range pods[psp.Name] {
				own = own || a.request.Namespace == acc.namespace && a.request.Spec.ServiceAccountName == acc.name
			}
			who := fmt.Sprintf("account %s/%s", acc.namespace, acc.name)
			if !own && s.policies.uses(info, acc.namespace, psp.Name) {
				faults = append(faults, Policy{Name: psp.Name, Slack: []Slack{{Field: "grant", Change: who + " has no pod of this policy"}}})
			}
			if s.policies.uses(info, acc.namespace+"-elsewhere", psp.Name) {
				faults = append(faults, Policy{Name: psp.Name, Slack: []Slack{{Field: "grant", Change: who + " may use it in any namespace"}}})
			}
		}
	}
	sort.Slice(faults, func(i, j int) bool {
		return faults[i].Name+faults[i].Slack[0].Change < faults[j].Name+faults[j].Slack[0].Change
	})
	return faults
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
