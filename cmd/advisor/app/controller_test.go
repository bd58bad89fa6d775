package app

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	coordinationv1 "k8s.io/api/coordination/v1"
)

// TestController: reports are kept current and probes are answered, until the
// controller is asked to stop; then it gives its lease back.
func TestController(t *testing.T) {
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	c := newClient(config)
	r := c.controller(t, "--report-namespace", "reports", "--debounce", "0s")
	r.waitForLog(t, `"Published"`)
	server.Put(runningPod("team", "tool"))
	r.waitForLog(t, `"Published" reports=2`)
	c.getReport(t, "-n", "team").expect(t, exitOK)

	address := regexp.MustCompile(`address="(.*?)"`).FindStringSubmatch(r.log.String())[1]
	for path, wants := range map[string][]string{
		"/healthz": {"ok\n"}, "/readyz": {"ok\n"},
		"/metrics": {"\npsp_advisor_reports 2\n", `version="` + thisBuild().Version + `"} 1`, `rest_client_requests_total{code="200",method="PATCH"}`},
	} {
		body := httpGet(t, "http://"+address+path)
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not hold %q:\n%s", path, want, body)
			}
		}
	}
	if ended := r.stop().expect(t, exitOK); ended.out != "" {
		t.Errorf("standard output is %q", ended.out)
	}
	lease, ok := server.Get("leases", "reports", leaseName).(*coordinationv1.Lease)
	if !ok || *lease.Spec.HolderIdentity != "" {
		t.Errorf("lease %+v", lease)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func httpGet(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestControllerFails: what cannot work ends at once, in one line.
func TestControllerFails(t *testing.T) {
	_, config := apitest.Serve(t)
	c := newClient(config)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := c.run(t.Context(), "controller", "--report-namespace", "reports", "--listen-address", taken.Addr().String()).expect(t, exitFailure)
	if !strings.HasPrefix(r.errs, "advisor: listening on "+taken.Addr().String()+": ") || strings.Count(r.errs, "\n") != 1 {
		t.Errorf("standard error is %q", r.errs)
	}

	server, config := apitest.Serve(t)
	server.Away(true)
	r = newClient(config).run(t.Context(), "controller", "--report-namespace", "reports", "--listen-address", "127.0.0.1:0").expect(t, exitFailure)
	if !strings.HasPrefix(r.errs, "advisor: choosing engines: reading the server's version: ") || !strings.HasSuffix(r.errs, "connection refused: set --server-version\n") {
		t.Errorf("standard error is %q", r.errs)
	}
	r = newClient(config).run(t.Context(), "controller", "--report-namespace", "reports", "--listen-address", "127.0.0.1:0", "--timeout", "50ms", "--server-version", "1.24").expect(t, exitFailure)
	lines := strings.Split(strings.TrimSpace(r.errs), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "advisor: listing ") || !strings.Contains(last, "connection refused") {
		t.Errorf("standard error is %q", r.errs)
	}

	r = c.run(t.Context(), "controller", "--report-namespace", "R", "--debounce=-1s", "--resync", "1ms", "--lease-duration", "1s", "--level", "pod").expect(t, exitUsage)
	for _, flag := range []string{"--report-namespace", "--debounce", "--resync", "--lease-duration", "--level"} {
		if strings.Count(r.errs, "advisor: "+flag) != 1 {
			t.Errorf("standard error does not name %s:\n%s", flag, r.errs)
		}
	}
}

// entry matches a line of the log: severity, time, process, place, message, values.
var entry = regexp.MustCompile(`^[IE]\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ \w+\.go:\d+\] "[^"]+"( [\w]+=.*)?\n$`)

// TestControllerLog: whatever the server says, an entry of the log is a line of
// bounded length.
func TestControllerLog(t *testing.T) {
	server, config := apitest.Serve(t, runningPod("shop", "web"))
	const hostile = "no\nI0101 00:00:00.000000 1 x.go:1] \"All is well\"\r\n\x1b[2J\u202e"
	server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
		refused := q.Resource == "pods" || q.Resource == "configmaps" && q.Name != publish.IndexName
		if refused {
			status := apitest.Status(http.StatusForbidden)
			status.Message = strings.Repeat(hostile, 10000)
			apitest.Refuse(w, status)
		}
		return refused
	})
	r := newClient(config).controller(t, "--report-namespace", "reports", "--debounce", "0s")
	r.waitForLog(t, `"Publishing"`)
	server.Intercept(unauthorized("leases"))
	r.waitForLog(t, `lease`)
	server.Intercept(nil)
	r.waitForLog(t, `"Published"`)
	for line := range strings.Lines(r.stop().expect(t, exitOK).errs) {
		if !entry.MatchString(line) || len(line) > 4*maxEntry || strings.Contains(line, "\x1b") {
			t.Errorf("the log has the line %.300q", line)
		}
	}
}
