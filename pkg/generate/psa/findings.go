package psa

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"k8s.io/pod-security-admission/api"
)

// The rules of findings.
const (
	// ruleLevel: few workloads keep a level loose.
	ruleLevel = "pod-security-level"
	// ruleTimeline: a minor changes a level.
	ruleTimeline = "pod-security-timeline"
	// ruleVersion: a level is not pinned to the requested minor, or that minor has no
	// stable Pod Security admission.
	ruleVersion = "pod-security-version"
	// ruleUnknown: pods were not judged.
	ruleUnknown = "pod-security-unknown"
)

// Few workloads that keep a level loose are worth to be named.
const few = 3

// The minors in which Pod Security admission became beta, and so on by default, and
// stable.
const (
	beta   = 23
	stable = 25
)

func (o Options) findings(outputs []generate.Output) []generate.Finding {
	var list []generate.Finding
	if len(outputs) > 0 {
		list = o.version()
	}
	for _, output := range outputs {
		d := o.decide(output.Group)
		if !d.judged() {
			list = append(list, d.unknown())
			continue
		}
		list = slices.Concat(list, d.pinned(o.Minor), o.heldBack(d), d.timeline())
	}
	return list
}

// version returns what is to be known about the requested minor.
func (o Options) version() []generate.Finding {
	f := generate.Finding{Severity: generate.Info, Rule: ruleVersion}
	switch minor := podsecurity.Minor(o.Minor); {
	case o.Minor == 0 || o.Minor >= stable && o.Minor <= podsecurity.Latest:
		return nil
	case o.Minor < beta:
		f.Severity = generate.Warning
		f = f.Say(fmt.Sprintf("Kubernetes %s ignores Pod Security levels unless its feature gate PodSecurity is on: it is off by default before 1.%d", minor, beta))
	case o.Minor < stable:
		f = f.Say(fmt.Sprintf("Pod Security admission is beta in Kubernetes %s and on by default, unless its feature gate PodSecurity is off: it is stable since 1.%d", minor, stable))
	default:
		f = f.Say(fmt.Sprintf("levels are pinned to v%s, the latest version that this advisor knows; the server has %s", podsecurity.Minor(podsecurity.Latest), minor))
	}
	return []generate.Finding{f}
}

// unknown returns the finding about pods that were not judged.
func (d decision) unknown() generate.Finding {
	of := d.unjudged()
	if len(of) == 0 {
		of = d.group.Members // each was judged, but for no minor in common
	}
	f := generate.About(of, generate.Warning, ruleUnknown)
	f.Message = fmt.Sprintf("the observation has no Pod Security verdicts on %s, so the level is privileged: observe again with this version of advisor", generate.FirstFew(f.Workloads))
	return f
}

// pinned returns a finding if the level is pinned to another minor because of what the
// pods were judged for.
func (d decision) pinned(requested int) []generate.Finding {
	want := min(max(cmp.Or(requested, podsecurity.Latest), podsecurity.First), podsecurity.Latest)
	if d.minor == want {
		return nil
	}
	f := generate.About(d.group.Members, generate.Warning, ruleVersion)
	f.Message = fmt.Sprintf("the level is pinned to v%s instead of v%s, because the observation has verdicts for %s to %s only: observe again with this version of advisor",
		podsecurity.Minor(d.minor), podsecurity.Minor(want), podsecurity.Minor(d.from), podsecurity.Minor(d.to))
	return []generate.Finding{f}
}

// heldBack returns a finding if few workloads keep the level loose: not those of a
// namespace without others, unless they use the host.
func (o Options) heldBack(d decision) []generate.Finding {
	stricter := podsecurity.Stricter(d.level)
	if stricter == "" {
		return nil
	}
	var holders []aggregate.Member
	var names []string
	for _, members := range byWorkload(d.group.Members) {
		var checks []string
		for _, m := range members {
			for _, v := range m.Profile.PodSecurity.Where(refuses(stricter, d.minor)).Values() {
				checks = append(checks, generate.Short(v.Check))
			}
		}
		if len(checks) == 0 {
			continue
		}
		slices.Sort(checks)
		holders = append(holders, members...)
		names = append(names, generate.Short(members[0].Workload.String())+" ("+generate.FirstFew(slices.Compact(checks))+")")
	}
	all := len(byWorkload(d.group.Members))
	if len(names) > few || len(names) == all && d.level != api.LevelPrivileged {
		return nil
	}
	f := generate.About(holders, generate.Info, ruleLevel)
	f.Message = fmt.Sprintf("the level is %s, but would be %s without %s", d.level, stricter, strings.Join(names, ", "))
	if o.Beside != "" {
		f.Message += fmt.Sprintf(": --engine psa,%s adds a policy that confines them to what they ask for", o.Beside)
	}
	return []generate.Finding{f}
}

// byWorkload returns the members of each workload, in their order.
func byWorkload(members []aggregate.Member) [][]aggregate.Member {
	var list [][]aggregate.Member
	for _, m := range members {
		if n := len(list); n > 0 && list[n-1][0].Workload == m.Workload {
			list[n-1] = append(list[n-1], m)
			continue
		}
		list = append(list, []aggregate.Member{m})
	}
	return list
}

// timeline returns a finding for each minor that changes the level.
func (d decision) timeline() []generate.Finding {
	var list []generate.Finding
	for _, c := range podsecurity.Changes(d.from, d.to, d.verdicts.Any) {
		minor, before, after := c.Minor, c.Before, c.After
		tighter, looser := c.Refused()
		failed := d.failed(tighter, looser)
		var checks []string
		var of []aggregate.Member
		for _, c := range failed {
			checks = append(checks, c.name+" of "+generate.Who(d.group, c.uses))
			for _, u := range c.uses {
				of = append(of, d.group.Members[u.Member])
			}
		}
		slices.SortFunc(of, aggregate.Member.Compare)
		f := generate.About(of, generate.Info, ruleTimeline)
		why := generate.FirstFew(checks)
		if looser == minor {
			f.Message = fmt.Sprintf("from %s on the level is %s instead of %s, because of %s", podsecurity.Minor(minor), after, before, why)
			if minor > d.minor {
				f.Severity = generate.Warning
				f.Message += fmt.Sprintf(": %s in a later version refuses these pods", before)
			}
		} else {
			f.Message = fmt.Sprintf("up to %s the level is %s instead of %s, because of %s", podsecurity.Minor(minor-1), before, after, why)
		}
		list = append(list, f)
	}
	return list
}
