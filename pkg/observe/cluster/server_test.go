package cluster

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// apiServer is a small API server: it lists in pages, gets, watches and sends
// metadata alone, in protobuf or JSON, and misbehaves as it is told to.
type apiServer struct {
	t *testing.T
	// answer may answer a request in the place of the server. Set it before the
	// first request, or by intercept.
	answer func(w http.ResponseWriter, r *http.Request, q query) bool
	// streams says that lists can be streamed by a watch.
	streams bool

	// away makes connections fail.
	away atomic.Bool

	mu       sync.Mutex
	objects  map[string][]runtime.Object // by resource
	watchers map[chan watch.Event]query
	requests []string
}

// query is what a request asks for.
type query struct {
	gv                        schema.GroupVersion
	namespace, resource, name string
	watch, metadata           bool
	page                      int
	paged                     bool
}

var apiKinds = map[string]string{
	"pods": "Pod", "serviceaccounts": "ServiceAccount", "replicationcontrollers": "ReplicationController",
	"deployments": "Deployment", "replicasets": "ReplicaSet", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
	"jobs": "Job", "cronjobs": "CronJob",
}

func serve(t *testing.T, objects ...runtime.Object) (*apiServer, *rest.Config) {
	t.Helper()
	s := &apiServer{t: t, objects: map[string][]runtime.Object{}, watchers: map[chan watch.Event]query{}}
	for _, o := range objects {
		r := resourceOf(t, o)
		s.objects[r] = append(s.objects[r], o)
	}
	return s, &rest.Config{Host: "http://api.example", Transport: s}
}

// RoundTrip implements http.RoundTripper.
func (s *apiServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.away.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return apitest.Transport{Handler: s}.RoundTrip(r)
}

func resourceOf(t *testing.T, o runtime.Object) string {
	t.Helper()
	gvk, _, err := apiScheme(t).ObjectKinds(o)
	if err != nil {
		t.Fatal(err)
	}
	for resource, kind := range apiKinds {
		if kind == gvk[0].Kind {
			return resource
		}
	}
	t.Fatalf("no resource for %v", gvk)
	return ""
}

func apiScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, metav1.AddMetaToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func parse(r *http.Request) query {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if parts[0] == "version" || len(parts) < 4 && parts[0] == "apis" {
		return query{}
	}
	q := query{gv: schema.GroupVersion{Version: parts[1]}}
	parts = parts[1:]
	if r.URL.Path[:5] == "/apis" {
		q.gv = schema.GroupVersion{Group: parts[0], Version: parts[1]}
		parts = parts[1:]
	}
	parts = parts[1:]
	if len(parts) > 2 && parts[0] == "namespaces" {
		q.namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 0 {
		q.resource = parts[0]
	}
	if len(parts) > 1 {
		q.name = parts[1]
	}
	v := r.URL.Query()
	q.watch = v.Get("watch") != ""
	q.metadata = strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
	q.page, _ = strconv.Atoi(v.Get("continue"))
	q.paged = v.Get("limit") != ""
	return q
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := parse(r)
	s.mu.Lock()
	s.requests = append(s.requests, r.URL.RequestURI())
	answer := s.answer
	s.mu.Unlock()
	switch {
	case answer != nil && answer(w, r, q):
	case q.watch:
		s.watch(w, r, q)
	case q.name != "":
		s.get(w, r, q)
	default:
		s.list(w, r, q)
	}
}

// intercept sets answer while the server is in use.
func (s *apiServer) intercept(answer func(w http.ResponseWriter, r *http.Request, q query) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// cut ends all watches.
func (s *apiServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for events := range s.watchers {
		close(events)
		delete(s.watchers, events)
	}
}

func (s *apiServer) requested() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// selected returns the objects that a request selects, as it wants them.
func (s *apiServer) selected(r *http.Request, q query) []runtime.Object {
	selector, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []runtime.Object
	for _, o := range s.objects[q.resource] {
		m, err := meta.Accessor(o)
		if err != nil {
			s.t.Error(err)
		}
		set := fields.Set{"metadata.namespace": m.GetNamespace(), "metadata.name": m.GetName()}
		if pod, ok := o.(*corev1.Pod); ok {
			set["status.phase"] = string(pod.Status.Phase)
		}
		if (q.namespace == "" || q.namespace == m.GetNamespace()) && selector.Matches(set) {
			list = append(list, q.form(o))
		}
	}
	return list
}

// form returns the object, or its metadata alone.
func (q query) form(o runtime.Object) runtime.Object {
	if !q.metadata {
		return o
	}
	m, err := meta.Accessor(o)
	if err != nil {
		panic(err)
	}
	return meta.AsPartialObjectMetadata(m)
}

func (s *apiServer) list(w http.ResponseWriter, r *http.Request, q query) {
	v := r.URL.Query()
	limit, err := strconv.Atoi(v.Get("limit"))
	if err != nil || v.Get("resourceVersion") != "" {
		s.t.Errorf("a list not served in pages by a real server: %s", r.URL)
	}
	objects := s.selected(r, q)
	gvk := q.gv.WithKind(apiKinds[q.resource] + "List")
	if q.metadata {
		gvk = metav1.SchemeGroupVersion.WithKind("PartialObjectMetadataList")
		gvk.Group = "meta.k8s.io"
	}
	list, err := apiScheme(s.t).New(gvk)
	if err != nil {
		s.t.Error(err)
	}
	page := objects[min(q.page, len(objects)):min(q.page+limit, len(objects))]
	m, err := meta.ListAccessor(list)
	if err != nil {
		s.t.Error(err)
	}
	m.SetResourceVersion("100")
	if q.page+limit < len(objects) {
		m.SetContinue(strconv.Itoa(q.page + limit))
	}
	if err := meta.SetList(list, page); err != nil {
		s.t.Error(err)
	}
	s.send(w, r, gvk.GroupVersion(), list)
}

func (s *apiServer) get(w http.ResponseWriter, r *http.Request, q query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects[q.resource] {
		if m, err := meta.Accessor(o); err == nil && m.GetName() == q.name && m.GetNamespace() == q.namespace {
			s.send(w, r, q.gv, o)
			return
		}
	}
	refuse(w, http.StatusNotFound)
}

// encoder returns the form that the request wants.
func (s *apiServer) encoder(r *http.Request) (serializer.CodecFactory, runtime.SerializerInfo) {
	codecs := serializer.NewCodecFactory(apiScheme(s.t))
	mediaType, _, _ := strings.Cut(strings.Split(r.Header.Get("Accept"), ",")[0], ";")
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		s.t.Errorf("unknown media type %q", mediaType)
	}
	return codecs, info
}

func (s *apiServer) send(w http.ResponseWriter, r *http.Request, gv schema.GroupVersion, o runtime.Object) {
	codecs, info := s.encoder(r)
	w.Header().Set("Content-Type", info.MediaType)
	if err := codecs.EncoderForVersion(info.Serializer, gv).Encode(o, w); err != nil {
		s.t.Error(err)
	}
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, q query) {
	initial := r.URL.Query().Get("sendInitialEvents") == "true"
	if initial && r.URL.Query().Get("resourceVersion") != "" {
		s.t.Errorf("a stream that begins with what the server remembers: %s", r.URL)
	}
	if initial && !s.streams {
		// staging/src/k8s.io/apimachinery/pkg/apis/meta/internalversion/validation, 1.24:
		// resourceVersionMatch is forbidden for watch.
		refuse(w, http.StatusUnprocessableEntity)
		return
	}
	events := make(chan watch.Event, 100)
	s.mu.Lock()
	s.watchers[events] = q
	s.mu.Unlock()
	codecs, info := s.encoder(r)
	gv := q.gv
	if q.metadata {
		gv = schema.GroupVersion{Group: "meta.k8s.io", Version: "v1"}
	}
	frames := info.StreamSerializer.NewFrameWriter(w)
	encode := func(e watch.Event) {
		raw, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, gv), e.Object)
		if err != nil {
			s.t.Error(err)
		}
		event := &metav1.WatchEvent{Type: string(e.Type), Object: runtime.RawExtension{Raw: raw}}
		framed, err := runtime.Encode(codecs.EncoderForVersion(info.StreamSerializer.Serializer, schema.GroupVersion{Version: "v1"}), event)
		if err != nil {
			s.t.Error(err)
		}
		_, _ = frames.Write(framed) // the client may be gone
		w.(http.Flusher).Flush()
	}
	w.Header().Set("Content-Type", info.MediaType+";stream=watch")
	w.(http.Flusher).Flush()
	if initial {
		for _, o := range s.selected(r, q) {
			encode(watch.Event{Type: watch.Added, Object: o})
		}
		end := q.form(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: "100", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
		if !q.metadata {
			end = newOf(s.t, q)
			m, err := meta.Accessor(end)
			if err != nil {
				s.t.Error(err)
			}
			m.SetResourceVersion("100")
			m.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
		}
		encode(watch.Event{Type: watch.Bookmark, Object: end})
	}
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			encode(e)
		case <-r.Context().Done():
			return
		}
	}
}

func newOf(t testing.TB, q query) runtime.Object {
	o, err := apiScheme(t).New(q.gv.WithKind(apiKinds[q.resource]))
	if err != nil {
		t.Error(err)
	}
	return o
}

// change tells the watchers of an event and keeps the object for those who ask.
func (s *apiServer) change(kind watch.EventType, o runtime.Object) {
	resource := resourceOf(s.t, o)
	m, err := meta.Accessor(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[resource] = slices.DeleteFunc(s.objects[resource], func(other runtime.Object) bool {
		n, err := meta.Accessor(other)
		return err == nil && n.GetNamespace() == m.GetNamespace() && n.GetName() == m.GetName()
	})
	if kind != watch.Deleted {
		s.objects[resource] = append(s.objects[resource], o)
	}
	for events, q := range s.watchers {
		if q.resource == resource && (q.namespace == "" || q.namespace == m.GetNamespace()) {
			events <- watch.Event{Type: kind, Object: q.form(o)}
		}
	}
}

// watched reports how many watches of a resource were begun.
func (s *apiServer) watched(resource string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, q := range s.watchers {
		if q.resource == resource {
			n++
		}
	}
	return n
}

// refuse answers with an error, as an API server words it.
func refuse(w http.ResponseWriter, code int) {
	var status *apierrors.StatusError
	switch code {
	case http.StatusForbidden:
		status = apierrors.NewForbidden(schema.GroupResource{}, "", fmt.Errorf("no right"))
	case http.StatusGone:
		status = apierrors.NewResourceExpired("the page has expired")
	default:
		status = apierrors.NewGenericServerResponse(code, "get", schema.GroupResource{}, "", "", 0, true)
	}
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	w.WriteHeader(code)
	data, err := runtime.Encode(serializer.NewCodecFactory(runtime.NewScheme()).LegacyCodec(metav1.Unversioned), &status.ErrStatus)
	if err != nil {
		data = fmt.Appendf(nil, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":%q}`,
			status.ErrStatus.Reason, code, status.ErrStatus.Message)
	}
	_, _ = w.Write(data) // the client may be gone
}
