package judge

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// grant lets the default account of namespace a use the named policies.
func grant(names ...string) string {
	return `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: a}
rules: [{apiGroups: [policy], resources: [podsecuritypolicies], resourceNames: [` + strings.Join(names, ",") + `], verbs: [use]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: r, namespace: a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: default, namespace: a}]
`
}

// pod is a pod of namespace a with one container.
func pod(tweak func(*corev1.Pod)) string {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x"}}},
	}
	if tweak != nil {
		tweak(p)
	}
	return text(p)
}

// psp is the tightest policy for pod(nil).
func psp(name string, tweak func(*policyv1beta1.PodSecurityPolicy)) string {
	yes := true
	harmless := []policyv1beta1.IDRange{{Min: 65534, Max: 65534}}
	p := &policyv1beta1.PodSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1beta1", Kind: "PodSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{}},
		Spec: policyv1beta1.PodSecurityPolicySpec{
			AllowPrivilegeEscalation: &yes,
			Volumes:                  []policyv1beta1.FSType{"secret"},
			ForbiddenSysctls:         []string{"*"},
			RuntimeClass:             &policyv1beta1.RuntimeClassStrategyOptions{AllowedRuntimeClassNames: []string{}},
			SELinux:                  policyv1beta1.SELinuxStrategyOptions{Rule: "RunAsAny"},
			RunAsUser:                policyv1beta1.RunAsUserStrategyOptions{Rule: "RunAsAny"},
			RunAsGroup:               &policyv1beta1.RunAsGroupStrategyOptions{Rule: "MayRunAs", Ranges: harmless},
			FSGroup:                  policyv1beta1.FSGroupStrategyOptions{Rule: "MayRunAs", Ranges: harmless},
			SupplementalGroups:       policyv1beta1.SupplementalGroupsStrategyOptions{Rule: "MayRunAs", Ranges: harmless},
		},
	}
	if tweak != nil {
		tweak(p)
	}
	return text(p)
}

func deployment(name string) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID(name)},
		Spec:       appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x"}}}}},
	}
}

func replicaSet(name, ownerKind, owner string, replicas int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "example.com/v1", Kind: ownerKind, Name: owner, UID: types.UID(owner), Controller: new(true)},
		}},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Template: deployment("").Spec.Template},
	}
}

func text(object any) string {
	raw, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return "---\n" + string(raw) + "\n"
}

func container(p *corev1.Pod) *corev1.SecurityContext {
	if p.Spec.Containers[0].SecurityContext == nil {
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{}
	}
	return p.Spec.Containers[0].SecurityContext
}

