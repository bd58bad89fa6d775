package judge

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/batch"
	api "k8s.io/kubernetes/pkg/apis/core"
	psputil "k8s.io/kubernetes/pkg/security/podsecuritypolicy/util"
)

// form is one shape in which a pod meets admission.
type form struct {
	// id is the pod or workload it comes from, as "NAMESPACE/KIND/NAME".
	id string
	// names are id and every controller above it.
	names []string
	// kind is Pod.Form of the verdict.
	kind string
	// creator sends the create request.
	creator user.Info
	pod     *api.Pod
}

// cluster is what the request's objects add up to.
type cluster struct {
	forms    []form
	accounts []*corev1.ServiceAccount
}

// newCluster finds the pods of the objects and those which workloads would
// create: what runs now and what will run again.
func newCluster(objects []runtime.Object) (*cluster, error) {
	owners := map[string]string{}
	for _, object := range objects {
		id, meta := identify(object)
		if meta == nil {
			continue
		}
		if owner := ownerOf(meta); owner != "" {
			owners[id] = owner
		}
	}
	shown := shownBy(objects)
	c := &cluster{}
	accounts := map[string]*corev1.ServiceAccount{}
	for _, object := range objects {
		if account, ok := object.(*api.ServiceAccount); ok {
			versioned := &corev1.ServiceAccount{}
			if err := legacyscheme.Scheme.Convert(account, versioned, nil); err != nil {
				return nil, fmt.Errorf("converting service account: %w", err)
			}
			versioned.Namespace = namespaceOf(account)
			// As with kubectl apply, the last one of a name holds.
			accounts[versioned.Namespace+"/"+versioned.Name] = versioned
			continue
		}
		if shown(object) {
			continue
		}
		forms, err := formsOf(object)
		if err != nil {
			return nil, err
		}
		id, meta := identify(object)
		for _, f := range forms {
			f.id, f.names = id, ancestry(id, ownerOf(meta), owners)
			c.forms = append(c.forms, f)
		}
	}
	for _, f := range c.forms {
		name := f.pod.Spec.ServiceAccountName
		if name == "" {
			name = "default"
		}
		// Controllers wait for a missing account; here each one exists.
		if key := f.pod.Namespace + "/" + name; accounts[key] == nil {
			accounts[key] = &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: f.pod.Namespace, Name: name}}
		}
	}
	for _, account := range accounts {
		c.accounts = append(c.accounts, account)
	}
	sort.Slice(c.accounts, func(i, j int) bool {
		a, b := c.accounts[i], c.accounts[j]
		return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
	})
	return c, nil
}

// shownBy returns what says of a ReplicaSet or Job that another of the objects
// shows its pods: its controller, or where that is not among them, a ReplicaSet of
// the same controller that has replicas while this one has none.
func shownBy(objects []runtime.Object) func(runtime.Object) bool {
	present, running := map[string][]types.UID{}, map[string]bool{}
	for _, object := range objects {
		id, meta := identify(object)
		if meta == nil {
			continue
		}
		present[id] = append(present[id], meta.GetUID())
		if set, ok := object.(*apps.ReplicaSet); ok && set.Spec.Replicas > 0 {
			running[ownerWithUID(set)] = true
		}
	}
	return func(object runtime.Object) bool {
		switch object.(type) {
		case *apps.ReplicaSet, *batch.Job:
		default:
			return false
		}
		meta := object.(metav1.Object)
		owner := metav1.GetControllerOf(meta)
		if owner == nil {
			return false
		}
		among, last := false, types.UID("")
		for _, uid := range present[ownerOf(meta)] {
			// A name alone may be made up. What has no uid is judged, too: a copy
			// is admitted like its original.
			if uid != "" && uid == owner.UID {
				return true
			}
			last = max(last, uid) // the one that a reference without a uid means
			among = last == "" || owner.UID == ""
		}
		set, ok := object.(*apps.ReplicaSet)
		return ok && !among && set.Spec.Replicas == 0 && running[ownerWithUID(set)]
	}
}

