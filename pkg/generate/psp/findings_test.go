package psp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// deploymentOf is a pod of a Deployment, NAMESPACE/NAME, under an account.
func deploymentOf(path, account string, tweaks ...func(*corev1.Pod)) aggregate.Pod {
	namespace, name, _ := strings.Cut(path, "/")
	return aggregate.Pod{
		Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: account,
		Profile:        profile.Of(podtest.Pod(tweaks...), profile.Options{}),
	}
}

func TestFindings(t *testing.T) {
	windows := func(w corev1.WindowsSecurityContextOptions) func(*corev1.Pod) {
		return podtest.Security(func(sc *corev1.SecurityContext) { sc.WindowsOptions = &w })
	}
	container := podtest.Container
	for _, tc := range []struct {
		name string
		pods []aggregate.Pod
		// want are the findings as "RULE NAMESPACE [WORKLOADS]: words of the message".
		want []string
	}{
		{"nothing to say", []aggregate.Pod{deploymentOf("shop/web", "web")}, nil},
		{"shared account, equal privileges", []aggregate.Pod{deploymentOf("shop/web", "web"), deploymentOf("shop/api", "web")}, []string{
			"redundant-policies shop [Deployment/api Deployment/web]: 1 of the policies allow only",
		}},
		{"shared account, different privileges", []aggregate.Pod{deploymentOf("shop/web", "web"), deploymentOf("shop/api", "web", podtest.Security(privileged))}, []string{
			"redundant-policies shop [Deployment/api Deployment/web]: 1 of the policies allow only",
			"shared-account shop [Deployment/api Deployment/web]: service account web is used by workloads with different privileges",
		}},
		{"one workload of different pods shares with nobody", []aggregate.Pod{deploymentOf("shop/web", "web"), deploymentOf("shop/web", "web", podtest.Security(privileged))}, nil},
		{"accounts of one name in two namespaces", []aggregate.Pod{deploymentOf("shop/web", "web"), deploymentOf("team/web", "web", podtest.Security(privileged))}, nil},
		{"static pods share no account", []aggregate.Pod{deploymentOf("kube-system/etcd", ""), deploymentOf("kube-system/api", "", podtest.Security(privileged))}, nil},
		{"host process", []aggregate.Pod{deploymentOf("shop/win", "win", windows(corev1.WindowsSecurityContextOptions{HostProcess: new(true)}))}, []string{
			"not-governed shop [Deployment/win]: windowsOptions.hostProcess gives Deployment/win access to the node",
		}},
		{"no host process", []aggregate.Pod{deploymentOf("shop/win", "win", windows(corev1.WindowsSecurityContextOptions{HostProcess: new(false)}))}, nil},
		{"Windows user", []aggregate.Pod{deploymentOf("shop/win", "win", windows(corev1.WindowsSecurityContextOptions{RunAsUserName: new("Admin")}))}, []string{
			"not-governed shop [Deployment/win]: windowsOptions.runAsUserName",
		}},
		{"user namespace", []aggregate.Pod{deploymentOf("shop/web", "web", func(p *corev1.Pod) { p.Spec.HostUsers = new(false) })}, []string{
			"not-governed shop [Deployment/web]: hostUsers: false",
		}},
		{"host users", []aggregate.Pod{deploymentOf("shop/web", "web", func(p *corev1.Pod) { p.Spec.HostUsers = new(true) })}, nil},
		{"shared processes", []aggregate.Pod{deploymentOf("shop/web", "web", func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) })}, []string{
			"not-governed shop [Deployment/web]: shareProcessNamespace",
		}},
		{"mount propagation", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Volume("v", podtest.HostPath("/x"), &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationBidirectional)}))}, []string{
			"not-governed shop [Deployment/web]: mountPropagation Bidirectional",
		}},
		{"mounts from the host only", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Volume("v", podtest.HostPath("/x"), &corev1.VolumeMount{MountPropagation: new(corev1.MountPropagationHostToContainer)}))}, nil},
		{"probe of another host", []aggregate.Pod{deploymentOf("shop/web", "web", container(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "metadata"}}}
		}))}, []string{"not-governed shop [Deployment/web]: probes or lifecycle hooks of Deployment/web set a host"}},
		{"hook to another host", []aggregate.Pod{deploymentOf("shop/web", "web", container(func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Host: "db"}}}
		}))}, []string{"not-governed shop [Deployment/web]: probes or lifecycle hooks of Deployment/web set a host"}},
		{"secret in the environment", []aggregate.Pod{deploymentOf("shop/web", "web", container(func(c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
		}))}, []string{"not-governed shop [Deployment/web]: environment variables of Deployment/web come from Secrets"}},
		{"persistent volume", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Volume("v", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}, nil))}, []string{
			"not-governed shop [Deployment/web]: persistent volumes of Deployment/web are not checked against allowedHostPaths",
		}},
		{"ephemeral volume", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Volume("v", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}, nil))}, []string{
			"not-governed shop [Deployment/web]: persistent volumes of Deployment/web are not checked against allowedHostPaths",
		}},
		{"proc mount", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.UnmaskedProcMount) }))}, []string{
			"not-allowable shop [Deployment/web]: procMount Unmasked of Deployment/web is denied",
		}},
		{"the default proc mount", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.DefaultProcMount) }))}, nil},
		{"groups policy", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
			sc.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
		}))}, []string{"not-governed shop [Deployment/web]: supplementalGroupsPolicy"}},
		{"AppArmor field", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Security(func(sc *corev1.SecurityContext) {
			sc.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
		}))}, []string{"not-governed shop [Deployment/web]: appArmorProfile"}},
		{"image volume", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Volume("v", corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "example/data:1"}}, nil))}, []string{
			"not-allowable shop [Deployment/web]: image volumes",
		}},
		{"every capability", []aggregate.Pod{deploymentOf("shop/web", "web", podtest.Security(func(sc *corev1.SecurityContext) {
			sc.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"*"}}
		}))}, []string{`wildcard shop [Deployment/web]: Deployment/web add the capability "*", which in a policy means every capability: list`}},
		{"seccomp profile that no list can name", []aggregate.Pod{deploymentOf("shop/web", "web", podSeccomp("Localhost", "a,b"))}, []string{
			"wildcard shop [Deployment/web]: the seccomp profile of Deployment/web has a name that a policy cannot list",
		}},
		{"a wider one of the same account", []aggregate.Pod{
			deploymentOf("shop/a", "x", podtest.Security(privileged)), deploymentOf("shop/b", "x"), deploymentOf("shop/c", "x"), deploymentOf("shop/d", "y"),
		}, []string{
			"redundant-policies shop [Deployment/a Deployment/b Deployment/c]: 2 of the policies allow only what another policy of the same service account allows",
			"shared-account shop [Deployment/a Deployment/b Deployment/c]: service account x is used by workloads with different privileges",
		}},
		{"each of an account needs something else", []aggregate.Pod{
			deploymentOf("shop/a", "x", podtest.Security(privileged)), deploymentOf("shop/b", "x", func(p *corev1.Pod) { p.Spec.HostPID = true }),
		}, []string{"shared-account shop [Deployment/a Deployment/b]: service account x is used by workloads with different privileges"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f aggregate.Fleet
			for _, p := range tc.pods {
				f.Add(p)
			}
			findings := generate.Run([]generate.Engine{Engine()}, f.Members(), aggregate.ByWorkload)[0].Findings()
			var got []string
			for _, f := range findings {
				head := f.Rule + " " + f.Namespace + " [" + strings.Join(f.Workloads, " ") + "]: "
				message := f.Message
				for _, want := range tc.want {
					if words, ok := strings.CutPrefix(want, head); ok && strings.Contains(message, words) {
						message = words
					}
				}
				got = append(got, head+message)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