func TestOutcome(t *testing.T) {
	const policy = "policy"
	for _, tc := range []struct {
		name     string
		objects  string
		policies string
		want     map[Outcome]int
		invalid  int
	}{
		{name: "unchanged", objects: pod(nil), policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Unchanged: 1}},
		{name: "stored and again", objects: pod(func(p *corev1.Pod) { p.UID = "1" }), policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Unchanged: 2}},
		{name: "no grant", objects: pod(nil), policies: psp(policy, nil) + grant("other"), want: map[Outcome]int{Ungranted: 1}},
		{name: "no policy", objects: pod(nil), policies: grant("other"), want: map[Outcome]int{Ungranted: 1}},
		{
			name: "denied", objects: pod(func(p *corev1.Pod) { p.Spec.HostPID = true }),
			policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Denied: 1},
		},
		{
			name: "changed", objects: pod(nil), policies: psp(policy, func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.DefaultAddCapabilities = []corev1.Capability{"SYS_ADMIN"}
			}) + grant(policy), want: map[Outcome]int{Changed: 1},
		},
		{
			name: "changed neutrally", objects: pod(func(p *corev1.Pod) {
				container(p).Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"all"}}
			}), policies: psp(policy, func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.RequiredDropCapabilities = []corev1.Capability{"KILL"}
			}) + grant(policy), want: map[Outcome]int{Neutral: 1},
		},
		{
			name: "made invalid", objects: pod(func(p *corev1.Pod) { container(p).Privileged = new(true) }),
			policies: psp(policy, func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.Privileged, p.Spec.AllowPrivilegeEscalation = true, new(false)
			}) + grant(policy), want: map[Outcome]int{Denied: 1},
		},
		{
			name: "a pod-level seccomp field voids the preference for policies that change nothing",
			objects: pod(func(p *corev1.Pod) {
				p.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"}}
			}),
			policies: psp("a", func(p *policyv1beta1.PodSecurityPolicy) {
				p.Annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"] = "runtime/default"
				p.Spec.ReadOnlyRootFilesystem = true
			}) + psp("b", func(p *policyv1beta1.PodSecurityPolicy) {
				p.Annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"] = "runtime/default"
			}) + grant("a", "b"), want: map[Outcome]int{Changed: 1},
		},
		{
			name: "a stored pod carries the annotation", objects: pod(func(p *corev1.Pod) {
				p.UID = "1"
				p.Annotations = map[string]string{corev1.SeccompPodAnnotationKey: "runtime/default"}
				p.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"}}
			}),
			policies: psp("a", func(p *policyv1beta1.PodSecurityPolicy) {
				p.Annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"] = "runtime/default"
				p.Spec.ReadOnlyRootFilesystem = true
			}) + psp("b", func(p *policyv1beta1.PodSecurityPolicy) {
				p.Annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"] = "runtime/default"
			}) + grant("a", "b"), want: map[Outcome]int{Unchanged: 1, Changed: 1},
		},
		{
			name: "ignored by admission", objects: pod(nil), policies: psp(policy, func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.FSGroup = policyv1beta1.FSGroupStrategyOptions{Rule: "MustRunAs"}
			}) + grant(policy), want: map[Outcome]int{Ungranted: 1}, invalid: 1,
		},
		{
			name: "refused by the API", objects: pod(nil), policies: psp(policy, func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.Volumes = []policyv1beta1.FSType{"cephfs"}
			}) + grant(policy), want: map[Outcome]int{Ungranted: 1}, invalid: 1,
		},
		{
			name: "invalid grant", objects: pod(nil), policies: psp(policy, nil) + strings.ReplaceAll(grant(policy), "[use]", "[]"),
			want: map[Outcome]int{Ungranted: 1}, invalid: 1,
		},
		{
			name: "generous grant", objects: pod(nil), policies: psp(policy, nil) + strings.ReplaceAll(grant(policy), "[use]", "['*']"),
			want: map[Outcome]int{Unchanged: 1}, invalid: 1,
		},
		{
			name: "a mirror pod needs the grant of its node", objects: pod(func(p *corev1.Pod) {
				p.UID = "1"
				p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
				p.Spec.NodeName = "n"
			}), policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Ungranted: 2},
		},
		{
			name: "an invalid pod is not counted", objects: pod(func(p *corev1.Pod) { p.Spec.Containers = nil }),
			policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Refused: 1},
		},
		{
			name: "a stateful set adds its claims", policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Denied: 1},
			objects: `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"s","namespace":"a"},"spec":{
				"volumeClaimTemplates":[{"metadata":{"name":"data"}}],
				"template":{"spec":{"containers":[{"name":"c","image":"x","volumeMounts":[{"name":"data","mountPath":"/d"}]}]}}}}`,
		},
		{
			name: "1.24 refuses sysctls with slashes", objects: pod(func(p *corev1.Pod) {
				p.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "kernel/shm_rmid_forced", Value: "1"}}}
			}), policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Refused: 1},
		},
		{
			name: "old groups, templates, lists", policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Unchanged: 3},
			objects: `{"apiVersion":"v1","kind":"List","items":[
				{"apiVersion":"extensions/v1beta1","kind":"Deployment","metadata":{"name":"d","namespace":"a"},"spec":{"template":
					{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"x"}]}}}},
				{"apiVersion":"batch/v1beta1","kind":"CronJob","metadata":{"name":"d","namespace":"a"},"spec":{"schedule":"* * * * *","jobTemplate":{"spec":{"template":
					{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"x"}]}}}}}},
				{"apiVersion":"v1","kind":"Pod","metadata":{"name":"done","namespace":"a"},"spec":{"containers":[{"name":"c","image":"x"}]},"status":{"phase":"Succeeded"}},
				{"apiVersion":"v1","kind":"PodTemplate","metadata":{"name":"t","namespace":"a"},"template":{"spec":{"containers":[{"name":"c","image":"x"}]}}},
				{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"}}]}`,
		},
		{
			name:     "what a controller among the objects shows counts once, without it what runs",
			policies: psp(policy, nil) + grant(policy), want: map[Outcome]int{Unchanged: 4},
			objects: text(deployment("d")) + text(replicaSet("d-1", "Deployment", "d", 1)) + text(replicaSet("d-0", "Deployment", "d", 0)) +
				text(replicaSet("r-1", "Rollout", "r", 1)) + text(replicaSet("r-0", "Rollout", "r", 0)) +
				text(replicaSet("idle", "Rollout", "idle", 0)) + `---
{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j","namespace":"a","ownerReferences":[
	{"apiVersion":"example.com/v1","kind":"ScaledJob","name":"s","uid":"1","controller":true}]},
	"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"x"}]}}}}
`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Judge(Request{Objects: tc.objects, Policies: tc.policies})
			if got.Error != "" {
				t.Fatal(got.Error)
			}
			if !equal(got.Counts, tc.want) || got.InvalidTotal != tc.invalid {
				t.Errorf("got %v, %d invalid, want %v, %d invalid\n%+v", got.Counts, got.InvalidTotal, tc.want, tc.invalid, got)
			}
		})
	}
}