// ownerOf names the controller of an object, if it has one.
func ownerOf(meta metav1.Object) string {
	if owner := metav1.GetControllerOf(meta); owner != nil {
		return namespaceOf(meta) + "/" + owner.Kind + "/" + owner.Name
	}
	return ""
}

// ownerWithUID tells controllers of one name apart.
func ownerWithUID(meta metav1.Object) string {
	if owner := metav1.GetControllerOf(meta); owner != nil {
		return ownerOf(meta) + "/" + string(owner.UID)
	}
	return ""
}

// ancestry lists id, its controller and those above. Input may hold several
// objects of one name, so an object's own controller is not looked up.
func ancestry(id, owner string, owners map[string]string) []string {
	names := []string{id}
	for owner != "" && !slices.Contains(names, owner) {
		names = append(names, owner)
		owner = owners[owner]
	}
	return names
}

func namespaceOf(meta metav1.Object) string {
	if meta.GetNamespace() == "" {
		return metav1.NamespaceDefault
	}
	return meta.GetNamespace()
}

// identify names an object that has or creates pods.
func identify(object runtime.Object) (string, metav1.Object) {
	var kind, suffix string
	switch o := object.(type) {
	case *api.Pod:
		kind = "Pod"
		if _, mirror := o.Annotations[api.MirrorPodAnnotationKey]; mirror {
			suffix = "-" + o.Spec.NodeName // the kubelet's addition to the manifest's name
		}
	case *api.PodTemplate:
		kind = "PodTemplate"
	case *api.ReplicationController:
		kind = "ReplicationController"
	case *apps.Deployment:
		kind = "Deployment"
	case *apps.ReplicaSet:
		kind = "ReplicaSet"
	case *apps.StatefulSet:
		kind = "StatefulSet"
	case *apps.DaemonSet:
		kind = "DaemonSet"
	case *batch.Job:
		kind = "Job"
	case *batch.CronJob:
		kind = "CronJob"
	default:
		return "", nil
	}
	meta, ok := object.(metav1.Object)
	if !ok {
		return "", nil
	}
	name := meta.GetName()
	if name == "" {
		name = meta.GetGenerateName()
	}
	return namespaceOf(meta) + "/" + kind + "/" + strings.TrimSuffix(name, suffix), meta
}

// formsOf gives the pods of one object.
func formsOf(object runtime.Object) ([]form, error) {
	switch o := object.(type) {
	case *api.Pod:
		return podForms(o), nil
	case *api.ReplicationController:
		if o.Spec.Template == nil {
			return nil, nil
		}
		return templateForm(o, o.Spec.Template, "replication-controller")
	case *api.PodTemplate:
		// No controller of Kubernetes' own reads it; one of the cluster's may.
		return templateForm(o, &o.Template, "pod-template-controller")
	case *apps.Deployment:
		return templateForm(o, &o.Spec.Template, "replicaset-controller")
	case *apps.StatefulSet:
		return templateForm(o, withClaims(o), "statefulset-controller")
	case *apps.DaemonSet:
		return templateForm(o, &o.Spec.Template, "daemon-set-controller")
	case *apps.ReplicaSet:
		return templateForm(o, &o.Spec.Template, "replicaset-controller")
	case *batch.Job:
		if finished(o) {
			return nil, nil
		}
		return templateForm(o, &o.Spec.Template, "job-controller")
	case *batch.CronJob:
		return templateForm(o, &o.Spec.JobTemplate.Spec.Template, "job-controller")
	}
	return nil, nil
}

// withClaims gives the template with a volume per claim template, which wins
// over a volume of its name
// (pkg/controller/statefulset/stateful_set_utils.go:334, v1.24.17).
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

func finished(job *batch.Job) bool {
	for _, c := range job.Status.Conditions {
		if (c.Type == batch.JobComplete || c.Type == batch.JobFailed) && c.Status == api.ConditionTrue {
			return true
		}
	}
	return false
}

