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
	// ruleNotGoverned: no policy can allow or deny it.
	ruleNotGoverned = "not-governed"
	// ruleNotAllowable: no policy can allow it.
	ruleNotAllowable = "not-allowable"
	// ruleWildcard: the policy allows more than is used.
	ruleWildcard = "wildcard"
	// ruleSharedAccount: a pod may use what another workload of its account needs.
	ruleSharedAccount = "shared-account"
	// ruleRedundant: fewer policies would allow no more.
	ruleRedundant = "redundant-policies"
)

// inexpressible are the attributes that PodSecurityPolicy cannot restrict.
var inexpressible = []string{
	"appArmorProfile", "hostProcess", "runAsUserName", "hostUsers", "shareProcessNamespace", "supplementalGroupsPolicy",
	"mountPropagation", "probeHosts", "secretEnv", "runtimeUser", "ephemeralContainers",
}

// attributeRule is a finding about one attribute of profiles.
type attributeRule struct {
	rule string
	// uses reports whether the rule applies to a profile.
	uses func(*profile.Profile) bool
	// message has the workloads in place of %s.
	message string
}

var attributeRules = []attributeRule{
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.HostProcess.Has(profile.True) }, "windowsOptions.hostProcess gives %s access to the node; PodSecurityPolicy can neither allow nor deny it"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.WindowsUser.Len() > 0 }, "windowsOptions.runAsUserName of %s is not restricted by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.HostUsers.Has(profile.False) }, "hostUsers: false of %s is not required by PodSecurityPolicy: another pod can omit it"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.ShareProcessNamespace.Has(profile.True) }, "shareProcessNamespace of %s is not restricted by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.MountPropagation.Has("Bidirectional") }, "mountPropagation Bidirectional of %s is not restricted by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.ProbeHosts.Len() > 0 }, "probes or lifecycle hooks of %s set a host that the node connects to; PodSecurityPolicy does not restrict it"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.SecretEnv.Len() > 0 }, "environment variables of %s come from Secrets; PodSecurityPolicy restricts mounted Secrets only"},
	{ruleNotGoverned, func(p *profile.Profile) bool {
		return p.Volumes.Has("persistentVolumeClaim") || p.Volumes.Has("ephemeral")
	}, "persistent volumes of %s are not checked against allowedHostPaths, even if they are of type hostPath"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.SupplementalGroupsPolicy.Len() > 0 }, "supplementalGroupsPolicy of %s is not restricted by PodSecurityPolicy"},
	{ruleNotGoverned, func(p *profile.Profile) bool { return p.AppArmorField.Len() > 0 }, "appArmorProfile of %s is unknown to servers with PodSecurityPolicy, which read only the annotation"},
	{ruleNotAllowable, func(p *profile.Profile) bool { return p.ProcMount.Has("Unmasked") }, "procMount Unmasked of %s is denied by servers with PodSecurityPolicy unless their feature gate ProcMountType, off by default, is on: no policy can allow it there"},
	{ruleNotAllowable, func(p *profile.Profile) bool { return p.Volumes.Has("image") }, "image volumes of %s are unknown to servers with PodSecurityPolicy: no policy can allow them"},
	{ruleWildcard, func(p *profile.Profile) bool { return p.AddedCapabilities.Has(wildcard) }, `%s add the capability "*", which in a policy means every capability: list the capabilities by name`},
	{ruleWildcard, func(p *profile.Profile) bool { return p.Seccomp.Any(unlistedSeccomp) }, "the seccomp profile of %s has a name that a policy cannot list: the policy allows any profile, and admission denies updates of the running pods: rename the profile"},
}

// unlistedSeccomp reports whether a pod has a profile that a policy cannot list.
func unlistedSeccomp(s profile.Seccomp) bool {
	return slices.ContainsFunc(seccompNames(s), func(n string) bool { return n != "" && !validSeccomp(n) })
}

// findings returns what the outputs, which are of one level, cannot restrict or do not
// need.
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

// sharedAccounts returns the accounts that give a pod more than it needs: a pod can
// use every policy of its account.
func sharedAccounts(members []aggregate.Member, own func(aggregate.Member) decision) []generate.Finding {
	var list []generate.Finding
	for _, users := range byAccount(members) {
		first := own(users[0])
		if !slices.ContainsFunc(users[1:], func(m aggregate.Member) bool { return !reflect.DeepEqual(own(m), first) }) {
			continue
		}
		f := generate.About(users, generate.Warning, ruleSharedAccount)
		f.Message = fmt.Sprintf("service account %s is used by workloads with different privileges, %s: each of them can use what any of them needs: give them separate service accounts",
			users[0].ServiceAccount, generate.FirstFew(f.Workloads))
		list = append(list, f)
	}
	return list
}

// byAccount returns the members of each account that has several, in the order of the
// accounts. Mirror pods have no account.
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

// decision is a policy without name and reasons.
type decision struct {
	annotations map[string]string
	spec        policySpec
}

// decide returns the decision for members.
func decide(members ...aggregate.Member) decision {
	d := newDraft(aggregate.Groups(members, aggregate.ByCluster, nil)[0])
	return decision{d.annotations, d.spec}
}

// decisions returns a function that returns the decision for a single member: that of
// its own output if there is one.
func decisions(outputs []generate.Output) func(aggregate.Member) decision {
	known := map[aggregate.MemberKey]decision{}
	for _, o := range outputs {
		if p, ok := o.Objects[0].Value.(*podSecurityPolicy); ok && len(o.Group.Members) == 1 {
			known[o.Group.Members[0].Key()] = decision{p.Annotations, p.Spec}
		}
	}
	return func(m aggregate.Member) decision {
		if d, ok := known[m.Key()]; ok {
			return d
		}
		return decide(m)
	}
}

// redundant returns the policies of one workload each that allow nothing but what
// another policy of the same account allows.
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
	f.Message = fmt.Sprintf("%d of %d policies allow only what another policy of the same service account allows: --level serviceaccount generates fewer objects and allows no more", n, len(outputs))
	return []generate.Finding{f}
}
