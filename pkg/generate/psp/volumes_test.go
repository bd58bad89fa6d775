package psp

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// fsTypesOf124 are the volume types that a policy may name
// (pkg/apis/policy/types.go, 1.24).
var fsTypesOf124 = strings.Fields(`azureFile flocker flexVolume hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret
	nfs iscsi glusterfs persistentVolumeClaim rbd cinder cephFS downwardAPI fc configMap vsphereVolume quobyte azureDisk
	photonPersistentDisk storageos projected portworxVolume scaleIO csi ephemeral`)

// Each source that a pod may have is allowed under a name that 1.24 knows, or
// is known not to be in 1.24.
func TestRowVolumesKnowsEachSource(t *testing.T) {
	source := reflect.TypeFor[corev1.VolumeSource]()
	for i := range source.NumField() {
		name, _, _ := strings.Cut(source.Field(i).Tag.Get("json"), ",")
		t.Run(name, func(t *testing.T) {
			v := reflect.New(source).Elem()
			v.Field(i).Set(reflect.New(source.Field(i).Type.Elem()))
			got := spec(policyFor(t, podtest.Pod(podtest.Volume("v", v.Interface().(corev1.VolumeSource), nil)))).Volumes
			if name == "image" {
				if len(got) != 0 {
					t.Errorf("volumes %v, but 1.24 does not know it", got)
				}
				return
			}
			if name == "projected" {
				name = "secret" // without sources it is admitted like a token
			}
			if len(got) != 1 || !slices.Contains(fsTypesOf124, got[0]) || !strings.EqualFold(got[0], name) {
				t.Errorf("volumes %v", got)
			}
		})
	}
}

func volume(source corev1.VolumeSource) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { podtest.Volume("v", source, &corev1.VolumeMount{})(pod) }
}

func TestRowVolumes(t *testing.T) {
	secret := volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}})
	projected := volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{}}}}})
	token := volume(podtest.Token())
	type list = []string
	testRow(t, func(p policy) list { return spec(p).Volumes }, []rowCase[list]{
		{"none", pods(podtest.Pod()), nil},
		{"the union, sorted", pods(podtest.Pod(secret), podtest.Pod(volume(corev1.VolumeSource{}))), list{"emptyDir", "secret"}},
		{"a token is admitted by secret", pods(podtest.Pod(token)), list{"secret"}},
		{"a token beside a secret", pods(podtest.Pod(token, secret)), list{"secret"}},
		{"projected covers the token", pods(podtest.Pod(token, projected)), list{"projected"}},
		{"projected in another pod covers the token", pods(podtest.Pod(token), podtest.Pod(projected)), list{"projected"}},
		{"projected and a secret", pods(podtest.Pod(token, projected, secret)), list{"projected", "secret"}},
		{"ephemeral", pods(podtest.Pod(volume(corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}))), list{"ephemeral"}},
		{"cephFS is not spelled as in a pod", pods(podtest.Pod(volume(corev1.VolumeSource{CephFS: &corev1.CephFSVolumeSource{}}))), list{"cephFS"}},
		{"unmounted", pods(podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), nil))), list{"hostPath"}},
	})
}

func TestRowAllowedHostPaths(t *testing.T) {
	type list = []allowedHostPath
	pod := func(path string, readOnly bool) *corev1.Pod {
		return podtest.Pod(podtest.Volume("v", podtest.HostPath(path), &corev1.VolumeMount{ReadOnly: readOnly}))
	}
	ro := func(path string) allowedHostPath {
		return allowedHostPath{PathPrefix: path, ReadOnly: true}
	}
	rw := func(path string) allowedHostPath { return allowedHostPath{PathPrefix: path} }
	testRow(t, func(p policy) list { return spec(p).AllowedHostPaths }, []rowCase[list]{
		{"none", pods(podtest.Pod()), nil},
		{"read-only", pods(pod("/a", true)), list{ro("/a")}},
		{"writable", pods(pod("/a", false)), list{rw("/a")}},
		{"writable by an init container", pods(podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), &corev1.VolumeMount{ReadOnly: true}),
			podtest.Init("i", podtest.Mount("v", corev1.VolumeMount{})))), list{rw("/a")}},
		{"an unmounted volume is read-only, not any path", pods(podtest.Pod(podtest.Volume("v", podtest.HostPath("/a"), nil))), list{ro("/a")}},
		{"writable wins over read-only", pods(pod("/a", true), pod("/a", false)), list{rw("/a")}},
		{"a used parent covers", pods(pod("/var/log/pods", true), pod("/var/log", true)), list{ro("/var/log")}},
		{"a writable parent covers a read-only path", pods(pod("/var", false), pod("/var/log", true)), list{rw("/var")}},
		{"a read-only parent does not cover a writable path", pods(pod("/var", true), pod("/var/log", false)), list{ro("/var"), rw("/var/log")}},
		{"never a parent that nobody uses", pods(pod("/var/log", true), pod("/var/lib", true)), list{ro("/var/lib"), ro("/var/log")}},
		{"segments are whole", pods(pod("/var", false), pod("/variable", false)), list{rw("/var"), rw("/variable")}},
		{"the root covers everything", pods(pod("/", false), pod("/etc", false)), list{rw("/")}},
		{"one trailing slash does not count", pods(pod("/a/", false), pod("/a", false)), list{rw("/a")}},
		{"the writable one of two spellings stays", pods(pod("/a", true), pod("/a/", false)), list{rw("/a/")}},
		// Admission trims one slash on either side and does not clean paths.
		{"a second trailing slash is below", pods(pod("/a//", false), pod("/a", false)), list{rw("/a")}},
		{"alone, it is kept", pods(pod("/a//", false)), list{rw("/a//")}},
	})
}

func TestRowDrivers(t *testing.T) {
	flex := func(driver string) *corev1.Pod {
		return podtest.Pod(volume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: driver}}))
	}
	csi := func(driver string) *corev1.Pod {
		return podtest.Pod(volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: driver}}))
	}
	claim := podtest.Pod(volume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}))
	type lists struct {
		Flex []allowedFlexVolume
		CSI  []allowedCSIDriver
	}
	testRow(t, func(p policy) lists { return lists{spec(p).AllowedFlexVolumes, spec(p).AllowedCSIDrivers} }, []rowCase[lists]{
		{"none", pods(podtest.Pod()), lists{}},
		{"a claim names no driver", pods(claim), lists{}},
		{"flex", pods(flex("b"), flex("a"), flex("b")), lists{Flex: []allowedFlexVolume{{Driver: "a"}, {Driver: "b"}}}},
		{"csi", pods(csi("x"), csi("y")), lists{CSI: []allowedCSIDriver{{Name: "x"}, {Name: "y"}}}},
	})
}
