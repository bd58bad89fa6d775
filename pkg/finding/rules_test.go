package finding_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// least is a pod that breaks no rule.
func least(tweaks ...func(*corev1.Pod)) *corev1.Pod {
	own := podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsNonRoot = new(true) })
	return podtest.Least(append([]func(*corev1.Pod){own, image("shop/web:1.2")}, tweaks...)...)
}

func image(name string) func(*corev1.Pod) {
	return podtest.Container(func(c *corev1.Container) { c.Image = name })
}

// member is a Deployment of the template, with running pods.
func member(name, account string, template *corev1.Pod, pods ...*corev1.Pod) aggregate.Member {
	m := aggregate.Member{
		Workload: aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "Deployment", Name: name}, ServiceAccount: account,
		Templates: 1, Pods: len(pods), Profile: profile.Of(template, profile.Options{Template: true}),
	}
	for _, p := range pods {
		m.Profile = profile.Join(m.Profile, profile.Of(p, profile.Options{EphemeralContainers: true}))
	}
	return m
}

// lines writes the findings of workloads, a line each.
func lines(list []finding.Workload) []string {
	var all []string
	for _, w := range list {
		for _, f := range w.Findings {
			text := fmt.Sprintf("%s %s %s", w.Name, f.Severity, f.Rule)
			if f.Container != "" {
				text += " " + f.Container
			}
			text += ": " + f.Subject
			if f.Remedy != nil {
				text += "; " + string(f.Remedy.Confidence)
				for _, c := range f.Remedy.Changes {
					value, _ := json.Marshal(c.Value)
					if c.Remove {
						value = []byte("-")
					}
					text += " " + c.Path + "=" + string(value)
				}
				if f.Remedy.Patch == nil {
					text += " without a patch"
				}
			}
			all = append(all, text)
		}
	}
	return all
}

