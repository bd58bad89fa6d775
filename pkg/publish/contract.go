package publish

import (
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// The types of what is published. Fields may be added to a version; a field that
// goes, or means something else, makes another one.
const (
	APIVersion = observe.APIVersion
	KindIndex  = "ReportIndex"
	KindReport = "Report"
)

// IndexName is the name of the index ConfigMap; see Index.
const IndexName = "psp-advisor-index"

// The labels of every published ConfigMap, beside generate.ManagedByLabel.
const (
	// KindLabel is LabelIndex or LabelReport.
	KindLabel = "psp-advisor.github.io/report"
	// NamespaceLabel is the namespace that a report is about. The report of a
	// whole cluster, and the index, have none.
	NamespaceLabel = "psp-advisor.github.io/namespace"
)

// The values of KindLabel.
const (
	LabelIndex  = "index"
	LabelReport = "report"
)

// The annotations of published ConfigMaps.
const (
	// HashAnnotation is the hash of the content; see Hash.
	HashAnnotation = "psp-advisor.github.io/content-hash"
	// RevisionAnnotation counts the writes of the index.
	RevisionAnnotation = "psp-advisor.github.io/revision"
	// RenewedAnnotation is the version of an index that did not name the report any
	// more. Its writer changes the annotation before the next index names the report
	// again, so that no other writer deletes it. Readers ignore it.
	RenewedAnnotation = "psp-advisor.github.io/renewed"
)

// The files of a report, which are the keys of its ConfigMaps; one above GzipAbove
// bytes that need not be readable has GzipSuffix in its key, and is binary data.
// Where a report has several ConfigMaps, the values of a key, one after the other in
// the order of the index, are the file. Beside these there is a file of policies
// for each engine; see PoliciesFile.
const (
	// SummaryFile has what people should know, in at most MaxSummaryLines lines.
	SummaryFile = "summary.txt"
	// ReportFile has a Document as JSON.
	ReportFile = "report.json"
	// ObservationFile has what was observed: see observe.Encode.
	ObservationFile = "observation.json"
	// IndexFile has an Index. It stands in the index ConfigMap, with a SummaryFile.
	IndexFile = "index.json"

	GzipSuffix = ".gz"
)

// PoliciesFile returns the name of the file with the policies and grants of an
// engine, as kubectl applies them. No document is split over two ConfigMaps.
func PoliciesFile(engine string) string { return engine + ".yaml" }

// The sizes that are part of the contract.
const (
	// MaxBytes bounds the keys and values of one ConfigMap. An API server takes
	// 1 MiB; the distance leaves room for requests and for metadata.
	MaxBytes = 768 << 10
	// GzipAbove is the size of JSON that is still left readable.
	GzipAbove = 64 << 10
	// MaxSummaryLines bounds the summary; the report has everything.
	MaxSummaryLines = 200
	// maxSummaryLine bounds a line of it in characters: a name that an owner
	// reference gives may be of any length.
	maxSummaryLine = 1000
)

// Document is a published report.
type Document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Namespace that the report is about; empty for a whole cluster.
	Namespace string `json:"namespace,omitempty"`
	report.Report
}
