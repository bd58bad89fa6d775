package psa

import (
	"slices"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// Each attribute of a profile makes a difference to the labels in some minor, or is
// listed as one that no level restricts.
func TestEachAttributeIsExpressed(t *testing.T) {
	labels := func(pod *corev1.Pod) string {
		var all []byte
		for minor := podsecurity.First; minor <= podsecurity.Latest; minor++ {
			text, err := generate.YAML(Engine(Options{Minor: minor}).Outputs(members(deployment("web", pod)), aggregate.ByNamespace), false)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		return string(all)
	}
	from := func(tweaks ...func(*corev1.Pod)) [2]*corev1.Pod {
		return [2]*corev1.Pod{restricted(), restricted(tweaks...)}
	}
	security := func(tweak func(*corev1.SecurityContext)) [2]*corev1.Pod { return from(podtest.Security(tweak)) }
	unset := podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.SeccompProfile = nil })
	// The pods of podtest have one step that a level may not see: it does at its border.
	border := map[string][2]*corev1.Pod{
		"allowPrivilegeEscalation": security(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = nil }),
		"droppedCapabilities":      security(func(sc *corev1.SecurityContext) { sc.Capabilities.Drop = nil }),
		"volumes":                  from(podtest.Volume("v", corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}, nil)),
		"seLinuxOptions":           security(func(sc *corev1.SecurityContext) { sc.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"} }),
		"runAsUser":                security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(0)) }),
		"seccomp":                  {restricted(unset), restricted(unset, podtest.Annotate(corev1.SeccompPodAnnotationKey, "runtime/default"))},
		"appArmor":                 from(podtest.Annotate(corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+"c", "unconfined")),
		"seccompProfile":           from(unset),
		"appArmorProfile": security(func(sc *corev1.SecurityContext) {
			sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		}),
		"hostUsers": {restricted(userNamespaceRoot, spec(func(s *corev1.PodSpec) { s.HostUsers = nil })), restricted(userNamespaceRoot)},
	}
	for attribute, pods := range podtest.Attributes() {
		t.Run(attribute, func(t *testing.T) {
			if own, ok := border[attribute]; ok {
				pods = own
			}
			before, after := profile.Of(pods[0], profile.Options{}), profile.Of(pods[1], profile.Options{})
			if slices.Equal(before.Text(attribute), after.Text(attribute)) {
				t.Fatal("the pods do not differ")
			}
			expressed := labels(pods[0]) != labels(pods[1])
			if expressed == slices.Contains(inexpressible, attribute) {
				t.Errorf("expressed: %t, listed as inexpressible: %t", expressed, !expressed)
			}
		})
	}
	for _, name := range inexpressible {
		if !slices.Contains(profile.Attributes(), name) {
			t.Errorf("%s is no attribute", name)
		}
	}
}