// templateForm makes the pod which a controller would send to the server
// (pkg/controller/controller_utils.go:539, v1.24.17).
func templateForm(parent metav1.Object, template *api.PodTemplateSpec, controller string) ([]form, error) {
	versioned := &corev1.PodTemplateSpec{}
	if err := legacyscheme.Scheme.Convert(template, versioned, nil); err != nil {
		return nil, fmt.Errorf("converting the template of %s: %w", parent.GetName(), err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:    namespaceOf(parent),
			GenerateName: parent.GetName() + "-",
			Labels:       versioned.Labels,
			Annotations:  versioned.Annotations,
		},
		Spec: versioned.Spec,
	}
	internal, err := toInternal(pod)
	if err != nil {
		return nil, fmt.Errorf("defaulting the pod of %s: %w", parent.GetName(), err)
	}
	creator := serviceaccount.UserInfo(metav1.NamespaceSystem, controller, "")
	return []form{{kind: "template", creator: authenticated(creator), pod: internal.(*api.Pod)}}, nil
}

// podForms gives a manifest as it is. A pod from a server comes twice: as it
// is stored, and as whatever created it would send it again, without what the
// server wrote into it.
func podForms(stored *api.Pod) []form {
	if stored.Status.Phase == api.PodSucceeded || stored.Status.Phase == api.PodFailed {
		return nil
	}
	pod := stored.DeepCopy()
	pod.Namespace = namespaceOf(pod)
	// Nobody creates a pod with ephemeral containers, and the policies need
	// not know them.
	pod.Spec.EphemeralContainers = nil
	creator := creatorOf(pod)
	if pod.UID == "" {
		return []form{{kind: "manifest", creator: creator, pod: pod}}
	}
	return []form{
		{kind: "stored", creator: creator, pod: pod},
		{kind: "re-created", creator: creator, pod: recreate(pod)},
	}
}

// creatorOf is a user without grants; the kubelet for a mirror pod.
func creatorOf(pod *api.Pod) user.Info {
	if _, mirror := pod.Annotations[api.MirrorPodAnnotationKey]; mirror {
		return authenticated(&user.DefaultInfo{Name: "system:node:" + pod.Spec.NodeName, Groups: []string{user.NodesGroup}})
	}
	if metav1.GetControllerOf(pod) != nil {
		return authenticated(serviceaccount.UserInfo(metav1.NamespaceSystem, "replicaset-controller", ""))
	}
	return authenticated(&user.DefaultInfo{Name: "someone"})
}

func authenticated(info user.Info) user.Info {
	return &user.DefaultInfo{
		Name: info.GetName(), UID: info.GetUID(), Extra: info.GetExtra(),
		Groups: append(append([]string(nil), info.GetGroups()...), user.AllAuthenticated),
	}
}

// recreate removes what the server added on creation: the policy's name
// and the seccomp annotations which it derived from fields
// (pkg/registry/core/pod/strategy.go:652, v1.24.17).
func recreate(stored *api.Pod) *api.Pod {
	pod := stored.DeepCopy()
	delete(pod.Annotations, psputil.ValidatedPSPAnnotation)
	if sc := pod.Spec.SecurityContext; sc != nil {
		dropSynced(pod.Annotations, api.SeccompPodAnnotationKey, sc.SeccompProfile)
	}
	podutil.VisitContainers(&pod.Spec, podutil.AllContainers, func(c *api.Container, _ podutil.ContainerType) bool {
		if c.SecurityContext != nil {
			dropSynced(pod.Annotations, api.SeccompContainerAnnotationKeyPrefix+c.Name, c.SecurityContext.SeccompProfile)
		}
		return true
	})
	pod.UID, pod.ResourceVersion = "", ""
	return pod
}

func dropSynced(annotations map[string]string, key string, field *api.SeccompProfile) {
	if field != nil && strings.EqualFold(annotations[key], podutil.SeccompAnnotationForField(field)) {
		delete(annotations, key)
	}
}
