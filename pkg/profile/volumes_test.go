package profile

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// Each source that the API knows is recorded under its field's name.
func TestVolumeTypes(t *testing.T) {
	source := reflect.TypeFor[corev1.VolumeSource]()
	for i := range source.NumField() {
		name, _, _ := strings.Cut(source.Field(i).Tag.Get("json"), ",")
		t.Run(name, func(t *testing.T) {
			v := reflect.New(source).Elem()
			v.Field(i).Set(reflect.New(source.Field(i).Type.Elem()))
			p := Of(podtest.Pod(podtest.Volume("v", v.Interface().(corev1.VolumeSource), nil)), Options{})
			want := []string{name}
			if name == "projected" {
				// Without sources it is admitted like a token volume.
				want = []string{"serviceAccountToken"}
			}
			if diff := cmp.Diff(want, show(p, "volumes")); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVolumes(t *testing.T) {
	secret := corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}
	testAttributes(t, []attributeCase{
		{name: "none", pod: podtest.Pod(), want: map[string][]string{"volumes": nil}},
		{
			name: "no source is an emptyDir",
			pod:  podtest.Pod(podtest.Volume("v", corev1.VolumeSource{}, nil)),
			want: map[string][]string{"volumes": {"emptyDir"}},
		},
		{
			name: "mounting containers are named, an unmounted volume counts",
			pod: podtest.Pod(podtest.Volume("v", secret, &corev1.VolumeMount{}), podtest.Volume("w", corev1.VolumeSource{}, nil),
				podtest.Init("i", podtest.Mount("v", corev1.VolumeMount{}))),
			want: map[string][]string{"volumes": {"emptyDir", "secret by c i"}},
		},
		{
			name: "the token is every container's, as in a template that has no volume for it",
			pod:  podtest.Pod(podtest.Volume("kube-api-access-x", podtest.Token(), &corev1.VolumeMount{})),
			want: map[string][]string{"volumes": {"serviceAccountToken"}},
		},
		{
			name: "drivers",
			pod: podtest.Pod(
				podtest.Volume("f", corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "example.com/lvm"}}, nil),
				podtest.Volume("c", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.example.com"}}, &corev1.VolumeMount{})),
			want: map[string][]string{
				"volumes": {"csi by c", "flexVolume"}, "flexVolumeDrivers": {"example.com/lvm"}, "csiDrivers": {"csi.example.com by c"},
			},
		},
		{
			name: "the driver of a claim is not inline",
			pod:  podtest.Pod(podtest.Volume("p", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "x"}}, nil)),
			want: map[string][]string{"volumes": {"persistentVolumeClaim"}, "csiDrivers": nil, "hostPaths": nil},
		},
	})
}

func TestHostPaths(t *testing.T) {
	readOnly, writable := &corev1.VolumeMount{ReadOnly: true}, &corev1.VolumeMount{}
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		want []string
	}{
		{"unmounted", podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), nil)), []string{`"/a" read-only`}},
		{"read-only", podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), readOnly)), []string{`"/a" read-only by c`}},
		{"writable", podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), writable)), []string{`"/a" writable by c`}},
		{
			"one writable mount is enough, and the writers are named",
			podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), readOnly), podtest.Init("i", podtest.Mount("v", *writable))),
			[]string{`"/a" writable by i`},
		},
		{
			"two mounts in one container",
			podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), readOnly), podtest.Container(podtest.Mount("v", *writable))),
			[]string{`"/a" writable by c`},
		},
		{
			"two volumes of one path are apart",
			podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), readOnly), podtest.Volume("w", podtest.HostPath("/a"), writable)),
			[]string{`"/a" read-only by c`, `"/a" writable by c`},
		},
		{
			"the path is kept as it is",
			podtest.Pod(podtest.Volume("v", podtest.HostPath("/a//"), nil), podtest.Volume("w", podtest.HostPath("/a\n"), nil)),
			[]string{`"/a\n" read-only`, `"/a//" read-only`},
		},
		{
			"a debug container's mount does not count",
			podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), nil), podtest.Ephemeral("e", podtest.Mount("v", *writable))),
			[]string{`"/a" read-only`},
		},
	} {
		testAttributes(t, []attributeCase{{name: tc.name, pod: tc.pod, want: map[string][]string{"hostPaths": tc.want}}})
	}
}

func TestServiceAccountToken(t *testing.T) {
	projected := func(sources ...corev1.VolumeProjection) corev1.VolumeSource {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}
	}
	token := func(path, audience string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: path, Audience: audience}}
	}
	configMap := func(name string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
	}
	downward := func(items ...corev1.DownwardAPIVolumeFile) corev1.VolumeProjection {
		return corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: items}}
	}
	field := func(path, version, field string) corev1.DownwardAPIVolumeFile {
		return corev1.DownwardAPIVolumeFile{Path: path, FieldRef: &corev1.ObjectFieldSelector{APIVersion: version, FieldPath: field}}
	}
	for _, tc := range []struct {
		name   string
		source corev1.VolumeSource
		want   string
	}{
		{"the admission's own", podtest.Token(), "serviceAccountToken"},
		{"no sources", projected(), "serviceAccountToken"},
		{"token", projected(token("token", "")), "serviceAccountToken"},
		{"other path", projected(token("vault", "")), "projected"},
		{"audience", projected(token("token", "vault")), "projected"},
		{"root certificate", projected(configMap("kube-root-ca.crt")), "serviceAccountToken"},
		{"other config map", projected(token("token", ""), configMap("mine")), "projected"},
		{"namespace", projected(downward(field("namespace", "v1", "metadata.namespace"))), "serviceAccountToken"},
		{"namespace, defaulted version", projected(downward(field("namespace", "", "metadata.namespace"))), "serviceAccountToken"},
		{"namespace, other version", projected(downward(field("namespace", "v2", "metadata.namespace"))), "projected"},
		{"namespace, other path", projected(downward(field("ns", "v1", "metadata.namespace"))), "projected"},
		{"other field", projected(downward(field("namespace", "v1", "metadata.labels"))), "projected"},
		{"no field", projected(downward(corev1.DownwardAPIVolumeFile{Path: "namespace"})), "projected"},
		{"secret", projected(token("token", ""), corev1.VolumeProjection{Secret: &corev1.SecretProjection{}}), "projected"},
		{"empty source", projected(corev1.VolumeProjection{}), "projected"},
		{"a legacy token is a secret", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "default-token-abcde"}}, "secret"},
	} {
		testAttributes(t, []attributeCase{{
			name: tc.name, pod: podtest.Pod(podtest.Volume("v", tc.source, nil)), want: map[string][]string{"volumes": {tc.want}},
		}})
	}
}
