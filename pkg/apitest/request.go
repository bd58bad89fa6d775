package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Request is what a client asks for, in the words of RBAC. Requests for anything
// but objects have no resource.
type Request struct {
	*http.Request
	// Verb is get, list, watch, create, update, patch or delete.
	Verb                      string
	GroupVersion              schema.GroupVersion
	Namespace, Resource, Name string
	// Metadata says that the metadata alone is wanted.
	Metadata bool
	// Continue is where the page of a list begins, and since the version of the list; 0 for
	// the first page.
	Continue, since int
}

var verbs = map[string]string{
	http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
}

func (s *Server) parse(r *http.Request) Request {
	q := Request{Request: r, Verb: verbs[r.Method]}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		q.GroupVersion, parts = schema.GroupVersion{Version: parts[1]}, parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		q.GroupVersion, parts = schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:]
	default:
		return q
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		q.Namespace, parts = parts[1], parts[2:]
	}
	q.Resource = parts[0]
	if len(parts) > 1 {
		q.Name = parts[1]
	}
	v := r.URL.Query()
	if q.Verb == "get" && q.Name == "" {
		q.Verb = "list"
		if v.Get("watch") != "" {
			q.Verb = "watch"
		}
	}
	q.Metadata = strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
	_, _ = fmt.Sscanf(v.Get("continue"), "%d at %d", &q.Continue, &q.since)
	return q
}

// String is the verb with what it is about, such as "patch shop" or "list pods".
func (q Request) String() string {
	if q.Name == "" {
		return q.Verb + " " + q.Resource
	}
	return q.Verb + " " + q.Name
}

func (q Request) key() key { return key{q.Resource, q.Namespace, q.Name} }

func (q Request) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: q.GroupVersion.Group, Resource: q.Resource}
}

// selects reports whether a request for several objects is about that one.
func (q Request) selects(k key, o object, selector fields.Selector) bool {
	if o == nil || k.resource != q.Resource || (q.Namespace != "" && q.Namespace != k.namespace) {
		return false
	}
	set := fields.Set{"metadata.namespace": k.namespace, "metadata.name": k.name}
	if pod, ok := o.(*corev1.Pod); ok {
		set["status.phase"] = string(pod.Status.Phase)
	}
	return selector.Matches(set)
}

// forbidden is a refusal in the words of the RBAC authorizer.
func (q Request) forbidden() metav1.Status {
	where := "at the cluster scope"
	if q.Namespace != "" {
		where = fmt.Sprintf("in the namespace %q", q.Namespace)
	}
	err := fmt.Errorf(`User "advisor" cannot %s resource %q in API group %q %s`, q.Verb, q.Resource, q.GroupVersion.Group, where) //nolint:staticcheck // the authorizer's words
	return apierrors.NewForbidden(q.groupResource(), q.Name, err).Status()
}

// discover answers requests about the server itself.
func (s *Server) discover(w http.ResponseWriter, path string) {
	gv, isGroup := strings.CutPrefix(path, "/apis/")
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}}
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: gv}
	for _, r := range s.Serves {
		version := metav1.GroupVersionForDiscovery{GroupVersion: r.GroupVersion().String(), Version: r.Version}
		groups.Groups = append(groups.Groups, metav1.APIGroup{Name: r.Group, Versions: []metav1.GroupVersionForDiscovery{version}})
		if version.GroupVersion == gv {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.Resource})
		}
	}
	switch {
	case slices.Contains([]string{"/version", "/version/"}, path):
		sendJSON(w, http.StatusOK, map[string]string{"gitVersion": s.Version})
	case path == "/apis":
		sendJSON(w, http.StatusOK, groups)
	case isGroup && len(list.APIResources) > 0:
		sendJSON(w, http.StatusOK, list)
	default:
		Refuse(w, Status(http.StatusNotFound))
	}
}
