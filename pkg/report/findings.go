package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// The rules of findings that do not depend on an engine.
const (
	// RuleDefaultAccount: pods run under the account default.
	RuleDefaultAccount = "default-account"
	// RuleDebugContainer: debug containers were ignored.
	RuleDebugContainer = "debug-container"
	// RuleUnknownOwner: a controller was not observed.
	RuleUnknownOwner = "unknown-owner"
	// RuleUnknownVolume: a volume has a source that this version does not know.
	RuleUnknownVolume = "unknown-volume"
	// RuleSelector: the policies are for pods that were not selected, too.
	RuleSelector = "selector"
)

// findings returns the findings about an observation and its policies, sorted.
func findings(obs *observe.Observation, results []generate.Result) []generate.Finding {
	list := defaultAccounts(obs.Members)
	if !obs.Scope.EphemeralContainers {
		list = append(list, debugContainers(obs.Members)...)
	}
	for _, w := range obs.UnknownOwners {
		list = append(list, generate.Finding{
			Severity: generate.Warning, Rule: RuleUnknownOwner, Namespace: w.Namespace, Workloads: []string{w.String()},
			Message: fmt.Sprintf("%s was not observed: its pods get a policy with its name, which is wrong if a controller owns it: add it to the manifests, or grant permission to list it", w),
		})
	}
	list = append(list, unknownVolumes(obs.Members)...)
	list = append(list, unselected(obs, results)...)
	for _, r := range results {
		list = append(list, r.Findings()...)
	}
	sortFindings(list)
	return list
}

func sortFindings(list []generate.Finding) {
	slices.SortStableFunc(list, func(a, b generate.Finding) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
}

// defaultAccounts returns the workloads that run under the account default.
func defaultAccounts(members []aggregate.Member) []generate.Finding {
	byNamespace := map[string][]aggregate.Member{}
	for _, m := range members {
		if m.ServiceAccount == "default" {
			byNamespace[m.Workload.Namespace] = append(byNamespace[m.Workload.Namespace], m)
		}
	}
	var list []generate.Finding
	for _, users := range byNamespace {
		f := generate.About(users, generate.Warning, RuleDefaultAccount)
		f.Message = fmt.Sprintf("service account default is in use by %s: any pod that names no service account can use its policies: give these workloads service accounts of their own", generate.FirstFew(f.Workloads))
		list = append(list, f)
	}
	return list
}

func debugContainers(members []aggregate.Member) []generate.Finding {
	users := slices.DeleteFunc(slices.Clone(members), func(m aggregate.Member) bool { return m.Profile.EphemeralContainers.Len() == 0 })
	if len(users) == 0 {
		return nil
	}
	const wording = "ephemeral containers of %s were ignored, because a recreated pod has none; the server can deny updates of the running pods"
	return []generate.Finding{generate.About(users, generate.Warning, RuleDebugContainer).Say(wording)}
}

func unknownVolumes(members []aggregate.Member) []generate.Finding {
	users := slices.DeleteFunc(slices.Clone(members), func(m aggregate.Member) bool { return !m.Profile.Volumes.Has(profile.UnknownVolume) })
	if len(users) == 0 {
		return nil
	}
	const wording = "volumes of %s have a source that this version of the advisor does not know: the policies do not permit it: use a version that does"
	return []generate.Finding{generate.About(users, generate.Warning, RuleUnknownVolume).Say(wording)}
}

// unselected warns about policies for more pods than those with the labels that were
// asked for.
func unselected(obs *observe.Observation, results []generate.Result) []generate.Finding {
	var engines []string
	for _, r := range results {
		if r.Engine.WholeNamespaces {
			engines = append(engines, r.Engine.Name)
		}
	}
	if len(engines) == 0 || len(obs.Members) == 0 || obs.Scope.SelectorText() == "" {
		return nil
	}
	f := generate.About(obs.Members, generate.Warning, RuleSelector)
	f.Workloads = nil // all of them
	f = f.Say(fmt.Sprintf("only pods with the labels %s were observed, and the policies for %s apply to all pods of a namespace: observe these without a selector before servers refuse them", obs.Scope.SelectorText(), strings.Join(engines, ", ")))
	return []generate.Finding{f}
}
