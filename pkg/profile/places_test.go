package profile

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestPlaces(t *testing.T) {
	both := corev1.MountPropagationBidirectional
	nothing := corev1.MountPropagationNone
	pod := podtest.Pod(podtest.Ephemeral("shell"))
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}}
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "logs", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log"}}},
		{Name: "idle", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	pod.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "init:1"}}
	c := &pod.Spec.Containers[0]
	c.Name, c.Image = "web", "web:1"
	c.Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080}, {ContainerPort: 90}}
	c.VolumeMounts = []corev1.VolumeMount{
		{Name: "logs", MountPath: "/logs", ReadOnly: true},
		{Name: "tmp", MountPath: "/tmp", MountPropagation: &both},
		{Name: "tmp", MountPath: "/own", MountPropagation: &nothing},
	}
	c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "all"}}}}
	c.Env = []corev1.EnvVar{
		{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}},
		{Name: "PLAIN", Value: "x"},
	}
	testAttributes(t, []attributeCase{
		{"pod", pod, Options{}, map[string][]string{
			"containers":     {`init image "init:1" by first`, `regular image "web:1" by web`},
			"mounts":         {`"idle" of "/etc" at ""`, `"logs" of "/var/log" at "/logs" read-only by web`, `"tmp" of "" at "/tmp" with propagation "Bidirectional" by web`},
			"ports":          {`8080 to 80 "" on "" by web`},
			"variables":      {`"" from "all" key "" by web`, `"PASSWORD" from "db" key "password" by web`},
			"sysctlSettings": {`"kernel.msgmax"="1"`},
		}},
		{"template with debug containers", pod, Options{Template: true, EphemeralContainers: true}, map[string][]string{
			"containers": {`ephemeral image "x" by shell`, `init image "init:1" in the template by first`, `regular image "web:1" in the template by web`},
		}},
	})
}
