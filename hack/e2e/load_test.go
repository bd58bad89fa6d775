//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// corpus returns the manifests of other projects, or skips the test.
func corpus(t *testing.T) []string {
	t.Helper()
	root, err := cluster.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "..", "shared", "corpus", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// This one has every field set to something, for decoders only.
	files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "k8s-api-fixtures.yaml" })
	if len(files) == 0 {
		t.Skip("NOT RUN: the corpus is not there, expected in ../shared/corpus beside the repository")
	}
	return files
}

// resources of the kinds that own or are pods.
func resources() map[string]string {
	return map[string]string{
		"Pod": "pods", "PodTemplate": "podtemplates", "ReplicationController": "replicationcontrollers",
		"Deployment": "deployments", "ReplicaSet": "replicasets", "StatefulSet": "statefulsets",
		"DaemonSet": "daemonsets", "Job": "jobs", "CronJob": "cronjobs",
	}
}

// fleet is what was loaded into a cluster.
type fleet struct {
	namespaces sets.Set[string]
	workloads  int
	ensured    sets.Set[string]                       // what need not be created again
	refused    []string                               // one line per object that the server did not take
	bare       map[string][]unstructured.Unstructured // pods without a controller, by namespace
	cronJobs   []*unstructured.Unstructured           // as stored
}

// load creates the workloads of manifest files, each file in a namespace of
// its own unless one is given, with everything that they refer to by name.
func (e env) load(t *testing.T, namespace string, files ...string) *fleet {
	t.Helper()
	f := &fleet{namespaces: sets.New[string](), ensured: sets.New[string](), bare: map[string][]unstructured.Unstructured{}}
	for _, file := range files {
		objects, unreadable := readManifests(t, file)
		f.refused = append(f.refused, unreadable...)
		for i := range objects {
			object := &objects[i]
			prepare(object, cmp.Or(namespace, namespaceFor(file, object)))
		}
		// Accounts first: a workload must not meet the one made for it.
		for i := range objects {
			if objects[i].GetKind() == "ServiceAccount" {
				e.loadAccount(t, &objects[i])
			}
		}
		for i := range objects {
			if resource, ok := resources()[objects[i].GetKind()]; ok {
				err := e.loadWorkload(t, f, &objects[i], resource)
				// A file may hold variants of one object.
				for n := 2; apierrors.IsAlreadyExists(err) && namespace == ""; n++ {
					objects[i].SetNamespace(fmt.Sprintf("%s-%d", strings.TrimSuffix(objects[i].GetNamespace(), fmt.Sprintf("-%d", n-1)), n))
					err = e.loadWorkload(t, f, &objects[i], resource)
				}
				if err != nil {
					f.refused = append(f.refused, fmt.Sprintf("%s: %s %s: %v", filepath.Base(file), objects[i].GetKind(), objects[i].GetName(), err))
				}
			}
		}
	}
	return f
}

// readManifests reads the objects of a file, out of Lists too.
func readManifests(t *testing.T, file string) (objects []unstructured.Unstructured, unreadable []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var object unstructured.Unstructured
		err := decoder.Decode(&object.Object)
		switch {
		case errors.Is(err, io.EOF):
			return objects, unreadable
		case err != nil:
			unreadable = append(unreadable, fmt.Sprintf("%s: %v", filepath.Base(file), err))
		case object.IsList():
			err := object.EachListItem(func(item runtime.Object) error {
				objects = append(objects, *item.(*unstructured.Unstructured))
				return nil
			})
			if err != nil {
				unreadable = append(unreadable, fmt.Sprintf("%s: %v", filepath.Base(file), err))
			}
		case object.Object != nil:
			objects = append(objects, object)
		}
	}
}

// namespaceFor keeps the files apart, the namespaces within a file, and the
// bare pods: a controller whose selector fits would adopt them.
func namespaceFor(file string, object *unstructured.Unstructured) string {
	name := "c-" + strings.TrimSuffix(filepath.Base(file), ".yaml")
	if namespace := object.GetNamespace(); namespace != "" {
		name += "-" + strings.ToLower(namespace)
	}
	name = strings.Trim(name[:min(len(name), 50)], "-")
	if object.GetKind() == "Pod" {
		name += "-bare"
	}
	return name
}

// prepare makes an object out of another cluster creatable in this one.
func prepare(object *unstructured.Unstructured, namespace string) {
	object.SetNamespace(namespace)
	object.SetName(strings.ReplaceAll(object.GetName(), "_", "-")) // some are meant for unit tests
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "ownerReferences", "finalizers", "managedFields", "selfLink", "generation", "deletionTimestamp"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(object.Object, "status")
	if object.GetKind() == "CronJob" {
		// The test decides when it ticks.
		_ = unstructured.SetNestedField(object.Object, true, "spec", "suspend")
	}
}

