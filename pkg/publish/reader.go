package publish

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// rereads is the number of attempts to read a report that is being replaced.
const rereads = 10

// Reader reads published reports. It needs the permission to get ConfigMaps in the
// report namespace.
type Reader struct {
	namespace string
	maps      corev1client.ConfigMapInterface
}

// NewReader returns a reader of the reports in namespace.
func NewReader(config *rest.Config, namespace string) (*Reader, error) {
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	return &Reader{namespace, core.ConfigMaps(namespace)}, nil
}

// ErrNoReport is the error for a report or an index that does not exist.
var ErrNoReport = errors.New("no report")

// errReplaced is the error for a ConfigMap that was deleted after the index was read.
var errReplaced = errors.New("the report was replaced repeatedly while it was read: try again")

// Index returns the index.
func (r *Reader) Index(ctx context.Context) (Index, error) {
	cm, err := r.get(ctx, IndexName)
	if apierrors.IsNotFound(err) {
		return Index{}, fmt.Errorf("%w in namespace %s: run advisor publish or advisor controller, or set --report-namespace", ErrNoReport, r.namespace)
	}
	if err != nil {
		return Index{}, err
	}
	return ReadIndex(cm)
}

// Report returns the files of the report of a namespace, or of the cluster if it is
// empty, and its entry in the index. It checks all hashes. If the report is replaced
// while it is read, Report reads the new one.
func (r *Reader) Report(ctx context.Context, namespace string) (Entry, map[string][]byte, error) {
	for range rereads {
		index, err := r.Index(ctx)
		if err != nil {
			return Entry{}, nil, err
		}
		entry, ok := index.Entry(namespace)
		if !ok {
			return Entry{}, nil, fmt.Errorf("%w of %s in namespace %s", ErrNoReport, Entry{Namespace: namespace}.Name(), r.namespace)
		}
		files, err := r.files(ctx, entry)
		if !errors.Is(err, errReplaced) {
			return entry, files, err
		}
	}
	return Entry{}, nil, errReplaced
}

func (r *Reader) files(ctx context.Context, e Entry) (map[string][]byte, error) {
	var configMaps []*corev1.ConfigMap
	for _, name := range e.ConfigMaps {
		cm, err := r.get(ctx, name)
		if apierrors.IsNotFound(err) {
			return nil, errReplaced
		}
		if err != nil {
			return nil, err
		}
		configMaps = append(configMaps, cm)
	}
	return Unpack(e, configMaps)
}

// get returns a ConfigMap of the advisor.
func (r *Reader) get(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	cm, err := r.maps.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		err = checkContent(cm)
	}
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %w", r.namespace, name, err)
	}
	if !owned(cm) {
		return nil, fmt.Errorf("ConfigMap %s/%s: %w", r.namespace, name, errNotOurs)
	}
	return cm, nil
}