func TestRules(t *testing.T) {
	const containers, pod = "spec.template.spec.containers[name=c]", "spec.template.spec"
	security := podtest.Security
	user := func(uid *int64, nonRoot *bool) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.SecurityContext.RunAsUser = uid
			p.Spec.Containers[0].SecurityContext.RunAsNonRoot = nonRoot
		}
	}
	capabilities := func(add, drop []corev1.Capability) func(*corev1.Pod) {
		return security(func(sc *corev1.SecurityContext) { sc.Capabilities = &corev1.Capabilities{Add: add, Drop: drop} })
	}
	hostPath := func(path string, readOnly bool) func(*corev1.Pod) {
		source := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}
		return podtest.Volume("v", source, &corev1.VolumeMount{MountPath: "/v", ReadOnly: readOnly})
	}
	custom := member("web", "web", least(security(func(sc *corev1.SecurityContext) { sc.Privileged = new(true) })))
	custom.Workload.Group, custom.Workload.Kind = "argoproj.io", "Rollout"
	live := custom
	live.Profile = profile.Of(least(security(func(sc *corev1.SecurityContext) { sc.Privileged = new(true) })), profile.Options{})
	sidecar := least(func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1", SecurityContext: &corev1.SecurityContext{
			RunAsUser: new(int64(0)), RunAsNonRoot: new(false), AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}})
	})
	others := slices.DeleteFunc(slices.Clone(privilege.DefaultCapabilities), func(c string) bool { return c == "NET_RAW" })
	for _, tc := range []struct {
		name    string
		members []aggregate.Member
		images  finding.Images
		want    []string
	}{
		{name: "nothing is wrong", members: []aggregate.Member{member("web", "web", least())}},
		{
			"privileged, which is more than what other rules are about",
			[]aggregate.Member{member("web", "web", least(capabilities([]corev1.Capability{"SYS_ADMIN"}, nil), security(func(sc *corev1.SecurityContext) { sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil })))},
			nil,
			[]string{"web critical privileged c: privileged; test " + containers + ".securityContext.privileged=false"},
		},
		{
			"one capability of several",
			[]aggregate.Member{member("web", "web", least(capabilities([]corev1.Capability{"NET_ADMIN", "CAP_SYS_TIME"}, []corev1.Capability{"ALL"})))},
			nil,
			[]string{
				"web high capability-added c: capability NET_ADMIN; test " + containers + `.securityContext.capabilities.add=["CAP_SYS_TIME"]`,
				"web medium capability-added c: capability SYS_TIME; test " + containers + `.securityContext.capabilities.add=["NET_ADMIN"]`,
			},
		},
		{
			"added and dropped",
			[]aggregate.Member{member("web", "web", least(capabilities([]corev1.Capability{"NET_ADMIN"}, []corev1.Capability{"ALL", "NET_ADMIN"})))},
			nil,
			[]string{"web high capability-added c: capability NET_ADMIN; likely " + containers + ".securityContext.capabilities.add=[]"},
		},
		{
			"added and dropped, of the default capabilities",
			[]aggregate.Member{member("web", "web", least(capabilities([]corev1.Capability{"NET_RAW"}, []corev1.Capability{"NET_RAW"}), security(func(sc *corev1.SecurityContext) { sc.RunAsNonRoot, sc.RunAsUser = nil, new(int64(0)) })))},
			nil,
			[]string{
				"web high root-user c: root user; test " + containers + ".securityContext.runAsNonRoot=true " + containers + ".securityContext.runAsUser=65532",
				"web medium capability-added c: capability NET_RAW; likely " + containers + ".securityContext.capabilities.add=[]",
				"web low default-capabilities c: capability " + strings.Join(others, ", capability ") + "; test " + containers + `.securityContext.capabilities.drop=["ALL"]`,
			},
		},
		{
			"another user than root, without escalation, has no capabilities to lose",
			[]aggregate.Member{member("web", "web", least(capabilities(nil, nil)))},
			nil,
			[]string{"web medium default-capabilities c: default capabilities; safe " + containers + `.securityContext.capabilities.drop=["ALL"]`},
		},
		{
			"some are dropped",
			[]aggregate.Member{member("web", "web", least(capabilities(nil, []corev1.Capability{"NET_RAW", "MKNOD", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETPCAP", "SYS_CHROOT"})))},
			nil,
			[]string{"web low default-capabilities c: capability AUDIT_WRITE, capability NET_BIND_SERVICE, capability SETGID, capability SETUID; safe " + containers + `.securityContext.capabilities.drop=["ALL"]`},
		},
		{
			"a user that nothing keeps",
			[]aggregate.Member{member("web", "web", least(user(new(int64(1000)), nil)))},
			nil,
			[]string{"web info run-as-non-root c: user 1000; safe " + containers + ".securityContext.runAsNonRoot=true"},
		},
		{
			"an image that is not read",
			[]aggregate.Member{member("web", "web", least(user(nil, nil)))},
			nil,
			[]string{"web medium run-as-non-root c: image user root; test " + containers + ".securityContext.runAsNonRoot=true"},
		},
		{
			"an image of another user",
			[]aggregate.Member{member("web", "web", least(user(nil, nil)))},
			finding.Images{"shop/web:1.2": {UID: 101}},
			[]string{"web low run-as-non-root c: image user root; safe " + containers + ".securityContext.runAsNonRoot=true"},
		},
		{
			"an image of root",
			[]aggregate.Member{member("web", "web", least(user(nil, nil)))},
			finding.Images{"shop/web:1.2": {Root: true}},
			[]string{"web high run-as-non-root c: image user root; test " + containers + ".securityContext.runAsNonRoot=true " + containers + ".securityContext.runAsUser=65532"},
		},
		{
			"an image of a user with a name",
			[]aggregate.Member{member("web", "web", least(user(nil, nil)))},
			finding.Images{"shop/web:1.2": {}},
			[]string{"web medium run-as-non-root c: image user root; test " + containers + ".securityContext.runAsNonRoot=true " + containers + ".securityContext.runAsUser=65532"},
		},
		{
			"an image of a user with a name, which may be root's, has capabilities to lose",
			[]aggregate.Member{member("web", "web", least(user(nil, nil), capabilities(nil, nil)))},
			finding.Images{"shop/web:1.2": {}},
			[]string{
				"web medium default-capabilities c: default capabilities; test " + containers + `.securityContext.capabilities.drop=["ALL"]`,
				"web medium run-as-non-root c: image user root; test " + containers + ".securityContext.runAsNonRoot=true " + containers + ".securityContext.runAsUser=65532",
			},
		},
		{
			"a user of Windows, which may be its administrator",
			[]aggregate.Member{member("web", "web", least(user(new(int64(1000)), nil), security(func(sc *corev1.SecurityContext) {
				sc.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new("ContainerAdministrator")}
			})))},
			nil,
			[]string{"web info run-as-non-root c: user 1000; test " + containers + ".securityContext.runAsNonRoot=true"},
		},
		{
			"root, though the image is not",
			[]aggregate.Member{member("web", "web", least(user(new(int64(0)), nil)))},
			finding.Images{"shop/web:1.2": {UID: 101}},
			[]string{"web high root-user c: root user; test " + containers + ".securityContext.runAsNonRoot=true " + containers + ".securityContext.runAsUser=101"},
		},
		{
			"a socket of the runtime, which a read-only mount does not protect",
			[]aggregate.Member{member("web", "web", least(hostPath("/var/run/docker.sock", false)))},
			nil,
			[]string{"web critical host-path-write c: write hostPath /var/run/docker.sock; test " + containers + ".volumeMounts[mountPath=/v]=- " + pod + ".volumes[name=v]=-"},
		},
		{
			"a path to write",
			[]aggregate.Member{member("web", "web", least(hostPath("/var/lib/app", false)))},
			nil,
			[]string{"web medium host-path-write c: write hostPath /var/lib/app; test " + containers + ".volumeMounts[mountPath=/v].readOnly=true"},
		},
		{
			"a path to read",
			[]aggregate.Member{member("web", "web", least(hostPath("/var/log", true)))},
			nil,
			[]string{"web low host-path c: hostPath /var/log; test " + containers + ".volumeMounts[mountPath=/v]=- " + pod + ".volumes[name=v]=-"},
		},
		{
			"a path that nothing mounts",
			[]aggregate.Member{member("web", "web", least(podtest.Volume("v", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}, nil)))},
			nil,
			[]string{"web high host-path: hostPath /etc; safe " + pod + ".volumes[name=v]=-"},
		},
		{
			"two protocols of one port",
			[]aggregate.Member{member("dns", "dns", least(podtest.Container(func(c *corev1.Container) {
				c.Ports = []corev1.ContainerPort{{ContainerPort: 53, HostPort: 53, Protocol: "UDP"}, {ContainerPort: 53, HostPort: 53, Protocol: "TCP"}}
			})))},
			nil,
			[]string{
				"dns medium host-port c: hostPort 53/TCP; test " + containers + ".ports[containerPort=53,protocol=TCP].hostPort=- without a patch",
				"dns medium host-port c: hostPort 53/UDP; test " + containers + ".ports[containerPort=53,protocol=UDP].hostPort=- without a patch",
			},
		},
		{
			"two Secrets whose names differ in a dot only",
			[]aggregate.Member{member("web", "web", least(podtest.Container(func(c *corev1.Container) {
				for _, name := range []string{"d.b", "d-b"} {
					c.Env = append(c.Env, corev1.EnvVar{Name: strings.ToUpper(name), ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "p"}}})
				}
			})))},
			nil,
			[]string{
				"web low secret-env c: secret d-b; test " + containers + ".env[name=D-B]=- " + containers + `.volumeMounts[mountPath=/run/secrets/d-b].name="env-secret-d-b" ` +
					containers + ".volumeMounts[mountPath=/run/secrets/d-b].readOnly=true " + pod + `.volumes[name=env-secret-d-b].secret.secretName="d-b"`,
				"web low secret-env c: secret d.b; test " + containers + ".env[name=D.B]=- " + containers + `.volumeMounts[mountPath=/run/secrets/d.b].name="env-secret-d-b-cfe519d9" ` +
					containers + ".volumeMounts[mountPath=/run/secrets/d.b].readOnly=true " + pod + `.volumes[name=env-secret-d-b-cfe519d9].secret.secretName="d.b"`,
			},
		},
		{
			"a Secret in variables, and one with all its keys",
			[]aggregate.Member{member("web", "web", least(podtest.Container(func(c *corev1.Container) {
				c.Env = []corev1.EnvVar{{Name: "P", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "p"}}}}
				c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "all"}}}}
			})))},
			nil,
			[]string{
				"web low secret-env c: secret all",
				"web low secret-env c: secret db; test " + containers + ".env[name=P]=- " + containers + `.volumeMounts[mountPath=/run/secrets/db].name="env-secret-db" ` +
					containers + ".volumeMounts[mountPath=/run/secrets/db].readOnly=true " + pod + `.volumes[name=env-secret-db].secret.secretName="db"`,
			},
		},
		{
			"images that change",
			[]aggregate.Member{member("web", "web", least(image("registry:5000/web"))), member("x", "x", least(image("nginx:latest"))), member("y", "y", least(image("y@sha256:1")))},
			finding.Images{"nginx:latest": {Digest: "sha256:2", UID: 1}},
			[]string{
				"web low image-tag c: image registry:5000/web",
				"x low image-tag c: image nginx:latest; safe " + containers + `.image="nginx@sha256:2"`,
			},
		},
		{
			"the default account, and its token",
			[]aggregate.Member{member("web", "default", least(podtest.Volume("kube-api-access-x", podtest.Token(), nil)))},
			nil,
			[]string{
				"web low default-account: service account default; test " + pod + `.serviceAccountName="web"`,
				"web low default-account-token: volume serviceAccountToken; likely " + pod + ".automountServiceAccountToken=false",
			},
		},
		{
			"a token that the manifest mounts itself",
			[]aggregate.Member{member("web", "default", least(podtest.Volume("own", podtest.Token(), nil)))},
			nil,
			[]string{"web low default-account: service account default; test " + pod + `.serviceAccountName="web"`},
		},
		{
			"an account of two workloads",
			[]aggregate.Member{member("agent", "one", least(func(p *corev1.Pod) { p.Spec.HostPID = true })), member("web", "one", least())},
			nil,
			[]string{
				"agent high host-pid: hostPID; test " + pod + ".hostPID=false",
				"agent medium shared-account: service account one; test " + pod + `.serviceAccountName="agent"`,
			},
		},
		{
			"an account of two workloads, with the name of one",
			[]aggregate.Member{member("agent", "agent", least(func(p *corev1.Pod) { p.Spec.HostPID = true })), member("web", "agent", least())},
			nil,
			[]string{
				"agent high host-pid: hostPID; test " + pod + ".hostPID=false",
				"agent medium shared-account: service account agent; test " + pod + `.serviceAccountName="agent-deployment"`,
			},
		},
		{
			"an account of workloads that ask for less, by different severities",
			[]aggregate.Member{
				member("agent", "one", least(security(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = nil }), func(p *corev1.Pod) { p.Spec.HostPID = true })),
				member("web", "one", least(func(p *corev1.Pod) { p.Spec.HostPID = true })), member("x", "one", least()),
			},
			nil,
			[]string{
				"agent high host-pid: hostPID; test " + pod + ".hostPID=false",
				"agent medium shared-account: service account one; test " + pod + `.serviceAccountName="agent"`,
				"agent low writable-root c: writable root file system; test " + containers + ".securityContext.readOnlyRootFilesystem=true",
				"web high host-pid: hostPID; test " + pod + ".hostPID=false",
				"web medium shared-account: service account one; test " + pod + `.serviceAccountName="web"`,
			},
		},
		{
			"the default account, and a workload of its name",
			[]aggregate.Member{member("default", "default", least())},
			nil,
			[]string{"default low default-account: service account default; test " + pod + `.serviceAccountName="default-deployment"`},
		},
		{
			"an account of two workloads that ask for the same", []aggregate.Member{member("a", "one", least()), member("b", "one", least())}, nil, nil,
		},
		{
			"a debug container",
			[]aggregate.Member{member("web", "web", least(), least(podtest.Ephemeral("shell", func(c *corev1.Container) {
				c.Image, c.SecurityContext = "sh:1", least().Spec.Containers[0].SecurityContext
			})))},
			nil,
			[]string{"web low debug-container shell: ephemeral container shell"},
		},
		{
			"a container that is not in the manifest",
			[]aggregate.Member{member("web", "web", least(), sidecar)},
			nil,
			[]string{"web high root-user proxy: root user"},
		},
		{
			"volumes that are not in the manifest",
			[]aggregate.Member{member("web", "web", least(), least(hostPath("/var/log", true), podtest.Volume("u", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv"}}, nil), podtest.Volume("w", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/opt/w"}}, &corev1.VolumeMount{MountPath: "/w"})))},
			nil,
			[]string{"web high host-path-write c: write hostPath /opt/w", "web low host-path: hostPath /srv", "web low host-path c: hostPath /var/log"},
		},
		{
			"a workload whose manifest was not observed",
			[]aggregate.Member{{
				Workload: aggregate.Workload{Namespace: "shop", Group: "apps", Kind: "StatefulSet", Name: "db"}, ServiceAccount: "db", Pods: 1,
				Profile: profile.Of(least(func(p *corev1.Pod) { p.Spec.HostPID = true }), profile.Options{}),
			}},
			nil,
			[]string{"db high host-pid: hostPID; test " + pod + ".hostPID=false without a patch"},
		},
		{
			"a custom resource, by its manifest and by its pods",
			[]aggregate.Member{custom},
			nil,
			[]string{"web critical privileged c: privileged; test spec.template.spec.containers[name=c].securityContext.privileged=false without a patch"},
		},
		{
			"a custom resource, by its pods",
			[]aggregate.Member{live},
			nil,
			[]string{"web critical privileged c: privileged; test spec.containers[name=c].securityContext.privileged=false without a patch"},
		},
		{
			"a container with an odd name",
			[]aggregate.Member{member("web", "web", least(podtest.Container(func(c *corev1.Container) { c.Name = "a b]" }), security(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = nil })))},
			nil,
			[]string{`web low writable-root a b]: writable root file system; test spec.template.spec.containers[name="a b]"].securityContext.readOnlyRootFilesystem=true`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, lines(finding.Of(tc.members, tc.images))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// An account of its own is not shared.
func TestOwnAccount(t *testing.T) {
	agent := least(func(p *corev1.Pod) { p.Spec.HostPID = true })
	shared := func(account string) *finding.Remedy {
		for _, f := range finding.Of([]aggregate.Member{member("agent", account, agent), member("web", "one", least())}, nil)[0].Findings {
			if f.Rule == "shared-account" {
				return f.Remedy
			}
		}
		return nil
	}
	r := shared("one")
	if r == nil || len(r.Changes) != 1 || r.Changes[0].Path != "spec.template.spec.serviceAccountName" {
		t.Fatalf("remedy %+v", r)
	}
	if again := shared(r.Changes[0].Value.(string)); again != nil {
		t.Errorf("it stays: %+v", again)
	}
}

// The order of members makes no difference, and they are not changed.
func TestAnyOrder(t *testing.T) {
	r := podtest.Rand(t)
	for range 30 {
		var members []aggregate.Member
		for i := range 4 {
			members = append(members, member(fmt.Sprint("w", i%3), []string{"default", "one", "two"}[i%3]+strings.Repeat("x", i/3), podtest.Random(r), podtest.Random(r)))
		}
		slices.SortFunc(members, aggregate.Member.Compare)
		want := lines(finding.Of(members, nil))
		before, _ := json.Marshal(members)
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if diff := gocmp.Diff(want, lines(finding.Of(members, nil))); diff != "" {
			t.Fatalf("another order (-first +second):\n%s", diff)
		}
		slices.SortFunc(members, aggregate.Member.Compare)
		if after, _ := json.Marshal(members); string(before) != string(after) {
			t.Fatal("the members were changed")
		}
	}
}

// What a remedy takes away that is safe by construction is not in effect: a user that is
// not root has no capabilities without escalation, and what nothing mounts is not read.
func TestSafe(t *testing.T) {
	r := podtest.Rand(t)
	tried := map[string]int{}
	for range 3000 {
		pod := podtest.Random(r)
		pod.Spec.EphemeralContainers = nil
		for _, f := range finding.Of([]aggregate.Member{member("web", "web", pod)}, nil)[0].Findings {
			if f.Remedy == nil || f.Remedy.Confidence != finding.Safe {
				continue
			}
			tried[f.Rule]++
			var sc corev1.SecurityContext
			for c := range podtest.Containers(&pod.Spec) {
				if c.Name == f.Container && c.SecurityContext != nil {
					sc = *c.SecurityContext
				}
			}
			if psc := pod.Spec.SecurityContext; psc != nil {
				sc.RunAsUser = cmp.Or(sc.RunAsUser, psc.RunAsUser)
				sc.RunAsNonRoot = cmp.Or(sc.RunAsNonRoot, psc.RunAsNonRoot)
			}
			notRoot := sc.RunAsUser != nil && *sc.RunAsUser != 0 || sc.RunAsUser == nil && sc.RunAsNonRoot != nil && *sc.RunAsNonRoot
			switch f.Rule {
			case "run-as-non-root":
				if sc.RunAsUser == nil || *sc.RunAsUser == 0 {
					t.Errorf("%s of a container that may be root", f.Rule)
				}
			case "default-capabilities":
				if !notRoot || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation {
					t.Errorf("%s of a container that has capabilities: %+v", f.Rule, sc)
				}
			case "host-path":
				for c := range podtest.Containers(&pod.Spec) {
					for _, m := range c.VolumeMounts {
						for _, v := range pod.Spec.Volumes {
							if v.Name == m.Name && v.HostPath != nil && privilege.HostPath(v.HostPath.Path, false) == f.Subject {
								t.Errorf("%s of %s, which is mounted", f.Rule, f.Subject)
							}
						}
					}
				}
			default:
				t.Errorf("%s is safe, and no rule of this test says why", f.Rule)
			}
		}
	}
	if len(tried) != 3 {
		t.Errorf("tried %v", tried)
	}
}

// Each rule is documented, and names what exists.
func TestTableOfRules(t *testing.T) {
	checks := map[string]bool{}
	r := podtest.Rand(t)
	for range 2000 {
		pod := podtest.Random(r)
		for v := range podsecurity.Judge(&pod.ObjectMeta, &pod.Spec) {
			checks[v.Check] = true
		}
	}
	previous := ""
	for _, rule := range finding.Rules() {
		if rule.ID <= previous {
			t.Errorf("%s is out of order", rule.ID)
		}
		previous = rule.ID
		for name, text := range map[string]string{"title": rule.Title, "why": rule.Why, "remedy": rule.Remedy, "CIS": rule.CIS} {
			if text == "" {
				t.Errorf("%s has no %s", rule.ID, name)
			}
		}
		if rule.Severity.Compare(privilege.Low) < 0 {
			t.Errorf("%s: severity %s", rule.ID, rule.Severity)
		}
		if rule.PodSecurity != "" && !checks[rule.PodSecurity] {
			t.Errorf("%s: Pod Security has no check %s", rule.ID, rule.PodSecurity)
		}
		if rule.Attribute != "" && !slices.Contains(append(profile.Attributes(), "containers"), rule.Attribute) {
			t.Errorf("%s: a profile has no attribute %s", rule.ID, rule.Attribute)
		}
	}
	if _, known := finding.RuleOf("no-such-rule"); known {
		t.Error("an unknown rule is known")
	}
}

// Each line of package privilege has a field.
func TestField(t *testing.T) {
	w := aggregate.Workload{Namespace: "shop", Group: "batch", Kind: "CronJob", Name: "w"}
	for _, form := range privilege.Forms {
		if finding.Field(w, "", "", form) == "" {
			t.Errorf("%q has no field", form)
		}
	}
	for _, tc := range []struct {
		line, container string
		kind            profile.Kind
		want            string
	}{
		{"hostPath /var", "c", profile.Regular, "spec.jobTemplate.spec.template.spec.containers[name=c].volumeMounts"},
		{"hostPath /var", "", "", "spec.jobTemplate.spec.template.spec.volumes"},
		{"capability X", "i", profile.InitContainer, "spec.jobTemplate.spec.template.spec.initContainers[name=i].securityContext.capabilities"},
		{"image groups", "", "", "spec.jobTemplate.spec.template.spec.securityContext.supplementalGroupsPolicy"},
		{"no such line", "", "", ""},
	} {
		if got := finding.Field(w, tc.container, tc.kind, tc.line); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.line, got, tc.want)
		}
	}
}

