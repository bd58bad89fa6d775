package report

// Schema names the form of what is published. Fields may be added under it; a
// field that goes, or means something else, makes another schema.
const Schema = "psp-advisor.github.io/report/v1"

// IndexName is the name of the index ConfigMap; see Index.
const IndexName = "psp-advisor-index"

// The labels of every published ConfigMap, beside generate.ManagedByLabel.
const (
	// KindLabel is KindIndex or KindReport.
	KindLabel = "psp-advisor.github.io/report"
	// NamespaceLabel is the namespace that a report is about. The report of a
	// whole cluster, and the index, have none.
	NamespaceLabel = "psp-advisor.github.io/namespace"
)

// The values of KindLabel.
const (
	KindIndex  = "index"
	KindReport = "report"
)

// The annotations of published ConfigMaps.
const (
	// HashAnnotation is the hash of the content; see Hash.
	HashAnnotation = "psp-advisor.github.io/content-hash"
	// RevisionAnnotation counts the writes of the index.
	RevisionAnnotation = "psp-advisor.github.io/revision"
)

// The keys of published ConfigMaps. Where a report has several ConfigMaps, the
// values of a key, one after the other in the order of the index, are its whole.
const (
	// PoliciesKey has the policies and grants as kubectl applies them. No
	// document is split over two ConfigMaps.
	PoliciesKey = "policies.yaml"
	// SummaryKey has what people should know, in at most MaxSummaryLines lines.
	SummaryKey = "summary.txt"
	// ReportKey has a Document as JSON; above GzipAbove bytes, ReportGzipKey has
	// it gzipped instead, as binary data.
	ReportKey     = "report.json"
	ReportGzipKey = "report.json.gz"
	// IndexKey and IndexGzipKey have an Index in the same way.
	IndexKey     = "index.json"
	IndexGzipKey = "index.json.gz"
)

// The sizes that are part of the contract.
const (
	// MaxBytes bounds the keys and values of one ConfigMap. An API server takes
	// 1 MiB; the distance leaves room for requests and for metadata.
	MaxBytes = 768 << 10
	// GzipAbove is the size of JSON that is still left readable.
	GzipAbove = 64 << 10
	// MaxSummaryLines bounds the summary; the report has everything.
	MaxSummaryLines = 200
	// maxSummaryLine bounds a line of it in bytes: a name that an owner reference
	// gives may be of any length.
	maxSummaryLine = 1000
)

// Document is a published report: report.json.
type Document struct {
	Schema string `json:"schema"`
	// Namespace that the report is about; empty for a whole cluster.
	Namespace string `json:"namespace,omitempty"`
	Report
}
