package cluster

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// respond returns a client of a server that sends this body.
func respond(t *testing.T, encoding string, status int, body []byte) (*http.Client, string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding: %q", r.Header["Accept-Encoding"])
		}
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client may have closed
	}))
	t.Cleanup(server.Close)
	return &http.Client{Transport: &gunzip{RoundTripper: &http.Transport{DisableCompression: true}}}, server.URL
}

func get(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	response, err := client.Get(url) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestGunzip(t *testing.T) {
	long := strings.Repeat("a page of pods, ", 50_000)
	for name, c := range map[string]struct {
		encoding string
		status   int
		body     []byte
		want     string
	}{
		"compressed":       {encoding: "gzip", status: 200, body: compressed(t, long), want: long},
		"capital letters":  {encoding: "GZIP", status: 200, body: compressed(t, "a"), want: "a"},
		"compressed error": {encoding: "gzip", status: 500, body: compressed(t, "an error"), want: "an error"},
		"plain":            {status: 200, body: []byte(long), want: long},
		"compressed twice": {encoding: "gzip", status: 200, body: append(compressed(t, "a"), compressed(t, "b")...), want: "ab"},
		"looks compressed": {status: 200, body: compressed(t, "a"), want: string(compressed(t, "a"))},
	} {
		t.Run(name, func(t *testing.T) {
			client, url := respond(t, c.encoding, c.status, c.body)
			for range 3 { // with what earlier responses needed
				response := get(t, client, url)
				got, err := io.ReadAll(response.Body)
				if err != nil || string(got) != c.want || response.StatusCode != c.status {
					t.Fatalf("status %d, error %v, %d bytes: want %d and %d bytes", response.StatusCode, err, len(got), c.status, len(c.want))
				}
				if c.encoding != "" && (!response.Uncompressed || len(response.Header["Content-Encoding"]) > 0 || response.ContentLength >= 0) {
					t.Errorf("the response is said to be compressed: %+v", response)
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}
				if n, err := response.Body.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Errorf("reading after the end: %d bytes, %v", n, err)
				}
				if err := response.Body.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A response that ends early, or has another byte, is an error, wherever that is.
func TestGunzipDamaged(t *testing.T) {
	whole := compressed(t, "a page of pods, and of pods")
	const header = 10                    // without a checksum: times and the like
	for at := 1; at < len(whole); at++ { // without any, it is empty
		client, url := respond(t, "gzip", 200, whole[:at])
		response := get(t, client, url)
		if got, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("%d bytes of %d: %q", at, len(whole), got)
		}
		_ = response.Body.Close()

		if at < header {
			continue
		}
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		client, url = respond(t, "gzip", 200, damaged)
		response = get(t, client, url)
		if got, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("with another byte at %d: %q", at, got)
		}
		_ = response.Body.Close()
	}
}

// A response that nobody reads can be closed, and idle connections can.
func TestGunzipUnread(t *testing.T) {
	client, url := respond(t, "gzip", 200, compressed(t, "a"))
	response := get(t, client, url)
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if n, err := response.Body.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("reading after the end: %d bytes, %v", n, err)
	}
	wrapper, ok := client.Transport.(utilnet.RoundTripperWrapper)
	if !ok || wrapper.WrappedRoundTripper() == nil {
		t.Error("idle connections cannot be closed")
	}
}

// A response is closed while it is read, as that of a watch is: what it was read with is
// in no other's use.
func TestGunzipClosedMeanwhile(t *testing.T) {
	page := compressed(t, strings.Repeat("a page of pods, ", 10_000))
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if requests++; requests%2 == 0 {
			_, _ = w.Write(page) // the client may have closed
			return
		}
		stream := gzip.NewWriter(w)
		_, _ = io.WriteString(stream, "an event")
		_ = stream.Flush()
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	client := &http.Client{Transport: &gunzip{RoundTripper: &http.Transport{DisableCompression: true}}}
	for range 20 {
		watch := get(t, client, server.URL)
		begun, ended := make(chan struct{}), make(chan error)
		go func() {
			_, err := io.ReadFull(watch.Body, make([]byte, len("an event")))
			close(begun)
			for err == nil {
				_, err = watch.Body.Read(make([]byte, 100))
			}
			ended <- err
		}()
		<-begun
		_ = watch.Body.Close()
		list := get(t, client, server.URL)
		got, err := io.ReadAll(list.Body)
		if err != nil || len(got) != 160_000 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		_ = list.Body.Close()
		if err := <-ended; errors.Is(err, io.EOF) {
			t.Error("a closed response has an end")
		}
	}
}

// Who asks for no compression gets none.
func TestDisableCompression(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		asked := make(chan string, 1)
		server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Accept-Encoding") }))
		insecure := rest.TLSClientConfig{Insecure: true}
		c, err := newClient(&rest.Config{Host: server.URL, DisableCompression: disabled, TLSClientConfig: insecure}, observe.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		get(t, c.http, server.URL).Body.Close()
		if got := <-asked; (got == "") != disabled {
			t.Errorf("compression disabled: %t, requested: %q", disabled, got)
		}
		c.close()
		server.Close()
	}
}
