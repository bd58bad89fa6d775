package judge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/batch"
	api "k8s.io/kubernetes/pkg/apis/core"
	podstrategy "k8s.io/kubernetes/pkg/registry/core/pod"
	saadmission "k8s.io/kubernetes/plugin/pkg/admission/serviceaccount"
)

// tokenVolume is the name of the volume that the ServiceAccount plugin adds, but
// for its random suffix.
const tokenVolume = saadmission.ServiceAccountVolumeName + "-xxxxx"

// arrival is a request for a pod as validating admission meets it.
type arrival struct {
	pod, old    *api.Pod // old is set in updates only
	subresource string
	user        user.Info
}

// podOf returns the pod that was read, or the one that the controller of a
// workload would send to the server. The id names the object.
func podOf(request Pod, read runtime.Object) (pod *api.Pod, id string, err error) {
	parent, ok := read.(metav1.Object)
	if !ok {
		return nil, "", fmt.Errorf("%T is not a pod and makes none", read)
	}
	var kind string
	var template *api.PodTemplateSpec
	switch o := read.(type) {
	case *api.Pod:
		kind, pod = "Pod", o
	case *api.PodTemplate:
		kind, template = "PodTemplate", &o.Template
	case *api.ReplicationController:
		kind, template = "ReplicationController", o.Spec.Template
	case *apps.Deployment:
		kind, template = "Deployment", &o.Spec.Template
	case *apps.ReplicaSet:
		kind, template = "ReplicaSet", &o.Spec.Template
	case *apps.StatefulSet:
		kind, template = "StatefulSet", withClaims(o)
	case *apps.DaemonSet:
		kind, template = "DaemonSet", &o.Spec.Template
	case *batch.Job:
		kind, template = "Job", &o.Spec.Template
	case *batch.CronJob:
		kind, template = "CronJob", &o.Spec.JobTemplate.Spec.Template
	default:
		return nil, "", fmt.Errorf("%T is not a pod and makes none", read)
	}
	if pod == nil {
		if pod, err = fromTemplate(parent, template); err != nil {
			return nil, "", err
		}
	}
	switch {
	case request.Namespace != "":
		pod.Namespace = request.Namespace
	case pod.Namespace == "":
		pod.Namespace = metav1.NamespaceDefault
	}
	name := parent.GetName()
	if name == "" {
		name = parent.GetGenerateName()
	}
	return pod, pod.Namespace + "/" + kind + "/" + name, nil
}

// fromTemplate makes the pod which a controller would send to the server
// (pkg/controller/controller_utils.go, GetPodFromTemplate).
func fromTemplate(parent metav1.Object, template *api.PodTemplateSpec) (*api.Pod, error) {
	if template == nil {
		return nil, fmt.Errorf("%s has no template", parent.GetName())
	}
	versioned := &corev1.PodTemplateSpec{}
	if err := legacyscheme.Scheme.Convert(template, versioned, nil); err != nil {
		return nil, fmt.Errorf("converting the template of %s: %w", parent.GetName(), err)
	}
	internal, err := toInternal(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:    parent.GetNamespace(),
			GenerateName: parent.GetName() + "-",
			Labels:       versioned.Labels,
			Annotations:  versioned.Annotations,
			Finalizers:   versioned.Finalizers,
		},
		Spec: versioned.Spec,
	})
	if err != nil {
		return nil, fmt.Errorf("defaulting the pod of %s: %w", parent.GetName(), err)
	}
	return internal.(*api.Pod), nil
}

// withClaims gives the template with a volume per claim template, which wins over
// a volume of its name (pkg/controller/statefulset/stateful_set_utils.go,
// updateStorage).
func withClaims(set *apps.StatefulSet) *api.PodTemplateSpec {
	template := set.Spec.Template.DeepCopy()
	template.Spec.Volumes = nil
	claimed := map[string]bool{}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		claimed[claim.Name] = true
		template.Spec.Volumes = append(template.Spec.Volumes, api.Volume{Name: claim.Name, VolumeSource: api.VolumeSource{
			PersistentVolumeClaim: &api.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + set.Name + "-0"},
		}})
	}
	for _, volume := range set.Spec.Template.Spec.Volumes {
		if !claimed[volume.Name] {
			template.Spec.Volumes = append(template.Spec.Volumes, volume)
		}
	}
	return template
}

// sender is who sends the request, as authenticated.
func sender(request *User) user.Info {
	if request == nil {
		request = &User{Username: "someone"}
	}
	groups := append([]string(nil), request.Groups...)
	return &user.DefaultInfo{Name: request.Username, Groups: append(groups, user.AllAuthenticated)}
}

// attributes describe the request for a pod to a plugin.
func (a arrival) attributes(object, old runtime.Object) admission.Attributes {
	operation, options := admission.Create, runtime.Object(&metav1.CreateOptions{})
	if a.old != nil {
		operation, options = admission.Update, &metav1.UpdateOptions{}
	}
	return admission.NewAttributesRecord(object, old, podKind, a.pod.Namespace, a.pod.Name, podResource,
		a.subresource, operation, options, false, a.user)
}

// debugging is the subresource that adds containers to a running pod.
const debugging = "ephemeralcontainers"

var (
	podKind     = corev1.SchemeGroupVersion.WithKind("Pod")
	podResource = corev1.SchemeGroupVersion.WithResource("pods")
)

