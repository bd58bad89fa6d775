package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Patches returns a strategic merge patch for each workload with remedies of a confidence
// or a surer one, as YAML by the path of its file: the directory of the namespace, and in
// it a file. Comments say which findings each mends. unnamed is the number of workloads
// that no patch can name, such as pods whose manifest leaves the name to the server.
func (r FindingReport) Patches(least finding.Confidence) (files map[string][]byte, unnamed int, err error) {
	files = map[string][]byte{}
	confidences := []finding.Confidence{finding.Safe, finding.Likely, finding.Test}
	confidences = confidences[:slices.Index(confidences, least)+1]
	for _, w := range r.Workloads {
		var remedies []*finding.Remedy
		var comments []string
		for _, f := range w.Findings {
			if f.Remedy == nil || f.Remedy.Patch == nil || !slices.Contains(confidences, f.Remedy.Confidence) {
				continue
			}
			remedies = append(remedies, f.Remedy)
			where := ""
			if f.Container != "" {
				where = " of container " + printable.Text(f.Container)
			}
			comments = append(comments, fmt.Sprintf("# %s, %s%s: %s\n", f.Remedy.Confidence.Text(), f.Rule, where, printable.Text(f.mends())))
		}
		if len(remedies) == 0 {
			continue
		}
		if len(validation.IsDNS1123Subdomain(w.Name)) > 0 || len(validation.IsDNS1123Label(w.Namespace)) > 0 {
			unnamed++
			continue
		}
		slices.Sort(comments)
		doc, err := w.patchDocument(finding.Combine(remedies...))
		if err != nil {
			return nil, 0, err
		}
		key := generate.KeyOf(w.group())
		files[key.Namespace+"/"+key.Name+".yaml"] = append([]byte(strings.Join(slices.Compact(comments), "")), doc...)
	}
	return files, unnamed, nil
}

// patchDocument returns a patch with the type and name of its target.
func (w FindingWorkload) patchDocument(p finding.Patch) ([]byte, error) {
	whole := finding.Patch{"apiVersion": w.apiVersion(), "kind": w.Kind, "metadata": finding.Patch{"name": w.Name, "namespace": w.Namespace}}
	for field, value := range p {
		if metadata, ok := value.(finding.Patch); ok && field == "metadata" { // of a pod
			metadata = maps.Clone(metadata)
			metadata["name"], metadata["namespace"] = w.Name, w.Namespace
			value = metadata
		}
		whole[field] = value
	}
	doc, err := generate.Document(whole)
	if err != nil {
		return nil, fmt.Errorf("writing a patch of %s: %w", w.Workload(), err)
	}
	return bytes.TrimPrefix(doc, []byte("---\n")), nil
}
