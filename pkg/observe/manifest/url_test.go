package manifest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// site is a web server without a network: it answers by URL, from the first
// answer to the last, which is repeated.
type site struct {
	answers  map[string][]answer
	requests []string
}

type answer struct {
	status   int
	body     string
	location string
	err      error
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	url := r.URL.String()
	s.requests = append(s.requests, url)
	a := answer{status: http.StatusNotFound}
	if list := s.answers[url]; len(list) > 0 {
		a = list[0]
		if len(list) > 1 {
			s.answers[url] = list[1:]
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		StatusCode: a.status, Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), Request: r,
		Header: http.Header{"Location": {a.location}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

func TestURL(t *testing.T) {
	const (
		u  = "https://example.com/a.yaml"
		ok = http.StatusOK
	)
	for _, tc := range []struct {
		name, url string
		answers   map[string][]answer
		want      string // the error; empty if the pod is read
		waits     time.Duration
	}{
		{"a manifest", u, map[string][]answer{u: {{status: ok, body: podText("a")}}}, "", 0},
		{"compressed", u + ".gz?x=y", map[string][]answer{u + ".gz?x=y": {{status: ok, body: compress(t, podText("a"))}}}, "", 0},
		{"missing", u, nil, "reading https://example.com/a.yaml: the server responded with 404 Not Found", 0},
		{"a password is not printed", "https://user:secret@example.com/", nil, "reading https://user:xxxxx@example.com/: the server responded with 404 Not Found", 0},
		{"a token is not printed", u + "?token=secret#part", nil, "reading https://example.com/a.yaml: the server responded with 404 Not Found", 0},
		{
			"a token of a redirect is not printed", u + "?token=secret",
			map[string][]answer{u + "?token=secret": {{status: 302, location: "http://example.com/?token=secret"}}},
			"reading https://example.com/a.yaml: it was redirected from https to http://example.com/", 0,
		},
		{"a server that fails twice", u, map[string][]answer{u: {{status: 503}, {err: io.ErrUnexpectedEOF}, {status: ok, body: podText("a")}}}, "", 2 * time.Second},
		{"a server that fails", u, map[string][]answer{u: {{status: 500}}}, "reading https://example.com/a.yaml: the server responded with 500 Internal Server Error", 2 * time.Second},
		{"no server", u, map[string][]answer{u: {{err: io.ErrUnexpectedEOF}}}, "reading https://example.com/a.yaml: unexpected EOF", 2 * time.Second},
		{"redirected", "http://example.com/", map[string][]answer{"http://example.com/": {{status: 302, location: u}}, u: {{status: ok, body: podText("a")}}}, "", 0},
		{
			"redirected to a file", u,
			map[string][]answer{u: {{status: 302, location: "file:///etc/passwd"}}},
			"reading https://example.com/a.yaml: it was redirected from https to file:///etc/passwd", 0,
		},
		{
			"redirected to no encryption", u,
			map[string][]answer{u: {{status: 302, location: "http://example.com/"}}},
			"reading https://example.com/a.yaml: it was redirected from https to http://example.com/", 0,
		},
		{"redirected in a circle", u, map[string][]answer{u: {{status: 302, location: u}}}, "reading https://example.com/a.yaml: it was redirected 10 times", 0},
		{"broken", u, map[string][]answer{u: {{status: ok, body: "a: ["}}}, "reading https://example.com/a.yaml: document 1 (line 1): parsing: ", 0},
		{"no URL", "http://%zz", nil, "reading manifests: ", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := &site{answers: tc.answers}
				obs, err := Read(t.Context(), []string{tc.url}, Options{Client: &http.Client{Transport: s}}, everything)
				switch {
				case tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "secret")):
					t.Errorf("error %v, want %s", err, tc.want)
				case tc.want == "" && err != nil:
					t.Error(err)
				case tc.want == "":
					if diff := cmp.Diff([]string{"default/Pod/a default"}, seen(obs)); diff != "" {
						t.Errorf("pods (-want +got):\n%s", diff)
					}
				}
				if waits := time.Since(begin); waits != tc.waits {
					t.Errorf("waited %v after %q, want %v", waits, s.requests, tc.waits)
				}
			})
		})
	}
}
