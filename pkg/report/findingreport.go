package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/image"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The type of a FindingReport as a document.
const (
	FindingAPIVersion = "psp-advisor.github.io/v1"
	FindingKind       = "FindingReport"
)

// FindingReport is what is wrong with the workloads of an observation, and what mends it.
// It is a document with a versioned schema; every format for people is made from it.
type FindingReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Inspected says in words which namespaces were inspected.
	Inspected string `json:"inspected"`
	// Why is the privilege that the report is about; empty if it is about all.
	Why string `json:"why,omitempty"`
	// Counts of the findings.
	Counts Counts `json:"counts"`
	// Namespaces with workloads, sorted.
	Namespaces []FindingNamespace `json:"namespaces"`
	// Workloads, sorted.
	Workloads []FindingWorkload `json:"workloads"`
	// Rules that some workload breaks, sorted by ID.
	Rules []finding.Rule `json:"rules"`
	// Images with what is wrong with them, sorted; only if images were read.
	Images []FindingImage `json:"images,omitempty"`
	// Gaps are what could not be observed, each in words.
	Gaps []string `json:"gaps,omitempty"`
}

// Counts are numbers of findings by severity.
type Counts struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Info     int `json:"info"`
}

// of returns the count of a severity.
func (c *Counts) of(s privilege.Severity) *int {
	switch s {
	case privilege.Critical:
		return &c.Critical
	case privilege.High:
		return &c.High
	case privilege.Medium:
		return &c.Medium
	case privilege.Low:
		return &c.Low
	default:
		return &c.Info
	}
}

// Of returns the number of findings of a severity.
func (c Counts) Of(s privilege.Severity) int { return *c.of(s) }

// Total returns the number of all findings.
func (c Counts) Total() int { return c.Critical + c.High + c.Medium + c.Low + c.Info }

// Worst returns the worst severity that was counted; empty if there is none.
func (c Counts) Worst() privilege.Severity {
	for _, s := range slices.Backward(privilege.Severities()) {
		if c.Of(s) > 0 {
			return s
		}
	}
	return ""
}

// Compare orders by the number of the worst findings, then by that of the next ones.
func (c Counts) Compare(o Counts) int {
	return cmp.Or(
		cmp.Compare(c.Critical, o.Critical), cmp.Compare(c.High, o.High), cmp.Compare(c.Medium, o.Medium),
		cmp.Compare(c.Low, o.Low), cmp.Compare(c.Info, o.Info),
	)
}

