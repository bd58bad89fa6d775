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

// Index is the list of all reports. The ConfigMaps that it names exist and are
// complete.
type Index struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Level and Engines that the policies are for.
	Level   aggregate.Level `json:"level"`
	Engines []string        `json:"engines"`
	// Reports, sorted by namespace.
	Reports []Entry `json:"reports"`
	// Coverage is the scope of the reports, and what is missing from them.
	Coverage Coverage `json:"coverage"`
}

// Entry is one report in the index.
type Entry struct {
	// Namespace of the report; empty for a cluster.
	Namespace string `json:"namespace,omitempty"`
	// ConfigMaps of the report, in the order of its parts.
	ConfigMaps []string `json:"configMaps"`
	// Files has the SHA-256 in hex of each file of the report, not compressed.
	Files map[string]string `json:"files"`
	// Numbers of what is in the report.
	Pods      int `json:"pods"`
	Templates int `json:"templates"`
	Workloads int `json:"workloads"`
	Policies  int `json:"policies"`
	Findings  int `json:"findings"`
	// Severities are the numbers of findings about workloads, those in the FindingsFile.
	Severities report.Counts `json:"severities"`
	// Rules are the same findings by rule and severity. They are not published.
	Rules map[report.RuleSeverity]int `json:"-"`
	// Partial is true if something could not be observed, so the policies may deny
	// pods.
	Partial bool `json:"partial,omitempty"`
	// Stale is the reason why the report is not current; nil if it is.
	Stale *Gap `json:"stale,omitempty"`
}

// Coverage is the scope of reports, and what is missing from them.
type Coverage struct {
	// Complete is true if no report is stale or partial and there are no gaps.
	Complete bool `json:"complete"`
	// Namespaces in the scope; none means all except the excluded ones.
	Namespaces         []string `json:"namespaces,omitempty"`
	ExcludedNamespaces []string `json:"excludedNamespaces,omitempty"`
	// Selector of pods, if there is one.
	Selector string `json:"selector,omitempty"`
	// Sources that are observed: pods, templates.
	Sources []string `json:"sources"`
	// EphemeralContainers is true if debug containers are included.
	EphemeralContainers bool `json:"ephemeralContainers,omitempty"`
	// Gaps are what could not be observed or published.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Gap is something that is missing. It has a reason instead of an error, because errors
// have addresses and may differ for the same problem.
type Gap struct {
	// Namespace where it is missing; empty for all.
	Namespace string `json:"namespace,omitempty"`
	// Resource that could not be observed, such as "deployments.apps"; empty if the
	// report could not be published.
	Resource string `json:"resource,omitempty"`
	// Reason is one of those in apierror or one of those below.
	Reason apierror.Reason `json:"reason"`
}

// The reasons why a report could not be published, in addition to those of requests.
const (
	// TooLarge: a document of the report does not fit into a ConfigMap.
	TooLarge apierror.Reason = "TooLarge"
	// NotOurs: another client has written a ConfigMap with the same name.
	NotOurs apierror.Reason = "NotOurs"
)

// gapsOf returns gaps in published form.
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

// String returns the gap as text for people.
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

// ConfigMap returns the ConfigMap of the index, without namespace and revision.
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
		return nil, fmt.Errorf("the index of %d reports does not fit into the %d bytes of a ConfigMap: distribute the namespaces over several report namespaces", len(i.Reports), MaxBytes)
	}
	cm := p.parts[0].configMap(LabelIndex, "")
	cm.Name = IndexName
	return cm, nil
}

// ReadIndex decodes the index. The error is ErrNoReport if it was created but has no
// content yet.
func ReadIndex(cm *corev1.ConfigMap) (Index, error) {
	if len(cm.Data) == 0 && len(cm.BinaryData) == 0 {
		return Index{}, fmt.Errorf("%w yet: the first ones are being published", ErrNoReport)
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
		return Index{}, fmt.Errorf("reading the index: it is of type %s %s, want %s %s: use the version of advisor that wrote it", printable.Short(i.APIVersion, 100), printable.Short(i.Kind, 100), APIVersion, KindIndex)
	}
	return i, nil
}

// Entry returns the entry of a namespace, or of the cluster if it is empty.
func (i Index) Entry(namespace string) (Entry, bool) {
	for _, e := range i.Reports {
		if e.Namespace == namespace {
			return e, true
		}
	}
	return Entry{}, false
}

// summary returns the index as text for people.
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

// Name returns the namespace of the report, or "the cluster".
func (e Entry) Name() string {
	if e.Namespace == "" {
		return "the cluster"
	}
	return e.Namespace
}
