package faults_test

import (
	"crypto/sha256"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// meta is that of an object whose uid follows from its name.
func meta(namespace, name string, owner ...metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uidOf(namespace, name), OwnerReferences: owner}
}

func uidOf(namespace, name string) types.UID {
	sum := sha256.Sum256([]byte(namespace + "/" + name))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

func ownedBy(apiVersion, kind, namespace, name string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: uidOf(namespace, name), Controller: new(true)}
}

// spec is that of a pod that nobody else has: its user is in the policy.
func spec(account string, user int64) corev1.PodSpec {
	return corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{
		Name: "main", Image: "example/main:1", SecurityContext: &corev1.SecurityContext{RunAsUser: &user},
	}}}
}

func template(account string, user int64) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": account}}, Spec: spec(account, user)}
}

func pod(namespace, name, account string, user int64, owner ...metav1.OwnerReference) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: meta(namespace, name, owner...), Spec: spec(account, user), Status: corev1.PodStatus{Phase: corev1.PodRunning}}
}

func deployment(namespace, name string, user int64) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: meta(namespace, name), Spec: appsv1.DeploymentSpec{Template: template("web-0", user)}}
}

// fleet is a cluster of which every object shows in the output: see TestEveryObjectShows.
// Each namespace has a bit of everything.
func fleet(namespaces ...string) []runtime.Object {
	var list []runtime.Object
	user := int64(1000)
	next := func() int64 {
		user++
		return user
	}
	for _, ns := range namespaces {
		for i := range 2 {
			name := func(kind string) string { return fmt.Sprintf("%s-%d", kind, i) }
			web, set, cron, run := name("web"), name("web")+"-1", name("cron"), name("cron")+"-1"
			template := func() corev1.PodTemplateSpec { return template(web, next()) }
			jobSpec := func() batchv1.JobSpec { return batchv1.JobSpec{Template: template()} }
			d := deployment(ns, web, 0)
			d.Spec.Template = template()
			list = append(list,
				d,
				&corev1.ServiceAccount{ObjectMeta: meta(ns, web), AutomountServiceAccountToken: new(false)},
				&appsv1.ReplicaSet{ObjectMeta: meta(ns, set, ownedBy("apps/v1", "Deployment", ns, web)), Spec: appsv1.ReplicaSetSpec{Template: d.Spec.Template}},
				pod(ns, set+"-a", web, next(), ownedBy("apps/v1", "ReplicaSet", ns, set)),
				&batchv1.CronJob{ObjectMeta: meta(ns, cron), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: jobSpec()}}},
				&batchv1.Job{ObjectMeta: meta(ns, run, ownedBy("batch/v1", "CronJob", ns, cron)), Spec: jobSpec()},
				pod(ns, run+"-a", web, next(), ownedBy("batch/v1", "Job", ns, run)),
				&appsv1.ReplicaSet{ObjectMeta: meta(ns, name("bare-set")), Spec: appsv1.ReplicaSetSpec{Template: template()}},
				&batchv1.Job{ObjectMeta: meta(ns, name("bare-job")), Spec: jobSpec()},
				&appsv1.StatefulSet{ObjectMeta: meta(ns, name("db")), Spec: appsv1.StatefulSetSpec{Template: template()}},
				&appsv1.DaemonSet{ObjectMeta: meta(ns, name("agent")), Spec: appsv1.DaemonSetSpec{Template: template()}},
				&corev1.ReplicationController{ObjectMeta: meta(ns, name("old")), Spec: corev1.ReplicationControllerSpec{Template: new(template())}},
				pod(ns, name("bare"), web, next()),
			)
		}
	}
	return list
}
