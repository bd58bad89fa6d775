package html

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// parts are what workloads share. Each part stands once, without the names of the
// workload and the container that it is about.
type parts struct {
	report   report.FindingReport
	findings interner[block]
	sets     interner[set]
	asks     interner[asks]
	// subjects are the numbers of findings by rule and subject.
	subjects map[[2]string]int
	// workloads that break a rule.
	workloads map[string]int
	// directory is what the files of all manifests are below.
	directory string
}

func newParts(r report.FindingReport) *parts {
	subjects := map[[2]string]int{}
	for _, w := range r.Workloads {
		for _, f := range w.Findings {
			subjects[[2]string{f.Rule, f.Subject}]++
		}
	}
	return &parts{
		report: r, subjects: subjects, findings: interner[block]{prefix: "f"}, sets: interner[set]{prefix: "s"}, asks: interner[asks]{prefix: "p"},
		workloads: map[string]int{}, directory: directoryOf(r.Workloads),
	}
}

// directoryOf returns the directory that the files of all manifests are below, with a
// slash; empty if there is none.
func directoryOf(workloads []report.FindingWorkload) string {
	directory, first := "", true
	for _, w := range workloads {
		if w.File == "" {
			continue
		}
		if first {
			directory, first = w.File[:strings.LastIndex(w.File, "/")+1], false
		}
		for !strings.HasPrefix(w.File, directory) {
			directory = directory[:strings.LastIndex(strings.TrimSuffix(directory, "/"), "/")+1]
		}
	}
	return directory
}

// interner numbers distinct values.
type interner[T any] struct {
	prefix string
	list   []T
	ids    map[string]string
}

// add returns the ID of a value, and sets it if the value is new.
func (i *interner[T]) add(v T, set func(v *T, id string)) string {
	key := fmt.Sprintf("%#v", v)
	if id, known := i.ids[key]; known {
		return id
	}
	if i.ids == nil {
		i.ids = map[string]string{}
	}
	id := fmt.Sprint(i.prefix, len(i.list)+1)
	i.ids[key] = id
	set(&v, id)
	i.list = append(i.list, v)
	return id
}

// set is what is wrong with a container, and what it asks for.
type set struct {
	ID       string
	Findings []reference
	Asks     string
}

// reference is a finding of a set.
type reference struct {
	ID, Rule string
	Severity privilege.Severity
}

// block is a finding of any container.
type block struct {
	ID, Rule, Title string
	Subject         []segment
	Severity        privilege.Severity
	// Known is true if the page has the rule.
	Known      bool
	Confidence string
	Changes    []change
	// Patch is the strategic merge patch of a pod template as YAML; empty if there is none.
	Patch []segment
}

// change is a field of a pod template.
type change struct {
	Path, Value []segment
	Remove      bool
}

// segment is a text, or stands for a name if it has a variable.
type segment struct{ Text, Var string }

// The variables.
const (
	// varContainer is the name of the container; followed by a number, that of another
	// container of the workload, in the order in which the page has them.
	varContainer = "container"
	// varAccount is the name of a service account for the workload alone.
	varAccount = "account"
	// varSecret and varImage are what a finding is about that most workloads have of their
	// own; followed by a number, another one of the container.
	varSecret = "secret"
	varImage  = "image"
)

// own is the value of varSecret or varImage for a container. Values have no spaces.
type own struct{ Variable, Value string }

// owned are the variables by the rules whose subjects they stand for: a word, a space and
// the value.
var owned = map[string]string{"secret-env": varSecret, "image-tag": varImage}