// String returns the counts in words, the worst first.
func (c Counts) String() string {
	var words []string
	for _, s := range slices.Backward(privilege.Severities()) {
		if n := c.Of(s); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// FindingNamespace is a namespace with workloads.
type FindingNamespace struct {
	Name      string `json:"name"`
	Workloads int    `json:"workloads"`
	Counts    Counts `json:"counts"`
	// Level is the tightest Pod Security level that admits all pods and templates, in the
	// minor Version of Kubernetes; empty if they were not judged.
	Level   string `json:"podSecurityLevel,omitempty"`
	Version string `json:"podSecurityVersion,omitempty"`
	// HeldBack are the checks of the next level that some workload fails.
	HeldBack []HeldBack `json:"heldBack,omitempty"`
	// Timeline has the minors of Kubernetes that change the level, in their order.
	Timeline []LevelChange `json:"podSecurityTimeline,omitempty"`
}

// LevelChange is a minor of Kubernetes that changes the Pod Security level of a namespace.
type LevelChange struct {
	// Version is the first one with the level After.
	Version string `json:"version"`
	Before  string `json:"before"`
	After   string `json:"after"`
	// HeldBack are the checks of the tighter level that some workload fails.
	HeldBack []HeldBack `json:"heldBack"`
}

// HeldBack is a check of Pod Security that keeps a namespace from the next level.
type HeldBack struct {
	Level string `json:"level"`
	Check string `json:"check"`
	// Workloads that fail it, sorted, such as "Deployment/web".
	Workloads []string `json:"workloads"`
}

// FindingWorkload is a workload with its findings.
type FindingWorkload struct {
	Namespace string `json:"namespace"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	// ServiceAccounts of its pods, sorted.
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	Pods            int      `json:"pods"`
	Templates       int      `json:"templates"`
	// File and Line are where its manifest stands, if it was read from files.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Containers, sorted by name.
	Containers []Container `json:"containers,omitempty"`
	// Privileges that its pods ask for: what its policy permits. Sorted.
	Privileges []Privilege `json:"privileges"`
	// Findings, the worst first.
	Findings []Finding `json:"findings"`
}

// Container is a container of a workload.
type Container struct {
	Name  string       `json:"name"`
	Kind  profile.Kind `json:"kind"`
	Image string       `json:"image,omitempty"`
}

// Workload returns the identity of the workload.
func (w FindingWorkload) Workload() aggregate.Workload {
	return aggregate.Workload{Namespace: w.Namespace, Group: w.Group, Kind: w.Kind, Name: w.Name}
}

// group returns the group that the workload forms alone, by which it is named.
func (w FindingWorkload) group() aggregate.Group {
	identity := w.Workload()
	return aggregate.Group{Level: aggregate.ByWorkload, Namespace: w.Namespace, Workload: &identity}
}

// apiVersion returns the version of the kind: built-in kinds are all at v1.
func (w FindingWorkload) apiVersion() string {
	return schema.GroupVersion{Group: w.Group, Version: "v1"}.String()
}

// Counts returns the numbers of findings of the workload.
func (w FindingWorkload) Counts() Counts { return countsOf(w.Findings) }

// Privilege is a line of package privilege, with who asks for it.
type Privilege struct {
	Line     string             `json:"line"`
	Severity privilege.Severity `json:"severity"`
	// Containers that ask for it, sorted; none if the pod as a whole does.
	Containers []string `json:"containers,omitempty"`
	// Fields of the manifest that it follows from; only in a report about one privilege.
	Fields []string `json:"fields,omitempty"`
}

// Finding is a rule that a workload breaks.
type Finding struct {
	Rule     string             `json:"rule"`
	Severity privilege.Severity `json:"severity"`
	// Container that breaks it, and what kind of container it is; empty for the pod as a
	// whole.
	Container     string       `json:"container,omitempty"`
	ContainerKind profile.Kind `json:"containerKind,omitempty"`
	// Subject is what breaks it.
	Subject string `json:"subject"`
	// Remedy mends it; none if no field of the manifest does.
	Remedy *finding.Remedy `json:"remedy,omitempty"`
}

// FindingImage is an image with what is wrong with it.
type FindingImage struct {
	// Image is the name that pods give it, or the name of a Dockerfile.
	Image string `json:"image"`
	// Digest by which it can be pinned; empty if it is not known.
	Digest string `json:"digest,omitempty"`
	// Containers that run it, each as "NAMESPACE KIND/NAME container NAME", sorted.
	Containers []string `json:"containers,omitempty"`
	// Findings, the worst first.
	Findings []ImageFinding `json:"findings"`
}

// ImageFinding is a rule that an image breaks.
type ImageFinding struct {
	Rule     string             `json:"rule"`
	Severity privilege.Severity `json:"severity"`
	// Line of a Dockerfile, from 1.
	Line    int    `json:"line,omitempty"`
	Subject string `json:"subject"`
}

// Findings returns the report of an observation. images are what is known about images,
// by the names that pods give them; it may be nil. Pods are judged by Pod Security for a minor of Kubernetes; 0 is the
// latest one.
func Findings(obs *observe.Observation, images map[string]image.Facts, minor int) FindingReport {
	r := FindingReport{APIVersion: FindingAPIVersion, Kind: FindingKind, Inspected: Inspected(obs.Scope)}
	for _, w := range finding.Of(obs.Members, usersOf(images)) {
		r.Workloads = append(r.Workloads, workloadOf(w, obs.Places))
	}
	for members := obs.Members; len(members) > 0; {
		n := FindingNamespace{Name: members[0].Workload.Namespace}
		end := slices.IndexFunc(members, func(m aggregate.Member) bool { return m.Workload.Namespace != n.Name })
		if end < 0 {
			end = len(members)
		}
		n.judge(members[:end], minor)
		r.Namespaces, members = append(r.Namespaces, n), members[end:]
	}
	for _, g := range obs.Gaps {
		r.Gaps = append(r.Gaps, Gap(g))
	}
	r.Images = r.imagesOf(images)
	r.count()
	return r
}

// Gap returns a gap in words that are the same for the same problem: an error has
// addresses.
func Gap(g observe.Gap) string { return g.Where() + ": " + string(g.Reason) }

func workloadOf(w finding.Workload, places map[aggregate.Workload]observe.Place) FindingWorkload {
	fw := FindingWorkload{
		Namespace: w.Namespace, Group: w.Group, Kind: w.Kind, Name: w.Name,
		ServiceAccounts: w.ServiceAccounts, Pods: w.Pods, Templates: w.Templates,
		Privileges: []Privilege{}, Findings: []Finding{},
	}
	if place, known := places[w.Workload]; known {
		fw.File, fw.Line = place.File, max(place.Line, 1)
	}
	for _, it := range w.Profile.Containers.Items() {
		for _, name := range profile.Containers(it.Uses) {
			fw.Containers = append(fw.Containers, Container{name, it.Value.Kind, it.Value.Image})
		}
	}
	slices.SortFunc(fw.Containers, func(a, b Container) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Image, b.Image))
	})
	fw.Containers = slices.Compact(fw.Containers)
	for _, it := range w.Profile.Privileges.Items() {
		line := string(it.Value)
		fw.Privileges = append(fw.Privileges, Privilege{Line: line, Severity: privilege.SeverityOf(line), Containers: profile.Containers(it.Uses)})
	}
	for _, f := range w.Findings {
		fw.Findings = append(fw.Findings, Finding{f.Rule, f.Severity, f.Container, f.Kind, f.Subject, f.Remedy})
	}
	return fw
}

// judge sets the Pod Security level of the namespace of members, what holds it back, and
// when it changes.
func (n *FindingNamespace) judge(members []aggregate.Member, minor int) {
	profiles := make([]*profile.Profile, len(members))
	for i, m := range members {
		profiles[i] = &profile.Profile{PodSecurity: m.Profile.PodSecurity} // the only attribute that is united
		if !m.Profile.PodSecurity.Any(podsecurity.Verdict.Judged) {
			return // by an observation of another version
		}
	}
	verdicts := profile.Gather(profiles...).PodSecurity
	from, to := 0, podsecurity.Latest
	for _, v := range verdicts.Where(podsecurity.Verdict.Judged).Values() {
		from, to = max(from, v.From), min(to, cmp.Or(v.To, podsecurity.Latest))
	}
	minor = min(max(cmp.Or(minor, podsecurity.Latest), from), to)
	level := podsecurity.Level(minor, verdicts.Any)
	n.Level, n.Version = string(level), podsecurity.Minor(minor)
	heldBack := func(level string, refuses func(podsecurity.Verdict) bool) []HeldBack {
		failed := map[string][]string{}
		for _, it := range verdicts.Where(refuses).Items() {
			for _, u := range it.Uses {
				failed[it.Value.Check] = append(failed[it.Value.Check], members[u.Member].Workload.String())
			}
		}
		var list []HeldBack
		for _, check := range slices.Sorted(maps.Keys(failed)) {
			slices.Sort(failed[check])
			list = append(list, HeldBack{level, check, slices.Compact(failed[check])})
		}
		return list
	}
	if stricter := podsecurity.Stricter(level); stricter != "" {
		n.HeldBack = heldBack(string(stricter), func(v podsecurity.Verdict) bool { return v.Refuses(stricter, minor) })
	}
	for _, c := range podsecurity.Changes(from, to, verdicts.Any) {
		tighter, looser := c.Refused()
		why := heldBack(string(tighter), func(v podsecurity.Verdict) bool { return v.Refuses(tighter, looser) })
		n.Timeline = append(n.Timeline, LevelChange{podsecurity.Minor(c.Minor), string(c.Before), string(c.After), why})
	}
}

// count sets what follows from the workloads and images: counts and rules.
func (r *FindingReport) count() {
	r.Counts, r.Rules = Counts{}, []finding.Rule{}
	r.Namespaces, r.Workloads = orEmpty(r.Namespaces), orEmpty(r.Workloads)
	broken := map[string]bool{}
	byNamespace := map[string]*FindingNamespace{}
	for i := range r.Namespaces {
		n := &r.Namespaces[i]
		n.Workloads, n.Counts = 0, Counts{}
		byNamespace[n.Name] = n
	}
	for _, w := range r.Workloads {
		n := byNamespace[w.Namespace]
		if n == nil {
			n = &FindingNamespace{} // a document that somebody has edited
		}
		n.Workloads++
		for _, f := range w.Findings {
			broken[f.Rule] = true
			*r.Counts.of(f.Severity)++
			*n.Counts.of(f.Severity)++
		}
	}
	for _, i := range r.Images {
		for _, f := range i.Findings {
			broken[f.Rule] = true
			*r.Counts.of(f.Severity)++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(broken)) {
		if rule, known := ruleOf(id); known {
			r.Rules = append(r.Rules, rule)
		}
	}
}

// RuleSeverity is a rule, and how bad some of its findings are.
type RuleSeverity struct {
	Rule     string
	Severity privilege.Severity
}

// ByRule returns the numbers of findings by rule and severity.
func (r FindingReport) ByRule() map[RuleSeverity]int {
	counts := map[RuleSeverity]int{}
	for _, w := range r.Workloads {
		for _, f := range w.Findings {
			counts[RuleSeverity{f.Rule, f.Severity}]++
		}
	}
	return counts
}

func countsOf(list []Finding) Counts {
	var c Counts
	for _, f := range list {
		*c.of(f.Severity)++
	}
	return c
}

// Filter returns the report with the findings that keep is true for, of the workloads
// that have some.
func (r FindingReport) Filter(keep func(Finding) bool) FindingReport {
	var workloads []FindingWorkload
	for _, w := range r.Workloads {
		w.Findings = slices.DeleteFunc(slices.Clone(w.Findings), func(f Finding) bool { return !keep(f) })
		if len(w.Findings) > 0 {
			workloads = append(workloads, w)
		}
	}
	r.Workloads = workloads
	r.Namespaces = slices.Clone(r.Namespaces)
	r.count()
	return r
}

// JSON returns the report as JSON, with all characters escaped that are not printable.
func (r FindingReport) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the findings: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

// YAML returns the report as YAML.
func (r FindingReport) YAML() ([]byte, error) {
	data, err := generate.Document(r)
	if err != nil {
		return nil, fmt.Errorf("writing the findings: %w", err)
	}
	return data, nil
}

// JoinFindings returns the report of several ones, each about other namespaces.
func JoinFindings(reports ...FindingReport) FindingReport {
	r := FindingReport{APIVersion: FindingAPIVersion, Kind: FindingKind}
	for _, o := range reports {
		r.Namespaces = append(r.Namespaces, o.Namespaces...)
		r.Workloads = append(r.Workloads, o.Workloads...)
		r.Images = append(r.Images, o.Images...)
		r.Gaps = append(r.Gaps, o.Gaps...)
	}
	slices.SortFunc(r.Namespaces, func(a, b FindingNamespace) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(r.Workloads, func(a, b FindingWorkload) int { return a.Workload().Compare(b.Workload()) })
	slices.Sort(r.Gaps)
	r.Gaps = slices.Compact(r.Gaps)
	r.Inspected = "namespaces " + generate.FirstFew(namesOf(r.Namespaces))
	r.count()
	return r
}

func namesOf(list []FindingNamespace) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.Name
	}
	return names
}

// ReadFindings reads a report that was written as JSON.
func ReadFindings(data []byte) (FindingReport, error) {
	var r FindingReport
	if err := json.Unmarshal(data, &r); err != nil {
		return FindingReport{}, fmt.Errorf("reading the findings: %w", err)
	}
	if r.APIVersion != FindingAPIVersion || r.Kind != FindingKind {
		return FindingReport{}, fmt.Errorf("reading the findings: they are of type %s %s, want %s %s: use the version of advisor that wrote them",
			printable.Short(r.APIVersion, 100), printable.Short(r.Kind, 100), FindingAPIVersion, FindingKind)
	}
	return r, nil
}
