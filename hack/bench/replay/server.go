// Package replay is an API server that replays a fleet: lists are pages of objects that
// were encoded before, so that a client waits for itself only. Everything that is not in
// the fleet, such as ConfigMaps, is in a small store.
package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Options say what to serve.
type Options struct {
	Fleet fleet.Fleet
	// Version is what the server calls itself.
	Version string
	// Streams says that a watch may begin with all objects (WatchList).
	Streams bool
}

// Counts are what the server has done so far.
type Counts struct {
	Requests, Bytes int64
	// Writes are those of ConfigMaps.
	Writes int64
	// Events are those of pods, each for all watches.
	Events int64
}

// CountsPath and EventsPath are the paths for who measures; requests to them are not
// counted. A POST to EventsPath with ?rate=N has N pod events a second from then on.
const (
	CountsPath = "/bench/counts"
	EventsPath = "/bench/events"
)

// Server implements http.Handler.
type Server struct {
	options Options
	others  http.Handler
	events  *events

	requests, bytes, writes atomic.Int64

	mu     sync.Mutex
	spools map[string]map[form]*spool
}

// New returns a server. Call Close when it is not needed any more.
func New(o Options) *Server {
	store, _ := apitest.Serve(complaints{})
	store.Version, store.Streams = o.Version, o.Streams
	return &Server{options: o, others: store, events: newEvents(o.Fleet), spools: map[string]map[form]*spool{}}
}

// complaints logs what would fail a test.
type complaints struct{ testing.TB }

// Errorf implements testing.TB.
func (complaints) Errorf(format string, args ...any) { log.Printf(format, args...) }

// Error implements testing.TB.
func (complaints) Error(args ...any) { log.Print(args...) }

// Close ends the events and frees what is in files.
func (s *Server) Close() {
	s.events.setRate(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, forms := range s.spools {
		for _, one := range forms {
			_ = one.file.Close() // nothing is lost
		}
	}
}

// Warm encodes what most clients ask for, so that none waits for it.
func (s *Server) Warm() error {
	for _, r := range fleet.Resources() {
		if _, err := s.spool(r, form{}); err != nil {
			return err
		}
		if r.Name == "replicasets" || r.Name == "jobs" {
			if _, err := s.spool(r, form{metadata: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) spool(r fleet.Resource, as form) (*spool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spools[r.Name] == nil {
		s.spools[r.Name] = map[form]*spool{}
	}
	var err error
	if s.spools[r.Name][as] == nil {
		s.spools[r.Name][as], err = newSpool(s.options.Fleet, r, as)
	}
	return s.spools[r.Name][as], err
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case CountsPath:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Counts()) // the client may be gone
		return
	case EventsPath:
		rate, _ := strconv.Atoi(r.URL.Query().Get("rate"))
		s.events.setRate(rate)
		return
	}
	s.requests.Add(1)
	counted := &countingWriter{w, &s.bytes}
	resource, namespace, name, ok := find(r.URL.Path)
	switch {
	case !ok:
		if strings.Contains(r.URL.Path, "/configmaps") && r.Method != http.MethodGet {
			s.writes.Add(1)
		}
		s.others.ServeHTTP(counted, r)
	case r.Method != http.MethodGet:
		apitest.Refuse(counted, apitest.Status(http.StatusMethodNotAllowed))
	default:
		s.serve(counted, r, resource, namespace, name)
	}
}

// Counts returns what the server has done so far.
func (s *Server) Counts() Counts {
	return Counts{Requests: s.requests.Load(), Bytes: s.bytes.Load(), Writes: s.writes.Load(), Events: s.events.version() - firstVersion}
}

// find returns what of the fleet a path is about.
func find(path string) (r fleet.Resource, namespace, name string, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	apiVersion := ""
	switch {
	case parts[0] == "api" && len(parts) > 2:
		apiVersion, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		apiVersion, parts = parts[1]+"/"+parts[2], parts[3:]
	default:
		return r, "", "", false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 1 {
		name = parts[1]
	}
	resources := fleet.Resources()
	i := slices.IndexFunc(resources, func(r fleet.Resource) bool { return r.Name == parts[0] && r.APIVersion == apiVersion })
	if i < 0 {
		return r, "", "", false
	}
	return resources[i], namespace, name, true
}

// formOf returns the first form that a request accepts.
func formOf(r *http.Request) form {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	return form{json: !strings.HasPrefix(first, "application/vnd.kubernetes.protobuf"), metadata: strings.Contains(first, "as=PartialObjectMetadata")}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, resource fleet.Resource, namespace, name string) {
	spool, err := s.spool(resource, formOf(r))
	if err != nil {
		apitest.Refuse(w, apierrors.NewInternalError(err).ErrStatus)
		return
	}
	v := r.URL.Query()
	switch {
	case name != "":
		i, ok := spool.find(namespace, name)
		if !ok {
			apitest.Refuse(w, apierrors.NewNotFound(schema.GroupResource{Resource: resource.Name}, name).Status())
			return
		}
		data, err := spool.object(i)
		if err != nil {
			apitest.Refuse(w, apierrors.NewInternalError(err).ErrStatus)
			return
		}
		w.Header().Set("Content-Type", spool.form.mediaType())
		_, _ = w.Write(spool.form.whole(resource, data)) //nolint:gosec // no browser; the client may be gone
	case v.Get("watch") == "true" || v.Get("watch") == "1":
		s.watch(w, r, spool, namespace)
	default:
		s.list(w, r, spool, namespace)
	}
}

// list serves a page. A list of version 0 is a single page, as from the cache of a server
// (apiserver/pkg/storage/cacher/cacher.go, GetList). All pods run, so that a selector for
// phases selects all.
func (s *Server) list(w http.ResponseWriter, r *http.Request, spool *spool, namespace string) {
	v := r.URL.Query()
	current := strconv.FormatInt(s.events.version(), 10)
	version, match, token := v.Get("resourceVersion"), v.Get("resourceVersionMatch"), v.Get("continue")
	switch {
	case match != "" && version == "", token != "" && version != "" && version != "0", match == "Exact" && version == "0":
		apitest.Refuse(w, apierrors.NewBadRequest("resourceVersionMatch or continue do not fit resourceVersion").Status())
		return
	case match == "Exact" && version != current:
		apitest.Refuse(w, apierrors.NewResourceExpired("the version is not there any more").Status())
		return
	}
	first, end := spool.in(namespace)
	if token != "" {
		from, err := strconv.Atoi(token)
		if err != nil || from < first || from > end {
			apitest.Refuse(w, apierrors.NewBadRequest("continue key is not valid").Status())
			return
		}
		first = from
	}
	m := metav1.ListMeta{ResourceVersion: current}
	if limit, _ := strconv.Atoi(v.Get("limit")); limit > 0 && version != "0" && end-first > limit {
		end = first + limit
		m.Continue = strconv.Itoa(end)
	}
	body, length, err := spool.list(first, end, m)
	if err != nil {
		apitest.Refuse(w, apierrors.NewInternalError(err).ErrStatus)
		return
	}
	w.Header().Set("Content-Type", spool.form.mediaType())
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	_, _ = io.Copy(w, body) // the client may be gone
}

// countingWriter counts the bytes of bodies.
type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

// Write implements io.Writer.
func (w *countingWriter) Write(data []byte) (int, error) {
	n, err := w.ResponseWriter.Write(data)
	w.n.Add(int64(n))
	if err != nil {
		return n, fmt.Errorf("writing a response: %w", err)
	}
	return n, nil
}

// Flush implements http.Flusher.
func (w *countingWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}
