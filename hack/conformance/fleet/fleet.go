// Package fleet makes up the objects of small clusters, for the conformance runs. What
// it makes depends on a seed and a number alone.
package fleet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// fleet makes up the objects of a small cluster. What it makes depends on the
// random source alone.
type fleet struct {
	*rand.Rand
	server  Server
	objects []objects.Object
	uids    int
	// optedOut accounts get no token volume.
	optedOut map[string]bool
	// alike fleets have pods that differ in little, so that the policy of one
	// workload may admit, and change, the pods of another.
	alike bool
}

// Server is the Kubernetes that a fleet is made for: it holds only what that accepts,
// more or less.
type Server struct {
	// pod makes up a pod over the whole space that a policy can govern.
	pod func(*rand.Rand) *corev1.Pod
	// makeValid removes what the server refuses. It may change the annotations, too.
	makeValid func(*corev1.PodSpec, map[string]string)
	// old: it serves the API versions of old, and writes seccomp annotations.
	old bool
}

// Old is Kubernetes 1.24, without what its policies cannot govern.
var Old = Server{pod: podtest.Random, makeValid: makeValidOld, old: true}

// Random returns the fleet of a number; the same seed and number give the same fleet.
func Random(seed, number uint64, server Server) []objects.Object {
	f := &fleet{server: server, Rand: rand.New(rand.NewPCG(seed, number)), optedOut: map[string]bool{}} //nolint:gosec // repeatable on purpose
	f.alike = f.IntN(3) == 0
	namespaces := []string{"blue", "green"}[:1+f.IntN(2)]
	for _, ns := range namespaces {
		for _, name := range []string{"default", "robot"} {
			if f.IntN(3) > 0 {
				continue
			}
			account := &corev1.ServiceAccount{TypeMeta: kind("v1", "ServiceAccount"), ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
			account.AutomountServiceAccountToken = podtest.Often(f.Rand, true, false)
			f.optedOut[ns+"/"+name] = account.AutomountServiceAccountToken != nil && !*account.AutomountServiceAccountToken
			f.put(account)
		}
	}
	for i := range 1 + f.IntN(6) {
		f.workload(podtest.Pick(f.Rand, namespaces...), workloadNames[i%len(workloadNames)]) // the first return, of other kinds or not
	}
	return f.objects
}

// workloadNames: dots, and more than a policy's name has room for.
var workloadNames = []string{"w0", "w1", "w.dot", "w-" + strings.Repeat("long", 55)}

func kind(apiVersion, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}
}

// version returns the API version of an object: on a current server, that of today.
func (f *fleet) version(today, drawn string) string {
	if f.server.old {
		return drawn
	}
	return today
}

// put adds an object, as JSON has it.
func (f *fleet) put(typed any) {
	raw, err := json.Marshal(typed)
	if err != nil {
		panic(err) // only API types come here
	}
	var o objects.Object
	if err := json.Unmarshal(raw, &o); err != nil {
		panic(err)
	}
	if f.IntN(3) == 0 {
		emptyGroups(o)
	}
	f.objects = append(f.objects, o)
}

// emptyGroups makes unset supplementalGroups an empty list, which typed
// objects cannot express: policies tell the two apart.
func emptyGroups(o objects.Object) {
	if sc, ok := o["securityContext"].(objects.Object); ok && o["containers"] != nil && sc["supplementalGroups"] == nil {
		sc["supplementalGroups"] = []any{}
	}
	for _, value := range o {
		if inner, ok := value.(objects.Object); ok {
			emptyGroups(inner)
		}
	}
}

func (f *fleet) uid() types.UID {
	f.uids++
	return types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", f.uids))
}

