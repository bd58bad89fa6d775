package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
)

// FieldManager is the field manager of the advisor's writes.
const FieldManager = "psp-advisor"

// requestTimeout is how long a request may take. A server gives up earlier
// (kube-apiserver --request-timeout, a minute by default), but what is between may never
// respond.
const requestTimeout = 2 * time.Minute

// Writer writes the ConfigMaps of one namespace.
type Writer struct {
	namespace string
	maps      corev1client.ConfigMapInterface
	// metadata lists ConfigMaps without their content, which may be large.
	metadata metadata.ResourceInterface
	// verified are the versions of reports whose hash was checked, by name.
	verified map[string]string
}

// NewWriter returns a writer of reports in namespace.
func NewWriter(config *rest.Config, namespace string) (*Writer, error) {
	config = rest.CopyConfig(config)
	// Priority and fairness in the server limits the rate of requests.
	config.QPS, config.RateLimiter = -1, nil
	config.Timeout = requestTimeout
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	return &Writer{
		namespace: namespace,
		verified:  map[string]string{},
		maps:      core.ConfigMaps(namespace),
		metadata:  meta.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace),
	}, nil
}

// found is the metadata of a ConfigMap that was listed.
type found struct {
	// looksLike is true if it has the labels of a report or index, and owned if the
	// advisor has written it.
	looksLike, owned bool
	kind             string
	uid              types.UID
	resourceVersion  string
	hash             string // the annotation
}

func (f found) isReport() bool { return f.owned && f.kind == LabelReport }

func findingOf(o metav1.Object) found {
	looksLike := o.GetLabels()[generate.ManagedByLabel] == generate.ManagedBy && o.GetLabels()[KindLabel] != ""
	return found{
		looksLike: looksLike,
		owned: looksLike && slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
			return f.Manager == FieldManager
		}),
		kind: o.GetLabels()[KindLabel], uid: o.GetUID(), resourceVersion: o.GetResourceVersion(), hash: o.GetAnnotations()[HashAnnotation],
	}
}

// foundReport returns the metadata of a report that was just written.
func foundReport(cm *corev1.ConfigMap) found {
	return found{looksLike: true, owned: true, kind: LabelReport, uid: cm.UID, resourceVersion: cm.ResourceVersion, hash: Hash(cm)}
}

// owned reports whether the advisor wrote an object: it has the advisor's labels
// and the advisor among its field managers.
func owned(o metav1.Object) bool { return findingOf(o).owned }

// errNotOurs is the error for a ConfigMap of another client.
var errNotOurs = errors.New("it was not written by the advisor")

