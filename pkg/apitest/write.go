package apitest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// maxBytes is the size that a server allows for the values of a ConfigMap
// (pkg/apis/core/validation, ValidateConfigMap).
const maxBytes = 1 << 20

// wrote notes the write of a ConfigMap.
func (s *Server) wrote(q Request) {
	if q.Resource != configMaps {
		return
	}
	s.writes = append(s.writes, q.String())
	if s.AfterWrite != nil {
		s.AfterWrite(q.String(), s.configMaps())
	}
}

// body returns the object that a request brings.
func (s *Server) body(q Request) (object, *metav1.Status) {
	decoded, status := s.decode(q)
	if status != nil {
		return nil, status
	}
	return s.copyOf(decoded), nil
}

func (s *Server) decode(q Request) (runtime.Object, *metav1.Status) {
	data, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, badRequest(err)
	}
	decoded, err := runtime.Decode(serializer.NewCodecFactory(s.scheme).UniversalDeserializer(), data)
	if err != nil {
		return nil, badRequest(err)
	}
	return decoded, nil
}

func badRequest(problem any) *metav1.Status {
	return refusal(http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Sprint(problem))
}

func (s *Server) create(q Request) (runtime.Object, *metav1.Status) {
	o, status := s.body(q)
	if status != nil {
		return nil, status
	}
	q.Name = o.GetName()
	if _, exists := s.objects[q.key()]; exists {
		status := apierrors.NewAlreadyExists(q.groupResource(), q.Name).Status()
		return nil, &status
	}
	if manager := q.URL.Query().Get("fieldManager"); manager != "" {
		o.SetManagedFields(ManagedBy(manager))
	}
	s.store(q.key(), o)
	s.wrote(q)
	return o, nil
}

// update replaces an object, unless it has changed since the client has read it.
func (s *Server) update(q Request) (runtime.Object, *metav1.Status) {
	o, status := s.body(q)
	if status != nil {
		return nil, status
	}
	old, exists := s.objects[q.key()]
	switch {
	case !exists:
		return nil, q.notFound()
	case o.GetResourceVersion() != "" && o.GetResourceVersion() != old.GetResourceVersion():
		return nil, conflict("the object has been modified")
	}
	o.SetUID(old.GetUID())
	s.store(q.key(), o)
	s.wrote(q)
	return o, nil
}

func conflict(message string) *metav1.Status {
	return refusal(http.StatusConflict, metav1.StatusReasonConflict, message)
}

// apply is a server-side apply of ConfigMaps that are always applied as a whole.
func (s *Server) apply(q Request) (runtime.Object, *metav1.Status) {
	manager, force := q.URL.Query().Get("fieldManager"), q.URL.Query().Get("force") == "true"
	body, err := io.ReadAll(q.Body)
	var want corev1.ConfigMap
	if err == nil {
		// As a server reads it, which folds and refuses what JSON does not
		// (apiserver/pkg/endpoints/handlers/patch.go, applyPatcher).
		err = yaml.Unmarshal(body, &want)
	}
	if err != nil || q.Header.Get("Content-Type") != string(types.ApplyPatchType) || manager == "" || q.Resource != configMaps {
		return nil, badRequest(fmt.Sprintf("no apply: %v", err))
	}
	old, exists := s.objects[q.key()].(*corev1.ConfigMap)
	others := exists && !slices.ContainsFunc(old.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == manager })
	switch {
	case !exists && !s.allowed(q, "create"):
		// apiserver/pkg/endpoints/handlers/create.go, withAuthorization, 1.24: no
		// reason is given.
		return nil, refusal(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf("configmaps %q is forbidden: ", q.Name))
	case size(&want) > maxBytes:
		return nil, invalid(fmt.Sprintf("ConfigMap %q is invalid: []: Too long: may not be more than %d bytes", q.Name, maxBytes))
	case !exists && s.Quota > 0 && len(s.configMaps()) >= s.Quota:
		return nil, refusal(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
			"configmaps %q is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=%d, limited: configmaps=%d", q.Name, len(s.configMaps()), s.Quota))
	case want.ResourceVersion != "" && (!exists || want.ResourceVersion != old.ResourceVersion):
		return nil, conflict("the object has been modified")
	case others && !force && overlaps(old, &want):
		return nil, conflict(`Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data`)
	case exists && old.Immutable != nil && *old.Immutable && !reflect.DeepEqual(old.Data, want.Data):
		return nil, invalid("data: Forbidden: field is immutable when `immutable` is set")
	}
	want.Namespace, want.TypeMeta = q.Namespace, metav1.TypeMeta{}
	want.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager, Operation: metav1.ManagedFieldsOperationApply}}
	if others {
		want.ManagedFields = append(want.ManagedFields, old.ManagedFields...)
		maps.Copy(want.Data, old.Data)
	}
	if exists {
		want.UID = old.UID
	}
	s.store(q.key(), &want)
	s.wrote(q)
	return &want, nil
}

// allowed reports whether the client of a request may do something else with the
// same object.
func (s *Server) allowed(q Request, verb string) bool {
	q.Verb = verb
	return s.Authorize == nil || s.Authorize(q)
}

func invalid(message string) *metav1.Status {
	return refusal(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, message)
}

func size(cm *corev1.ConfigMap) int {
	n := 0
	for _, value := range cm.Data {
		n += len(value)
	}
	for _, value := range cm.BinaryData {
		n += len(value)
	}
	return n
}

func overlaps(a, b *corev1.ConfigMap) bool {
	for k, value := range a.Data {
		if other, ok := b.Data[k]; ok && other != value {
			return true
		}
	}
	return false
}

func (s *Server) remove(q Request) (runtime.Object, *metav1.Status) {
	o, ok := s.objects[q.key()]
	if !ok {
		return nil, q.notFound()
	}
	decoded, status := s.decode(q)
	if status != nil {
		return nil, status
	}
	options, ok := decoded.(*metav1.DeleteOptions)
	if !ok {
		return nil, badRequest("no options")
	}
	if p := options.Preconditions; p != nil && (p.UID != nil && *p.UID != o.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != o.GetResourceVersion()) {
		return nil, conflict("the preconditions do not hold")
	}
	s.drop(q.key())
	s.wrote(q)
	return &metav1.Status{Status: metav1.StatusSuccess}, nil
}
