package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"sigs.k8s.io/yaml"
)

// shown is an expression for the workloads that are shown, as "NAMESPACE KIND/NAME".
const shown = `[...document.querySelectorAll('.ns>details')].filter((d) => d.checkVisibility()).map((d) =>
	d.parentElement.querySelector('h3').textContent + ' ' + d.querySelector('summary').firstChild.data.trim()).sort()`

// matching returns the workloads that a filter has to show.
func matching(r report.FindingReport, keep func(w report.FindingWorkload) bool) []string {
	list := []string{}
	for _, w := range r.Workloads {
		if keep(w) {
			list = append(list, w.Namespace+" "+w.Workload().String())
		}
	}
	slices.Sort(list)
	return list
}

func breaks(keep func(f report.Finding) bool) func(w report.FindingWorkload) bool {
	return func(w report.FindingWorkload) bool { return slices.ContainsFunc(w.Findings, keep) }
}

func TestFilter(t *testing.T) {
	r := examples(t)
	tb := open(t, r)
	expect := func(name string, keep func(w report.FindingWorkload) bool) {
		t.Helper()
		want := matching(r, keep)
		tb.wait(fmt.Sprintf(`document.querySelector('#count').textContent === '%d of %d workloads'`, len(want), len(r.Workloads)))
		if diff := cmp.Diff(want, evaluate[[]string](tb, shown)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(want) == 0 {
			t.Errorf("%s finds nothing", name)
		}
	}
	clear := func() { tb.click("#filter button") }
	choose := func(field, value string) {
		evaluate[int](tb, fmt.Sprintf(`(() => {
			const e = document.querySelector('#filter').elements[%q];
			e.value = %q;
			e.dispatchEvent(new Event('input', { bubbles: true }));
			return 0;
		})()`, field, value))
	}
	all := func(report.FindingWorkload) bool { return true }
	expect("no filter", all)
	choose("ns", "kube-system")
	expect("namespace", func(w report.FindingWorkload) bool { return w.Namespace == "kube-system" })
	clear()
	expect("cleared", all)
	choose("sev", "high")
	expect("severity", breaks(func(f report.Finding) bool { return f.Severity.Compare(privilege.High) >= 0 }))
	choose("rule", "host-network")
	expect("severity and rule", breaks(func(f report.Finding) bool { return f.Rule == "host-network" }))
	if got, want := evaluate[string](tb, "location.hash"), "#?sev=high&rule=host-network"; got != want {
		t.Errorf("the address ends in %s, want %s", got, want)
	}
	clear()
	expect("cleared", all)
	tb.run(chromedp.SendKeys("#filter [name=text]", "MESH cni"))
	expect("text", func(w report.FindingWorkload) bool { return w.Name == "mesh-cni" })
	clear()
	expect("cleared", all)

	tb.click(`.heat tbody td a[title*=critical]`)
	expect("cell of the heat map", func(w report.FindingWorkload) bool {
		return w.Namespace == "kube-system" && breaks(func(f report.Finding) bool {
			return slices.Contains([]string{"privileged", "host-process", "capability-added"}, f.Rule)
		})(w)
	})
	tb.click(`.cards li:first-child a`)
	expect("number of critical findings", breaks(func(f report.Finding) bool { return f.Severity == privilege.Critical }))
	tb.click(`.fixes li:first-child a`)
	expect("what to fix first", breaks(func(f report.Finding) bool { return f.Rule == "privileged" }))

	tb = openAt(t, r, "#?ns=shop")
	expect("by the address", func(w report.FindingWorkload) bool { return w.Namespace == "shop" })
}

// drilled is a finding as the page shows it under its workload.
type drilled struct {
	Namespace, Workload, Container, Severity, Subject, Fields, Patch string
}

const drill = `[...document.querySelectorAll('[data-finding]')].map((d) => {
	const w = d.closest('.ns>details'), text = (s, e) => e.querySelector(s)?.textContent ?? '';
	return {
		namespace: text('h3', w.parentElement), workload: w.querySelector('summary').firstChild.data.trim(),
		container: d.closest('.c').querySelector('h4').firstChild.data, severity: text('summary b', d), subject: text('summary code', d),
		fields: text('.in>pre', d), patch: text('.patch pre', d),
	};
})`

// TestDrillDown opens everything, and finds each finding of the report with its fields
// and the patch that kubectl takes, with the names of its workload.
func TestDrillDown(t *testing.T) {
	r := examples(t)
	tb := open(t, r)
	tb.openAll()
	shown := map[string][]drilled{}
	key := func(namespace, workload, container, severity, subject, fields string) string {
		return strings.Join([]string{namespace, workload, container, severity, subject, fields}, "\n")
	}
	for _, d := range evaluate[[]drilled](tb, drill) {
		k := key(d.Namespace, d.Workload, d.Container, d.Severity, d.Subject, d.Fields)
		shown[k] = append(shown[k], d)
	}
	patches := 0
	for _, w := range r.Workloads {
		for _, f := range w.Findings {
			var fields strings.Builder
			if f.Remedy != nil {
				for _, c := range f.Remedy.Changes {
					value, err := json.Marshal(c.Value)
					if err != nil {
						t.Fatal(err)
					}
					if c.Remove {
						fmt.Fprintf(&fields, "%s is removed\n", c.Path)
					} else {
						fmt.Fprintf(&fields, "%s: %s\n", c.Path, value)
					}
				}
			}
			container := f.Container
			if container == "" {
				container = "Pod as a whole"
			}
			k := key(w.Namespace, w.Workload().String(), container, string(f.Severity), f.Subject, fields.String())
			if len(shown[k]) == 0 {
				t.Errorf("not there: %s", k)
				continue
			}
			d := shown[k][0]
			shown[k] = shown[k][1:]
			if f.Remedy == nil || f.Remedy.Patch == nil {
				if d.Patch != "" {
					t.Errorf("a patch that there is not: %s", d.Patch)
				}
				continue
			}
			patches++
			checkPatch(t, w, f, d.Patch)
		}
	}
	if patches < 50 {
		t.Errorf("there were %d patches only", patches)
	}
}

func checkPatch(t *testing.T, w report.FindingWorkload, f report.Finding, patch string) {
	t.Helper()
	if want := fmt.Sprintf("# kubectl patch %s/%s --namespace %s --patch-file FILE\n", strings.ToLower(w.Kind), w.Name, w.Namespace); !strings.HasPrefix(patch, want) {
		t.Errorf("the patch does not begin with %s:\n%s", want, patch)
	}
	var got map[string]any
	if err := yaml.UnmarshalStrict([]byte(patch), &got); err != nil {
		t.Errorf("%v in\n%s", err, patch)
		return
	}
	version := map[string]string{"": "v1", "apps": "apps/v1", "batch": "batch/v1"}[w.Group]
	if got["apiVersion"] != version || got["kind"] != w.Kind {
		t.Errorf("the patch is of %v %v, want %s %s", got["apiVersion"], got["kind"], version, w.Kind)
	}
	metadata, _ := got["metadata"].(map[string]any)
	if metadata["name"] != w.Name || metadata["namespace"] != w.Namespace {
		t.Errorf("the patch is of %v/%v, want %s/%s", metadata["namespace"], metadata["name"], w.Namespace, w.Name)
	}
	delete(got, "apiVersion")
	delete(got, "kind")
	delete(metadata, "name")
	delete(metadata, "namespace")
	if len(metadata) == 0 {
		delete(got, "metadata")
	}
	data, err := json.Marshal(f.Remedy.Patch)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s %s (-want +got):\n%s", w.Workload(), f.Rule, diff)
	}
}

