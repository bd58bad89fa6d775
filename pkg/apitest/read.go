package apitest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

func (s *Server) get(q Request) (runtime.Object, *metav1.Status) {
	o, ok := s.objects[q.key()]
	if !ok {
		return nil, q.notFound()
	}
	return q.form(o), nil
}

func (q Request) notFound() *metav1.Status {
	status := apierrors.NewNotFound(q.groupResource(), q.Name).Status()
	return &status
}

func (s *Server) selector(q Request) fields.Selector {
	selector, err := fields.ParseSelector(q.URL.Query().Get("fieldSelector"))
	if err != nil {
		s.t.Error(err)
	}
	return selector
}

// selected returns the objects that a request is about, as it wants them.
func (s *Server) selected(q Request) []runtime.Object {
	selector := s.selector(q)
	objects := s.at(q.since)
	var list []runtime.Object
	for _, k := range slices.SortedFunc(maps.Keys(objects), key.compare) { // a server's order
		if o := objects[k]; q.selects(k, o, selector) {
			list = append(list, q.form(o))
		}
	}
	if s.Backward {
		slices.Reverse(list)
	}
	return list
}

// at returns the objects as they were at a version; 0 means now. All pages of a list are
// of the version of the first one.
func (s *Server) at(version int) map[key]object {
	if version == 0 || version == s.version {
		return s.objects
	}
	objects := maps.Clone(s.objects)
	for _, e := range slices.Backward(s.log) {
		switch {
		case e.version <= version:
			return objects
		case e.before == nil:
			delete(objects, e.key)
		default:
			objects[e.key] = e.before
		}
	}
	return objects
}

func (s *Server) list(q Request) (runtime.Object, *metav1.Status) {
	v := q.URL.Query()
	objects := s.selected(q)
	limit, err := strconv.Atoi(v.Get("limit"))
	_, one := s.selector(q).RequiresExactMatch("metadata.name")
	switch {
	case v.Get("resourceVersion") != "", err != nil && !one:
		s.t.Errorf("a list that a real server does not serve in pages: %s", q.URL)
	case q.Resource == configMaps && !q.Metadata && !one:
		s.t.Error("a list asks for all ConfigMaps with their content")
	}
	if one {
		limit = len(objects)
	}
	gvk := q.groupVersion().WithKind(kinds[q.Resource] + "List")
	if q.Metadata {
		gvk.Kind = "PartialObjectMetadataList"
	}
	list, err := s.scheme.New(gvk)
	if err != nil {
		s.t.Error(err)
		return nil, refusal(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
	}
	m, err := meta.ListAccessor(list)
	if err != nil {
		s.t.Error(err)
	}
	version := cmp.Or(q.since, s.version)
	m.SetResourceVersion(strconv.Itoa(version))
	end := min(q.Continue+limit, len(objects))
	if end < len(objects) {
		m.SetContinue(fmt.Sprintf("%d at %d", end, version))
	}
	if err := meta.SetList(list, objects[min(q.Continue, end):end]); err != nil {
		s.t.Error(err)
	}
	return list, nil
}

// event is a change of one object: after is nil when it is gone, before when it is
// new.
type event struct {
	key
	version       int
	before, after object
}

// as returns the event that a watch brings, if any.
func (e event) as(q Request, selector fields.Selector) (watch.Event, bool) {
	was, is := q.selects(e.key, e.before, selector), q.selects(e.key, e.after, selector)
	switch {
	case was && is:
		return watch.Event{Type: watch.Modified, Object: q.form(e.after)}, true
	case is:
		return watch.Event{Type: watch.Added, Object: q.form(e.after)}, true
	case was:
		return watch.Event{Type: watch.Deleted, Object: q.form(e.before)}, true
	default:
		return watch.Event{}, false
	}
}

// watch sends what has happened since a version, and goes on until the client is
// gone.
func (s *Server) watch(w http.ResponseWriter, q Request) {
	v := q.URL.Query()
	initial := v.Get("sendInitialEvents") == "true"
	switch {
	case initial && v.Get("resourceVersion") != "":
		s.t.Errorf("a stream that begins with what the server remembers: %s", q.URL)
	case initial && !s.Streams:
		// apimachinery/pkg/apis/meta/internalversion/validation, 1.24:
		// resourceVersionMatch is forbidden for watch.
		Refuse(w, Status(http.StatusUnprocessableEntity))
		return
	}
	send := s.stream(w, q)
	selector := s.selector(q)
	since, _ := strconv.Atoi(v.Get("resourceVersion"))
	s.mu.Lock()
	cut := s.cut
	var first []runtime.Object
	if initial {
		first, since = s.selected(q), s.version
	}
	s.mu.Unlock()
	for _, o := range first {
		send(watch.Event{Type: watch.Added, Object: o})
	}
	if initial {
		send(watch.Event{Type: watch.Bookmark, Object: s.endOfStream(q, since)})
	}
	next := 0
	for {
		s.mu.Lock()
		log, news := s.log[next:], s.news
		s.mu.Unlock()
		next += len(log)
		for _, e := range log {
			if seen, ok := e.as(q, selector); ok && e.version > since {
				send(seen)
			}
		}
		select {
		case <-news:
		case <-cut:
			return
		case <-q.Context().Done():
			return
		}
	}
}

// endOfStream is the bookmark that ends what a stream begins with.
func (s *Server) endOfStream(q Request, version int) runtime.Object {
	o, err := s.scheme.New(q.GroupVersion.WithKind(kinds[q.Resource]))
	if err != nil {
		s.t.Error(err)
	}
	end := s.copyOf(o)
	end.SetResourceVersion(strconv.Itoa(version))
	end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	return q.form(end)
}

// stream begins the answer to a watch and returns what sends an event.
func (s *Server) stream(w http.ResponseWriter, q Request) func(watch.Event) {
	codecs, info := s.encoder(q)
	frames := info.StreamSerializer.NewFrameWriter(w)
	flush := func() {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
	w.Header().Set("Content-Type", info.MediaType+";stream=watch")
	flush()
	return func(e watch.Event) {
		raw, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, q.groupVersion()), e.Object.DeepCopyObject())
		if err != nil {
			s.t.Error(err)
		}
		sent := &metav1.WatchEvent{Type: string(e.Type), Object: runtime.RawExtension{Raw: raw}}
		framed, err := runtime.Encode(codecs.EncoderForVersion(info.StreamSerializer.Serializer, schema.GroupVersion{Version: "v1"}), sent)
		if err != nil {
			s.t.Error(err)
		}
		_, _ = frames.Write(framed) // the client may be gone
		flush()
	}
}
