package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// own judges pods that are made for the steps: each kind applies to one of them, which
// permits so little that it is one line more. Every step from every pod is judged, in
// every run.
func (r *runner) own(p *judge.Process) error {
	for _, f := range []struct {
		name     string
		pods     []*corev1.Pod
		variants []variant
		effort   effort
	}{
		{"pods for the steps", ownPods(), variants()[:2], effort{-1, -1, -1}},
		{"pods of a workload that differ", differentPods(), variants()[:1], effort{8, 4, -1}},
		// The permits of the cluster are in its policy, where a text has parts.
		{"pods of long permits", longPods(), []variant{{aggregate.ByCluster, vap.Annotation}}, effort{8, 4, 0}},
	} {
		list, err := objectsOf(f.pods)
		if err != nil {
			return err
		}
		if err := r.fixture(p, "own", f.name, list, f.variants, f.effort); err != nil {
			return err
		}
	}
	return nil
}

// differentPods are two of a workload that differ, and one of another workload of the
// account that does all that the second one does.
func differentPods() []*corev1.Pod {
	pid, ipc := podtest.Least(onHost), podtest.Least(onHost)
	pid.Spec.HostPID, ipc.Spec.HostIPC = true, true
	more := ipc.DeepCopy()
	more.Spec.HostNetwork = true
	for _, pod := range []*corev1.Pod{pid, ipc} {
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "w", UID: "w", Controller: new(true)}}
	}
	pods := []*corev1.Pod{pid, ipc, more}
	for _, pod := range pods {
		pod.Spec.ServiceAccountName = "shared"
	}
	return pods
}

// longPods ask for more together than fits into one literal of CEL.
func longPods() []*corev1.Pod {
	var pods []*corev1.Pod
	for i := range 5 {
		var tweaks []func(*corev1.Pod)
		for k := range 40 {
			path := fmt.Sprintf("/data/%d/%s-%d", i, strings.Repeat("x", 100), k)
			tweaks = append(tweaks, podtest.Volume(fmt.Sprintf("v%d", k), podtest.HostPath(path), nil))
		}
		pods = append(pods, podtest.Pod(tweaks...))
	}
	return pods
}

func objectsOf(pods []*corev1.Pod) ([]objects.Object, error) {
	var list []objects.Object
	for i, pod := range pods {
		pod.Name, pod.Namespace = fmt.Sprintf("own%d", i), "own"
		pod.Spec.AutomountServiceAccountToken = new(false)
		if pod.Spec.ServiceAccountName == "" {
			pod.Spec.ServiceAccountName = pod.Name
		}
		pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		raw, err := json.Marshal(pod)
		if err != nil {
			return nil, fmt.Errorf("encoding: %w", err)
		}
		var o objects.Object
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("decoding: %w", err)
		}
		list = append(list, o)
	}
	return list, nil
}

func onHost(p *corev1.Pod) { p.Spec.HostUsers = nil }

func ownPods() []*corev1.Pod {
	privileged := func(p *corev1.Pod) {
		onHost(p)
		podtest.Security(func(sc *corev1.SecurityContext) { sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil })(p)
	}
	return []*corev1.Pod{
		podtest.Least(),
		podtest.Least(onHost),
		podtest.Least(podtest.Security(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = nil })),
		podtest.Least(onHost, func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		podtest.Least(podtest.Volume("logs", podtest.HostPath("/var/log"), &corev1.VolumeMount{ReadOnly: true})),
		podtest.Least(podtest.Volume("data", podtest.HostPath("/var/lib/data"), nil), podtest.Volume("tmp", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, &corev1.VolumeMount{})),
		podtest.Least(privileged, podtest.Volume("tmp", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationHostToContainer)})),
		podtest.Least(podtest.Container(func(c *corev1.Container) {
			c.Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80, HostIP: "127.0.0.1"}, {ContainerPort: 8443, HostPort: 8443}}
		})),
		podtest.Least(podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.RunAsUser, sc.RunAsNonRoot = nil, new(true) })),
		podtest.Least(func(p *corev1.Pod) { // much to give up
			privileged(p)
			p.Spec.HostNetwork, p.Spec.HostPID, p.Spec.HostIPC = true, true, true
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.RunAsUser, sc.RunAsGroup, sc.SeccompProfile, sc.SupplementalGroupsPolicy = nil, nil, podtest.Seccomp("unconfined"), nil
				sc.FSGroup, sc.SupplementalGroups = new(int64(7)), []int64{7}
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
				sc.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"}
			})(p)
			podtest.Security(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem, sc.Capabilities = nil, nil })(p)
			podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "unconfined")(p)
			podtest.Container(func(c *corev1.Container) {
				c.Ports = []corev1.ContainerPort{{ContainerPort: 80}}
				c.LivenessProbe = &corev1.Probe{ProbeHandler: httpProbe("10.0.0.1")}
			})(p)
			podtest.Volume("data", podtest.HostPath("/data"), &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationBidirectional)})(p)
		}),
		podtest.Least(onHost, func(p *corev1.Pod) {
			p.Spec.ShareProcessNamespace = new(true)
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.Sysctls = []corev1.Sysctl{{Name: "kernel.shm_rmid_forced", Value: "1"}}
			})(p)
			podtest.Init("i", podtest.Context(func(sc *corev1.SecurityContext) {
				sc.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}
			}))(p)
		}),
		podtest.Least(podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "unconfined")),
		podtest.Least(podtest.Security(func(sc *corev1.SecurityContext) { sc.SeccompProfile = podtest.Seccomp("localhost/a\nb") })),
		podtest.Least(podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) })),
		podtest.Pod(func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }),
		podtest.Pod(func(p *corev1.Pod) {
			p.Spec.OS, p.Spec.HostNetwork = &corev1.PodOS{Name: corev1.Windows}, true
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new("ContainerUser")}
			})(p)
		}),
	}
}
