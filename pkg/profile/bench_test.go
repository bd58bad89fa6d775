package profile_test

import (
	"encoding/json"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// benchPod is a common pod: two containers, a probe each, three volumes.
func benchPod() *corev1.Pod {
	yes, no, uid := true, false, int64(10001)
	container := func(name string) corev1.Container {
		return corev1.Container{
			Name: name,
			Env: []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"},
			}}},
			VolumeMounts:  []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}, {Name: "token", MountPath: "/token", ReadOnly: true}},
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/"}}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, RunAsUser: &uid, RunAsNonRoot: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}
	}
	return &corev1.Pod{Spec: corev1.PodSpec{
		Containers: []corev1.Container{container("web"), container("proxy")},
		SecurityContext: &corev1.PodSecurityContext{
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
			}}}},
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
		},
	}}
}

// BenchmarkOf stands beside BenchmarkDecode: what a profile costs on top of a
// pod that had to be decoded anyway.
func BenchmarkOf(b *testing.B) {
	pod := benchPod()
	var interner profile.Interner
	kept := interner.Intern(profile.Of(pod, profile.Options{}))
	b.ReportAllocs()
	for b.Loop() {
		interner.Intern(profile.Of(pod, profile.Options{}))
	}
	_ = kept
}

// BenchmarkDecode is the least that a pod costs: decoding it from protobuf.
func BenchmarkDecode(b *testing.B) {
	data, err := benchPod().Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var pod corev1.Pod
		if err := pod.Unmarshal(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeJSON is BenchmarkDecode for files.
func BenchmarkDecodeJSON(b *testing.B) {
	data, err := json.Marshal(benchPod())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var pod corev1.Pod
		if err := json.Unmarshal(data, &pod); err != nil {
			b.Fatal(err)
		}
	}
}
