package report

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Finding is something that a reader of the policies should know.
type Finding struct {
	// Rule names the kind of finding, in kebab case.
	Rule string `json:"rule"`
	// Namespace is where; empty for a finding about several namespaces.
	Namespace string `json:"namespace,omitempty"`
	// Workloads that it is about, sorted.
	Workloads []string `json:"workloads,omitempty"`
	// Message says it to people.
	Message string `json:"message"`
}

// The rules of findings.
const (
	RuleDefaultAccount = "default-account"
	RuleSharedAccount  = "shared-account"
	RuleNotGoverned    = "not-governed"
	RuleNotAllowable   = "not-allowable"
	RuleDebugContainer = "debug-container"
	RuleUnknownOwner   = "unknown-owner"
)

// findings returns what is worth saying of the members, sorted.
func findings(obs *observe.Observation, members []aggregate.Member, debug bool) []Finding {
	list := slices.Concat(accountFindings(members), attributeFindings(members, debug))
	for _, w := range obs.UnknownOwners {
		list = append(list, Finding{
			Rule: RuleUnknownOwner, Namespace: w.Namespace, Workloads: []string{w.String()},
			Message: fmt.Sprintf("%s was not observed itself: its pods get a policy under that name, though a controller of it may be the real workload", w),
		})
	}
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
	return list
}

// accountFindings tells of accounts that give a pod more than it needs: any pod
// of an account may use every policy of that account.
func accountFindings(members []aggregate.Member) []Finding {
	byAccount := map[aggregate.Account][]aggregate.Member{}
	for _, m := range members {
		if m.ServiceAccount != "" {
			a := aggregate.Account{Namespace: m.Workload.Namespace, Name: m.ServiceAccount}
			byAccount[a] = append(byAccount[a], m)
		}
	}
	var list []Finding
	for a, users := range byAccount {
		names := workloadNames(users)
		if a.Name == "default" {
			list = append(list, Finding{
				Rule: RuleDefaultAccount, Namespace: a.Namespace, Workloads: names,
				Message: fmt.Sprintf("service account default is in use by %s: any pod that names no account may use its policies", psp.FirstFew(names)),
			})
		}
		if len(names) > 1 && differ(users) {
			list = append(list, Finding{
				Rule: RuleSharedAccount, Namespace: a.Namespace, Workloads: names,
				Message: fmt.Sprintf("service account %s is shared by workloads of different privilege, %s: each may use what any of them needs", a.Name, psp.FirstFew(names)),
			})
		}
	}
	return list
}

// differ reports whether the members would get different policies, each on its
// own.
func differ(members []aggregate.Member) bool {
	spec := func(m aggregate.Member) any {
		p := psp.Generate(aggregate.Group{Members: []aggregate.Member{m}, Profile: m.Profile}).Object
		return []any{p.Spec, p.Annotations}
	}
	first := spec(members[0])
	return slices.ContainsFunc(members[1:], func(m aggregate.Member) bool { return !reflect.DeepEqual(spec(m), first) })
}

// attributeRule is a finding about one attribute of profiles.
type attributeRule struct {
	rule string
	// uses reports whether a profile has what the rule is about.
	uses    func(*profile.Profile) bool
	message string
}

func attributeRules(debug bool) []attributeRule {
	rules := []attributeRule{
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.HostProcess.Has(profile.True) }, "windowsOptions.hostProcess gives %s the node; no PodSecurityPolicy can allow or deny it"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.WindowsUser.Len() > 0 }, "windowsOptions.runAsUserName of %s is not governed by PodSecurityPolicy"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.HostUsers.Has(profile.False) }, "hostUsers: false of %s can be neither demanded nor kept by PodSecurityPolicy"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.ShareProcessNamespace.Has(profile.True) }, "shareProcessNamespace of %s is not governed by PodSecurityPolicy"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.MountPropagation.Has("Bidirectional") }, "mountPropagation Bidirectional of %s is not governed by PodSecurityPolicy"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.ProbeHosts.Len() > 0 }, "hosts that probes or hooks of %s name are reached from the node; PodSecurityPolicy does not govern them"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.SecretEnv.Len() > 0 }, "Secrets reach the environment of %s; PodSecurityPolicy governs only those that are mounted"},
		{RuleNotGoverned, func(p *profile.Profile) bool {
			return p.Volumes.Has("persistentVolumeClaim") || p.Volumes.Has("ephemeral")
		}, "persistent volumes of %s escape allowedHostPaths where they are of type hostPath"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.SupplementalGroupsPolicy.Len() > 0 }, "supplementalGroupsPolicy of %s is not governed by PodSecurityPolicy"},
		{RuleNotGoverned, func(p *profile.Profile) bool { return p.AppArmorField.Len() > 0 }, "appArmorProfile of %s is unknown to servers with PodSecurityPolicy, which read the annotation only"},
		{RuleNotAllowable, func(p *profile.Profile) bool { return p.ProcMount.Has("Unmasked") }, "procMount Unmasked of %s is refused by servers with PodSecurityPolicy whose feature gate ProcMountType is off, the default: no policy can allow it there"},
		{RuleNotAllowable, func(p *profile.Profile) bool { return p.Volumes.Has("image") }, "image volumes of %s are unknown to servers with PodSecurityPolicy: no policy can allow them"},
	}
	if !debug {
		rules = append(rules, attributeRule{
			RuleDebugContainer, func(p *profile.Profile) bool { return p.EphemeralContainers.Len() > 0 },
			"ephemeral containers of %s were left out: a pod that is created again has none; updates of the running pod may be refused",
		})
	}
	return rules
}

func attributeFindings(members []aggregate.Member, debug bool) []Finding {
	var list []Finding
	for _, r := range attributeRules(debug) {
		var users []aggregate.Member
		for _, m := range members {
			if r.uses(m.Profile) {
				users = append(users, m)
			}
		}
		if len(users) == 0 {
			continue
		}
		f := Finding{Rule: r.rule, Workloads: workloadNames(users)}
		if last := users[len(users)-1]; users[0].Workload.Namespace == last.Workload.Namespace {
			f.Namespace = last.Workload.Namespace
		} else {
			f.Workloads = qualifiedNames(users)
		}
		f.Message = fmt.Sprintf(r.message, psp.FirstFew(f.Workloads))
		list = append(list, f)
	}
	return list
}

// workloadNames returns the distinct names of the members' workloads in order.
func workloadNames(members []aggregate.Member) []string {
	var names []string
	for _, m := range members {
		names = append(names, m.Workload.String())
	}
	return slices.Compact(names)
}

// qualifiedNames is workloadNames for members of several namespaces.
func qualifiedNames(members []aggregate.Member) []string {
	var names []string
	for _, m := range members {
		names = append(names, m.Workload.Namespace+" "+m.Workload.String())
	}
	return slices.Compact(names)
}