// plainImage matches names of images that are shown as they are.
var plainImage = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,250}$`)

// few is how many findings have a subject that is one of their own. What more of them have
// takes less room where it is shared.
const few = 2

// ownOf returns the variable and the value of the subject of a finding. Secrets whose
// names do not stand in their volumes as they are have none (package finding, volumeName).
func (p *parts) ownOf(f report.Finding) (own, bool) {
	variable, known := owned[f.Rule]
	value, named := strings.CutPrefix(f.Subject, variable+" ")
	if !known || !named || f.Container == "" || p.subjects[[2]string{f.Rule, f.Subject}] > few {
		return own{}, false
	}
	if variable == varImage {
		return own{variable, value}, plainImage.MatchString(value)
	}
	return own{variable, value}, valid(value) && len(volumeOf+value) <= 63 && !strings.Contains(value, ".")
}

// The beginnings of what a remedy names after a Secret.
const (
	volumeOf = "env-secret-"
	mountOf  = "/run/secrets/"
)

// ownedBy returns what findings of a container are about, each once, with the variables.
func (p *parts) ownedBy(findings []report.Finding) map[string][]own {
	byContainer := map[string][]own{}
	count := map[[2]string]int{}
	for _, f := range findings {
		o, ok := p.ownOf(f)
		if !ok || slices.ContainsFunc(byContainer[f.Container], func(known own) bool { return known.is(o) }) {
			continue
		}
		key := [2]string{f.Container, o.Variable}
		if count[key]++; count[key] > 1 {
			o.Variable = fmt.Sprint(o.Variable, " ", count[key])
		}
		byContainer[f.Container] = append(byContainer[f.Container], o)
	}
	return byContainer
}

// is reports whether a variable, with or without a number, stands for the same.
func (o own) is(plain own) bool {
	return o.Value == plain.Value && (o.Variable == plain.Variable || strings.HasPrefix(o.Variable, plain.Variable+" "))
}

// asks are privileges that a container asks for.
type asks struct {
	ID    string
	Lines []ask
}

type ask struct {
	Severity privilege.Severity
	Line     string
	Fields   []string
}

// workload returns a workload whose containers refer to the parts.
func (p *parts) workload(w report.FindingWorkload) workload {
	v := workload{Kind: name(w.Kind), Name: name(w.Name), Totals: some(w.Counts()), Facts: p.facts(w)}
	asked := asksOf(w)
	kinds := map[string]string{}
	for c := range asked {
		kinds[c] = ""
	}
	rules := map[string]bool{}
	for _, f := range w.Findings {
		kinds[f.Container] = string(f.ContainerKind)
		rules[f.Rule] = true
		if prefix := prefixOf(f.Remedy); f.Remedy != nil && prefix != prefixes[w.Kind] {
			v.Odd, v.Prefix = true, prefix
		}
	}
	for rule := range rules {
		p.workloads[rule]++
	}
	containers := slices.DeleteFunc(sortedKeys(kinds), func(c string) bool { return c == "" })
	findings := map[string][]reference{}
	owns := p.ownedBy(w.Findings)
	for _, f := range w.Findings {
		n := names{container: f.Container, containers: containers, account: accountOf(f.Remedy)}
		if o, ok := p.ownOf(f); ok {
			n.own = owns[f.Container][slices.IndexFunc(owns[f.Container], func(known own) bool { return known.is(o) })]
		}
		findings[f.Container] = append(findings[f.Container], p.finding(f, n))
	}
	id := func(container string) string {
		s := set{Findings: findings[container]}
		if lines := asked[container]; len(lines) > 0 {
			s.Asks = p.asks.add(asks{Lines: lines}, func(a *asks, id string) { a.ID = id })
		}
		return p.sets.add(s, func(s *set, id string) { s.ID = id })
	}
	if _, known := kinds[""]; known {
		v.Pod = id("")
	}
	for _, c := range containers {
		kind := kinds[c]
		if kind == string(profile.Regular) {
			kind = ""
		}
		v.Containers = append(v.Containers, container{name(c), name(kind), id(c), owns[c]})
	}
	return v
}

// asksOf returns what the containers of a workload ask for, the worst first; what the pod
// asks for is that of the empty name.
func asksOf(w report.FindingWorkload) map[string][]ask {
	asked := map[string][]ask{}
	for _, a := range w.Privileges {
		line := ask{Severity: a.Severity, Line: text(a.Line)}
		for _, f := range a.Fields {
			line.Fields = append(line.Fields, text(f))
		}
		owners := a.Containers
		if len(owners) == 0 {
			owners = []string{""}
		}
		for _, c := range owners {
			asked[c] = append(asked[c], line)
		}
	}
	for _, lines := range asked {
		slices.SortStableFunc(lines, func(a, b ask) int { return b.Severity.Compare(a.Severity) })
	}
	return asked
}

// facts returns what is known about a workload in a line, but for what is usual: that a
// manifest has one template.
func (p *parts) facts(w report.FindingWorkload) string {
	var list []string
	if w.Pods > 0 {
		list = append(list, report.Count(w.Pods, "pod"))
	}
	if w.Templates > 0 && (w.Templates > 1 || w.Pods > 0) {
		list = append(list, report.Count(w.Templates, "template"))
	}
	for _, a := range w.ServiceAccounts {
		list = append(list, "account "+name(a))
	}
	if w.File != "" {
		list = append(list, fmt.Sprintf("%s:%d", name(strings.TrimPrefix(w.File, p.directory)), w.Line))
	}
	if len(list) > 10 {
		list = append(list[:10], "…")
	}
	return strings.Join(list, ", ")
}

// finding returns the reference to a finding.
func (p *parts) finding(f report.Finding, n names) reference {
	rule, known := ruleOf(p.report, f.Rule)
	b := block{Rule: name(f.Rule), Title: text(rule.Title), Subject: n.subject(f.Subject), Severity: f.Severity, Known: known}
	if r := f.Remedy; r != nil {
		b.Confidence = r.Confidence.Text()
		prefix := prefixOf(r)
		for _, c := range r.Changes {
			b.Changes = append(b.Changes, change{Path: n.path(strings.TrimPrefix(c.Path, prefix)), Value: n.value(c), Remove: c.Remove})
		}
		b.Patch = n.patch(r.Patch, prefix)
	}
	id := p.findings.add(b, func(b *block, id string) { b.ID = id })
	return reference{id, b.Rule, f.Severity}
}

// prefixes are where kinds have the template of their pods, if it is not in the spec.
var prefixes = map[string]string{
	"Pod": "", "PodTemplate": "template.", "CronJob": "spec.jobTemplate.spec.template.",
	"ReplicationController": inSpec, "Deployment": inSpec, "StatefulSet": inSpec, "DaemonSet": inSpec, "ReplicaSet": inSpec, "Job": inSpec,
}

const inSpec = "spec.template."

// prefixOf returns where the fields of a remedy begin to be those of a pod template.
func prefixOf(r *finding.Remedy) string {
	if r == nil || len(r.Changes) == 0 {
		return ""
	}
	for _, prefix := range []string{"spec.jobTemplate.spec.template.", inSpec, "template."} {
		if strings.HasPrefix(r.Changes[0].Path, prefix) {
			return prefix
		}
	}
	return ""
}

// names are what a finding is about, and what stands for it where it is shared.
type names struct {
	container  string
	containers []string
	account    string
	// own is what the finding is about; the zero value if that is shared as it is.
	own own
}

// subject returns the subject of a finding without what the container has of its own.
func (n names) subject(subject string) []segment {
	if before, ok := strings.CutSuffix(subject, n.own.Value); ok && n.own.Value != "" {
		return []segment{{Text: before}, {Var: n.own.Variable}}
	}
	return []segment{{Text: text(subject)}}
}

// secret returns the beginning of a string that ends with the name of the Secret that the
// finding is about, as remedies have them.
func (n names) secret(s string) (before string, ok bool) {
	before, ok = strings.CutSuffix(s, n.own.Value)
	return before, ok && strings.HasPrefix(n.own.Variable, varSecret) && (before == "" || before == volumeOf || before == mountOf)
}

// variable returns what stands for the name of a container.
func (n names) variable(container string) (string, bool) {
	switch i := slices.Index(n.containers, container); {
	case i < 0 || !valid(container):
		return "", false
	case container == n.container:
		return varContainer, true
	default:
		return fmt.Sprint(varContainer, " ", i+1), true
	}
}

// containerInPath matches where a path has the name of a container.
var containerInPath = regexp.MustCompile(`(^spec\.[a-z]*[cC]ontainers\[name=|kubernetes\.io/)([a-z0-9.-]+)("?\])`)

// path returns a path without the names of containers.
func (n names) path(path string) []segment {
	if at := containerInPath.FindStringSubmatchIndex(path); at != nil {
		if variable, ok := n.variable(path[at[4]:at[5]]); ok {
			return slices.Concat([]segment{{Text: text(path[:at[4]])}, {Var: variable}}, n.pathOfSecret(path[at[5]:]))
		}
	}
	return n.pathOfSecret(path)
}

// pathOfSecret returns a path without the name of the Secret.
func (n names) pathOfSecret(path string) []segment {
	if strings.HasPrefix(n.own.Variable, varSecret) {
		for _, beginning := range []string{"[name=" + volumeOf, "[mountPath=" + mountOf} {
			if before, after, ok := strings.Cut(path, beginning+n.own.Value+"]"); ok {
				return []segment{{Text: text(before + beginning)}, {Var: n.own.Variable}, {Text: text("]" + after)}}
			}
		}
	}
	return []segment{{Text: text(path)}}
}

// accountOf returns the service account that a remedy gives to a workload; empty if it gives
// none.
func accountOf(r *finding.Remedy) string {
	if r == nil {
		return ""
	}
	for _, c := range r.Changes {
		if account, ok := c.Value.(string); ok && strings.HasSuffix(c.Path, "spec.serviceAccountName") {
			return account
		}
	}
	return ""
}

// value returns the value of a change as JSON.
func (n names) value(c finding.Change) []segment {
	if c.Remove {
		return nil
	}
	if n.account != "" && strings.HasSuffix(c.Path, "spec.serviceAccountName") && c.Value == n.account {
		return []segment{{Text: `"`}, {Var: varAccount}, {Text: `"`}}
	}
	if value, ok := c.Value.(string); ok {
		if before, ok := n.secret(value); ok {
			return []segment{{Text: `"` + before}, {Var: n.own.Variable}, {Text: `"`}}
		}
	}
	return []segment{{Text: printable.Short(jsonOf(c.Value), textLimit)}}
}

// jsonOf returns a value as printable JSON in a line.
func jsonOf(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v) // not of a manifest
	}
	return string(printable.JSON(bytes.TrimSpace(out.Bytes())))
}

// ruleOf returns a rule of the report. One that is not there has its ID for a title.
func ruleOf(r report.FindingReport, id string) (finding.Rule, bool) {
	i := slices.IndexFunc(r.Rules, func(rule finding.Rule) bool { return rule.ID == id })
	if i < 0 {
		return finding.Rule{ID: id, Title: id}, false
	}
	return r.Rules[i], true
}
