package replay

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// firstVersion is the resource version of the fleet. It is above those of all objects.
const firstVersion = 2_000_000_000

// One of so many events is an additional pod, another one removes it.
const additional = 20

// change is an event of a pod. The pod is made when it is sent, so that the log of all
// changes is small.
type change struct {
	kind watch.EventType
	// replica is the number of the pod; an additional pod is a copy of it.
	replica    int
	additional bool
}

// events are the changes of the pods.
type events struct {
	fleet fleet.Fleet

	mu  sync.Mutex
	log []change
	// news is closed when there is another change.
	news chan struct{}
	// stop ends the current changes and waits for that.
	stop func()
}

func newEvents(f fleet.Fleet) *events {
	return &events{fleet: f, news: make(chan struct{}), stop: func() {}}
}

// version returns the current resource version: each change has one.
func (e *events) version() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return firstVersion + int64(len(e.log))
}

func (e *events) add(c change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, c)
	close(e.news)
	e.news = make(chan struct{})
}

// setRate has that many changes a second from now on. When it is changed, the additional
// pods are deleted: lists never have them.
func (e *events) setRate(rate int) {
	e.mu.Lock()
	stop := e.stop
	e.stop = func() {}
	e.mu.Unlock()
	stop()
	if rate <= 0 {
		return
	}
	quit, done := make(chan struct{}), make(chan struct{})
	e.mu.Lock()
	e.stop = func() {
		close(quit)
		<-done
	}
	e.mu.Unlock()
	go func() {
		defer close(done)
		e.run(quit, time.Second/time.Duration(rate))
	}()
}

func (e *events) run(quit <-chan struct{}, every time.Duration) {
	var extra []int
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-quit:
			for _, replica := range extra {
				e.add(change{watch.Deleted, replica, true})
			}
			return
		case <-ticker.C:
		}
		switch {
		case n%additional == 0:
			extra = append(extra, n)
			e.add(change{watch.Added, n, true})
		case n%additional == additional/2 && len(extra) > 3: // a pod lives for a while
			e.add(change{watch.Deleted, extra[0], true})
			extra = extra[1:]
		default:
			e.add(change{watch.Modified, n, false})
		}
	}
}

// since returns the changes since a version, and what is closed when there are more.
func (e *events) since(version int64) ([]change, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log[min(version-firstVersion, int64(len(e.log))):], e.news
}

// pod returns the pod of a change, which has that version. Only its status changes.
func (e *events) pod(c change, version int64) *corev1.Pod {
	p := e.fleet.Replica(c.replica)
	p.ResourceVersion = strconv.FormatInt(version, 10)
	changed := metav1.NewTime(p.CreationTimestamp.Add(time.Duration(version-firstVersion) * time.Second))
	for i := range p.Status.Conditions {
		p.Status.Conditions[i].LastTransitionTime = changed
	}
	p.Status.ContainerStatuses[0].RestartCount++
	if c.additional {
		p.Name += "x" + strconv.Itoa(c.replica)
		p.UID += types.UID("-" + strconv.Itoa(c.replica))
	}
	return p
}

// watch serves a watch. It may begin with all objects.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, spool *spool, namespace string) {
	v := r.URL.Query()
	initial := v.Get("sendInitialEvents") == "true"
	since, err := strconv.ParseInt(v.Get("resourceVersion"), 10, 64)
	switch {
	case initial && !s.options.Streams:
		// apimachinery/pkg/apis/meta/internalversion/validation, 1.24:
		// resourceVersionMatch is forbidden for watch.
		apitest.Refuse(w, apitest.Status(http.StatusUnprocessableEntity))
		return
	case err == nil && since > 0 && since < firstVersion:
		apitest.Refuse(w, apierrors.NewResourceExpired("too old resource version").Status())
		return
	}
	begin := initial || since == 0
	if begin {
		since = s.events.version()
	}
	ctx := r.Context()
	if seconds, err := strconv.Atoi(v.Get("timeoutSeconds")); err == nil && seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	w.Header().Set("Content-Type", spool.form.mediaType()+";stream=watch")
	flush(w)
	if begin {
		if err := spool.stream(ctx, w, namespace); err != nil {
			return // the client is gone
		}
	}
	if initial {
		if _, err := w.Write(spool.bookmark(since)); err != nil { //nolint:gosec // no browser
			return // the client is gone
		}
		flush(w)
	}
	for {
		changes, news := s.events.since(since)
		for _, c := range changes {
			since++
			if spool.resource.Kind != "Pod" {
				continue
			}
			event, err := s.encode(c, since, spool.form, namespace)
			if err == nil {
				_, err = w.Write(event) //nolint:gosec // no browser
			}
			if err != nil {
				return // the client is gone
			}
		}
		flush(w)
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// encode returns the event of a change; nothing, if its pod is in another namespace.
func (s *Server) encode(c change, version int64, as form, namespace string) ([]byte, error) {
	p := s.events.pod(c, version)
	if namespace != "" && p.Namespace != namespace {
		return nil, nil
	}
	data, err := as.encode(p)
	if err != nil {
		return nil, err
	}
	return as.event(string(c.kind), as.whole(fleet.Resources()[0], data)), nil
}

// stream sends all objects as events.
func (s *spool) stream(ctx context.Context, w http.ResponseWriter, namespace string) error {
	first, end := s.in(namespace)
	for i := first; i < end && ctx.Err() == nil; i++ {
		data, err := s.object(i)
		if err != nil {
			return err
		}
		if _, err := w.Write(s.form.event(string(watch.Added), s.form.whole(s.resource, data))); err != nil { //nolint:gosec // no browser
			return fmt.Errorf("sending an object: %w", err)
		}
	}
	return ctx.Err() //nolint:wrapcheck // it ends the response
}

// bookmark returns the event that ends what a stream begins with.
func (s *spool) bookmark(version int64) []byte {
	m := metav1.ObjectMeta{
		ResourceVersion: strconv.FormatInt(version, 10),
		Annotations:     map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}
	// All kinds have their metadata in the same place.
	data, err := form{json: s.form.json}.encode(&metav1.PartialObjectMetadata{ObjectMeta: m})
	if err != nil {
		panic(err) // it is a constant
	}
	return s.form.event(string(watch.Bookmark), s.form.whole(s.resource, data))
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}