func equal(a, b map[Outcome]int) bool {
	for _, outcome := range []Outcome{Unchanged, Neutral, Changed, Stuck, Denied, Ungranted, Refused} {
		if a[outcome] != b[outcome] {
			return false
		}
	}
	return true
}

// TestSlack loosens the tightest policy for a pod one field at a time: exactly
// that field must show slack.
func TestSlack(t *testing.T) {
	const seccompKey = "seccomp.security.alpha.kubernetes.io/allowedProfileNames"
	const appArmorKey = corev1.AppArmorBetaAllowedProfilesAnnotationKey
	type policyTweak = func(*policyv1beta1.PodSecurityPolicy)
	hostPath := func(path string, mount *corev1.VolumeMount) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{
				Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
			})
			if mount != nil {
				p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, *mount)
			}
		}
	}
	writing, reading := &corev1.VolumeMount{Name: "h", MountPath: "/h"}, &corev1.VolumeMount{Name: "h", MountPath: "/h", ReadOnly: true}
	paths := func(list ...policyv1beta1.AllowedHostPath) policyTweak {
		return func(p *policyv1beta1.PodSecurityPolicy) {
			p.Spec.Volumes, p.Spec.AllowedHostPaths = []policyv1beta1.FSType{"secret", "hostPath"}, list
		}
	}
	users := func(ranges ...policyv1beta1.IDRange) policyTweak {
		return func(p *policyv1beta1.PodSecurityPolicy) {
			p.Spec.RunAsUser = policyv1beta1.RunAsUserStrategyOptions{Rule: "MustRunAs", Ranges: ranges}
		}
	}
	uid := func(p *corev1.Pod) { container(p).RunAsUser = new(int64(7)) }
	sysctl := func(names ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{}
			for _, name := range names {
				p.Spec.SecurityContext.Sysctls = append(p.Spec.SecurityContext.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
			}
		}
	}
	allSafe := []string{"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"}
	seccomp := func(profile corev1.SeccompProfileType) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: profile}}
		}
	}
	annotate := func(key, value string) policyTweak {
		return func(p *policyv1beta1.PodSecurityPolicy) { p.Annotations[key] = value }
	}
	appArmor := func(p *corev1.Pod) {
		p.Annotations = map[string]string{corev1.AppArmorBetaContainerAnnotationKeyPrefix + "c": "runtime/default"}
	}
	selinux := &corev1.SELinuxOptions{Type: "t"}
	drop := func(names ...corev1.Capability) func(*corev1.Pod) {
		return func(p *corev1.Pod) { container(p).Capabilities = &corev1.Capabilities{Drop: names} }
	}
	require := func(names ...corev1.Capability) policyTweak {
		return func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.RequiredDropCapabilities = names }
	}
	port := func(ports ...int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			for _, n := range ports {
				p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: n, HostPort: n})
			}
		}
	}
	hostPorts := func(ranges ...policyv1beta1.HostPortRange) policyTweak {
		return func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.HostPorts = ranges }
	}
	group := []policyv1beta1.IDRange{{Min: 5, Max: 5}}

	for _, tc := range []struct {
		name         string
		pod          func(*corev1.Pod)
		tight, loose policyTweak
		field        string
	}{
		{name: "plain", field: "privileged", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.Privileged = true }},
		{name: "host network", field: "hostNetwork", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.HostNetwork = true }},
		{name: "host pid", field: "hostPID", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.HostPID = true }},
		{name: "host ipc", field: "hostIPC", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.HostIPC = true }},
		{
			name: "read-only root", field: "readOnlyRootFilesystem",
			pod:   func(p *corev1.Pod) { container(p).ReadOnlyRootFilesystem = new(true) },
			tight: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.ReadOnlyRootFilesystem = true },
			loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.ReadOnlyRootFilesystem = false },
		},
		{
			name: "escalation", field: "allowPrivilegeEscalation",
			pod:   func(p *corev1.Pod) { container(p).AllowPrivilegeEscalation = new(false) },
			tight: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.AllowPrivilegeEscalation = new(false) },
			loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.AllowPrivilegeEscalation = nil },
		},
		{
			name: "default escalation", field: "defaultAllowPrivilegeEscalation",
			pod:   func(p *corev1.Pod) { container(p).AllowPrivilegeEscalation = new(true) },
			loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.DefaultAllowPrivilegeEscalation = new(true) },
		},
		{name: "allowed capability", field: "allowedCapabilities", loose: func(p *policyv1beta1.PodSecurityPolicy) {
			p.Spec.AllowedCapabilities = []corev1.Capability{"KILL"}
		}},
		{
			name: "any capability", field: "allowedCapabilities",
			pod: func(p *corev1.Pod) {
				container(p).Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"KILL"}}
			},
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.AllowedCapabilities = []corev1.Capability{"KILL"}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.AllowedCapabilities = []corev1.Capability{"*"} },
		},
		{
			name: "default capability", field: "defaultAddCapabilities", pod: drop("KILL"), tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.RequiredDropCapabilities = []corev1.Capability{"KILL"}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.DefaultAddCapabilities, p.Spec.RequiredDropCapabilities = []corev1.Capability{"KILL"}, nil
			},
		},
		{name: "drop", field: "requiredDropCapabilities", pod: drop("KILL", "CHOWN"), tight: require("KILL", "CHOWN"), loose: require("CHOWN")},
		{name: "drop all", field: "requiredDropCapabilities", pod: drop("KILL", "ALL"), tight: require("ALL"), loose: require("KILL")},
		{name: "volume", field: "volumes", loose: func(p *policyv1beta1.PodSecurityPolicy) {
			p.Spec.Volumes = []policyv1beta1.FSType{"secret", "emptyDir"}
		}},
		{name: "any volume", field: "volumes", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.Volumes = []policyv1beta1.FSType{"*"} }},
		{name: "projected", field: "volumes", loose: func(p *policyv1beta1.PodSecurityPolicy) {
			p.Spec.Volumes = []policyv1beta1.FSType{"projected"}
		}},
		{
			name: "any path", field: "allowedHostPaths", pod: hostPath("/a/b", writing),
			tight: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a/b"}), loose: paths(),
		},
		{
			name: "wide path", field: "allowedHostPaths", pod: hostPath("/a/b", writing),
			tight: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a/b"}), loose: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a"}),
		},
		{
			name: "second path", field: "allowedHostPaths", pod: hostPath("/a/b", writing),
			tight: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a/b"}), loose: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a/b"}, policyv1beta1.AllowedHostPath{PathPrefix: "/c"}),
		},
		{
			name: "writable path", field: "allowedHostPaths", pod: hostPath("/a/b", reading),
			tight: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a/b", ReadOnly: true}), loose: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a/b"}),
		},
		{
			name: "path writable below", field: "allowedHostPaths",
			pod: func(p *corev1.Pod) {
				hostPath("/a/b", writing)(p)
				p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "i", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/a"}}})
			},
			tight: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a", ReadOnly: true}, policyv1beta1.AllowedHostPath{PathPrefix: "/a/b"}),
			loose: paths(policyv1beta1.AllowedHostPath{PathPrefix: "/a"}),
		},
		{
			name: "flex driver", field: "allowedFlexVolumes", pod: func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{Name: "f", VolumeSource: corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "x/y"}}}}
			},
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.Volumes, p.Spec.AllowedFlexVolumes = []policyv1beta1.FSType{"secret", "flexVolume"}, []policyv1beta1.AllowedFlexVolume{{Driver: "x/y"}}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.AllowedFlexVolumes = nil },
		},
		{
			name: "csi driver", field: "allowedCSIDrivers", pod: func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{Name: "f", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "x"}}}}
			},
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.Volumes, p.Spec.AllowedCSIDrivers = []policyv1beta1.FSType{"secret", "csi"}, []policyv1beta1.AllowedCSIDriver{{Name: "x"}}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.AllowedCSIDrivers = append(p.Spec.AllowedCSIDrivers, policyv1beta1.AllowedCSIDriver{Name: "y"})
			},
		},
		{name: "port range", field: "hostPorts", pod: port(80, 81), tight: hostPorts(policyv1beta1.HostPortRange{Min: 80, Max: 81}), loose: hostPorts(policyv1beta1.HostPortRange{Min: 80, Max: 82})},
		{
			name: "port gap", field: "hostPorts", pod: port(80, 82),
			tight: hostPorts(policyv1beta1.HostPortRange{Min: 80, Max: 80}, policyv1beta1.HostPortRange{Min: 82, Max: 82}), loose: hostPorts(policyv1beta1.HostPortRange{Min: 80, Max: 82}),
		},
		{name: "unused port", field: "hostPorts", loose: hostPorts(policyv1beta1.HostPortRange{Min: 80, Max: 80})},
		{name: "forbid all", field: "forbiddenSysctls", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.ForbiddenSysctls = allSafe[:4] }},
		{
			name: "unsafe pattern", field: "allowedUnsafeSysctls", pod: sysctl("kernel.msgmax"),
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.AllowedUnsafeSysctls, p.Spec.ForbiddenSysctls = []string{"kernel.msgmax"}, allSafe
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.AllowedUnsafeSysctls, p.Spec.ForbiddenSysctls = []string{"kernel.msg*"}, allSafe
			},
		},
		{
			name: "proc mount", field: "allowedProcMountTypes", loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.AllowedProcMountTypes = []corev1.ProcMountType{"Default", "Unmasked"}
			},
		},
		{name: "any runtime class", field: "runtimeClass", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.RuntimeClass = nil }},
		{name: "unused runtime class", field: "runtimeClass", loose: func(p *policyv1beta1.PodSecurityPolicy) {
			p.Spec.RuntimeClass.AllowedRuntimeClassNames = []string{"kata"}
		}},
		{
			name: "selinux", field: "seLinux", pod: func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{SELinuxOptions: selinux} },
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.SELinux = policyv1beta1.SELinuxStrategyOptions{Rule: "MustRunAs", SELinuxOptions: selinux}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.SELinux = policyv1beta1.SELinuxStrategyOptions{Rule: "RunAsAny"}
			},
		},
		{
			name: "any user", field: "runAsUser", pod: uid, tight: users(policyv1beta1.IDRange{Min: 7, Max: 7}),
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.RunAsUser = policyv1beta1.RunAsUserStrategyOptions{Rule: "RunAsAny"}
			},
		},
		{name: "user range", field: "runAsUser", pod: uid, tight: users(policyv1beta1.IDRange{Min: 7, Max: 7}), loose: users(policyv1beta1.IDRange{Min: 6, Max: 7})},
		{
			name: "non-root", field: "runAsUser", pod: func(p *corev1.Pod) { container(p).RunAsNonRoot = new(true) },
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.RunAsUser = policyv1beta1.RunAsUserStrategyOptions{Rule: "MustRunAsNonRoot"}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.RunAsUser = policyv1beta1.RunAsUserStrategyOptions{Rule: "RunAsAny"}
			},
		},
		{name: "unset group", field: "runAsGroup", loose: func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.RunAsGroup = nil }},
		{
			name: "powerful unused group", field: "runAsGroup", loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.RunAsGroup.Ranges = []policyv1beta1.IDRange{{Min: 0, Max: 0}}
			},
		},
		{
			name: "optional fsGroup", field: "fsGroup", pod: func(p *corev1.Pod) {
				p.Spec.SecurityContext = &corev1.PodSecurityContext{FSGroup: new(int64(5))}
			},
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.FSGroup = policyv1beta1.FSGroupStrategyOptions{Rule: "MustRunAs", Ranges: group}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.FSGroup = policyv1beta1.FSGroupStrategyOptions{Rule: "MayRunAs", Ranges: group}
			},
		},
		{
			name: "second supplemental range", field: "supplementalGroups", pod: func(p *corev1.Pod) {
				p.Spec.SecurityContext = &corev1.PodSecurityContext{SupplementalGroups: []int64{5}}
			},
			tight: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.SupplementalGroups = policyv1beta1.SupplementalGroupsStrategyOptions{Rule: "MustRunAs", Ranges: group}
			},
			loose: func(p *policyv1beta1.PodSecurityPolicy) {
				p.Spec.SupplementalGroups.Ranges = append(slices.Clone(group), policyv1beta1.IDRange{Min: 9, Max: 9})
			},
		},
		{name: "seccomp any", field: seccompKey, pod: seccomp("RuntimeDefault"), tight: annotate(seccompKey, "runtime/default"), loose: annotate(seccompKey, "*")},
		{name: "seccomp second", field: seccompKey, pod: seccomp("Unconfined"), tight: annotate(seccompKey, "unconfined"), loose: annotate(seccompKey, "unconfined,runtime/default")},
		{name: "seccomp unset", field: seccompKey, loose: annotate(seccompKey, "*")},
		{
			name: "seccomp mixture", field: seccompKey, pod: func(p *corev1.Pod) {
				container(p).SeccompProfile = &corev1.SeccompProfile{Type: "RuntimeDefault"}
			},
			tight: annotate(seccompKey, "*"), loose: annotate(seccompKey, "*,unconfined"),
		},
		{
			name: "apparmor any", field: appArmorKey, pod: appArmor, tight: annotate(appArmorKey, "runtime/default"),
			loose: func(p *policyv1beta1.PodSecurityPolicy) { delete(p.Annotations, appArmorKey) },
		},
		{name: "apparmor second", field: appArmorKey, pod: appArmor, tight: annotate(appArmorKey, "runtime/default"), loose: annotate(appArmorKey, "unconfined,runtime/default")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			both := func(p *policyv1beta1.PodSecurityPolicy) {
				if tc.tight != nil {
					tc.tight(p)
				}
				tc.loose(p)
			}
			objects := pod(tc.pod)
			tight := Judge(Request{Objects: objects, Policies: psp("p", tc.tight) + grant("p")})
			if !tight.OK {
				t.Errorf("the tightest policy has a fault: %+v", tight)
			}
			loose := Judge(Request{Objects: objects, Policies: psp("p", both) + grant("p")})
			if loose.OK || loose.InvalidTotal > 0 || loose.Counts[Unchanged] != 1 || len(loose.Policies) != 1 {
				t.Fatalf("want one policy with slack, got %+v", loose)
			}
			for _, slack := range loose.Policies[0].Slack {
				if slack.Field != tc.field {
					t.Errorf("slack in %s (%s), want only in %s", slack.Field, slack.Change, tc.field)
				}
			}
		})
	}
}

