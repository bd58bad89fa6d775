package html_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/psp-advisor/psp-advisor/pkg/report/html"
	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"sigs.k8s.io/yaml"
)

// document is a parsed page.
type document struct {
	root *nethtml.Node
	ids  map[string]*nethtml.Node
}

func parse(t testing.TB, data []byte) document {
	t.Helper()
	root, err := nethtml.Parse(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	d := document{root, map[string]*nethtml.Node{}}
	for n := range root.Descendants() {
		if id, ok := attribute(n, "id"); ok {
			if d.ids[id] != nil {
				t.Errorf("two elements have the id %q", id)
			}
			d.ids[id] = n
		}
	}
	return d
}

func attribute(n *nethtml.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// elements returns the elements below a node with one of the names.
func elements(n *nethtml.Node, names ...atom.Atom) []*nethtml.Node {
	var list []*nethtml.Node
	for d := range n.Descendants() {
		if d.Type == nethtml.ElementNode && slices.Contains(names, d.DataAtom) {
			list = append(list, d)
		}
	}
	return list
}

// textOf returns the text of a node, with names for variables.
func textOf(n *nethtml.Node, variables map[string]string) string {
	var out strings.Builder
	for c := range n.ChildNodes() {
		switch {
		case c.Type == nethtml.TextNode:
			out.WriteString(c.Data)
		case c.DataAtom == atom.Var && variables != nil:
			name, known := variables[c.FirstChild.Data]
			if !known {
				name = "UNKNOWN"
			}
			out.WriteString(name)
		default:
			out.WriteString(textOf(c, variables))
		}
	}
	return out.String()
}

// linked returns the elements that the links below a node lead to.
func (d document) linked(t testing.TB, n *nethtml.Node, prefix string) []*nethtml.Node {
	t.Helper()
	var list []*nethtml.Node
	for _, a := range elements(n, atom.A) {
		if href, _ := attribute(a, "href"); strings.HasPrefix(href, "#"+prefix) {
			if d.ids[href[1:]] == nil {
				t.Fatalf("nothing has the id %s", href[1:])
			}
			list = append(list, d.ids[href[1:]])
		}
	}
	return list
}

// at are the fields with the template of the pods of a kind.
func at(w report.FindingWorkload) []string {
	switch w.Kind {
	case "Pod":
		return nil
	case "PodTemplate":
		return []string{"template"}
	case "CronJob":
		return []string{"spec", "jobTemplate", "spec", "template"}
	default:
		return []string{"spec", "template"}
	}
}

// read reads the findings of a page as a person without the script does: they follow the
// links of the containers, and put the names in place of variables.
func read(t *testing.T, d document, w report.FindingWorkload, details *nethtml.Node) []string {
	t.Helper()
	var list []string
	paragraphs := elements(details, atom.P)
	names := []string{""}
	variables := map[string]string{}
	own := map[string]map[string]string{} // by container
	for _, f := range w.Findings {
		if f.Remedy == nil {
			continue
		}
		for _, c := range f.Remedy.Changes {
			if account, ok := c.Value.(string); ok && strings.HasSuffix(c.Path, "spec.serviceAccountName") {
				variables["account"] = account
			}
		}
	}
	for _, p := range paragraphs[1:] {
		for _, a := range elements(p, atom.A) {
			variables[fmt.Sprint("container ", len(names))] = textOf(a, nil)
			names = append(names, textOf(a, nil))
			values := map[string]string{}
			for n := a.NextSibling; n != nil && n.DataAtom != atom.A; n = n.NextSibling {
				if n.DataAtom == atom.I {
					beside := textOf(n, nil)
					cut := strings.LastIndex(beside, " ")
					values[beside[:cut]] = beside[cut+1:]
				}
			}
			own[textOf(a, nil)] = values
		}
	}
	if len(d.linked(t, paragraphs[0], "s")) == 0 {
		names = names[1:] // the pod has nothing
	}
	for i, set := range d.linked(t, details, "s") {
		variables["container"] = names[i]
		variables := maps.Clone(variables)
		maps.Copy(variables, own[names[i]])
		for _, block := range d.linked(t, set, "f") {
			rule, _ := attribute(elements(block, atom.A)[0], "href")
			lines := []string{
				textOf(elements(block, atom.B)[0], nil), strings.TrimPrefix(rule, "#r-"), names[i], textOf(elements(block, atom.Code)[0], variables),
			}
			if boxes := elements(block, atom.Pre); len(boxes) > 0 {
				lines = append(lines, textOf(elements(block, atom.P)[1], nil), textOf(boxes[0], variables))
				if len(boxes) > 1 {
					data, err := yaml.YAMLToJSON([]byte(textOf(boxes[1], variables)))
					if err != nil {
						t.Fatalf("%v in\n%s", err, textOf(boxes[1], variables))
					}
					lines = append(lines, string(data))
				}
			}
			list = append(list, strings.Join(lines, "\n"))
		}
		for _, asked := range d.linked(t, set, "p") {
			for line := range strings.Lines(textOf(elements(asked, atom.Pre)[0], nil)) {
				list = append(list, "asks: "+names[i]+": "+line[2:])
			}
		}
	}
	slices.Sort(list)
	return list
}

var dnsName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// expected returns what read has to return.
func expected(t *testing.T, w report.FindingWorkload) []string {
	t.Helper()
	show := func(s string) string { return printable.Short(s, 1000) }
	var list []string
	for _, f := range w.Findings {
		lines := []string{string(f.Severity), f.Rule, show(f.Container), show(f.Subject)}
		if r := f.Remedy; r != nil {
			var changes strings.Builder
			for _, c := range r.Changes {
				path := c.Path
				if prefix := strings.Join(at(w), ".") + "."; prefix != "." {
					path = strings.TrimPrefix(path, prefix)
				}
				changes.WriteString(show(path))
				if c.Remove {
					changes.WriteString(" is removed\n")
					continue
				}
				var value bytes.Buffer
				e := json.NewEncoder(&value)
				e.SetEscapeHTML(false)
				if err := e.Encode(c.Value); err != nil {
					t.Fatal(err)
				}
				changes.WriteString(": " + show(string(printable.JSON(bytes.TrimSpace(value.Bytes())))) + "\n")
			}
			lines = append(lines, "Change ("+r.Confidence.Text()+"):", changes.String())
			// There is none with what would have to be quoted in a shell.
			if r.Patch != nil && (f.Container == "" || dnsName.MatchString(f.Container)) {
				patch := r.Patch
				for _, field := range at(w) {
					patch = patch[field].(finding.Patch)
				}
				data, err := json.Marshal(patch)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, string(data))
			}
		}
		list = append(list, strings.Join(lines, "\n"))
	}
	for _, p := range w.Privileges {
		for _, c := range append(slices.Clone(p.Containers), "")[:max(len(p.Containers), 1)] {
			list = append(list, "asks: "+show(c)+": "+show(p.Line)+"\n")
		}
	}
	slices.Sort(list)
	return list
}

func TestReadable(t *testing.T) {
	t.Parallel()
	r := corpus(t)
	d := parse(t, page(t, r))
	details := map[string]*nethtml.Node{}
	for _, section := range d.ids {
		if class, _ := attribute(section, "class"); class != "ns" {
			continue
		}
		namespace := textOf(elements(section, atom.H3)[0], nil)
		for _, w := range elements(section, atom.Details) {
			called := strings.TrimSpace(elements(w, atom.Summary)[0].FirstChild.Data)
			details[namespace+" "+called] = w
		}
	}
	read := func(w report.FindingWorkload) []string {
		shown := details[w.Namespace+" "+w.Workload().String()]
		if shown == nil {
			t.Fatalf("%s is not there", w.Workload())
		}
		return read(t, d, w, shown)
	}
	findings := 0
	for _, w := range r.Workloads {
		if clashes(r, w) {
			continue
		}
		findings += len(w.Findings)
		if diff := cmp.Diff(expected(t, w), read(w)); diff != "" {
			t.Fatalf("%s %s (-report +page):\n%s", w.Namespace, w.Workload(), diff)
		}
	}
	if all := r.Counts.Total(); findings < all*8/10 {
		t.Errorf("%d of %d findings were compared only", findings, all)
	}
}

// clashes reports whether another workload has the same name, in another API group, or
// the kind of the workload has its template elsewhere.
func clashes(r report.FindingReport, w report.FindingWorkload) bool {
	same := 0
	for _, o := range r.Workloads {
		if o.Namespace == w.Namespace && o.Workload().String() == w.Workload().String() {
			same++
		}
	}
	odd := slices.ContainsFunc(w.Findings, func(f report.Finding) bool {
		return f.Remedy != nil && len(at(w)) > 0 && !strings.HasPrefix(f.Remedy.Changes[0].Path, strings.Join(at(w), "."))
	})
	return same > 1 || odd
}

// hostile are strings that would be something else than text, or are very long.
var hostile = []string{
	"</script><script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", `"><svg onload=alert(1)>`, `'"`, "`${alert(1)}`", "javascript:alert(1)",
	"<!--", "-->", "]]>", "{{.Policy}}", "\u202eexe.txt", "\x00", "\x1b[2J", "\u2028", "\xff", "constructor", "__proto__", "a\nb", "#s1", "container", "account", strings.Repeat("long", 25_000),
}

// hostileReport returns the report of manifests that have a string in all places.
func hostileReport(t testing.TB, s string) report.FindingReport {
	t.Helper()
	type object = map[string]any
	spec := object{
		"serviceAccountName": s, "hostNetwork": true,
		"securityContext": object{"sysctls": []any{object{"name": s, "value": s}}},
		"initContainers":  []any{object{"name": "web", "image": s, "securityContext": object{"privileged": true}}},
		"containers": []any{object{
			"name": s, "image": s,
			"env":             []any{object{"name": s, "valueFrom": object{"secretKeyRef": object{"name": s, "key": s}}}},
			"ports":           []any{object{"hostPort": 80, "containerPort": 80}},
			"securityContext": object{"capabilities": object{"add": []any{s}}, "appArmorProfile": object{"type": "Unconfined"}},
			"volumeMounts":    []any{object{"name": "h", "mountPath": s}},
		}},
		"volumes": []any{object{"name": "h", "hostPath": object{"path": "/" + s}}},
	}
	metadata := object{"name": s, "namespace": "shop", "uid": "0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a", "annotations": object{"container.apparmor.security.beta.kubernetes.io/" + s: "unconfined"}}
	owned := maps.Clone(metadata)
	owned["ownerReferences"] = []any{object{"apiVersion": s + "/v1", "kind": s, "name": s, "controller": true}}
	data, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": []any{
		object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": object{"template": object{"metadata": object{"annotations": metadata["annotations"]}, "spec": spec}}},
		object{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
		object{"apiVersion": "v1", "kind": "Pod", "metadata": owned, "spec": spec},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := reportOf(t, manifest.Options{In: bytes.NewReader(data)}, manifest.Stdin)
	if len(r.Workloads) == 0 {
		t.Fatalf("%q: nothing was read", s[:min(len(s), 20)])
	}
	// A namespace cannot be read with such a name, but a report can.
	r.Namespaces[0].Name = s
	r.Namespaces[0].Timeline = []report.LevelChange{{Version: s, Before: s, After: s, HeldBack: []report.HeldBack{{Level: s, Check: s, Workloads: []string{s}}}}}
	for i := range r.Workloads {
		r.Workloads[i].Namespace = s
	}
	r.Inspected, r.Why, r.Gaps = s, s, []string{s}
	r.Rules = append(slices.Clone(r.Rules), finding.Rule{ID: s, Title: s, Why: s, Remedy: s, PodSecurity: s, CIS: s})
	r.Workloads[0].Findings = append(slices.Clone(r.Workloads[0].Findings), report.Finding{Rule: s, Severity: "x", Subject: s})
	r.Workloads[0].File = s
	r.Images = []report.FindingImage{{Image: s, Digest: s, Containers: []string{s}, Findings: []report.ImageFinding{{Rule: s, Severity: "high", Subject: s, Line: 1}}}}
	return r
}

// TestTimeline: the page has the versions that change a level.
func TestTimeline(t *testing.T) {
	t.Parallel()
	held := []report.HeldBack{{Level: "restricted", Check: "runAsUser", Workloads: []string{"Pod/a"}}}
	r := report.FindingReport{Namespaces: []report.FindingNamespace{
		{Name: "a", Level: "restricted", Version: "1.37", Timeline: []report.LevelChange{{Version: "1.35", Before: "baseline", After: "restricted", HeldBack: held}}},
		{Name: "b", Level: "restricted", Version: "1.37"},
	}}
	for _, name := range []string{"a", "b"} {
		r.Workloads = append(r.Workloads, report.FindingWorkload{Namespace: name, Kind: "Pod", Name: name, Findings: []report.Finding{{Rule: "image-tag", Severity: "low", Subject: "image x"}}})
	}
	text := textOf(parse(t, page(t, r)).root, nil)
	if want := "from 1.35 on restricted, before that baseline because of"; strings.Count(strings.Join(strings.Fields(text), " "), want) != 1 {
		t.Errorf("the page does not have %q once: %s", want, text)
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	plain := structure(parse(t, page(t, hostileReport(t, "a-plain-one"))).root)
	for _, s := range hostile {
		data := page(t, hostileReport(t, s))
		if len(data) > 1<<19 {
			t.Errorf("%.20q: the page has %d bytes", s, len(data))
		}
		if i := strings.IndexFunc(string(data), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%.20q: the page holds %q", s, data[i:i+10])
		}
		if diff := cmp.Diff(plain, structure(parse(t, data).root)); diff != "" {
			t.Errorf("%.20q has changed the elements of the page (-want +got):\n%s", s, diff)
		}
	}
}

// structure returns the elements and attributes of a page that can do harm.
func structure(root *nethtml.Node) map[string]int {
	found := map[string]int{}
	for n := range root.Descendants() {
		switch {
		case n.Type == nethtml.CommentNode:
			found["comment"]++
		case n.Type != nethtml.ElementNode:
			continue
		}
		if slices.Contains([]atom.Atom{atom.Script, atom.Style, atom.Img, atom.Svg, atom.Meta, atom.Link, atom.Base, atom.Form, atom.Iframe, atom.H1, atom.H2}, n.DataAtom) {
			found[n.Data]++
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
				found[a.Key+"="+a.Val]++
			}
		}
	}
	return found
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	root := parse(t, page(t, examples(t))).root
	want := map[string]int{"script": 1, "style": 1, "meta": 5, "form": 1, "h1": 1, "h2": 6}
	if diff := cmp.Diff(want, structure(root)); diff != "" {
		t.Errorf("what can do harm (-want +got):\n%s", diff)
	}
	hash := func(a atom.Atom) string {
		sum := sha256.Sum256([]byte(elements(root, a)[0].FirstChild.Data))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	policy, _ := attribute(elements(root, atom.Meta)[1], "content")
	if want := "default-src 'none'; style-src " + hash(atom.Style) + "; script-src " + hash(atom.Script) + "; base-uri 'none'; form-action 'none'"; policy != want {
		t.Errorf("the policy is %s, want %s", policy, want)
	}
	if script := elements(root, atom.Script)[0].FirstChild.Data; len(script) >= 9<<10 || strings.Contains(script, "innerHTML") {
		t.Errorf("the script has %d bytes, want less than 9 KiB, and no innerHTML", len(script))
	}
}

func TestStructure(t *testing.T) {
	t.Parallel()
	d := parse(t, page(t, corpus(t)))
	level := 0
	for _, h := range elements(d.root, atom.H1, atom.H2, atom.H3, atom.H4) {
		if next := int(h.Data[1] - '0'); next > level+1 {
			t.Errorf("%s after h%d", h.Data, level)
		} else {
			level = next
		}
	}
	for _, th := range elements(d.root, atom.Th) {
		if scope, _ := attribute(th, "scope"); scope == "" {
			t.Errorf("a header of a table has no scope: %s", textOf(th, nil))
		}
	}
	d.linked(t, d.root, "") // all lead somewhere
	for _, f := range elements(d.root, atom.Form) {
		if _, hidden := attribute(f, "hidden"); !hidden {
			t.Error("the filter is there without the script")
		}
	}
}

func TestDeterministic(t *testing.T) {
	t.Parallel()
	r := examples(t)
	want := page(t, r)
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	reread, err := report.ReadFindings(data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page(t, reread), want) {
		t.Error("the report that was read back gives another page")
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		random.Shuffle(len(r.Workloads), func(i, j int) { r.Workloads[i], r.Workloads[j] = r.Workloads[j], r.Workloads[i] })
		random.Shuffle(len(r.Namespaces), func(i, j int) { r.Namespaces[i], r.Namespaces[j] = r.Namespaces[j], r.Namespaces[i] })
		if !bytes.Equal(page(t, r), want) {
			t.Fatalf("seed %d: the order of the report changes the page", seed)
		}
	}
	var out bytes.Buffer
	if err := html.Write(&out, r); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("Write writes another page: %v", err)
	}
	if after, err := reread.JSON(); err != nil || !bytes.Equal(after, data) {
		t.Errorf("the report was changed: %v", err)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	text := string(page(t, report.FindingReport{Inspected: "namespace none"}))
	for _, want := range []string{"No workload was inspected", "Namespace none: <strong>0 workloads</strong>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	// A workload of a namespace that the report does not list is there all the same.
	w := report.FindingWorkload{Namespace: "forgotten", Kind: "Pod", Name: "web", Findings: []report.Finding{{Rule: "unknown", Severity: "high", Subject: "odd"}}}
	text = string(page(t, report.FindingReport{Workloads: []report.FindingWorkload{w}}))
	for _, want := range []string{"<h3>forgotten</h3>", "Pod/web", "Unknown"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
