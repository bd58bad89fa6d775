package report

import (
	"encoding/json"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	corev1 "k8s.io/api/core/v1"
)

// Index is the table of contents: index.json. It names every ConfigMap of every
// report, and whatever it names is there and whole.
type Index struct {
	Schema string `json:"schema"`
	// Level that the policies are for.
	Level aggregate.Level `json:"level"`
	// Reports, sorted by namespace.
	Reports []Entry `json:"reports"`
	// Coverage says what the reports are about, and what they leave out.
	Coverage Coverage `json:"coverage"`
}

// Entry is one report in the index.
type Entry struct {
	// Namespace that the report is about; empty for a whole cluster.
	Namespace string `json:"namespace,omitempty"`
	// ConfigMaps that hold the report, in the order to put them together.
	ConfigMaps []string `json:"configMaps"`
	// PoliciesSHA256 and ReportSHA256 are of the whole policies.yaml and of the
	// whole report.json, not gzipped, in hex.
	PoliciesSHA256 string `json:"policiesSHA256"`
	ReportSHA256   string `json:"reportSHA256"`
	// How many of each the report has.
	Pods      int `json:"pods"`
	Templates int `json:"templates"`
	Workloads int `json:"workloads"`
	Policies  int `json:"policies"`
	Findings  int `json:"findings"`
	// Partial says that the report was made although something could not be
	// observed: its policies may refuse pods.
	Partial bool `json:"partial,omitempty"`
	// Stale says why the report is an older one; empty for a current report.
	Stale string `json:"stale,omitempty"`
}

// Coverage says what was to be observed, and what was not.
type Coverage struct {
	// Complete is set when no report is stale or partial and there is no gap.
	Complete bool `json:"complete"`
	// Namespaces that were to be observed; none means all but the excluded ones.
	Namespaces         []string `json:"namespaces,omitempty"`
	ExcludedNamespaces []string `json:"excludedNamespaces,omitempty"`
	// Selector of pods, if there is one.
	Selector string `json:"selector,omitempty"`
	// Sources that count: pods, templates.
	Sources []string `json:"sources"`
	// EphemeralContainers says that debug containers count.
	EphemeralContainers bool `json:"ephemeralContainers,omitempty"`
	// Gaps is what could not be observed or published.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Gap is something that is missing, and why.
type Gap struct {
	// Namespace where it is missing; empty for all of them.
	Namespace string `json:"namespace,omitempty"`
	// Resource that could not be observed, such as "deployments.apps"; empty
	// where the report itself could not be published.
	Resource string `json:"resource,omitempty"`
	Message  string `json:"message"`
}

// ConfigMap returns the index as it is published, but for its namespace and
// revision.
func (i Index) ConfigMap() (*corev1.ConfigMap, error) {
	data, err := marshal(i.withoutNil())
	if err != nil {
		return nil, fmt.Errorf("writing index: %w", err)
	}
	p := &packer{}
	p.add(SummaryKey, i.summary())
	if err := p.addJSON(IndexKey, IndexGzipKey, data); err != nil {
		return nil, err
	}
	if len(p.parts) > 1 {
		return nil, fmt.Errorf("the index of %d reports takes more than the %d bytes of a ConfigMap: split the namespaces over several report namespaces", len(i.Reports), MaxBytes)
	}
	cm := p.parts[0].configMap(KindIndex, "")
	cm.Name = IndexName
	return cm, nil
}

// ReadIndex is the way back.
func ReadIndex(cm *corev1.ConfigMap) (Index, error) {
	data, err := contentOf(cm).json(IndexKey, IndexGzipKey)
	if err != nil {
		return Index{}, err
	}
	var i Index
	if err := json.Unmarshal(data, &i); err != nil {
		return Index{}, fmt.Errorf("reading index: %w", err)
	}
	if i.Schema != Schema {
		return Index{}, fmt.Errorf("reading index: unknown schema %q", i.Schema)
	}
	return i, nil
}

// summary says the same as the index, for people.
func (i Index) summary() []byte {
	var totals Entry
	stale := 0
	for _, e := range i.Reports {
		totals.Pods += e.Pods
		totals.Templates += e.Templates
		totals.Policies += e.Policies
		if e.Stale != "" {
			stale++
		}
	}
	text := fmt.Appendf(nil, "%s: %s and %s, %s\n", Count(len(i.Reports), "report"),
		Count(totals.Pods, "pod"), Count(totals.Templates, "template"), countPolicies(totals.Policies))
	if stale > 0 {
		text = fmt.Appendf(text, "%s out of date\n", Count(stale, "report"))
	}
	for _, g := range i.Coverage.Gaps {
		text = append(text, printable.Text(g.String())...)
		text = append(text, '\n')
	}
	for _, e := range i.Reports {
		if e.Stale != "" {
			text = fmt.Appendf(text, "%s: out of date: %s\n", e.Name(), printable.Text(e.Stale))
		}
	}
	return firstLines(text, "index.json")
}

// Name says what the report is about.
func (e Entry) Name() string {
	if e.Namespace == "" {
		return "the cluster"
	}
	return e.Namespace
}

func (g Gap) String() string {
	where := ""
	if g.Namespace != "" {
		where = " of namespace " + g.Namespace
	}
	if g.Resource == "" {
		return "not published: report" + where + ": " + g.Message
	}
	return "not observed: " + g.Resource + where + ": " + g.Message
}

func (i Index) withoutNil() Index {
	i.Reports, i.Coverage.Sources = orEmpty(i.Reports), orEmpty(i.Coverage.Sources)
	return i
}
