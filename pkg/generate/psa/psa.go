// Package psa generates the labels by which Pod Security admission confines a
// namespace: the tightest level that admits its pods and templates, pinned to a minor
// of Kubernetes.
//
// Input is the members of an observation; output is a generate.Output per namespace,
// whatever the level of the observation, because labels belong to a namespace. Laws,
// checked with the evaluator of k8s.io/pod-security-admission:
//   - sound: in the pinned minor the enforced level admits every pod of the namespace;
//   - minimal: every tighter level refuses some pod of the namespace.
//
// Restricted fields: those of k8s.io/pod-security-admission/policy, each in the file
// of its check. What a pod fails is recorded in its profile (pkg/podsecurity). Mirror
// pods are considered like others: admission judges them too, and a refused one leaves
// a static pod that the API does not show.
package psa

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/pod-security-admission/api"
)

// Options of the engine.
type Options struct {
	// Minor of Kubernetes 1 that the levels are pinned to, usually the server's; 0 is
	// the latest known. Minors that no pod was judged for are replaced by the nearest
	// one.
	Minor int
	// Beside is an engine whose policies confine workloads one by one, and which could be
	// chosen as well; empty if one is, or if the server has none.
	Beside string
}

// Engine returns the engine of Pod Security admission.
func Engine(o Options) generate.Engine {
	perNamespace := generate.PerGroup(o.output, nil)
	return generate.Engine{
		Name: "psa",
		Outputs: func(members []aggregate.Member, _ aggregate.Level) []generate.Output {
			return perNamespace(members, aggregate.ByNamespace)
		},
		Findings:        o.findings,
		Levels:          true,
		WholeNamespaces: true,
		Inexpressible:   inexpressible,
	}
}

// inexpressible are the attributes that no level restricts.
var inexpressible = []string{
	"readOnlyRootFilesystem", "hostPaths", "flexVolumeDrivers", "csiDrivers", "runtimeClassName", "runAsGroup", "fsGroup",
	"supplementalGroups", "runAsUserName", "shareProcessNamespace", "supplementalGroupsPolicy", "mountPropagation", "secretEnv",
	"runtimeUser", "ephemeralContainers",
}

// The path of labels in reasons.
const labels = "metadata.labels."

// output returns the labels of the namespace of a group.
func (o Options) output(g aggregate.Group) generate.Output {
	d := o.decide(g)
	stricter := cmp.Or(podsecurity.Stricter(d.level), d.level)
	version := "v" + podsecurity.Minor(d.minor)
	namespace := generate.Namespace(g.Namespace, map[string]string{
		api.EnforceLevelLabel: string(d.level), api.EnforceVersionLabel: version,
		api.AuditLevelLabel: string(stricter), api.AuditVersionLabel: version,
		api.WarnLevelLabel: string(stricter), api.WarnVersionLabel: version,
	}, nil)
	title := generate.ForNamespace(g)
	object := generate.Object{Value: namespace, Title: title, Reasons: generate.Reasons{}}
	if why := d.whyNot(stricter, d.minor); d.level != stricter {
		object.Reasons[labels+api.EnforceLevelLabel] = why
	}
	return generate.Output{Group: g, Name: generate.Name(g), Objects: generate.Made(object)}
}

// decision is the level of a namespace, and what it follows from.
type decision struct {
	group aggregate.Group
	// verdicts on the pods of the group.
	verdicts profile.Set[podsecurity.Verdict]
	// from and to are the minors that all pods were judged for. There is none if from
	// is after to.
	from, to int
	// minor that the level is pinned to.
	minor int
	level api.Level
}

func (o Options) decide(g aggregate.Group) decision {
	d := decision{group: g, verdicts: aggregate.Attribute(g, verdictsOf), from: 0, to: podsecurity.Latest}
	for _, v := range d.verdicts.Where(podsecurity.Verdict.Judged).Values() {
		d.from, d.to = max(d.from, v.From), min(d.to, v.To)
	}
	if len(d.unjudged()) > 0 {
		d.from, d.to = 1, 0
	}
	d.minor = cmp.Or(o.Minor, podsecurity.Latest)
	if d.judged() {
		d.minor = min(max(d.minor, d.from), d.to)
	} else {
		d.minor = min(max(d.minor, podsecurity.First), podsecurity.Latest)
	}
	d.level = d.at(d.minor)
	return d
}

func verdictsOf(p *profile.Profile) profile.Set[podsecurity.Verdict] { return p.PodSecurity }

// judged reports whether there is a minor that all pods were judged for.
func (d decision) judged() bool { return d.from <= d.to }

// unjudged returns the members with pods that were never judged: the document of
// another version has them.
func (d decision) unjudged() []aggregate.Member {
	return slices.DeleteFunc(slices.Clone(d.group.Members), func(m aggregate.Member) bool {
		return m.Profile.PodSecurity.Any(podsecurity.Verdict.Judged)
	})
}

// at returns the tightest level that admits the pods in a minor: the loosest one for
// pods that were not judged.
func (d decision) at(minor int) api.Level {
	if d.judged() {
		return podsecurity.Level(minor, d.verdicts.Any)
	}
	return api.LevelPrivileged
}

func refuses(level api.Level, minor int) func(podsecurity.Verdict) bool {
	return func(v podsecurity.Verdict) bool { return v.Refuses(level, minor) }
}

// maxChecks limits the lines of a comment. There are fewer checks now.
const maxChecks = 24

// whyNot returns a line for each check that refuses some pod at a level in a minor,
// with the workloads and containers that fail it.
func (d decision) whyNot(level api.Level, minor int) []string {
	if !d.judged() {
		return []string{"not judged: observe it again with this version of advisor"}
	}
	var lines []string
	byCheck := d.failed(level, minor)
	for i, c := range byCheck {
		if i == maxChecks {
			lines = append(lines, "and "+strconv.Itoa(len(byCheck)-i)+" more checks")
			break
		}
		lines = append(lines, "not "+string(level)+" because of "+c.name+": "+generate.Who(d.group, c.uses))
	}
	return lines
}

// check is a check with those who fail it.
type check struct {
	name string
	uses []profile.Use
}

// failed returns the checks that refuse some pod at a level in a minor.
func (d decision) failed(level api.Level, minor int) []check {
	var list []check
	for _, it := range d.verdicts.Where(refuses(level, minor)).Items() {
		// Sorted by level, then by name, so the ranges of a check are neighbors.
		name := generate.Short(it.Value.Check)
		if n := len(list); n > 0 && list[n-1].name == name {
			list[n-1].uses = profile.Uses(list[n-1].uses, it.Uses)
			continue
		}
		list = append(list, check{name, it.Uses})
	}
	return list
}
