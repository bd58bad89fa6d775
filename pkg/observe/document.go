package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/apimachinery/pkg/labels"
	kjson "sigs.k8s.io/json"
)

// The type of the document of an observation.
const (
	APIVersion = "psp-advisor.github.io/v1"
	Kind       = "Observation"
)

// document is the JSON of an Observation.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Source is a name given by the user.
	Source    string             `json:"source,omitempty"`
	Scope     scopeDocument      `json:"scope"`
	Coverage  coverageDocument   `json:"coverage"`
	Workloads []workloadDocument `json:"workloads"`
}

type scopeDocument struct {
	Namespaces          []string `json:"namespaces,omitempty"`
	ExcludedNamespaces  []string `json:"excludedNamespaces,omitempty"`
	Selector            string   `json:"selector,omitempty"`
	Sources             []string `json:"sources"`
	EphemeralContainers bool     `json:"ephemeralContainers,omitempty"`
}

type coverageDocument struct {
	Gaps      []gapDocument     `json:"gaps,omitempty"`
	Skipped   []problemDocument `json:"skipped,omitempty"`
	Warnings  []problemDocument `json:"warnings,omitempty"`
	Unread    []unreadDocument  `json:"unread,omitempty"`
	Elsewhere int               `json:"elsewhere,omitempty"`
}

type gapDocument struct {
	Resource  string          `json:"resource"`
	Namespace string          `json:"namespace,omitempty"`
	Reason    apierror.Reason `json:"reason"`
}

// problemDocument is a Skipped or a Warning.
type problemDocument struct {
	File     string `json:"file"`
	Document int    `json:"document,omitempty"`
	Line     int    `json:"line,omitempty"`
	Item     string `json:"item,omitempty"`
	Problem  string `json:"problem"`
}

func problemOf(p Place, problem string) problemDocument {
	return problemDocument{File: p.File, Document: p.Document, Line: p.Line, Item: p.Item, Problem: problem}
}

func (d problemDocument) place() Place {
	return Place{File: d.File, Document: d.Document, Line: d.Line, Item: d.Item}
}

type unreadDocument struct {
	Group   string   `json:"group,omitempty"`
	Kind    string   `json:"kind"`
	Objects int      `json:"objects"`
	Places  []string `json:"places,omitempty"`
}