func (e env) loadAccount(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	e.ensureNamespace(t, object.GetNamespace())
	gvr := corev1.SchemeGroupVersion.WithResource("serviceaccounts")
	// One named default exists already, perhaps: what the file says counts.
	_, err := e.dynamic.Resource(gvr).Namespace(object.GetNamespace()).Create(t.Context(), object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = e.dynamic.Resource(gvr).Namespace(object.GetNamespace()).Update(t.Context(), object, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatalf("creating service account %s: %v", object.GetName(), err)
	}
}

func (e env) loadWorkload(t *testing.T, f *fleet, object *unstructured.Unstructured, resource string) error {
	t.Helper()
	ctx, namespace := t.Context(), object.GetNamespace()
	if !f.ensured.Has(namespace) {
		e.ensureNamespace(t, namespace)
		f.ensured.Insert(namespace)
	}
	if spec := podSpec(object); spec != nil {
		if err := e.ensureReferences(ctx, f, namespace, spec); err != nil {
			return err
		}
	}
	version, err := schema.ParseGroupVersion(object.GetAPIVersion())
	if err != nil {
		return err
	}
	created, err := e.dynamic.Resource(version.WithResource(resource)).Namespace(namespace).Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	f.workloads++
	f.namespaces.Insert(namespace)
	switch object.GetKind() {
	case "Pod":
		f.bare[namespace] = append(f.bare[namespace], *object)
	case "CronJob":
		f.cronJobs = append(f.cronJobs, created)
	}
	return nil
}

// podSpec is the part of a workload that becomes the spec of its pods.
func podSpec(object *unstructured.Unstructured) map[string]any {
	path := []string{"spec", "template", "spec"}
	switch object.GetKind() {
	case "Pod":
		path = []string{"spec"}
	case "PodTemplate":
		path = []string{"template", "spec"}
	case "CronJob":
		path = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	}
	spec, _, _ := unstructured.NestedMap(object.Object, path...)
	return spec
}

// ensureReferences creates what admission wants to find: the pod's account,
// priority class and runtime class.
func (e env) ensureReferences(ctx context.Context, f *fleet, namespace string, spec map[string]any) error {
	name := func(field string) string {
		value, _ := spec[field].(string)
		return value
	}
	var errs []error
	ensure := func(key string, create func() error) {
		if f.ensured.Has(key) {
			return
		}
		f.ensured.Insert(key)
		if err := create(); err != nil && !apierrors.IsAlreadyExists(err) {
			errs = append(errs, err)
		}
	}
	account := cmp.Or(name("serviceAccountName"), name("serviceAccount"), "default")
	ensure(namespace+"/"+account, func() error {
		meta := metav1.ObjectMeta{Name: account}
		_, err := e.client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
		return err
	})
	if class := name("priorityClassName"); class != "" && !strings.HasPrefix(class, "system-") {
		ensure("priority "+class, func() error {
			meta := metav1.ObjectMeta{Name: class}
			_, err := e.client.SchedulingV1().PriorityClasses().Create(ctx, &schedulingv1.PriorityClass{ObjectMeta: meta, Value: 1000}, metav1.CreateOptions{})
			return err
		})
	}
	if class := name("runtimeClassName"); class != "" {
		ensure("runtime "+class, func() error {
			meta := metav1.ObjectMeta{Name: class}
			_, err := e.client.NodeV1().RuntimeClasses().Create(ctx, &nodev1.RuntimeClass{ObjectMeta: meta, Handler: "handler"}, metav1.CreateOptions{})
			return err
		})
	}
	return errors.Join(errs...)
}

// ensureNamespace waits for nothing: the accounts are made by the test.
func (e env) ensureNamespace(t testing.TB, name string) {
	t.Helper()
	_, err := e.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// createNode adds a Node object that no kubelet keeps: enough for DaemonSets
// to create their pods.
func (e env) createNode(t *testing.T, system string) {
	t.Helper()
	nodes := e.client.CoreV1().Nodes()
	node, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: system,
		Labels: map[string]string{
			"kubernetes.io/os": system, "beta.kubernetes.io/os": system,
			"kubernetes.io/arch": "amd64", "beta.kubernetes.io/arch": "amd64",
			"kubernetes.io/hostname": system,
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Admission marks new nodes as not ready; controllers may write them meanwhile.
	untainted := []byte(`{"spec":{"taints":null}}`)
	if _, err := nodes.Patch(t.Context(), node.Name, types.MergePatchType, untainted, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}
