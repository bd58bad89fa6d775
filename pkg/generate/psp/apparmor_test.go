package psp

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func appArmor(container, profile string) func(*corev1.Pod) {
	return podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+container, profile)
}

func TestRowAppArmor(t *testing.T) {
	field := podtest.Security(func(sc *corev1.SecurityContext) {
		sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	})
	testRow(t, annotation("apparmor.security.beta.kubernetes.io/allowedProfileNames"), []rowCase[string]{
		{"unset", pods(podtest.Pod()), absent},
		{"every container", pods(podtest.Pod(appArmor("c", "runtime/default"), podtest.Init("i"), appArmor("i", "localhost/x"))), "localhost/x,runtime/default"},
		{"unconfined", pods(podtest.Pod(appArmor("c", "unconfined"))), "unconfined"},
		{"one container without", pods(podtest.Pod(appArmor("c", "runtime/default"), podtest.Init("i"))), absent},
		{"one pod without", pods(podtest.Pod(appArmor("c", "runtime/default")), podtest.Pod()), absent},
		{"an empty annotation", pods(podtest.Pod(appArmor("c", ""))), absent},
		{"a comma would make two entries", pods(podtest.Pod(appArmor("c", "localhost/a,b"))), absent},
		{"a name that a list may not hold", pods(podtest.Pod(appArmor("c", "docker/default"))), absent},
		{"1.24 does not know the field", pods(podtest.Pod(field)), absent},
	})
}

func TestRowAppArmorDefault(t *testing.T) {
	testRow(t, annotation("apparmor.security.beta.kubernetes.io/defaultProfileName"), []rowCase[string]{
		{"unset", pods(podtest.Pod()), absent},
		{"set", pods(podtest.Pod(appArmor("c", "runtime/default"))), absent},
	})
}
