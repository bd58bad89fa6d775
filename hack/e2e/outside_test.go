//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const appArmor = "container.apparmor.security.beta.kubernetes.io/main"

// modest is a pod that uses a little of each attribute, so that there is a
// next step in all of them.
func modest() *corev1.Pod {
	directory := corev1.HostPathDirectory
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "modest",
			Namespace:   "outside",
			Annotations: map[string]string{appArmor: "runtime/default"},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "modest",
			RuntimeClassName:   new("used"),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsUser:          new(int64(1000)),
				RunAsGroup:         new(int64(2000)),
				FSGroup:            new(int64(3000)),
				SupplementalGroups: []int64{4000},
				SELinuxOptions:     &corev1.SELinuxOptions{Level: "s0:c1,c2"},
				SeccompProfile:     &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				Sysctls:            []corev1.Sysctl{{Name: "net.core.somaxconn", Value: "1024"}, {Name: "kernel.shm_rmid_forced", Value: "1"}},
			},
			Containers: []corev1.Container{{
				Name:  "main",
				Image: "none",
				Ports: []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8080}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					ReadOnlyRootFilesystem:   new(true),
					Capabilities:             &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"}},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: "logs", MountPath: "/logs", ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{
				{Name: "logs", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log/app", Type: &directory}}},
				{Name: "flex", VolumeSource: corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "example/used"}}},
				{Name: "csi", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "used.example"}}},
			},
		},
	}
}

// TestOneStepOutside shows that the policy of a pod is no wider than the pod.
func TestOneStepOutside(t *testing.T) {
	e := start(t, controlPlane())
	e.permit(t)
	ctx, base := t.Context(), modest()
	e.ensureNamespace(t, base.Namespace)
	_, err := e.client.CoreV1().ServiceAccounts(base.Namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: base.Spec.ServiceAccountName},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"used", "unused"} {
		_, err := e.client.NodeV1().RuntimeClasses().Create(ctx, &nodev1.RuntimeClass{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: "handler",
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.client.CoreV1().Pods(base.Namespace).Create(ctx, base, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	const user = "advisor"
	e.grantReadAll(t, user)
	policies, _ := e.inspect(t, user, "-n", base.Namespace)
	e.revoke(t)
	e.kubectl(t, policies, "apply", "-f", "-")

	pods := kubernetes.NewForConfigOrDie(e.as(base.Namespace, base.Spec.ServiceAccountName)).CoreV1().Pods(base.Namespace)
	// A dry run goes through all of admission and leaves nothing behind.
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	again := modest()
	again.Name = "again"
	_, err = pods.Create(ctx, again, dryRun)
	// The server may need a moment to notice what was applied.
	for attempt := 0; err != nil && attempt < 300; attempt++ {
		sleep(ctx, 100*time.Millisecond)
		_, err = pods.Create(ctx, again, dryRun)
	}
	if err != nil {
		t.Fatalf("the pod itself is refused: %v\nby\n%s", err, policies)
	}

	first := func(p *corev1.Pod) *corev1.SecurityContext { return p.Spec.Containers[0].SecurityContext }
	for _, tc := range []struct {
		name string
		step func(*corev1.Pod)
		why  string // part of the refusal
	}{
		{"privileged", func(p *corev1.Pod) {
			first(p).Privileged, first(p).AllowPrivilegeEscalation = new(true), nil
		}, "Privileged containers are not allowed"},
		{"hostNetwork", func(p *corev1.Pod) {
			p.Spec.HostNetwork = true
			p.Spec.Containers[0].Ports[0].ContainerPort = 8080
		}, "Host network is not allowed to be used"},
		{"hostPID", func(p *corev1.Pod) { p.Spec.HostPID = true }, "Host PID is not allowed to be used"},
		{"hostIPC", func(p *corev1.Pod) { p.Spec.HostIPC = true }, "Host IPC is not allowed to be used"},
		{"hostPort", func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].HostPort = 8081 }, "Host port 8081 is not allowed to be used"},
		{"allowPrivilegeEscalation", func(p *corev1.Pod) { first(p).AllowPrivilegeEscalation = new(true) }, "Allowing privilege escalation for containers is not allowed"},
		{"capability", func(p *corev1.Pod) {
			first(p).Capabilities.Add = append(first(p).Capabilities.Add, "NET_ADMIN")
		}, "capability may not be added"},
		{"volume type", func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}, "emptyDir volumes are not allowed to be used"},
		{"hostPath", func(p *corev1.Pod) { p.Spec.Volumes[0].HostPath.Path = "/var/log" }, "is not allowed to be used"},
		{"hostPath sibling", func(p *corev1.Pod) { p.Spec.Volumes[0].HostPath.Path = "/var/log/app2" }, "is not allowed to be used"},
		{"hostPath writable", func(p *corev1.Pod) { p.Spec.Containers[0].VolumeMounts[0].ReadOnly = false }, "must be read-only"},
		{"readOnlyRootFilesystem", func(p *corev1.Pod) { first(p).ReadOnlyRootFilesystem = new(false) }, "ReadOnlyRootFilesystem must be set to true"},
		{"flex driver", func(p *corev1.Pod) { p.Spec.Volumes[1].FlexVolume.Driver = "example/unused" }, "Flexvolume driver is not allowed to be used"},
		{"CSI driver", func(p *corev1.Pod) { p.Spec.Volumes[2].CSI.Driver = "unused.example" }, "Inline CSI driver is not allowed to be used"},
		{"unsafe sysctl", func(p *corev1.Pod) { p.Spec.SecurityContext.Sysctls[0].Name = "kernel.msgmax" }, `sysctl "kernel.msgmax" is not allowed`},
		{"safe sysctl", func(p *corev1.Pod) { p.Spec.SecurityContext.Sysctls[1].Name = "net.ipv4.tcp_syncookies" }, `sysctl "net.ipv4.tcp_syncookies" is not allowed`},
		{"runtimeClass", func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("unused") }, "runtimeClassName"},
		{"procMount", func(p *corev1.Pod) { first(p).ProcMount = new(corev1.UnmaskedProcMount) }, "ProcMountType is not allowed"},
		{"seLinux", func(p *corev1.Pod) { p.Spec.SecurityContext.SELinuxOptions.Level = "s0:c3,c4" }, "seLinuxOptions.level"},
		{"runAsUser", func(p *corev1.Pod) { first(p).RunAsUser = new(int64(1001)) }, "runAsUser"},
		{"runAsGroup", func(p *corev1.Pod) { first(p).RunAsGroup = new(int64(0)) }, "group 0 must be in the ranges"},
		{"fsGroup", func(p *corev1.Pod) { p.Spec.SecurityContext.FSGroup = new(int64(3001)) }, "fsGroup"},
		{"supplementalGroups", func(p *corev1.Pod) { p.Spec.SecurityContext.SupplementalGroups = []int64{4000, 4001} }, "supplementalGroups"},
		{"seccomp", func(p *corev1.Pod) {
			first(p).SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		}, "unconfined is not an allowed seccomp profile"},
		{"AppArmor", func(p *corev1.Pod) { p.Annotations[appArmor] = "unconfined" }, "unconfined is not an allowed profile"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := modest()
			p.Name = "step"
			tc.step(p)
			_, err := pods.Create(ctx, p, dryRun)
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "PodSecurityPolicy") || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("got %v\nwant a refusal that says %q", err, tc.why)
			}
		})
	}
}
