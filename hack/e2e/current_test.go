//go:build e2e

package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// TestCurrentServer looks at a server that serves no PodSecurityPolicy any
// more and knows attributes that 1.24 lacks.
func TestCurrentServer(t *testing.T) {
	e := start(t, cluster.Options{Release: cluster.CurrentRelease})
	ctx := t.Context()
	const namespace, user = "modern", "advisor"
	e.ensureNamespace(t, namespace)
	_, err := e.client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "modern"},
		Spec: corev1.PodSpec{
			HostUsers: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				SupplementalGroupsPolicy: new(corev1.SupplementalGroupsPolicyStrict),
				AppArmorProfile:          &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "main", Image: "none",
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: "none"},
			}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	e.grantReadAll(t, user)
	policies, stderr := e.inspect(t, user, "--engine", "psp")
	t.Logf("stderr:\n%s", stderr)
	if !strings.Contains(policies, "advisor.modern.pod.modern") {
		t.Errorf("no policy for the pod:\n%s", policies)
	}
	for _, want := range []string{
		"does not serve podsecuritypolicies",
		"image volumes",
		"appArmorProfile",
		"hostUsers",
		"supplementalGroupsPolicy",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr does not mention %q:\n%s", want, stderr)
		}
	}
}
