// Package apitest is an API server for tests of writers: it keeps objects of one
// namespace, applies, limits and refuses as a real one does, and can die after
// any write.
package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// maxBytes is what a server takes as the values of a ConfigMap
// (pkg/apis/core/validation, ValidateConfigMap).
const maxBytes = 1 << 20

// Server is the server. Its fields may be set between requests, under Lock.
type Server struct {
	sync.Mutex
	// DieAfter is how many writes are done before the server does not answer any
	// more, not even about the last one; 0 means it never dies.
	DieAfter int
	// Quota is how many ConfigMaps there may be; 0 means any number.
	Quota int
	// Refuse, if set, may refuse a request before anything is done.
	Refuse func(verb, name string) *metav1.Status
	// Before, if set, is called before each request, without the lock.
	Before func(verb, name string)
	// AfterWrite, if set, is called after each write, under the lock.
	AfterWrite func(verb, name string)

	t        testing.TB
	writes   []string
	version  int
	maps     map[string]*corev1.ConfigMap
	others   map[string]map[string]any // by path
	requests map[string]int            // by verb
}

// Serve returns a server and how to reach it.
func Serve(t testing.TB) (*Server, *rest.Config) {
	s := &Server{t: t, maps: map[string]*corev1.ConfigMap{}, others: map[string]map[string]any{}, requests: map[string]int{}}
	return s, &rest.Config{Host: "http://api.example", Transport: Transport{s}, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
}

// Put stores a ConfigMap as if manager had made it.
func (s *Server) Put(cm *corev1.ConfigMap, manager string) {
	s.Lock()
	defer s.Unlock()
	cm = cm.DeepCopy()
	cm.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate}}
	s.store(cm)
}

// Remove takes a ConfigMap away.
func (s *Server) Remove(name string) {
	s.Lock()
	defer s.Unlock()
	delete(s.maps, name)
}

// ConfigMaps returns what is stored, by name.
func (s *Server) ConfigMaps() map[string]*corev1.ConfigMap {
	s.Lock()
	defer s.Unlock()
	return s.Stored()
}

// Stored is ConfigMaps for those who hold the lock.
func (s *Server) Stored() map[string]*corev1.ConfigMap {
	all := maps.Clone(s.maps)
	for name, cm := range all {
		all[name] = cm.DeepCopy()
	}
	return all
}

// TakeWrites returns the writes of ConfigMaps since the last call, such as
// "PATCH name".
func (s *Server) TakeWrites() []string {
	s.Lock()
	defer s.Unlock()
	writes := s.writes
	s.writes = nil
	return writes
}

// Requests returns how many requests there were with a verb, or with a verb and a
// name: "GET name".
func (s *Server) Requests(verb string) int {
	s.Lock()
	defer s.Unlock()
	return s.requests[verb]
}

// Revive lets a server that has died answer again.
func (s *Server) Revive() {
	s.Lock()
	defer s.Unlock()
	s.DieAfter, s.writes = 0, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(path) > 1 && path[0] == "apis" {
		s.other(w, r)
		return
	}
	if r.URL.Path == "/version" {
		answer(w, map[string]string{"gitVersion": "v1.24.17"})
		return
	}
	if len(path) < 5 || path[4] != "configmaps" {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "no such resource: "+r.URL.Path)
		return
	}
	name := ""
	if len(path) > 5 {
		name = path[5]
	}
	if s.Before != nil {
		s.Before(r.Method, name)
	}
	s.Lock()
	defer s.Unlock()
	s.requests[r.Method]++
	s.requests[r.Method+" "+name]++
	if s.DieAfter > 0 && len(s.writes) >= s.DieAfter {
		panic(http.ErrAbortHandler)
	}
	if s.Refuse != nil {
		if status := s.Refuse(r.Method, name); status != nil {
			fail(w, int(status.Code), status.Reason, status.Message)
			return
		}
	}
	switch r.Method {
	case http.MethodGet:
		s.get(w, r, name)
	case http.MethodPatch:
		s.apply(w, r, name)
	case http.MethodDelete:
		s.delete(w, r, name)
	default:
		fail(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, r.Method)
	}
}

// wrote notes a write, and dies if it was the last one.
func (s *Server) wrote(verb, name string) {
	s.writes = append(s.writes, verb+" "+name)
	if s.AfterWrite != nil {
		s.AfterWrite(verb, name)
	}
	if s.DieAfter > 0 && len(s.writes) >= s.DieAfter {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, name string) {
	if name != "" {
		if cm, ok := s.maps[name]; ok {
			answer(w, cm)
			return
		}
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("configmaps %q not found", name))
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") {
		one, ok := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
		if !ok {
			s.t.Error("a list asks for all ConfigMaps with their content")
		}
		list := corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}}
		if cm, ok := s.maps[one]; ok {
			list.Items = append(list.Items, *cm)
		}
		answer(w, list)
		return
	}
	// Pages, as a server makes them.
	names := slices.Sorted(maps.Keys(s.maps))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	list := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadataList"}}
	for n, name := range names[from:] {
		if limit > 0 && n == limit {
			list.Continue = strconv.Itoa(from + n)
			break
		}
		list.Items = append(list.Items, metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
			ObjectMeta: s.maps[name].ObjectMeta,
		})
	}
	answer(w, list)
}