// workload adds one workload: a template, its running pods, or both.
func (f *fleet) workload(ns, name string) {
	meta := metav1.ObjectMeta{Namespace: ns, Name: name}
	template := f.template()
	labels := map[string]string{"app": "w"}
	template.Labels = labels
	selector := &metav1.LabelSelector{MatchLabels: labels}
	switch f.IntN(14) {
	case 0:
		var claims []corev1.PersistentVolumeClaim
		if f.IntN(2) == 0 {
			claims = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: podtest.Pick(f.Rand, "v0", "data")}}}
		}
		f.put(&appsv1.StatefulSet{TypeMeta: kind("apps/v1", "StatefulSet"), ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template, VolumeClaimTemplates: claims}})
		for _, claim := range claims {
			// In place of a volume of that name.
			template.Spec.Volumes = slices.DeleteFunc(template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == claim.Name })
			template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + name + "-0"},
			}})
		}
		f.pods(template, owner{"apps/v1", "StatefulSet", name}, ns)
	case 1:
		f.put(&appsv1.DaemonSet{TypeMeta: kind("apps/v1", "DaemonSet"), ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}})
		f.pods(template, owner{"apps/v1", "DaemonSet", name}, ns)
	case 2:
		f.put(&corev1.ReplicationController{TypeMeta: kind("v1", "ReplicationController"), ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: labels, Template: &template}})
	case 3:
		f.put(&appsv1.ReplicaSet{TypeMeta: kind("apps/v1", "ReplicaSet"), ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}})
		f.pods(template, owner{"apps/v1", "ReplicaSet", name}, ns)
	case 4:
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
		job := &batchv1.Job{TypeMeta: kind("batch/v1", "Job"), ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template}}
		if f.IntN(4) == 0 {
			job.UID = f.uid() // the status of a manifest means nothing
			emptyDirs(&job.Spec.Template.Spec)
			job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}
		f.put(job)
	case 5:
		template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		cron := &batchv1.CronJob{
			TypeMeta: kind(f.version("batch/v1", podtest.Pick(f.Rand, "batch/v1", "batch/v1beta1")), "CronJob"), ObjectMeta: meta,
			Spec: batchv1.CronJobSpec{Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}}},
		}
		f.put(cron)
		job := &batchv1.Job{TypeMeta: kind("batch/v1", "Job"), ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name + "-1"}, Spec: batchv1.JobSpec{Template: template}}
		job.OwnerReferences = owner{"batch/v1", "CronJob", name}.reference()
		f.put(job)
		f.pods(template, owner{"batch/v1", "Job", name + "-1"}, ns)
	case 6:
		f.put(&corev1.Pod{TypeMeta: kind("v1", "Pod"), ObjectMeta: withAnnotations(meta, template), Spec: template.Spec})
	case 7:
		f.stored(template, meta, nil)
	case 8, 10:
		f.mirror(template, ns, name)
	case 9: // under a controller that nobody shows
		for _, set := range []string{"a", "b"}[:f.IntN(3)] {
			set := &appsv1.ReplicaSet{TypeMeta: kind("apps/v1", "ReplicaSet"), ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name + "-" + set}}
			set.OwnerReferences = owner{"argoproj.io/v1alpha1", "Rollout", name}.reference()
			set.Spec = appsv1.ReplicaSetSpec{Selector: selector, Template: f.template(), Replicas: podtest.Maybe(f.Rand, int32(0), 0, 2)}
			set.Spec.Template.Labels = labels
			f.put(set)
		}
		f.pods(template, owner{"argoproj.io/v1alpha1", "Rollout", name}, ns)
	default:
		deployment := &appsv1.Deployment{TypeMeta: kind(f.version("apps/v1", podtest.Pick(f.Rand, "apps/v1", "apps/v1", "apps/v1", "extensions/v1beta1", "apps/v1beta2")), "Deployment"), ObjectMeta: meta}
		deployment.Spec = appsv1.DeploymentSpec{Selector: selector, Template: template}
		reference := owner{"apps/v1", "Deployment", name}.reference()
		rolledOut := f.IntN(2) == 0
		if rolledOut {
			// Without a uid, an earlier template could be anybody's.
			deployment.UID = f.uid()
			emptyDirs(&deployment.Spec.Template.Spec)
			reference[0].UID = deployment.UID
		}
		f.put(deployment)
		set := &appsv1.ReplicaSet{TypeMeta: kind("apps/v1", "ReplicaSet"), ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name + "-5f6d"}}
		set.OwnerReferences = reference
		set.Spec = appsv1.ReplicaSetSpec{Selector: selector, Template: template}
		f.put(set)
		if rolledOut { // what was there before
			old := set.DeepCopy()
			old.Name, old.Spec.Replicas, old.Spec.Template = name+"-77c9", new(int32(0)), f.template()
			old.Spec.Template.Labels = labels
			f.put(old)
		}
		f.pods(template, owner{"apps/v1", "ReplicaSet", name + "-5f6d"}, ns)
	}
}

type owner struct{ apiVersion, kind, name string }

func (o owner) reference() []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: o.apiVersion, Kind: o.kind, Name: o.name, UID: types.UID(o.kind + "-" + o.name), Controller: &yes}}
}

func withAnnotations(meta metav1.ObjectMeta, template corev1.PodTemplateSpec) metav1.ObjectMeta {
	meta.Annotations = template.Annotations
	return meta
}

// pods adds up to two running pods of a template: as it is, of another
// account, or with what a webhook added.
func (f *fleet) pods(template corev1.PodTemplateSpec, o owner, ns string) {
	for i := range f.IntN(3) {
		running := *template.DeepCopy()
		switch f.IntN(5) {
		case 0:
			running.Spec.ServiceAccountName = podtest.Pick(f.Rand, "", "robot")
			running.Spec.DeprecatedServiceAccount = ""
		case 1:
			running.Spec.Containers = append(running.Spec.Containers, podtest.RandomContainer(f.Rand, "sidecar"))
			f.server.makeValid(&running.Spec, running.Annotations)
		}
		f.stored(running, metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("%.40s-%s-x%d", o.name, strings.ToLower(o.kind), i)}, o.reference())
	}
}