type workloadDocument struct {
	Namespace string `json:"namespace"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	// ServiceAccount is empty for static pods.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	Pods           int    `json:"pods,omitempty"`
	Templates      int    `json:"templates,omitempty"`
	// OwnerUnknown is true if the controller of the workload was not observed.
	OwnerUnknown bool             `json:"ownerUnknown,omitempty"`
	Profile      *profile.Profile `json:"profile"`
}

// Encode returns the document of an observation: JSON in a fixed order, without times,
// with all characters escaped that are not printable.
func Encode(o *Observation) ([]byte, error) {
	scope := o.Scope.sorted()
	d := document{
		APIVersion: APIVersion, Kind: Kind, Source: o.Source,
		Scope: scopeDocument{
			Namespaces: scope.Namespaces, ExcludedNamespaces: scope.ExcludedNamespaces, Selector: scope.SelectorText(),
			Sources: scope.Sources(), EphemeralContainers: scope.EphemeralContainers,
		},
		Coverage:  coverageDocument{Elsewhere: o.Elsewhere},
		Workloads: []workloadDocument{},
	}
	for _, g := range o.Gaps {
		d.Coverage.Gaps = append(d.Coverage.Gaps, gapDocument{g.Resource, g.Namespace, g.Reason})
	}
	for _, s := range o.Skipped {
		d.Coverage.Skipped = append(d.Coverage.Skipped, problemOf(s.Place, s.Problem))
	}
	for _, w := range o.Warnings {
		d.Coverage.Warnings = append(d.Coverage.Warnings, problemOf(w.Place, w.Problem))
	}
	for _, u := range o.Unread {
		d.Coverage.Unread = append(d.Coverage.Unread, unreadDocument(u))
	}
	for _, m := range o.Members {
		w := m.Workload
		_, unknown := slices.BinarySearchFunc(o.UnknownOwners, w, aggregate.Workload.Compare)
		d.Workloads = append(d.Workloads, workloadDocument{
			w.Namespace, w.Group, w.Kind, w.Name, m.ServiceAccount, m.Pods, m.Templates, unknown, m.Profile,
		})
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("writing the observation: %w", err)
	}
	return printable.JSON(out.Bytes()), nil
}

// IsDocument reports whether an object of that type is the document of an observation,
// of any version.
func IsDocument(apiVersion, kind string) bool {
	return kind == Kind && strings.HasPrefix(apiVersion, "psp-advisor.github.io/")
}

// Decode returns the observation of a document. A newer version, an unknown field,
// attribute or source and a field that is given twice are errors: they would be lost.
func Decode(data []byte) (*Observation, error) {
	var version struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &version); err != nil {
		return nil, fmt.Errorf("reading the observation: %w", err)
	}
	if version.APIVersion != APIVersion {
		return nil, fmt.Errorf("apiVersion: %q is unknown, want %s: use the version of advisor that wrote it, or a newer one", version.APIVersion, APIVersion)
	}
	var d document
	problems, err := kjson.UnmarshalStrict(data, &d)
	if err == nil && len(problems) > 0 {
		err = problems[0]
	}
	if err != nil {
		return nil, fmt.Errorf("reading the observation: %w: if a newer version of advisor wrote it, use that version", err)
	}
	return d.observation()
}

func (d document) observation() (*Observation, error) {
	o := &Observation{Source: d.Source, Elsewhere: d.Coverage.Elsewhere}
	o.Scope = Scope{
		Namespaces: d.Scope.Namespaces, ExcludedNamespaces: d.Scope.ExcludedNamespaces,
		Pods: slices.Contains(d.Scope.Sources, SourcePods), Templates: slices.Contains(d.Scope.Sources, SourceTemplates),
		EphemeralContainers: d.Scope.EphemeralContainers,
	}.sorted()
	var errs []error
	for _, s := range d.Scope.Sources {
		if s != SourcePods && s != SourceTemplates {
			errs = append(errs, fmt.Errorf("scope.sources: %q is unknown: if a newer version of advisor wrote it, use that version", s))
		}
	}
	for _, n := range o.Scope.Namespaces {
		if !o.Scope.Includes(n) {
			errs = append(errs, fmt.Errorf("scope.namespaces: %q is also in scope.excludedNamespaces", n))
		}
	}
	if d.Scope.Selector != "" {
		selector, err := labels.Parse(d.Scope.Selector)
		if err != nil {
			errs = append(errs, fmt.Errorf("scope.selector: %w", err))
		}
		o.Scope.Selector = selector
	}
	for _, g := range d.Coverage.Gaps {
		o.Gaps = append(o.Gaps, Gap{Resource: g.Resource, Namespace: g.Namespace, Reason: g.Reason})
	}
	for _, s := range d.Coverage.Skipped {
		o.Skipped = append(o.Skipped, Skipped{s.place(), s.Problem})
	}
	for _, w := range d.Coverage.Warnings {
		o.Warnings = append(o.Warnings, Warning{w.place(), w.Problem})
	}
	for _, u := range d.Coverage.Unread {
		o.Unread = append(o.Unread, Unread(u))
	}
	for i, w := range d.Workloads {
		m := aggregate.Member{
			Workload:       aggregate.Workload{Namespace: w.Namespace, Group: w.Group, Kind: w.Kind, Name: w.Name},
			ServiceAccount: w.ServiceAccount, Pods: w.Pods, Templates: w.Templates, Profile: w.Profile,
		}
		if err := w.validate(); err != nil {
			errs = append(errs, fmt.Errorf("workloads[%d]: %w", i, err))
		}
		o.Members = append(o.Members, m)
		if w.OwnerUnknown {
			o.UnknownOwners = append(o.UnknownOwners, m.Workload)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading the observation: %w", err)
	}
	return Join(o)
}

// namespaceName matches the namespaces that can be part of names, in which dots are
// separators, and of paths.
var namespaceName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// ValidNamespace reports whether policies can be generated for a namespace with that
// name. A server may reject it: manifests have placeholders.
func ValidNamespace(name string) bool { return namespaceName.MatchString(name) }

func (w workloadDocument) validate() error {
	switch {
	case !ValidNamespace(w.Namespace):
		return fmt.Errorf("namespace: %q is not a valid namespace name", w.Namespace)
	case w.Kind == "":
		return errors.New("kind: required")
	case w.Name == "":
		return errors.New("name: required")
	case w.Pods < 0 || w.Templates < 0:
		return errors.New("pods, templates: must not be negative")
	case w.Profile == nil:
		return errors.New("profile: required")
	default:
		return nil
	}
}
