// Package html writes the findings of a report as a page to read in a browser.
//
// Input is a report.FindingReport; output is one HTML file that needs nothing else: its
// style and its script are inside, it fetches nothing, and its Content-Security-Policy
// permits only these two, by their hashes. It is complete without the script, which adds
// filters, and brings what belongs together into one place. Laws, each tested:
//   - Every finding of the report, with its fields and values, can be read without the
//     script.
//   - What many workloads share stands once, without the Secrets and images that each has of
//     its own: a report of 2,000 workloads is smaller than 1 MiB.
//   - Strings of a cluster are text, whatever they hold, and their length is bounded.
//   - The same report gives the same bytes.
package html

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the files of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/report"
)

var (
	//go:embed page.html
	source string
	//go:embed style.css
	styleSource string
	//go:embed script.js
	scriptSource string

	style, script = compact(styleSource), compact(scriptSource)

	layout = template.Must(template.New("page").Funcs(template.FuncMap{
		"letter": letter, "word": word, "title": title, "count": report.Count,
	}).Parse(source))
)

// Limits of what is shown of a string, in characters.
const (
	nameLimit = 260
	textLimit = 1000
)

// page is what the layout reads. All strings are printable and bounded.
type page struct {
	Policy     string
	Style      template.CSS
	Script     template.JS
	Inspected  string
	Directory  string
	Why        string
	Totals     []total
	Workloads  int
	Gaps       []string
	Mended     string
	Fixes      []fix
	Heat       heatmap
	Security   podSecurity
	Namespaces []namespace
	Images     []image
	Families   []ruleFamily
	Sets       []set
	Findings   []block
	Asks       []asks
}

// total is a number of findings.
type total struct {
	Severity privilege.Severity
	Count    int
}

// namespace is a namespace with its workloads.
type namespace struct {
	ID, Name  string
	Totals    []total
	Workloads []workload
}

// workload is a workload whose containers refer to sets of findings.
type workload struct {
	Kind, Name string
	// Prefix of fields of the pod template. Odd is true if the kind does not imply it.
	Prefix string
	Odd    bool
	Facts  string
	Totals []total
	// Pod is the set of the pod as a whole.
	Pod        string
	Containers []container
}

// container is a container of a workload.
type container struct {
	Name, Kind, Set string
	// Own are the values of variables.
	Own []own
}

type image struct {
	Name, Digest string
	Containers   []string
	Findings     []imageFinding
}

type imageFinding struct {
	Severity             privilege.Severity
	Rule, Title, Subject string
	Line                 int
	Known                bool
}

// Write writes the page of a report.
func Write(w io.Writer, r report.FindingReport) error {
	data, err := Page(r)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// Page returns the page of a report.
func Page(r report.FindingReport) ([]byte, error) {
	var out bytes.Buffer
	if err := layout.Execute(&out, pageOf(r)); err != nil {
		return nil, fmt.Errorf("making the page: %w", err)
	}
	return out.Bytes(), nil
}

// compact returns code without comments of whole lines, and without indentation.
func compact(code string) string {
	var out strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// policy is the Content-Security-Policy: nothing is fetched, and no style or script is
// applied but those of this package.
func policy() string {
	return "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script) + "'; base-uri 'none'; form-action 'none'"
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func pageOf(r report.FindingReport) page {
	p := page{
		Policy: policy(), Inspected: title(text(r.Inspected)), Why: text(r.Why), Totals: totals(r.Counts), Workloads: len(r.Workloads),
		Style:  template.CSS(style), //nolint:gosec // of this package
		Script: template.JS(script), //nolint:gosec // of this package
	}
	for _, g := range r.Gaps {
		p.Gaps = append(p.Gaps, text(g))
	}
	slices.Sort(p.Gaps)
	shared := newParts(r)
	byNamespace := map[string][]report.FindingWorkload{}
	for _, w := range r.Workloads {
		byNamespace[w.Namespace] = append(byNamespace[w.Namespace], w)
	}
	for i, n := range worstFirst(namespacesOf(r), func(n report.FindingNamespace) (report.Counts, string) { return n.Counts, n.Name }) {
		in := namespace{ID: fmt.Sprint("n", i+1), Name: name(n.Name), Totals: some(n.Counts)}
		for _, w := range worstFirst(byNamespace[n.Name], func(w report.FindingWorkload) (report.Counts, string) {
			return w.Counts(), w.Kind + "/" + w.Name + "/" + w.Group
		}) {
			in.Workloads = append(in.Workloads, shared.workload(w))
		}
		p.Namespaces = append(p.Namespaces, in)
		p.Heat.add(in, byNamespace[n.Name])
		p.Security.add(in, n, byNamespace[n.Name])
	}
	p.Heat.finish()
	p.Security.finish()
	p.Directory = name(shared.directory)
	p.Fixes, p.Mended = fixesOf(r), mendedOf(r)
	p.Images = imagesOf(r)
	p.Families = shared.families(r)
	p.Sets, p.Findings, p.Asks = shared.sets.list, shared.findings.list, shared.asks.list
	return p
}

// namespacesOf returns the namespaces of the report, and those that only its workloads
// name.
func namespacesOf(r report.FindingReport) []report.FindingNamespace {
	list := slices.Clone(r.Namespaces)
	for _, w := range r.Workloads {
		if !slices.ContainsFunc(list, func(n report.FindingNamespace) bool { return n.Name == w.Namespace }) {
			list = append(list, report.FindingNamespace{Name: w.Namespace})
		}
	}
	return list
}

func imagesOf(r report.FindingReport) []image {
	var list []image
	for _, i := range r.Images {
		im := image{Name: text(i.Image), Digest: name(i.Digest)}
		for _, c := range i.Containers {
			im.Containers = append(im.Containers, text(c))
		}
		for _, f := range i.Findings {
			rule, known := ruleOf(r, f.Rule)
			im.Findings = append(im.Findings, imageFinding{f.Severity, name(f.Rule), text(rule.Title), text(f.Subject), f.Line, known})
		}
		list = append(list, im)
	}
	return list
}

// worstFirst returns the list sorted by the counts of findings, the most of the worst
// first, then by name.
func worstFirst[T any](list []T, key func(T) (report.Counts, string)) []T {
	return slices.SortedStableFunc(slices.Values(list), func(a, b T) int {
		x, nameX := key(a)
		y, nameY := key(b)
		return cmp.Or(y.Compare(x), strings.Compare(nameX, nameY))
	})
}

// totals returns the counts, the worst severity first.
func totals(c report.Counts) []total {
	var list []total
	for _, s := range slices.Backward(privilege.Severities()) {
		list = append(list, total{s, c.Of(s)})
	}
	return list
}

// some returns the counts that are not zero.
func some(c report.Counts) []total {
	return slices.DeleteFunc(totals(c), func(t total) bool { return t.Count == 0 })
}

// name returns a string that is a name, printable and bounded.
func name(s string) string { return printable.Short(s, nameLimit) }

// text returns a string, printable and bounded.
func text(s string) string { return printable.Short(s, textLimit) }

// word returns the name of a severity; that of an unknown one is info.
func word(s privilege.Severity) string {
	if !slices.Contains(privilege.Severities(), s) {
		s = privilege.Info
	}
	return string(s)
}

// letter returns the letter of a severity, which is also its class in the style.
func letter(s privilege.Severity) string { return strings.ToUpper(word(s)[:1]) }

// title returns a text that begins with a capital letter.
func title(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
