package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
)

// FieldManager is the name that the advisor's writes go by.
const FieldManager = "psp-advisor"

// Writer keeps the ConfigMaps of one namespace.
type Writer struct {
	namespace string
	maps      corev1client.ConfigMapInterface
	// metadata lists without the content, which may be large.
	metadata metadata.ResourceInterface
}

// NewWriter returns a writer of reports into namespace.
func NewWriter(config *rest.Config, namespace string) (*Writer, error) {
	config = rest.CopyConfig(config)
	// The server's priority and fairness decides how fast to go.
	config.QPS, config.RateLimiter = -1, nil
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
		maps:      core.ConfigMaps(namespace),
		metadata:  meta.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace),
	}, nil
}

// found is what a list tells of a ConfigMap.
type found struct {
	owned bool
	kind  string
	uid   types.UID
}

func (f found) isReport() bool { return f.owned && f.kind == report.KindReport }

// foundReport is what a list would tell of a report that was just written.
func foundReport(cm *corev1.ConfigMap) found {
	return found{owned: true, kind: report.KindReport, uid: cm.UID}
}

// owned reports whether the advisor wrote an object: it has the advisor's label
// and the advisor among its field managers.
func owned(o metav1.Object) bool {
	return o.GetLabels()[generate.ManagedByLabel] == generate.ManagedBy && o.GetLabels()[report.KindLabel] != "" &&
		slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool { return f.Manager == FieldManager })
}

// foreign is the error about a ConfigMap that someone else wrote.
func (w *Writer) foreign(name string) error {
	return fmt.Errorf("ConfigMap %s/%s was not written by the advisor: remove it or choose another report namespace", w.namespace, name)
}

// readIndex returns the index, or nil if there is none.
func (w *Writer) readIndex(ctx context.Context) (index *corev1.ConfigMap, err error) {
	index, err = w.maps.Get(ctx, report.IndexName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // see above
	case err != nil:
		return nil, request{"reading the index in namespace " + w.namespace, err}
	case !owned(index):
		return nil, w.foreign(report.IndexName)
	default:
		return index, nil
	}
}

// list returns all ConfigMaps of the namespace by name: those of others too,
// since they may have a name that is to be written.
func (w *Writer) list(ctx context.Context) (map[string]found, error) {
	all := map[string]found{}
	options := metav1.ListOptions{Limit: 500}
	for {
		page, err := w.metadata.List(ctx, options)
		if err != nil {
			return nil, request{"listing the ConfigMaps of namespace " + w.namespace, err}
		}
		for i := range page.Items {
			o := &page.Items[i]
			all[o.Name] = found{owned: owned(o), kind: o.Labels[report.KindLabel], uid: o.UID}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

// create applies a report that is not there, and sees to it that nothing else is
// in it: the one who was quicker may have been somebody else.
func (w *Writer) create(ctx context.Context, cm *corev1.ConfigMap) error {
	got, err := w.apply(ctx, cm, false)
	if err != nil {
		return err
	}
	if report.Hash(got) != report.Hash(cm) {
		return w.foreign(cm.Name)
	}
	cm.UID = got.UID
	return nil
}

// applyIndex applies the index over the one that was read.
func (w *Writer) applyIndex(ctx context.Context, cm, read *corev1.ConfigMap) error {
	revision := 0
	if read != nil {
		cm.ResourceVersion = read.ResourceVersion
		// A revision that is no number is somebody's edit.
		revision, _ = strconv.Atoi(read.Annotations[report.RevisionAnnotation])
	}
	cm.Annotations[report.RevisionAnnotation] = strconv.Itoa(revision + 1)
	// What was read is the advisor's own, so it may take back what others have
	// changed in it.
	_, err := w.apply(ctx, cm, read != nil)
	if apierrors.IsConflict(err) && read != nil {
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
	err = retry.OnError(retry.DefaultBackoff, isPassing, func() error {
		got, err = w.maps.Patch(ctx, cm.Name, types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: FieldManager, Force: &force})
		return err //nolint:wrapcheck // wrapped below
	})
	switch {
	case err == nil:
		return got, nil
	case isSilent(err):
		return nil, request{fmt.Sprintf("%s: the account probably cannot create resource \"configmaps\" in the namespace %q", doing, w.namespace), err}
	case isQuota(err):
		return nil, request{doing + ": a quota of the namespace allows no more; leave room for twice the reports", err}
	case apierrors.IsConflict(err) && !force:
		return nil, request{doing + ": somebody else writes it too", err}
	case apierrors.IsNotFound(err):
		return nil, request{doing + ": the report namespace has to be there before", err}
	default:
		return nil, request{doing, err}
	}
}

// delete takes away what has that identity. What has the name by now is another
// writer's, which knows what it is there for.
func (w *Writer) delete(ctx context.Context, name string, uid types.UID) error {
	options := metav1.DeleteOptions{}
	if uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	err := retry.OnError(retry.DefaultBackoff, isPassing, func() error { return w.maps.Delete(ctx, name, options) })
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return request{fmt.Sprintf("deleting ConfigMap %s/%s", w.namespace, name), err}
}

// isSilent reports whether a server refuses without a reason. 1.24 does so where
// an apply may patch and not create
// (apiserver/pkg/endpoints/handlers/create.go, withAuthorization).
func isSilent(err error) bool {
	return apierrors.IsForbidden(err) && strings.HasSuffix(err.Error(), "forbidden: ")
}

// isPassing reports whether a server that answers may answer otherwise soon.
func isPassing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
}

// request is an error that comes from a request to the server.
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