func TestCopy(t *testing.T) {
	tb := open(t, examples(t))
	// The clipboard belongs to the whole machine; the test reads what would go there.
	evaluate[int](tb, `(navigator.clipboard.writeText = async (text) => { window.copied = text; }, 0)`)
	tb.click(`.ns>details>summary`)
	tb.wait(`document.querySelector('.c')`)
	tb.click(`.c details>summary`)
	tb.wait(`document.querySelector('.c details').open`)
	tb.click(`.patch button`)
	tb.wait(`document.querySelector('.patch button').textContent === 'Copied'`)
	if got, want := evaluate[string](tb, `window.copied`), evaluate[string](tb, `document.querySelector('.patch pre').textContent`); got != want || want == "" {
		t.Errorf("copied is\n%s\nwant\n%s", got, want)
	}
	if got := evaluate[string](tb, `document.querySelector('#count').textContent`); got != "The patch is copied." {
		t.Errorf("announced is %q", got)
	}
	// Where the clipboard is refused, the text is selected.
	evaluate[int](tb, `(navigator.clipboard.writeText = async () => { throw new Error('refused'); }, 0)`)
	tb.click(`.patch button`)
	tb.wait(`getSelection().toString().includes('apiVersion:')`)
}

func TestPrint(t *testing.T) {
	r := examples(t)
	tb := open(t, r)
	data, err := chromedp.Run(tb.ctx, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPreferCSSPageSize()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("%PDF-")) {
		t.Fatalf("%d bytes that are not a PDF", len(data))
	}
	program, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("NOT RUN: the text of the printed page, since there is no pdftotext")
	}
	command := exec.CommandContext(t.Context(), program, "-layout", "-", "-")
	command.Stdin = bytes.NewReader(data)
	text, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{"Fix first", "Heat map", "DaemonSet/mesh-cni", "account mesh-cni", "install-cni (#s2)", "hostNetwork: false", "Privilege escalation is not disabled"} {
		if !strings.Contains(got, want) {
			t.Errorf("the printed page does not say %q", want)
		}
	}
	for _, w := range r.Workloads {
		if want := w.Workload().String(); !strings.Contains(got, want) {
			t.Errorf("the printed page has no %s", want)
		}
	}
	if strings.Contains(got, "Clear") {
		t.Error("the filter is printed")
	}
}