// arrive does what the server does before validating admission; an error is its
// refusal.
func (c *cluster) arrive(ctx context.Context, request Pod, pod *api.Pod) (arrival, error) {
	a := arrival{pod: pod, subresource: request.Subresource, user: sender(request.User)}
	if err := c.ensure(pod); err != nil {
		return a, err
	}
	switch request.Subresource {
	case "":
		if request.Update {
			return c.update(ctx, request, a)
		}
		if pod.UID != "" {
			// It was stored: who created it did not send what was added since.
			pod.Spec.EphemeralContainers = nil
		}
		return a, c.createPod(ctx, a)
	case debugging:
		return c.debug(ctx, request, a)
	}
	return a, fmt.Errorf("unknown subresource %q", request.Subresource)
}

// createPod creates the pod: mutating admission, then the strategy.
func (c *cluster) createPod(ctx context.Context, a arrival) error {
	if err := c.accounts.Admit(ctx, a.attributes(a.pod, nil), c.interfaces); err != nil {
		return err
	}
	renameToken(a.pod)
	_, err := create(ctx, podstrategy.Strategy, corev1.SchemeGroupVersion, a.pod)
	return err
}

// renameToken replaces the random name of the volume that the ServiceAccount
// plugin adds, so that the same pod is the same in each run.
func renameToken(pod *api.Pod) {
	last := len(pod.Spec.Volumes) - 1
	if last < 0 || !strings.HasPrefix(pod.Spec.Volumes[last].Name, saadmission.ServiceAccountVolumeName+"-") {
		return
	}
	name := pod.Spec.Volumes[last].Name
	for _, v := range pod.Spec.Volumes {
		if v.Name == tokenVolume {
			return
		}
	}
	pod.Spec.Volumes[last].Name = tokenVolume
	for _, containers := range [][]api.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for k := range containers[i].VolumeMounts {
				if containers[i].VolumeMounts[k].Name == name {
					containers[i].VolumeMounts[k].Name = tokenVolume
				}
			}
		}
	}
}

// debug updates the ephemeral containers of a pod that was created before.
func (c *cluster) debug(ctx context.Context, request Pod, a arrival) (arrival, error) {
	old, err := c.created(ctx, request, a)
	if err != nil {
		return a, err
	}
	updated := old.DeepCopy()
	updated.Spec.EphemeralContainers = a.pod.Spec.EphemeralContainers
	a.pod, a.old = updated, old
	if err := c.accounts.Validate(ctx, a.attributes(updated, old), c.interfaces); err != nil {
		return a, err
	}
	ctx = within(ctx, corev1.SchemeGroupVersion, updated.Namespace, debugging)
	old.ResourceVersion, updated.ResourceVersion = "1", "1"
	return a, rest.BeforeUpdate(podstrategy.EphemeralContainersStrategy, ctx, updated, old)
}

// update updates a pod that was created before.
func (c *cluster) update(ctx context.Context, request Pod, a arrival) (arrival, error) {
	if len(request.OldObject) == 0 {
		return a, errors.New("an update needs an old object")
	}
	old, err := c.created(ctx, request, a)
	if err != nil {
		return a, err
	}
	a.old = old
	if err := c.accounts.Admit(ctx, a.attributes(a.pod, old), c.interfaces); err != nil {
		return a, err
	}
	ctx = within(ctx, corev1.SchemeGroupVersion, a.pod.Namespace, "")
	old.ResourceVersion, a.pod.ResourceVersion = "1", "1"
	a.pod.UID, a.pod.CreationTimestamp = old.UID, old.CreationTimestamp
	return a, rest.BeforeUpdate(podstrategy.Strategy, ctx, a.pod, old)
}

// created returns the pod that an update is of, as the server has stored it.
func (c *cluster) created(ctx context.Context, request Pod, a arrival) (*api.Pod, error) {
	old := a.pod.DeepCopy()
	old.Spec.EphemeralContainers = nil
	if len(request.OldObject) > 0 {
		read, err := object(request.OldObject)
		if err != nil {
			return nil, fmt.Errorf("reading the old object: %w", err)
		}
		pod, ok := read.(*api.Pod)
		if !ok {
			return nil, fmt.Errorf("reading the old object: %T is not a pod", read)
		}
		old = pod
		old.Namespace = a.pod.Namespace
		if err := c.ensure(old); err != nil {
			return nil, err
		}
	}
	had := old.Spec.EphemeralContainers
	old.Spec.EphemeralContainers = nil
	if err := c.createPod(ctx, arrival{pod: old, user: a.user}); err != nil {
		return nil, fmt.Errorf("creating the old object: %w", err)
	}
	old.Spec.EphemeralContainers = had
	return old, nil
}

// ensure makes the namespace and the account of the pod exist.
func (c *cluster) ensure(pod *api.Pod) error {
	name := pod.Spec.ServiceAccountName
	if name == "" {
		name = saadmission.DefaultServiceAccountName
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	accounts := c.factory.Core().V1().ServiceAccounts().Informer().GetIndexer()
	if _, exists, _ := accounts.GetByKey(types.NamespacedName{Namespace: pod.Namespace, Name: name}.String()); !exists {
		if err := accounts.Add(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: name}}); err != nil {
			return fmt.Errorf("storing service account %s/%s: %w", pod.Namespace, name, err)
		}
	}
	namespaces := c.factory.Core().V1().Namespaces().Informer().GetIndexer()
	if _, exists, _ := namespaces.GetByKey(pod.Namespace); exists {
		return nil
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace}}
	legacyscheme.Scheme.Default(namespace)
	if err := namespaces.Add(namespace); err != nil {
		return fmt.Errorf("storing namespace %s: %w", pod.Namespace, err)
	}
	return nil
}
