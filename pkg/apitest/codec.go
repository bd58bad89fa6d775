package apitest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// kinds are the kinds that the server stores, by resource.
var kinds = map[string]string{
	"pods": "Pod", "serviceaccounts": "ServiceAccount", "replicationcontrollers": "ReplicationController",
	"configmaps": "ConfigMap", "leases": "Lease", "namespaces": "Namespace", "services": "Service",
	"deployments": "Deployment", "replicasets": "ReplicaSet", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
	"jobs": "Job", "cronjobs": "CronJob",
}

const configMaps = "configmaps"

// object is what the server stores.
type object interface {
	runtime.Object
	metav1.Object
}

// Scheme returns the types that the server knows.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, coordinationv1.AddToScheme, metav1.AddMetaToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

func (s *Server) copyOf(o runtime.Object) object {
	c, ok := o.DeepCopyObject().(object)
	if !ok {
		s.t.Errorf("%T has no metadata", o)
	}
	return c
}

// ResourceOf returns the resource that serves objects of that kind.
func (s *Server) ResourceOf(o runtime.Object) string {
	gvk, _, err := s.scheme.ObjectKinds(o)
	if err == nil {
		for resource, kind := range kinds {
			if kind == gvk[0].Kind {
				return resource
			}
		}
	}
	s.t.Errorf("no resource for %T: %v", o, err)
	return ""
}

func (s *Server) keyOf(o runtime.Object) key {
	m := s.copyOf(o)
	return key{s.ResourceOf(o), m.GetNamespace(), m.GetName()}
}

// form returns the object as it is wanted: whole, or its metadata.
func (q Request) form(o object) runtime.Object {
	if !q.Metadata {
		return o
	}
	return meta.AsPartialObjectMetadata(o)
}

// groupVersion returns the version of what is sent.
func (q Request) groupVersion() schema.GroupVersion {
	if q.Metadata {
		return schema.GroupVersion{Group: "meta.k8s.io", Version: "v1"}
	}
	return q.GroupVersion
}

// encoder returns the first form that the request accepts.
func (s *Server) encoder(q Request) (serializer.CodecFactory, runtime.SerializerInfo) {
	codecs := serializer.NewCodecFactory(s.scheme)
	mediaType, _, _ := strings.Cut(strings.Split(q.Header.Get("Accept"), ",")[0], ";")
	info, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		s.t.Errorf("unknown media type %q", mediaType)
	}
	return codecs, info
}

// encoded encodes an object, and returns what sends it.
func (s *Server) encoded(q Request, o runtime.Object) func(http.ResponseWriter) {
	codecs, info := s.encoder(q)
	gv := q.groupVersion()
	if _, ok := o.(*metav1.Status); ok {
		gv = schema.GroupVersion{Version: "v1"}
	}
	// Encoding sets the type of an object, which watches may be reading.
	data, err := runtime.Encode(codecs.EncoderForVersion(info.Serializer, gv), o.DeepCopyObject())
	if err != nil {
		s.t.Error(err)
	}
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", info.MediaType)
		_, _ = w.Write(data) // the client may be gone
	}
}

func sendJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// Refuse answers with an error.
func Refuse(w http.ResponseWriter, status metav1.Status) {
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	sendJSON(w, int(status.Code), status)
}

// Status is the refusal that a server has for a code when it has no better words.
func Status(code int) metav1.Status {
	switch code {
	case http.StatusForbidden:
		return apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no right")).Status()
	case http.StatusGone:
		return apierrors.NewResourceExpired("the page has expired").Status()
	default:
		return apierrors.NewGenericServerResponse(code, "get", schema.GroupResource{}, "", "", 0, true).Status()
	}
}

func refusal(code int, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message} //nolint:gosec // a status code fits
}
