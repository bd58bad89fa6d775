package judge

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
)

// within describes the request to what serves it.
func within(ctx context.Context, version schema.GroupVersion, namespace, subresource string) context.Context {
	return genericapirequest.WithRequestInfo(genericapirequest.WithNamespace(ctx, namespace), &genericapirequest.RequestInfo{
		IsResourceRequest: true, APIGroup: version.Group, APIVersion: version.Version, Namespace: namespace, Subresource: subresource,
	})
}

// create does to a new object what the server's store does before validating
// admission: the strategy prepares and validates it. It returns warnings, too.
func create(ctx context.Context, strategy rest.RESTCreateStrategy, version schema.GroupVersion, object runtime.Object) ([]string, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	if name := accessor.GetGenerateName(); accessor.GetName() == "" && name != "" {
		// As names.SimpleNameGenerator does, but for the random suffix, which would
		// make two results differ.
		accessor.SetName(name[:min(len(name), 58)] + "xxxxx")
	}
	// What the server writes, but the same in each run.
	accessor.SetUID("00000000-0000-0000-0000-000000000000")
	accessor.SetCreationTimestamp(metav1.NewTime(time.Unix(0, 0).UTC()))
	accessor.SetResourceVersion("")
	accessor.SetDeletionTimestamp(nil)
	accessor.SetDeletionGracePeriodSeconds(nil)
	accessor.SetManagedFields(nil)

	var warned warnings
	ctx = warning.WithWarningRecorder(within(ctx, version, accessor.GetNamespace(), ""), &warned)
	err = rest.BeforeCreate(strategy, ctx, object)
	return warned, err
}

// warnings are those for the client, in their order.
type warnings []string

// AddWarning implements warning.Recorder.
func (w *warnings) AddWarning(_, text string) { *w = append(*w, text) }