// stored adds a pod as a server would have stored it.
func (f *fleet) stored(template corev1.PodTemplateSpec, meta metav1.ObjectMeta, owners []metav1.OwnerReference) {
	meta = withAnnotations(meta, *template.DeepCopy())
	meta.UID, meta.OwnerReferences = f.uid(), owners
	pod := &corev1.Pod{TypeMeta: kind("v1", "Pod"), ObjectMeta: meta, Spec: *template.Spec.DeepCopy()}
	pod.Status.Phase = podtest.Pick(f.Rand, corev1.PodRunning, corev1.PodRunning, corev1.PodPending, corev1.PodSucceeded)
	pod.Spec.NodeName = "node1"
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = pod.Spec.DeprecatedServiceAccount
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	pod.Spec.DeprecatedServiceAccount = pod.Spec.ServiceAccountName
	f.admitted(pod)
	if f.IntN(6) == 0 {
		debug := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}}
		debug.SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{debug}
	}
	f.put(pod)
}

// mirror adds a static pod as its kubelet shows it: no account, no secrets.
func (f *fleet) mirror(template corev1.PodTemplateSpec, ns, name string) {
	pod := &corev1.Pod{TypeMeta: kind("v1", "Pod"), ObjectMeta: withAnnotations(metav1.ObjectMeta{Namespace: ns, Name: name + "-node1"}, template), Spec: template.Spec}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.UID = f.uid()
	pod.Annotations[corev1.MirrorPodAnnotationKey] = "0123"
	pod.Annotations["kubernetes.io/config.source"] = "file"
	pod.OwnerReferences = owner{"v1", "Node", "node1"}.reference()
	pod.Spec.NodeName = "node1"
	pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount = "", ""
	volumes := pod.Spec.Volumes
	pod.Spec.Volumes = nil
	for _, v := range volumes {
		if v.HostPath != nil || v.EmptyDir != nil || v.ConfigMap != nil {
			pod.Spec.Volumes = append(pod.Spec.Volumes, v)
		}
	}
	dropLostMounts(&pod.Spec)
	for c := range podtest.Containers(&pod.Spec) {
		c.EnvFrom = nil
	}
	if f.server.old {
		syncSeccomp(pod)
	}
	hostPorts(pod)
	f.put(pod)
}

// admitted adds what the server adds to a new pod.
func (f *fleet) admitted(pod *corev1.Pod) {
	automount := !f.optedOut[pod.Namespace+"/"+pod.Spec.ServiceAccountName]
	if pod.Spec.AutomountServiceAccountToken != nil {
		automount = *pod.Spec.AutomountServiceAccountToken
	}
	if automount {
		needed := false
		for c := range podtest.Containers(&pod.Spec) {
			if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenPath }) {
				needed = true
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "kube-api-access-abcde", ReadOnly: true, MountPath: tokenPath})
			}
		}
		if needed {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "kube-api-access-abcde", VolumeSource: corev1.VolumeSource{Projected: podtest.Token().Projected}})
		}
	}
	hostPorts(pod)
	emptyDirs(&pod.Spec)
	if f.server.old && f.IntN(5) > 0 {
		syncSeccomp(pod) // since 1.27 servers leave it out
	}
}

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path, no secret

// emptyDirs: a volume without a source gets one from the server.
func emptyDirs(s *corev1.PodSpec) {
	for i := range s.Volumes {
		if v := &s.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
}

// hostPorts: under hostNetwork the server gives each port of the container its
// host port.
func hostPorts(pod *corev1.Pod) {
	if !pod.Spec.HostNetwork {
		return
	}
	for c := range podtest.Containers(&pod.Spec) {
		for i := range c.Ports {
			c.Ports[i].HostPort = c.Ports[i].ContainerPort
		}
	}
}

// syncSeccomp writes fields as annotations and annotations as fields, as the
// registry of 1.24 does on creation.
func syncSeccomp(pod *corev1.Pod) {
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	if pod.Spec.SecurityContext == nil {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	syncProfile(pod.Annotations, corev1.SeccompPodAnnotationKey, &pod.Spec.SecurityContext.SeccompProfile)
	for c := range podtest.Containers(&pod.Spec) {
		if c.SecurityContext == nil {
			c.SecurityContext = &corev1.SecurityContext{}
		}
		syncProfile(pod.Annotations, corev1.SeccompContainerAnnotationKeyPrefix+c.Name, &c.SecurityContext.SeccompProfile)
	}
}

func syncProfile(annotations map[string]string, key string, field **corev1.SeccompProfile) {
	value, annotated := annotations[key]
	switch {
	case *field != nil && !annotated:
		annotations[key] = seccompAnnotation(**field)
	case *field == nil && annotated:
		*field = podtest.Seccomp(value)
	}
}

func seccompAnnotation(p corev1.SeccompProfile) string {
	switch p.Type {
	case corev1.SeccompProfileTypeUnconfined:
		return "unconfined"
	case corev1.SeccompProfileTypeLocalhost:
		return "localhost/" + *p.LocalhostProfile
	default:
		return "runtime/default"
	}
}
