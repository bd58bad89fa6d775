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
			list = append(list, generate.About(users, generate.Warning, r.rule).Say(r.message))
		}
	}
	return append(list, ofAccounts(members, outputs)...)
}

// ofAccounts returns the accounts that give a pod more than it needs, for a pod can use
// every policy of its account; and the policies of one workload each that allow nothing but
// what another policy of the same account allows.
func ofAccounts(members []aggregate.Member, outputs []generate.Output) []generate.Finding {
	alone := map[aggregate.MemberKey]bool{} // in the policy of its workload
	for _, o := range outputs {
		if o.Group.Workload != nil && len(o.Group.Members) == 1 {
			alone[o.Group.Members[0].Key()] = true
		}
	}
	var list []generate.Finding
	var redundant []aggregate.Member
	n := 0
	for _, users := range byAccount(members) {
		own := make([]decision, len(users))
		for i, m := range users {
			own[i] = decide(m)
		}
		if slices.ContainsFunc(own, func(d decision) bool { return !reflect.DeepEqual(d, own[0]) }) {
			f := generate.About(users, generate.Warning, ruleSharedAccount)
			f.Message = fmt.Sprintf("service account %s is used by workloads with different privileges, %s: each of them can use what any of them needs: give them separate service accounts",
				users[0].ServiceAccount, generate.FirstFew(f.Workloads))
			list = append(list, f)
		}
		var single []aggregate.Member
		var theirs []decision
		for i, m := range users {
			if alone[m.Key()] {
				single, theirs = append(single, m), append(theirs, own[i])
			}
		}
		if len(single) < 2 {
			continue
		}
		whole := decide(single...)
		if slices.ContainsFunc(theirs, func(d decision) bool { return reflect.DeepEqual(d, whole) }) {
			n += len(single) - 1
			redundant = append(redundant, single...)
		}
	}
	if n == 0 {
		return list
	}
	const wording = "%d of the policies allow only what another policy of the same service account allows: --level serviceaccount generates fewer objects and allows no more"
	return append(list, generate.About(redundant, generate.Info, ruleRedundant).SayCount(wording, n))
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
	d := newDraft(aggregate.Groups(members, aggregate.ByCluster, nil)[0], nil)
	return decision{d.annotations, d.spec}
}
