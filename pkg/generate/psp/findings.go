package psp

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// The rules of findings.
const (
	// ruleNotGoverned: the policy can neither allow nor deny it.
	ruleNotGoverned = "not-governed"
	// ruleNotAllowable: no policy can allow it.
	ruleNotAllowable = "not-allowable"
	// ruleWildcard: the policy allows more than is used, or refuses updates.
	ruleWildcard = "wildcard"
	// ruleSharedAccount: a pod may use what another workload of its account needs.
	ruleSharedAccount = "shared-account"
	// ruleRedundant: fewer policies would allow as little.
	ruleRedundant = "redundant-policies"
)

// inexpressible are the attributes that PodSecurityPolicy does not know.
var inexpressible = []string{
	"appArmorProfile", "hostProcess", "runAsUserName", "hostUsers", "shareProcessNamespace", "supplementalGroupsPolicy",
	"mountPropagation", "probeHosts", "secretEnv", "runtimeUser", "ephemeralContainers",
}

// attributeRule is a finding about one attribute of profiles.
type attributeRule struct {
	rule string
	// uses reports whether a profile has what the rule is about.
	uses func(*profile.Profile) bool
	// message has the workloads in place of %s.
	message string
}

var attributeRules = []attributeRule{
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.HostProcess.Has(profile.True) }, "windowsOptions.hostProcess gives %s the node; no PodSecurityPolicy can allow or deny it"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.WindowsUser.Len() > 0 }, "windowsOptions.runAsUserName of %s is not governed by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.HostUsers.Has(profile.False) }, "hostUsers: false of %s can be neither demanded nor kept by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.ShareProcessNamespace.Has(profile.True) }, "shareProcessNamespace of %s is not governed by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.MountPropagation.Has("Bidirectional") }, "mountPropagation Bidirectional of %s is not governed by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.ProbeHosts.Len() > 0 }, "hosts that probes or hooks of %s name are reached from the node; PodSecurityPolicy does not govern them"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.SecretEnv.Len() > 0 }, "Secrets reach the environment of %s; PodSecurityPolicy governs only those that are mounted"},
	{ruleNotGoverned, func(p *profile.Profile) bool {
		return p.Volumes.Has("persistentVolumeClaim") || p.Volumes.Has("ephemeral")
	}, "persistent volumes of %s escape allowedHostPaths where they are of type hostPath"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.SupplementalGroupsPolicy.Len() > 0 }, "supplementalGroupsPolicy of %s is not governed by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.AppArmorField.Len() > 0 }, "appArmorProfile of %s is unknown to servers with PodSecurityPolicy, which read the annotation only"},
	{ruleNotAllowable, func(p *profile.Profile) bool { return p.ProcMount.Has("Unmasked") }, "procMount Unmasked of %s is refused by servers with PodSecurityPolicy whose feature gate ProcMountType is off, the default: no policy can allow it there"},
	{ruleNotAllowable, func(p *profile.Profile) bool { return p.Volumes.Has("image") }, "image volumes of %s are unknown to servers with PodSecurityPolicy: no policy can allow them"},
	{ruleWildcard, func(p *profile.Profile) bool { return p.Seccomp.Any(unlistedSeccomp) }, "the seccomp profile of %s has a name that no policy can list: any profile is allowed, and updates of the running pods are refused"},
}

// unlistedSeccomp reports whether a pod has a profile that a policy cannot list.
func unlistedSeccomp(s profile.Seccomp) bool {
	return slices.ContainsFunc(seccompNames(s), func(n string) bool { return n != "" && !validSeccomp(n) })
}