// apply is a server-side apply, for objects that are always applied as a whole.
func (s *Server) apply(w http.ResponseWriter, r *http.Request, name string) {
	manager, force := r.URL.Query().Get("fieldManager"), r.URL.Query().Get("force") == "true"
	body, err := io.ReadAll(r.Body)
	var want corev1.ConfigMap
	if err == nil {
		// As a server reads it, which folds and refuses what JSON does not
		// (apiserver/pkg/endpoints/handlers/patch.go, applyPatcher).
		err = yaml.Unmarshal(body, &want)
	}
	if err != nil || r.Header.Get("Content-Type") != string(types.ApplyPatchType) || manager == "" {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Sprintf("no apply: %v", err))
		return
	}
	size := 0
	for _, value := range want.Data {
		size += len(value)
	}
	for _, value := range want.BinaryData {
		size += len(value)
	}
	old, exists := s.maps[name]
	others := exists && !slices.ContainsFunc(old.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == manager })
	switch {
	case size > maxBytes:
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, fmt.Sprintf("ConfigMap %q is invalid: []: Too long: may not be more than %d bytes", name, maxBytes))
		return
	case !exists && s.Quota > 0 && len(s.maps) >= s.Quota:
		fail(w, http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf("configmaps %q is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=%d, limited: configmaps=%d", name, len(s.maps), s.Quota))
		return
	case want.ResourceVersion != "" && (!exists || want.ResourceVersion != old.ResourceVersion):
		fail(w, http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
		return
	case others && !force && overlaps(old, &want):
		fail(w, http.StatusConflict, metav1.StatusReasonConflict, `Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data`)
		return
	case exists && old.Immutable != nil && *old.Immutable && !reflect.DeepEqual(old.Data, want.Data):
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "data: Forbidden: field is immutable when `immutable` is set")
		return
	}
	want.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager, Operation: metav1.ManagedFieldsOperationApply}}
	if others {
		want.ManagedFields = append(want.ManagedFields, old.ManagedFields...)
		maps.Copy(want.Data, old.Data)
	}
	if exists {
		want.UID = old.UID
	}
	s.store(&want)
	s.wrote(r.Method, name)
	answer(w, &want)
}

func (s *Server) store(cm *corev1.ConfigMap) {
	s.version++
	cm.ResourceVersion = strconv.Itoa(s.version)
	if cm.UID == "" {
		cm.UID = types.UID("uid-" + cm.ResourceVersion)
	}
	s.maps[cm.Name] = cm
}

func overlaps(a, b *corev1.ConfigMap) bool {
	for key, value := range a.Data {
		if other, ok := b.Data[key]; ok && other != value {
			return true
		}
	}
	return false
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, name string) {
	cm, ok := s.maps[name]
	if !ok {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
		return
	}
	var options metav1.DeleteOptions
	if body, err := io.ReadAll(r.Body); err != nil || (len(body) > 0 && json.Unmarshal(body, &options) != nil) {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, "no options")
		return
	}
	if p := options.Preconditions; p != nil && p.UID != nil && *p.UID != cm.UID {
		fail(w, http.StatusConflict, metav1.StatusReasonConflict, "another uid")
		return
	}
	delete(s.maps, name)
	s.wrote(r.Method, name)
	answer(w, metav1.Status{Status: metav1.StatusSuccess})
}

// other serves objects of other kinds, one by one, with optimistic locking.
func (s *Server) other(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	path := r.URL.Path
	var object map[string]any
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
			fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
			return
		}
	}
	metaOf := func(o map[string]any) map[string]any {
		meta, ok := o["metadata"].(map[string]any)
		if !ok {
			meta = map[string]any{}
			o["metadata"] = meta
		}
		return meta
	}
	if r.Method == http.MethodPost {
		path += "/" + fmt.Sprint(metaOf(object)["name"])
	}
	old, exists := s.others[path]
	switch {
	case r.Method == http.MethodPost && exists:
		fail(w, http.StatusConflict, metav1.StatusReasonAlreadyExists, path+" already exists")
		return
	case r.Method != http.MethodPost && !exists:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, path+" not found")
		return
	case r.Method == http.MethodPut && metaOf(object)["resourceVersion"] != metaOf(old)["resourceVersion"]:
		fail(w, http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
		return
	case r.Method == http.MethodGet:
		answer(w, old)
		return
	}
	s.version++
	metaOf(object)["resourceVersion"] = strconv.Itoa(s.version)
	s.others[path] = object
	answer(w, object)
}

// Other decodes what is stored under a path, and reports whether it is there.
func (s *Server) Other(path string, into any) bool {
	s.Lock()
	defer s.Unlock()
	object, ok := s.others[path]
	if !ok {
		return false
	}
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		s.t.Error(err)
	}
	return true
}

func answer(w http.ResponseWriter, object any) {
	if cm, ok := object.(*corev1.ConfigMap); ok {
		cm = cm.DeepCopy()
		cm.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
		object = runtime.Object(cm)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(object); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message, //nolint:gosec // a status code fits
	}
	if err := json.NewEncoder(w).Encode(status); err != nil {
		panic(http.ErrAbortHandler)
	}
}
