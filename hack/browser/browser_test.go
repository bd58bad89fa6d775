// Package browser_test opens pages of findings in Chromium, and uses them as people do.
package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/psp-advisor/psp-advisor/pkg/report/html"
)

// browser is the one that all tests share; nil if there is none.
var browser context.Context

func TestMain(m *testing.M) {
	program := chromium()
	if program == "" {
		m.Run()
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// A click goes where an element was, if the page still scrolls.
		chromedp.Flag("force-prefers-reduced-motion", true),
		// The tests run as root, where Chromium has no sandbox.
		chromedp.NoSandbox,
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	var cancel context.CancelFunc
	browser, cancel = chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintln(os.Stderr, "starting Chromium:", err) // and each test fails
	}
	m.Run()
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// action is what is done in the browser.
type action = chromedp.Action[chromedp.Void]

// call returns the action that is a command of the DevTools protocol.
func call[P, R any](command cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// tab is a page in the browser.
type tab struct {
	*testing.T
	ctx context.Context
	url string

	mu sync.Mutex
	// events are what a page must not cause: requests, messages, errors and dialogs.
	events []string
}

// open opens the page of a report; actions come before. At the end of the test, the page
// must have fetched nothing, and have caused no error and no violation of its policy.
func open(t *testing.T, r report.FindingReport, before ...action) *tab {
	t.Helper()
	return openAt(t, r, "", before...)
}

// openAt opens the page of a report at a fragment.
func openAt(t *testing.T, r report.FindingReport, fragment string, before ...action) *tab {
	t.Helper()
	if browser == nil {
		t.Skip("NOT RUN: the page in a browser, since there is no Chromium")
	}
	data, err := html.Page(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "findings.html")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	tb := &tab{T: t, ctx: ctx, url: (&url.URL{Scheme: "file", Path: file}).String()}
	if err := chromedp.Listen(ctx, tb.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, e := range tb.events {
			t.Error(e)
		}
	})
	tb.run(append(before,
		call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), call(page.Enable, page.EnableParams{}), call(runtime.Enable, cdp.Empty{}),
		chromedp.Navigate(tb.url+fragment),
	)...)
	return tb
}

func (t *tab) listen(event any) {
	var text string
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if before, _, _ := strings.Cut(e.Request.URL, "#"); before != t.url {
			text = "a request: " + e.Request.URL
		}
	case *log.EventEntryAdded:
		text = "an entry of the log: " + e.Entry.Text
	case *runtime.EventConsoleAPICalled:
		text = "a message in the console"
	case *runtime.EventExceptionThrown:
		text = "an exception: " + e.ExceptionDetails.Text
	case *page.EventJavascriptDialogOpening:
		text = "a dialog: " + e.Message
	}
	if text != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.events = append(t.events, text)
	}
}

func (t *tab) run(actions ...action) {
	t.Helper()
	if err := chromedp.Do(t.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// evaluate returns the value of an expression.
func evaluate[V any](t *tab, expression string) V {
	t.Helper()
	v, err := chromedp.Run(t.ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%v in %.300s", err, expression)
	}
	return v
}

// wait waits until an expression is true.
func (t *tab) wait(expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](expression)); err != nil {
		t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// click clicks into the middle of the first line of an element.
func (t *tab) click(selector string) {
	t.Helper()
	at := evaluate[[]float64](t, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({ block: 'center' });
		const box = e.getClientRects()[0];
		return [box.x + box.width / 2, box.y + box.height / 2];
	})()`, selector))
	t.run(chromedp.MouseClickXY(at[0], at[1]))
}

// openAll opens all that can be opened, down to the remedies.
func (t *tab) openAll() {
	t.Helper()
	evaluate[int](t, `(document.querySelectorAll('.ns>details').forEach((d) => { d.open = true; }), 0)`)
	t.wait(`[...document.querySelectorAll('.ns>details')].every((d) => d.querySelector('.c') || !d.querySelector('a'))`)
	evaluate[int](t, `(document.querySelectorAll('details').forEach((d) => { d.open = true; }), 0)`)
}

// examples returns the report of the examples.
func examples(t *testing.T) report.FindingReport {
	t.Helper()
	paths, err := filepath.Glob("../../examples/*/input.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return read(t, manifest.Options{}, paths...)
}

func read(t *testing.T, o manifest.Options, paths ...string) report.FindingReport {
	t.Helper()
	o.SkipInvalid = true
	obs, err := manifest.Read(t.Context(), paths, o, observe.Scope{Pods: true, Templates: true, EphemeralContainers: true})
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings(obs, nil, 0)
}