func TestMembers(t *testing.T) {
	second := pod(func(p *corev1.Pod) { p.Name = "q"; p.Spec.HostPID = true })
	policies := psp("a", func(p *policyv1beta1.PodSecurityPolicy) { p.Spec.HostPID = true }) + psp("b", nil) + grant("a", "b")
	if v := Judge(Request{
		Objects: pod(nil) + second, Policies: policies,
		Members: map[string][]string{"a": {"a/Pod/q"}, "b": {"a/Pod/p"}},
	}); !v.OK {
		t.Errorf("two overlapping policies, each tight for its pod: %+v", v)
	}
	if v := Judge(Request{
		Objects: pod(nil) + second, Policies: policies,
		Members: map[string][]string{"a": {"a/Pod/q@default"}, "b": {"a/Pod/p@default", "a/Pod/q@other"}},
	}); !v.OK {
		t.Errorf("members by account: %+v", v)
	}
	if v := Judge(Request{Objects: pod(nil) + second, Policies: policies}); v.OK || !v.Policies[0].Unused {
		t.Errorf("without the hint admission never chooses b: %+v", v)
	}
	if v := Judge(Request{
		Objects: pod(nil) + second, Policies: policies,
		Members: map[string][]string{"a": {"a/Pod/q", "a/Pod/p"}, "b": {"a/Pod/z"}},
	}); v.OK || len(v.Policies) == 0 {
		t.Errorf("a grant nobody needs: %+v", v)
	}
}

func TestBadInput(t *testing.T) {
	bad := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":"none"}}`
	if v := Judge(Request{Objects: bad, Policies: psp("p", nil)}); v.Error == "" {
		t.Errorf("want an error, got %+v", v)
	}
	v := Judge(Request{Objects: bad + "\n" + pod(nil), Policies: psp("p", nil) + grant("p"), SkipInvalid: true})
	if !v.OK || len(v.Skipped) != 1 {
		t.Errorf("want the bad document skipped, got %+v", v)
	}
	if v := Judge(Request{Objects: pod(nil), Policies: pod(nil)}); v.Error == "" {
		t.Errorf("a pod is no policy: %+v", v)
	}
}
