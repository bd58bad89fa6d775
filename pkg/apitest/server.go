// Package apitest is an API server for tests, without a network.
//
// Objects and requests go in; answers come out as a real server gives them: lists
// in pages, objects whole or by their metadata, watches that begin where a list
// ended, streams, server-side apply of ConfigMaps, optimistic locking, discovery,
// in JSON or protobuf. A test can answer requests itself (Server.Intercept), say
// who may do what (Server.Authorize), and have the server fail: refuse for a quota,
// die after any write, be away. A request that a real server would reject, or that
// costs it more than a client should cause, fails the test.
package apitest

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Server is the server. Set its fields before the first request, or between
// requests.
type Server struct {
	// Version is what the server calls itself.
	Version string
	// Serves are the resources that discovery names.
	Serves []schema.GroupVersionResource
	// Streams says that a watch may begin with all objects.
	Streams bool
	// Backward says that lists are sorted the other way round: a server that keeps its
	// objects elsewhere than in etcd may sort as it likes.
	Backward bool
	// DieAfter is how many ConfigMaps are written before the server does not answer
	// any more, not even about the last one; 0 means it never dies.
	DieAfter int
	// Quota is how many ConfigMaps there may be; 0 means any number.
	Quota int
	// Authorize, if set, says what is allowed.
	Authorize func(Request) bool
	// AfterWrite, if set, is called after each write of a ConfigMap, with the
	// ConfigMaps that are stored then. No other request is served until it returns.
	AfterWrite func(write string, stored map[string]*corev1.ConfigMap)

	t      testing.TB
	scheme *runtime.Scheme

	mu        sync.Mutex
	intercept func(http.ResponseWriter, Request) bool
	away      bool
	requests  []Request
	writes    []string
	objects   map[key]object
	version   int
	// log has every change; news is closed when there is another one, and cut when
	// all watches end.
	log  []event
	news chan struct{}
	cut  chan struct{}
}

// key is where an object is stored.
type key struct{ resource, namespace, name string }

// compare orders as the keys in etcd, in which a slash follows the namespace.
func (k key) compare(o key) int {
	return cmp.Or(strings.Compare(k.namespace+"/", o.namespace+"/"), strings.Compare(k.name, o.name))
}

// Serve returns a server that holds the objects, and how to reach it.
func Serve(t testing.TB, objects ...runtime.Object) (*Server, *rest.Config) {
	s := &Server{
		Version: "v1.24.17",
		Serves:  []schema.GroupVersionResource{{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"}},
		t:       t, scheme: Scheme(), objects: map[key]object{},
		news: make(chan struct{}), cut: make(chan struct{}),
	}
	for _, o := range objects {
		s.Put(o)
	}
	return s, &rest.Config{Host: "http://api.example", Transport: s, QPS: -1}
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return Transport{s}.RoundTrip(r)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := s.parse(r)
	s.mu.Lock()
	s.requests = append(s.requests, q)
	intercept, authorize := s.intercept, s.Authorize
	s.mu.Unlock()
	switch {
	case intercept != nil && intercept(w, q):
	case q.Resource == "":
		s.discover(w, r.URL.Path)
	case authorize != nil && !authorize(q):
		Refuse(w, q.forbidden())
	case q.Verb == "watch":
		s.watch(w, q)
	case !s.serve(w, q):
		panic(http.ErrAbortHandler)
	}
}

// serve answers a request that has an immediate answer. It reports false when the server has
// died.
func (s *Server) serve(w http.ResponseWriter, q Request) bool {
	s.mu.Lock()
	send, alive := s.respond(q)
	s.mu.Unlock()
	if alive {
		send(w) // which may take until the client reads
	}
	return alive
}

// respond returns what sends the response to a request; false if there is none.
func (s *Server) respond(q Request) (send func(http.ResponseWriter), alive bool) {
	if q.Resource == configMaps && s.dead() {
		return nil, false
	}
	answer, status := s.answer(q)
	if q.Resource == configMaps && s.dead() {
		return nil, false
	}
	if status != nil {
		return func(w http.ResponseWriter) { Refuse(w, *status) }, true
	}
	return s.encoded(q, answer), true
}

func (s *Server) dead() bool { return s.DieAfter > 0 && len(s.writes) >= s.DieAfter }

func (s *Server) answer(q Request) (runtime.Object, *metav1.Status) {
	switch q.Verb {
	case "list":
		return s.list(q)
	case "get":
		return s.get(q)
	case "create":
		return s.create(q)
	case "update":
		return s.update(q)
	case "patch":
		return s.apply(q)
	case "delete":
		return s.remove(q)
	default:
		return nil, refusal(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, q.Verb)
	}
}

// Intercept has f called for each request from now on. f may answer in the place of
// the server, and reports whether it did.
func (s *Server) Intercept(f func(w http.ResponseWriter, q Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Away has connections fail, or not any more. It ends all watches.
func (s *Server) Away(away bool) {
	s.mu.Lock()
	s.away = away
	s.mu.Unlock()
	s.Cut()
}

// Cut ends all watches.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// Revive lets a server that has died answer again.
func (s *Server) Revive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.DieAfter, s.writes = 0, nil
}

// Requested returns the requests so far.
func (s *Server) Requested() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// TakeWrites returns the writes of ConfigMaps since the last call, such as
// "patch NAME".
func (s *Server) TakeWrites() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes
	s.writes = nil
	return writes
}

// Put stores an object as a client does that creates or updates it whole. It keeps
// the object's field managers.
func (s *Server) Put(o runtime.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(s.keyOf(o), s.copyOf(o))
}

// Remove deletes an object.
func (s *Server) Remove(resource, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key{resource, namespace, name})
}

// Get returns an object, or nil if there is none.
func (s *Server) Get(resource, namespace, name string) runtime.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[key{resource, namespace, name}]; ok {
		return s.copyOf(o)
	}
	return nil
}

// ConfigMaps returns the ConfigMaps of all namespaces, by name.
func (s *Server) ConfigMaps() map[string]*corev1.ConfigMap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.configMaps()
}

func (s *Server) configMaps() map[string]*corev1.ConfigMap {
	all := map[string]*corev1.ConfigMap{}
	for k, o := range s.objects {
		if cm, ok := o.(*corev1.ConfigMap); ok {
			all[k.name] = cm.DeepCopy()
		}
	}
	return all
}

// ManagedBy returns field managers for objects that are put: a single client that
// has created the object.
func ManagedBy(manager string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate}}
}

// store keeps an object under a new version.
func (s *Server) store(k key, o object) {
	s.version++
	o.SetResourceVersion(strconv.Itoa(s.version))
	if o.GetUID() == "" {
		o.SetUID(types.UID("uid-" + o.GetResourceVersion()))
	}
	s.change(event{k, s.version, s.objects[k], o})
	s.objects[k] = o
}

// drop forgets an object.
func (s *Server) drop(k key) {
	o, ok := s.objects[k]
	if !ok {
		return
	}
	s.version++
	s.change(event{k, s.version, o, nil})
	delete(s.objects, k)
}

// change lets the watches know of an event.
func (s *Server) change(e event) {
	s.log = append(s.log, e)
	close(s.news)
	s.news = make(chan struct{})
}
