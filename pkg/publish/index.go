package publish

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
)

// Index is the table of contents. It names every ConfigMap of every report, and
// whatever it names is there and whole.
type Index struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Level and Engines that the policies are for.
	Level   aggregate.Level `json:"level"`
	Engines []string        `json:"engines"`
	// Reports, sorted by namespace.
	Reports []Entry `json:"reports"`
	// Coverage says what the reports are about, and what is missing from them.
	Coverage Coverage `json:"coverage"`
}

// Entry is one report in the index.
type Entry struct {
	// Namespace that the report is about; empty for a whole cluster.
	Namespace string `json:"namespace,omitempty"`
	// ConfigMaps that hold the report, in the order to put them together.
	ConfigMaps []string `json:"configMaps"`
	// Files has the SHA-256 of each file of the report, not gzipped, in hex.
	Files map[string]string `json:"files"`
	// How many of each the report has.
	Pods      int `json:"pods"`
	Templates int `json:"templates"`
	Workloads int `json:"workloads"`
	Policies  int `json:"policies"`
	Findings  int `json:"findings"`
	// Partial says that the report was made although something could not be
	// observed: its policies may refuse pods.
	Partial bool `json:"partial,omitempty"`
	// Stale says why the report is an older one; nil for a current report.
	Stale *Gap `json:"stale,omitempty"`
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
	// Sources that are observed: pods, templates.
	Sources []string `json:"sources"`
	// EphemeralContainers says that debug containers are considered.
	EphemeralContainers bool `json:"ephemeralContainers,omitempty"`
	// Gaps is what could not be observed or published.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Gap is something that is missing, and why. It holds none of a server's words,
// which have addresses in them and may change without a change.
type Gap struct {
	// Namespace where it is missing; empty for all of them.
	Namespace string `json:"namespace,omitempty"`
	// Resource that could not be observed, such as "deployments.apps"; empty
	// where the report itself could not be published.
	Resource string `json:"resource,omitempty"`
	// Reason is one of apierror, or one of the reasons below.
	Reason apierror.Reason `json:"reason"`
}

// The reasons why a report could not be published, beside those of requests.
const (
	// TooLarge: one document of the report takes more than a ConfigMap.
	TooLarge apierror.Reason = "TooLarge"
	// NotOurs: a ConfigMap of its name was written by another client.
	NotOurs apierror.Reason = "NotOurs"
)

// gapsOf returns gaps as they are published.
func gapsOf(list []observe.Gap) []Gap {
	var gaps []Gap
	for _, g := range list {
		gaps = append(gaps, Gap{Namespace: g.Namespace, Resource: g.Resource, Reason: g.Reason})
	}
	return gaps
}

// reasonOf returns the reason why a report could not be published.
func reasonOf(err error) apierror.Reason {
	switch {
	case errors.Is(err, errTooLarge):
		return TooLarge
	case errors.Is(err, errNotOurs):
		return NotOurs
	default:
		return apierror.Of(err)
	}
}

// String says it to people.
func (g Gap) String() string {
	where := ""
	if g.Namespace != "" {
		where = " of namespace " + g.Namespace
	}
	if g.Resource == "" {
		return "not published: report" + where + ": " + string(g.Reason)
	}
	return "not observed: " + g.Resource + where + ": " + string(g.Reason)
}

// Encode returns the IndexFile.
func (i Index) Encode() ([]byte, error) {
	i.APIVersion, i.Kind = APIVersion, KindIndex
	data, err := marshal(i)
	if err != nil {
		return nil, fmt.Errorf("writing the index: %w", err)
	}
	return data, nil
}

// ConfigMap returns the index as it is published, but for its namespace and
// revision.
func (i Index) ConfigMap() (*corev1.ConfigMap, error) {
	data, err := i.Encode()
	if err != nil {
		return nil, err
	}
	p := &packer{}
	p.add(SummaryFile, i.summary())
	if err := p.addJSON(IndexFile, data); err != nil {
		return nil, err
	}
	if len(p.parts) > 1 {
		return nil, fmt.Errorf("the index of %d reports takes more than the %d bytes of a ConfigMap: split the namespaces over several report namespaces", len(i.Reports), MaxBytes)
	}
	cm := p.parts[0].configMap(LabelIndex, "")
	cm.Name = IndexName
	return cm, nil
}

// ReadIndex is the way back. The error is ErrNoReport for an index that was created and
// has no content yet.
func ReadIndex(cm *corev1.ConfigMap) (Index, error) {
	if len(cm.Data) == 0 && len(cm.BinaryData) == 0 {
		return Index{}, fmt.Errorf("%w: the first pass has not ended", ErrNoReport)
	}
	data, err := contentOf(cm).file(IndexFile)
	if err != nil {
		return Index{}, err
	}
	var i Index
	if err := json.Unmarshal(data, &i); err != nil {
		return Index{}, fmt.Errorf("reading the index: %w", err)
	}
	if i.APIVersion != APIVersion || i.Kind != KindIndex {
		return Index{}, fmt.Errorf("reading the index: it is of type %s %s, want %s %s", printable.Short(i.APIVersion, 100), printable.Short(i.Kind, 100), APIVersion, KindIndex)
	}
	return i, nil
}

// Entry returns the entry of a namespace; an empty one stands for the cluster.
func (i Index) Entry(namespace string) (Entry, bool) {
	for _, e := range i.Reports {
		if e.Namespace == namespace {
			return e, true
		}
	}
	return Entry{}, false
}

// summary says the same as the index, for people.
func (i Index) summary() []byte {
	var totals Entry
	stale := 0
	for _, e := range i.Reports {
		totals.Pods += e.Pods
		totals.Templates += e.Templates
		totals.Policies += e.Policies
		if e.Stale != nil {
			stale++
		}
	}
	text := fmt.Appendf(nil, "%s: %s and %s, %s\n", report.Count(len(i.Reports), "report"),
		report.Count(totals.Pods, "pod"), report.Count(totals.Templates, "template"), report.CountPolicies(totals.Policies))
	if stale > 0 {
		text = fmt.Appendf(text, "%s out of date\n", report.Count(stale, "report"))
	}
	for _, g := range i.Coverage.Gaps {
		text = fmt.Appendf(text, "%s\n", printable.Text(g.String()))
	}
	for _, e := range i.Reports {
		if e.Stale != nil {
			text = fmt.Appendf(text, "%s: out of date: %s\n", e.Name(), printable.Text(e.Stale.String()))
		}
	}
	return firstLines(text, IndexFile)
}

// Name says what the report is about.
func (e Entry) Name() string {
	if e.Namespace == "" {
		return "the cluster"
	}
	return e.Namespace
}
