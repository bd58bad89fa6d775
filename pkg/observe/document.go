package observe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
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
// attribute or source and a field that is given twice are errors: they would be lost. So
// is a value that no server has in a pod, see checkProfile.
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
	if !validCount(o.Elsewhere) {
		errs = append(errs, fmt.Errorf("coverage.elsewhere: %d: must be between 0 and %d", o.Elsewhere, maxCount))
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
	case !validCount(w.Pods) || !validCount(w.Templates):
		return fmt.Errorf("pods, templates: %d, %d: must be between 0 and %d", w.Pods, w.Templates, maxCount)
	case w.Profile == nil:
		return errors.New("profile: required")
	}
	if err := cmp.Or(checkAccount(w.ServiceAccount), checkProfile(w.Profile)); err != nil {
		return fmt.Errorf("%s %q: %w", w.Kind, w.Namespace+"/"+w.Name, err)
	}
	return nil
}

// maxCount is the maximum of a count, so that no sum of counts overflows.
const maxCount = 1<<31 - 1

func validCount(n int) bool { return n >= 0 && n <= maxCount }

// checkAccount accepts no account, which static pods have.
func checkAccount(name string) error {
	return check("serviceAccount", profile.SetOf(profile.Name(name)), optionalName)
}

// sysctl matches the names that a pod can have
// (pkg/apis/core/validation/validation.go, IsValidSysctlName).
var sysctl = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// fieldName matches the names of the fields that volumes have, now and later.
var fieldName = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// checkProfile returns an error for a value that a policy would list though no server has
// it in a pod: there it would mean any value, or the API would reject the policy. What
// servers accept is valid, such as a relative hostPath, any capability and any
// annotation.
func checkProfile(p *profile.Profile) error {
	return cmp.Or(
		check("hostPorts", p.HostPorts, func(id profile.ID) []string {
			return unless(id.Number >= 1 && id.Number <= 65535, "must be between 1 and 65535")
		}),
		check("volumes", p.Volumes, func(n profile.Name) []string {
			return unless(fieldName.MatchString(string(n)), "must be the name of a field")
		}),
		check("hostPaths", p.HostPaths, func(h profile.HostPath) []string {
			return unless(h.Path != "" && !slices.Contains(strings.Split(h.Path, "/"), ".."), "must not be empty or contain '..'")
		}),
		check("flexVolumeDrivers", p.FlexVolumeDrivers, func(n profile.Name) []string {
			return unless(n != "", "must be set")
		}),
		check("csiDrivers", p.CSIDrivers, func(n profile.Name) []string {
			return append(unless(len(n) <= 63, "must have at most 63 characters"), validation.IsDNS1123Subdomain(strings.ToLower(string(n)))...)
		}),
		check("sysctls", p.Sysctls, func(n profile.Name) []string {
			return unless(len(n) <= 253 && sysctl.MatchString(string(n)), "must have at most 253 characters and match "+sysctl.String())
		}),
		check("procMount", p.ProcMount, func(n profile.Name) []string {
			return unless(n == profile.Name(corev1.DefaultProcMount) || n == profile.Name(corev1.UnmaskedProcMount), "unknown type")
		}),
		check("runtimeClassName", p.RuntimeClass, optionalName),
		check("runAsUser", p.RunAsUser, func(u profile.User) []string { return validation.IsValidUserID(u.UID.Number) }),
		check("runAsGroup", p.RunAsGroup, groupID),
		check("fsGroup", p.FSGroup, groupID),
		check("supplementalGroups", p.SupplementalGroups, groupID),
		check("privileges", p.Privileges, func(n profile.Name) []string {
			return unless(privilege.Valid(string(n)), "must be a privilege")
		}),
		check("podSecurity", p.PodSecurity, podSecurity),
		checkVerdicts(p),
	)
}

// checkVerdicts returns an error if a profile of pods has no verdicts of one kind: every
// pod has some, so the observation is of a version that did not record them.
func checkVerdicts(p *profile.Profile) error {
	switch {
	case p.Privileged.Len() == 0:
		return nil
	case p.Privileges.Len() == 0:
		return errors.New("privileges: required: observe again with this version")
	case !slices.Equal(togetherOf(p), p.Privileges.Values()):
		return errors.New("podPrivileges: must have the lines of privileges, no more and no less: observe again with this version")
	case !p.PodSecurity.Any(podsecurity.Verdict.Judged):
		return errors.New("podSecurity: required: observe again with this version")
	default:
		return nil
	}
}

// togetherOf returns the privileges of all pods of a profile, in order.
func togetherOf(p *profile.Profile) []profile.Name {
	var all []profile.Name
	for _, pod := range p.PodPrivileges.Values() {
		for _, line := range pod {
			all = append(all, profile.Name(line))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// check returns an error for the first value that has problems.
func check[T profile.Value[T]](attribute string, set profile.Set[T], problems func(T) []string) error {
	for _, v := range set.Values() {
		if list := problems(v); len(list) > 0 {
			return fmt.Errorf("%s: %q: %s", attribute, v.String(), strings.Join(list, ", "))
		}
	}
	return nil
}

func unless(valid bool, problem string) []string {
	if valid {
		return nil
	}
	return []string{problem}
}

func optionalName(n profile.Name) []string {
	if n == "" {
		return nil
	}
	return validation.IsDNS1123Subdomain(string(n))
}

// checkName matches the names of the checks of Pod Security admission, now and later.
var checkName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func podSecurity(v podsecurity.Verdict) []string {
	switch {
	case v.From < 0 || v.From > maxCount || v.To < 0 || v.To > maxCount || v.To != 0 && v.To < v.From:
		return []string{"must have a range of minors"}
	case v.Judged():
		return unless(v.To != 0 && v.Level == "", "must have the last minor and no level, or a check")
	case v.Level != api.LevelBaseline && v.Level != api.LevelRestricted:
		return []string{"must have the level baseline or restricted"}
	default:
		return unless(checkName.MatchString(v.Check), "must have the name of a check")
	}
}

func groupID(id profile.ID) []string { return validation.IsValidGroupID(id.Number) }
