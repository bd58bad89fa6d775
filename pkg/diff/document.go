package diff

import (
	"encoding/json"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// The type of the document of a comparison.
const (
	APIVersion = "psp-advisor.github.io/v1"
	Kind       = "PrivilegeDiff"
)

type document struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Base       string           `json:"base"`
	Head       string           `json:"head"`
	Workloads  []changeDocument `json:"workloads"`
}

type changeDocument struct {
	Namespace    string              `json:"namespace"`
	Group        string              `json:"group,omitempty"`
	Kind         string              `json:"kind"`
	Name         string              `json:"name"`
	State        State               `json:"state"`
	File         string              `json:"file,omitempty"`
	Line         int                 `json:"line,omitempty"`
	Escalated    []privilegeDocument `json:"escalated,omitempty"`
	Reduced      []privilegeDocument `json:"reduced,omitempty"`
	Spread       []privilegeDocument `json:"spread,omitempty"`
	Withdrawn    []privilegeDocument `json:"withdrawn,omitempty"`
	BaseAccounts []string            `json:"baseServiceAccounts,omitempty"`
	HeadAccounts []string            `json:"headServiceAccounts,omitempty"`
}

type privilegeDocument struct {
	Privilege  string             `json:"privilege"`
	Severity   privilege.Severity `json:"severity"`
	Containers []string           `json:"containers,omitempty"`
	Other      []string           `json:"other,omitempty"`
}

// JSON returns the document of changes between two sides, which have names for people.
// All characters are escaped that are not printable.
func JSON(base, head string, changes []Change) ([]byte, error) {
	d := document{APIVersion: APIVersion, Kind: Kind, Base: base, Head: head, Workloads: []changeDocument{}}
	for _, c := range changes {
		w, p := c.Workload, observe.Place{}
		if c.Place != nil {
			p = *c.Place
		}
		d.Workloads = append(d.Workloads, changeDocument{
			w.Namespace, w.Group, w.Kind, w.Name, c.State, p.File, p.Line,
			documentsOf(c.Escalated), documentsOf(c.Reduced), documentsOf(c.Spread), documentsOf(c.Withdrawn), c.BaseAccounts, c.HeadAccounts,
		})
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(printable.JSON(data), '\n'), nil
}

func documentsOf(list []Privilege) []privilegeDocument {
	var documents []privilegeDocument
	for _, p := range list {
		documents = append(documents, privilegeDocument{p.Line, p.Severity, p.Containers, p.Other})
	}
	return documents
}