// checkContent returns an error for a response without content. In protobuf it is a valid
// one that was cut short; every server gives objects and lists a resource version.
func checkContent(o interface{ GetResourceVersion() string }) error {
	if o.GetResourceVersion() == "" {
		return fmt.Errorf("reading the response: it has no content: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// foreign returns the error for a ConfigMap of another client.
func (w *Writer) foreign(name string) error {
	return fmt.Errorf("ConfigMap %s/%s: %w: delete it or choose another report namespace", w.namespace, name, errNotOurs)
}

// readIndex returns the index, or nil if there is none.
func (w *Writer) readIndex(ctx context.Context) (index *corev1.ConfigMap, err error) {
	index, err = w.maps.Get(ctx, IndexName, metav1.GetOptions{})
	if err == nil {
		err = checkContent(index)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // see above
	case err != nil:
		return nil, request{"reading the index in namespace " + w.namespace, err}
	case !owned(index):
		return nil, w.foreign(IndexName)
	default:
		return index, nil
	}
}

// createIndex creates an index without content, over which the first one is applied:
// an apply alone could replace the first index of another writer. With content, a key
// would remain when the index no longer has it.
func (w *Writer) createIndex(ctx context.Context) (*corev1.ConfigMap, error) {
	cm := content{}.configMap(LabelIndex, "")
	cm.Name = IndexName
	index, err := w.maps.Create(ctx, cm, metav1.CreateOptions{FieldManager: FieldManager})
	if err == nil {
		err = checkContent(index)
	}
	doing := fmt.Sprintf("creating ConfigMap %s/%s", w.namespace, IndexName)
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil, fmt.Errorf("%w: %w", errConflict, err)
	case err != nil:
		return nil, w.refused(doing, err)
	default:
		return index, nil
	}
}

// list returns all ConfigMaps of the namespace by name, including those of other
// clients, because one may have the name of a report.
func (w *Writer) list(ctx context.Context) (map[string]found, error) {
	all := map[string]found{}
	options := metav1.ListOptions{Limit: 500}
	for {
		page, err := w.metadata.List(ctx, options)
		if err == nil {
			err = checkContent(page)
		}
		if err != nil {
			return nil, request{"listing the ConfigMaps of namespace " + w.namespace, err}
		}
		for i := range page.Items {
			o := &page.Items[i]
			all[o.Name] = findingOf(o)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

// isWhole reports whether the content of a report has the hash in its name and
// annotation. It reads each version of the object once.
func (w *Writer) isWhole(ctx context.Context, name string, f found) (bool, error) {
	if f.hash != "" && w.verified[name] == f.resourceVersion {
		return true, nil
	}
	list, err := w.maps.List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()})
	if err == nil {
		err = checkContent(list)
	}
	if err != nil {
		return false, request{fmt.Sprintf("reading ConfigMap %s/%s", w.namespace, name), err}
	}
	for i := range list.Items {
		cm := &list.Items[i]
		if hash := Hash(cm); cm.ResourceVersion == f.resourceVersion && f.hash == hash && strings.HasSuffix(name, "."+hash[:HashLength]) {
			w.verified[name] = cm.ResourceVersion
			return true, nil
		}
	}
	return false, nil
}

// applyReport applies a report. It checks that the result has no other content, because
// another client may have created it since.
func (w *Writer) applyReport(ctx context.Context, cm *corev1.ConfigMap) error {
	got, err := w.apply(ctx, cm, false)
	if err != nil {
		return err
	}
	if Hash(got) != Hash(cm) {
		return w.foreign(cm.Name)
	}
	cm.UID, cm.ResourceVersion = got.UID, got.ResourceVersion
	w.verified[cm.Name] = got.ResourceVersion
	return nil
}

// applyIndex replaces the index that was read.
func (w *Writer) applyIndex(ctx context.Context, cm, read *corev1.ConfigMap) error {
	cm.ResourceVersion = read.ResourceVersion
	// An index without content, or one that was edited, may have no number.
	revision, _ := strconv.Atoi(read.Annotations[RevisionAnnotation])
	cm.Annotations[RevisionAnnotation] = strconv.Itoa(revision + 1)
	// The index is owned by the advisor, so the changes of other clients are
	// overwritten.
	_, err := w.apply(ctx, cm, true)
	if apierrors.IsConflict(err) {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

// apply is a server-side apply.
func (w *Writer) apply(ctx context.Context, cm *corev1.ConfigMap, force bool) (*corev1.ConfigMap, error) {
	cm = cm.DeepCopy()
	cm.Namespace = w.namespace
	doing := fmt.Sprintf("writing ConfigMap %s/%s", w.namespace, cm.Name)
	data, err := json.Marshal(cm)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	var got *corev1.ConfigMap
	err = retry.OnError(retry.DefaultBackoff, isTransient, func() error {
		got, err = w.maps.Patch(ctx, cm.Name, types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: FieldManager, Force: &force})
		if err == nil {
			err = checkContent(got)
		}
		return err //nolint:wrapcheck // wrapped below
	})
	switch {
	case err == nil:
		return got, nil
	case apierrors.IsConflict(err) && !force:
		return nil, request{doing + ": another client writes it too", err}
	default:
		return nil, w.refused(doing, err)
	}
}

// refused returns the error of a ConfigMap that could not be written.
func (w *Writer) refused(doing string, err error) error {
	switch {
	case isSilent(err):
		doing += fmt.Sprintf(": the account probably cannot create resource \"configmaps\" in the namespace %q", w.namespace)
	case apierror.Of(err) == apierror.QuotaExceeded:
		doing += ": a quota of the namespace is used up; it must allow twice the number of reports"
	case apierrors.IsNotFound(err):
		doing += ": the report namespace must exist"
	}
	return request{doing, err}
}

// delete deletes a ConfigMap unless it has changed since it was found: then another
// writer needs it.
func (w *Writer) delete(ctx context.Context, name string, f found) error {
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &f.uid, ResourceVersion: &f.resourceVersion}}
	err := retry.OnError(retry.DefaultBackoff, isTransient, func() error { return w.maps.Delete(ctx, name, options) })
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return request{fmt.Sprintf("deleting ConfigMap %s/%s", w.namespace, name), err}
}

// isSilent reports whether an error has no reason. 1.24 returns such an error if an
// apply may patch, but not create
// (apiserver/pkg/endpoints/handlers/create.go, withAuthorization).
func isSilent(err error) bool {
	return apierrors.IsForbidden(err) && strings.HasSuffix(err.Error(), "forbidden: ")
}

// isTransient reports whether the same request may succeed soon.
func isTransient(err error) bool {
	reason := apierror.Of(err)
	return reason == apierror.TooManyRequests || reason == apierror.InternalError
}

// request is the error of a request to the server.
type request struct {
	doing string
	err   error
}

func (r request) Error() string { return r.doing + ": " + r.err.Error() }

func (r request) Unwrap() error { return r.err }

func isRequest(err error) bool {
	var r request
	return errors.As(err, &r)
}
