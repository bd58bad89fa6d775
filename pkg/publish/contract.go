package publish

import (
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

// The types of published documents. Fields can be added to a version; a field that is
// removed or changes its meaning needs a new version.
const (
	APIVersion = observe.APIVersion
	KindIndex  = "ReportIndex"
	KindReport = "Report"
)

// IndexName is the name of the index ConfigMap; see Index.
const IndexName = "psp-advisor-index"

// The labels of every published ConfigMap, in addition to generate.ManagedByLabel.
const (
	// KindLabel is LabelIndex or LabelReport.
	KindLabel = "psp-advisor.github.io/report"
	// NamespaceLabel is the namespace of a report. The report of a cluster and the
	// index do not have it.
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
	// RevisionAnnotation is the number of writes of the index.
	RevisionAnnotation = "psp-advisor.github.io/revision"
	// RenewedAnnotation is the version of an index that did not name the report. A
	// writer sets it before the next index names the report again, so that no other
	// writer deletes the report. Readers ignore it.
	RenewedAnnotation = "psp-advisor.github.io/renewed"
)

// The files of a report, which are keys of its ConfigMaps. JSON larger than GzipAbove
// bytes is compressed: it is binary data, and its key ends in GzipSuffix. If a report has
// several ConfigMaps, a file is the concatenation of the values of its key, in the order
// of the index. There is also a file of policies per engine; see PoliciesFile.
const (
	// SummaryFile has the summary for people, in at most MaxSummaryLines lines.
	SummaryFile = "summary.txt"
	// ReportFile has a Document.
	ReportFile = "report.json"
	// FindingsFile has a report.FindingReport: what is wrong with the workloads, and what
	// mends it.
	FindingsFile = "findings.json"
	// ObservationFile has the observation; see observe.Encode.
	ObservationFile = "observation.json"
	// IndexFile has an Index. It is in the index ConfigMap, with a SummaryFile.
	IndexFile = "index.json"

	GzipSuffix = ".gz"
)

// PoliciesFile returns the name of the file with the policies and grants of an engine,
// for kubectl apply. No document is split over two ConfigMaps.
func PoliciesFile(engine string) string { return engine + ".yaml" }

// The sizes that are part of the contract.
const (
	// MaxBytes is the maximum size of the keys and values of one ConfigMap. An API
	// server accepts 1 MiB; the rest is for metadata and the encoding of requests.
	MaxBytes = 768 << 10
	// GzipAbove is the maximum size of JSON that is not compressed.
	GzipAbove = 64 << 10
	// MaxSummaryLines is the maximum length of a summary. The report has everything.
	MaxSummaryLines = 200
	// maxSummaryLine is the maximum number of characters of a line: names in owner
	// references can have any length.
	maxSummaryLine = 1000
)

// Document is a published report.
type Document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Namespace of the report; empty for a cluster.
	Namespace string `json:"namespace,omitempty"`
	report.Report
}