// TestPrintedLevels: on paper, what holds a namespace back takes as much room as the names of
// namespaces, however many there are, and a row may be longer than a page.
func TestPrintedLevels(t *testing.T) {
	r := report.FindingReport{Inspected: "all namespaces"}
	for i := range 40 {
		r.Namespaces = append(r.Namespaces, report.FindingNamespace{Name: fmt.Sprintf("some-namespace-of-a-team-%d", i), Level: "restricted", Version: "1.37"})
	}
	var workloads []string
	for i := range 40 {
		workloads = append(workloads, fmt.Sprintf("Deployment/some-workload-of-a-team-%d", i))
	}
	r.Namespaces = append(r.Namespaces, report.FindingNamespace{Name: "loose", Level: "privileged", Version: "1.37", HeldBack: []report.HeldBack{
		{Level: "baseline", Check: "hostPathVolumes", Workloads: workloads},
	}})
	tb := open(t, r, chromedp.EmulateViewport(680, 960), call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
	widths := evaluate[[]float64](tb, `[...document.querySelector('.levels tbody tr').cells].map((c) => c.getBoundingClientRect().width)`)
	if len(widths) != 4 || widths[2] < widths[3]*0.9 {
		t.Errorf("columns are %v pixels wide", widths)
	}
	if got := evaluate[string](tb, `getComputedStyle(document.querySelector('.levels tbody tr')).breakInside`); got != "auto" {
		t.Errorf("a break in a row: %s", got)
	}
}

// hostile are strings that would be something else than text.
var hostile = []string{
	"</script><script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", `"><svg onload=alert(1)>`, `'" onclick=alert(1) x='`, "`${alert(1)}`", "javascript:alert(1)",
	"<!--", "\u202eexe.txt", "\x00", "\u2028", "constructor", "__proto__", "a\nb", "#s1", "container", "true", strings.Repeat("long", 25_000),
}

func TestHostile(t *testing.T) {
	for i, s := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			type object = map[string]any
			spec := object{
				"serviceAccountName": s, "hostNetwork": true,
				"containers": []any{object{
					"name": s, "image": s, "securityContext": object{"capabilities": object{"add": []any{s}}, "privileged": true},
					"env":          []any{object{"name": s, "valueFrom": object{"secretKeyRef": object{"name": s, "key": s}}}},
					"volumeMounts": []any{object{"name": "h", "mountPath": s}},
				}},
				"volumes": []any{object{"name": "h", "hostPath": object{"path": "/" + s}}},
			}
			metadata := object{"name": s, "namespace": "shop", "uid": "0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a"}
			owned := object{"name": s, "namespace": "shop", "uid": metadata["uid"], "ownerReferences": []any{object{"apiVersion": s + "/v1", "kind": s, "name": s, "controller": true}}}
			data, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": []any{
				object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": object{"template": object{"spec": spec}}},
				object{"apiVersion": "v1", "kind": "Pod", "metadata": owned, "spec": spec},
			}})
			if err != nil {
				t.Fatal(err)
			}
			r := read(t, manifest.Options{In: bytes.NewReader(data)}, manifest.Stdin)
			if len(r.Workloads) != 2 {
				t.Fatalf("%d workloads", len(r.Workloads))
			}
			r.Namespaces[0].Name, r.Workloads[0].Namespace, r.Workloads[1].Namespace = s, s, s
			r.Inspected, r.Why, r.Gaps, r.Workloads[0].File = s, s, []string{s}, s
			tb := open(t, r)
			tb.openAll()
			tb.click(`.heat tbody td a`)
			tb.wait(`document.querySelector('#count').textContent === '2 of 2 workloads'`)
			if got := evaluate[int](tb, `document.querySelectorAll('script, style, img, svg, iframe, link').length`); got != 2 {
				t.Errorf("there are %d elements that load something, want one style and one script", got)
			}
			if w := evaluate[int](tb, `document.documentElement.scrollWidth - innerWidth`); w > 0 {
				t.Errorf("the page is %d pixels too wide", w)
			}
		})
	}
}