// findings says what the outputs, all of one level, cannot do or need not.
func findings(outputs []generate.Output) []generate.Finding {
	var members []aggregate.Member
	for _, o := range outputs {
		members = append(members, o.Group.Members...)
	}
	slices.SortFunc(members, aggregate.Member.Compare)
	var list []generate.Finding
	for _, r := range attributeRules {
		var users []aggregate.Member
		for _, m := range members {
			if r.uses(m.Profile) {
				users = append(users, m)
			}
		}
		if len(users) > 0 {
			f := generate.About(users, generate.Warning, r.rule)
			f.Message = fmt.Sprintf(r.message, generate.FirstFew(f.Workloads))
			list = append(list, f)
		}
	}
	return slices.Concat(list, sharedAccounts(members, decisions(outputs)), redundant(outputs))
}

// sharedAccounts tells of accounts that give a pod more than it needs: any pod of
// an account may use every policy of that account.
func sharedAccounts(members []aggregate.Member, own func(aggregate.Member) decision) []generate.Finding {
	var list []generate.Finding
	for _, users := range byAccount(members) {
		first := own(users[0])
		if !slices.ContainsFunc(users[1:], func(m aggregate.Member) bool { return !reflect.DeepEqual(own(m), first) }) {
			continue
		}
		f := generate.About(users, generate.Warning, ruleSharedAccount)
		f.Message = fmt.Sprintf("service account %s is shared by workloads of different privilege, %s: each may use what any of them needs",
			users[0].ServiceAccount, generate.FirstFew(f.Workloads))
		list = append(list, f)
	}
	return list
}

// byAccount returns the members of each account that several workloads share, in
// the order of the accounts. Mirror pods have none to share.
func byAccount(members []aggregate.Member) [][]aggregate.Member {
	accounts := map[aggregate.Account][]aggregate.Member{}
	for _, m := range members {
		if m.ServiceAccount != "" {
			accounts[m.Account()] = append(accounts[m.Account()], m)
		}
	}
	var list [][]aggregate.Member
	for _, a := range slices.SortedFunc(maps.Keys(accounts), aggregate.Account.Compare) {
		if len(accounts[a]) > 1 {
			list = append(list, accounts[a])
		}
	}
	return list
}

// decision is what a policy says, without names and reasons.
type decision struct {
	annotations map[string]string
	spec        policySpec
}

// decide returns what the policy of members says.
func decide(members ...aggregate.Member) decision {
	d := newDraft(aggregate.Groups(members, aggregate.ByCluster, nil)[0])
	return decision{d.annotations, d.spec}
}

// decisions returns what the policy of a single member says, as a function that
// looks it up where there is an output of it alone.
func decisions(outputs []generate.Output) func(aggregate.Member) decision {
	type key struct {
		workload aggregate.Workload
		account  string
	}
	known := map[key]decision{}
	for _, o := range outputs {
		if p, ok := o.Objects[0].Value.(*podSecurityPolicy); ok && len(o.Group.Members) == 1 {
			m := o.Group.Members[0]
			known[key{m.Workload, m.ServiceAccount}] = decision{p.Annotations, p.Spec}
		}
	}
	return func(m aggregate.Member) decision {
		if d, ok := known[key{m.Workload, m.ServiceAccount}]; ok {
			return d
		}
		return decide(m)
	}
}

// redundant tells of policies of one workload each that allow nothing which
// another policy of the same account does not: their accounts would be given as
// little by one policy.
func redundant(outputs []generate.Output) []generate.Finding {
	var members []aggregate.Member
	for _, o := range outputs {
		if o.Group.Workload != nil && len(o.Group.Members) == 1 {
			members = append(members, o.Group.Members...)
		}
	}
	own := decisions(outputs)
	n := 0
	var of []aggregate.Member
	for _, users := range byAccount(members) {
		whole := decide(users...)
		if slices.ContainsFunc(users, func(m aggregate.Member) bool { return reflect.DeepEqual(own(m), whole) }) {
			n += len(users) - 1
			of = append(of, users...)
		}
	}
	if n == 0 {
		return nil
	}
	f := generate.About(of, generate.Info, ruleRedundant)
	f.Message = fmt.Sprintf("%d of %d policies allow nothing that another one of the same service account does not: --level serviceaccount gives as little with fewer objects", n, len(outputs))
	return []generate.Finding{f}
}