// BenchmarkOf is linear in the workloads, also of one service account, and of one that
// has a path of its own for each.
func BenchmarkOf(b *testing.B) {
	for _, n := range []int{1000, 5000, 20_000} {
		for name, tweak := range map[string]func(i int) func(*corev1.Pod){
			"alike": func(int) func(*corev1.Pod) { return func(*corev1.Pod) {} },
			"each its own path": func(i int) func(*corev1.Pod) {
				return podtest.Volume("v", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: fmt.Sprint("/var/lib/", i)}}, &corev1.VolumeMount{MountPath: "/v"})
			},
		} {
			var members []aggregate.Member
			for i := range n {
				members = append(members, member(fmt.Sprintf("w%05d", i), "one", podtest.Pod(tweak(i))))
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					finding.Of(members, nil)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/workload")
			})
		}
	}
}

// A container of a kind that this version does not know, in an observation that another one
// or a person wrote, is patched as a regular one.
func TestUnknownKind(t *testing.T) {
	m := member("web", "web", least(podtest.Security(func(sc *corev1.SecurityContext) { sc.Capabilities, sc.ReadOnlyRootFilesystem = nil, nil })))
	changed := *m.Profile
	changed.Containers = profile.Map(changed.Containers, func(c profile.Container) profile.Container { c.Kind = "other"; return c })
	m.Profile = &changed
	var remedies []*finding.Remedy
	for _, f := range finding.Of([]aggregate.Member{m}, nil)[0].Findings {
		remedies = append(remedies, f.Remedy)
	}
	if len(remedies) != 2 {
		t.Fatalf("%d remedies, want 2", len(remedies))
	}
	data, err := json.Marshal(finding.Combine(remedies...))
	if want := `"containers":[{"name":"c","securityContext":{"capabilities":{"drop":["ALL"]},"readOnlyRootFilesystem":true}}]`; err != nil || !strings.Contains(string(data), want) {
		t.Errorf("%s, %v, want %s", data, err, want)
	}
}