// TestWithoutScript reads the page where scripts are switched off.
func TestWithoutScript(t *testing.T) {
	tb := open(t, examples(t), call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	text, err := chromedp.Run(tb.ctx, chromedp.Text("body"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Fix first", "Each container links to what is wrong with it", "DaemonSet/mesh-cni", "Rules that are broken"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "Clear") {
		t.Error("the filter is shown, and does nothing")
	}
	// What is not on the screen is not in the text above.
	if text, err = chromedp.Run(tb.ctx, chromedp.TextContent(".f")); err != nil || !strings.Contains(text, "securityContext.privileged: false") {
		t.Errorf("the first finding is %q (%v), want its field and value", text, err)
	}
}

func TestPhone(t *testing.T) {
	tb := open(t, examples(t), chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	tb.openAll()
	if got := evaluate[int](tb, `document.documentElement.scrollWidth`); got > 360 {
		t.Errorf("the page is %d pixels wide, want 360", got)
	}
}

func scheme(value string) action {
	return call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
}

func TestDark(t *testing.T) {
	for _, value := range []string{"light", "dark"} {
		tb := open(t, examples(t), scheme(value))
		const dark = `getComputedStyle(document.body).backgroundColor.match(/\d+/g).every((c) => c < 128)`
		if got := evaluate[bool](tb, dark); got != (value == "dark") {
			t.Errorf("%s: the page is dark: %t", value, got)
		}
	}
}

// TestAccessible has axe-core find what keeps people with a disability from the page.
func TestAccessible(t *testing.T) {
	script := axe(t)
	for name, before := range map[string][]action{
		"light": {scheme("light")}, "dark": {scheme("dark")},
		"phone": {scheme("light"), chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile)},
	} {
		t.Run(name, func(t *testing.T) {
			r := examples(t)
			r.Gaps = []string{"pods of namespace shop: forbidden"}
			tb := open(t, r, before...)
			tb.openAll()
			evaluate[int](tb, script+";0")
			for _, v := range evaluate[[]string](tb, `axe.run(document, { resultTypes: ['violations'] }).then((r) =>
				r.violations.map((v) => v.id + ': ' + v.help + ': ' + v.nodes.map((n) => n.html.slice(0, 200)).slice(0, 3).join(' | ')))`) {
				t.Error(v)
			}
		})
	}
}

// TestKeyboard reaches the summary, the filter and the workloads by keys alone.
func TestKeyboard(t *testing.T) {
	tb := open(t, examples(t))
	tb.run(chromedp.KeyEvent("\t"))
	if got := evaluate[string](tb, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, want the skip link", got)
	}
	tb.run(chromedp.KeyEvent("\r"))
	tb.wait(`document.activeElement.id === 'main'`)
	evaluate[int](tb, `(document.querySelector('.ns>details>summary').focus(), 0)`)
	tb.run(chromedp.KeyEvent("\r"))
	tb.wait(`document.querySelector('.ns>details[open] .c')`)
	if got := evaluate[string](tb, `getComputedStyle(document.activeElement).outlineStyle`); got == "none" {
		t.Error("the focus cannot be seen")
	}
}

// TestScreenshot writes a picture of the page to the file of the variable SCREENSHOT.
func TestScreenshot(t *testing.T) {
	file := os.Getenv("SCREENSHOT")
	if file == "" {
		t.Skip("SCREENSHOT names no file")
	}
	tb := open(t, examples(t), scheme("light"), chromedp.EmulateViewport(1280, 1310))
	data, err := chromedp.Run(tb.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Clean(file), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
