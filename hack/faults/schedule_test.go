package faults

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

func TestParse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	about := Requests{List: {"pods"}, Get: {"jobs"}, Watch: {"pods"}, Write: {"configmaps"}, Discovery: {"version"}}
	for range 1000 {
		s := Random(r, about)
		read, err := Parse(s.String())
		if err != nil || read.String() != s.String() || len(s) < 1 || len(s) > 4 {
			t.Fatalf("%s is read as %s, %v", s, read, err)
		}
	}
	if _, err := Parse("pods"); err == nil {
		t.Error("that is no schedule")
	}
}

func TestShrink(t *testing.T) {
	culprit := Fault{Kind: Closed, Verb: List, Resource: "pods", Page: 2, From: 3, Times: 5}
	s := Schedule{{Kind: Slow, Verb: Get, At: 3}, culprit, {Kind: Refused, Verb: Watch}}
	fails := func(s Schedule) bool {
		for _, f := range s {
			if f.Kind == Closed && f.Times >= 2 {
				return true
			}
		}
		return false
	}
	if got, want := Shrink(s, fails).String(), `[{"kind":"closed","verb":"list","resource":"pods","times":2}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestCorrupt: whichever place is corrupted, the decoders of client-go notice.
func TestCorrupt(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	for _, name := range []string{"a", "b", `c"{`} {
		list.Items = append(list.Items, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		})
	}
	codecs := serializer.NewCodecFactory(scheme)
	for _, mediaType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
		body, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), list)
		if err != nil {
			t.Fatal(err)
		}
		for at := range 1000 {
			if o, err := runtime.Decode(codecs.UniversalDeserializer(), corrupt(body, at)); err == nil {
				t.Fatalf("%s corrupted at %d is decoded as %v", mediaType, at, o)
			}
		}
		if _, err := runtime.Decode(codecs.UniversalDeserializer(), body); err != nil {
			t.Errorf("the original was changed: %v", err)
		}
	}
	if got := string(corrupt(nil, 1)); got != "" {
		t.Errorf("nothing is corrupted as %q", got)
	}
}

// TestPages: a page that is requested again has the same number.
func TestPages(t *testing.T) {
	p := pages{}
	for _, tc := range []struct {
		query string
		want  int
	}{{"?limit=2", 1}, {"?continue=b", 2}, {"?continue=b", 2}, {"?continue=c", 3}, {"?continue=b", 2}, {"?limit=2", 1}, {"?continue=x", 2}} {
		if got := p.number(httptest.NewRequest(http.MethodGet, "/api/v1/pods"+tc.query, nil)); got != tc.want {
			t.Errorf("%s is page %d, want %d", tc.query, got, tc.want)
		}
	}
}

// TestServer: what a client of the listening proxy sees of the faults of a connection.
func TestServer(t *testing.T) {
	const body = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`
	served := 0
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}))
	defer behind.Close()
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		kind   Kind
		at     int
		want   error // of the response or of its body
		served int
		read   int
	}{
		{Refused, 0, syscall.ECONNRESET, 0, 0},
		{Closed, 0, io.EOF, 0, 0},
		{Lost, 0, syscall.ECONNRESET, 1, 0},
		{Reset, 500, syscall.ECONNRESET, 1, len(body) / 2},
		{Truncated, 500, io.ErrUnexpectedEOF, 1, len(body) / 2},
		{Truncated, 501, io.ErrUnexpectedEOF, 1, len(body) * 501 / 1000},
		{Shortened, 500, nil, 1, len(body) / 2},
		{Slow, 1, nil, 1, len(body)},
	} {
		served = 0
		way := NewTransport(http.DefaultTransport, Schedule{{Kind: tc.kind, At: tc.at, Times: Always}})
		front := httptest.NewUnstartedServer(nil)
		front.Config = way.Server(target)
		front.Start()
		client := &http.Client{Transport: &http.Transport{}}
		response, err := client.Get(front.URL + "/api/v1/pods")
		n := 0
		if err == nil {
			var data []byte
			data, err = io.ReadAll(response.Body)
			n = len(data)
			_ = response.Body.Close()
		}
		front.CloseClientConnections()
		front.Close()
		if !errors.Is(err, tc.want) || served != tc.served {
			t.Errorf("%s at %d: error %v after %d requests that were served", tc.kind, tc.at, err, served)
		}
		// Bytes before a reset may be lost.
		if tc.kind != Reset && n != tc.read {
			t.Errorf("%s at %d: %d bytes, want %d", tc.kind, tc.at, n, tc.read)
		}
	}
}

// TestEvents: a watch goes wrong after as many events as the fault says.
func TestEvents(t *testing.T) {
	frame := func(s string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	for contentType, text := range map[string][]string{
		"application/json": {"{\"a\":1}\n", "{\"b\":1}\n", "{\"c\":1}\n"}, "application/vnd.kubernetes.protobuf;stream=watch": {frame("one"), frame("two"), frame("three")},
	} {
		for _, tc := range []struct {
			kind  Kind
			whole int
			err   error
		}{{Ended, 1, nil}, {ErrorEvent, 1, nil}, {Reset, 1, syscall.ECONNRESET}, {Truncated, 1, io.ErrUnexpectedEOF}, {Corrupted, 1, nil}} {
			server := roundTrip(func(r *http.Request) (*http.Response, error) {
				return respond(r, http.StatusOK, contentType, []byte(strings.Join(text, ""))), nil
			})
			way := NewTransport(server, Schedule{{Kind: tc.kind, Verb: Watch, At: 1}})
			response, err := way.RoundTrip(httptest.NewRequest(http.MethodGet, "/api/v1/pods?watch=true", nil))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			if !errors.Is(err, tc.err) || !strings.HasPrefix(string(got), text[0]) || strings.HasPrefix(string(got), text[0]+text[1]) {
				t.Errorf("%s of %s: %q, %v", tc.kind, contentType, got, err)
			}
			if tc.kind == Ended && string(got) != text[0] || tc.kind == Corrupted && !strings.HasSuffix(string(got), text[2]) {
				t.Errorf("%s of %s: %q", tc.kind, contentType, got)
			}
			if hits := way.Hits(); hits[0] != 1 {
				t.Errorf("%d hits", hits[0])
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
