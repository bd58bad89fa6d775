package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Kubernetes 1.24 refuses in a pod is refused in a manifest; what it takes, an
// odd value perhaps, is read.
func TestRefusedValues(t *testing.T) {
	const name = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`
	sc := func(fields string) string { return "containers: [{name: c, securityContext: {" + fields + "}}]" }
	volume := func(source string) string { return "containers: [{name: c}], volumes: [{name: v, " + source + "}]" }
	pod := func(fields string) string { return "containers: [{name: c}], " + fields }
	for _, tc := range []struct {
		name, spec, annotations string
		want                    string // empty: it is read
	}{
		{"a host path", volume("hostPath: {path: /}"), "", ""},
		{"a host path that is relative", volume("hostPath: {path: var/..x}"), "", ""},
		{"an empty host path", volume("hostPath: {path: \"\"}"), "", "spec.volumes[0].hostPath.path: Required value"},
		{"no host path", volume("hostPath: {}"), "", "spec.volumes[0].hostPath.path: Required value"},
		{"a host path that leads up", volume("hostPath: {path: /var/../etc}"), "", `spec.volumes[0].hostPath.path: Invalid value: "/var/../etc": must not contain '..'`},
		{"a volume of two types", volume("hostPath: {path: /x}, emptyDir: {}"), "", "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type"},
		{"a volume of no type", "containers: [{name: c}], volumes: [{name: v}]", "", ""},
		{"a flexVolume", volume("flexVolume: {driver: x/y}"), "", ""},
		{"a flexVolume without a driver", volume("flexVolume: {}"), "", "spec.volumes[0].flexVolume.driver: Required value"},
		{"a CSI volume", volume("csi: {driver: CSI.example.com}"), "", ""},
		{"a CSI volume without a driver", volume("csi: {}"), "", "spec.volumes[0].csi.driver: Required value"},
		{"a CSI driver that is no name", volume("csi: {driver: a_b}"), "", `spec.volumes[0].csi.driver: Invalid value: "a_b": ` + name},
		{"a CSI driver with a long name", volume("csi: {driver: " + strings.Repeat("a", 64) + "}"), "", "spec.volumes[0].csi.driver: Too long: may not be more than 63 bytes"},
		{"sysctls", pod("securityContext: {sysctls: [{name: kernel.shm_rmid_forced}, {name: a-b.c}]}"), "", ""},
		{"a sysctl of another spelling", pod("securityContext: {sysctls: [{name: net.ok}, {name: net/ipv4/x}]}"), "", `spec.securityContext.sysctls[1].name: Invalid value: "net/ipv4/x": must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-_a-z0-9]*[a-z0-9])?`},
		{"a sysctl pattern", pod("securityContext: {sysctls: [{name: \"net.*\"}]}"), "", `spec.securityContext.sysctls[0].name: Invalid value: "net.*"`},
		{"a sysctl without a name", pod("securityContext: {sysctls: [{value: x}]}"), "", "spec.securityContext.sysctls[0].name: Required value"},
		{"the highest IDs", pod("securityContext: {runAsUser: 2147483647, runAsGroup: 0, fsGroup: 2147483647, supplementalGroups: [0, 2147483647]}"), "", ""},
		{"a negative user", pod("securityContext: {runAsUser: -1}"), "", "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"},
		{"a user of a container that is too high", sc("runAsUser: 2147483648"), "", "spec.containers[0].securityContext.runAsUser: Invalid value: 2147483648"},
		{"a group that is too high", sc("runAsGroup: 2147483648"), "", "spec.containers[0].securityContext.runAsGroup: Invalid value: 2147483648"},
		{"a negative group", pod("securityContext: {runAsGroup: -1}"), "", "spec.securityContext.runAsGroup: Invalid value: -1"},
		{"a negative fsGroup", pod("securityContext: {fsGroup: -1}"), "", "spec.securityContext.fsGroup: Invalid value: -1"},
		{"a negative supplemental group", pod("securityContext: {supplementalGroups: [1, -1]}"), "", "spec.securityContext.supplementalGroups[1]: Invalid value: -1"},
		{"an account", pod("serviceAccountName: system.a-b"), "", ""},
		{"an account that is no name", pod("serviceAccountName: A_b"), "", `spec.serviceAccountName: Invalid value: "A_b": ` + name},
		{"an account that is no name, in the deprecated field", pod("serviceAccount: A_b"), "", `spec.serviceAccountName: Invalid value: "A_b"`},
		{"a runtime class", pod("runtimeClassName: kata.example"), "", ""},
		{"a runtime class that is no name", pod("runtimeClassName: Kata"), "", `spec.runtimeClassName: Invalid value: "Kata"`},
		{"an empty runtime class", pod("runtimeClassName: \"\""), "", `spec.runtimeClassName: Invalid value: ""`},
		{"a seccomp profile", pod("securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/b.json}}"), "", ""},
		{"a seccomp profile without a type", sc("seccompProfile: {}"), "", "spec.containers[0].securityContext.seccompProfile.type: Required value: type is required when seccompProfile is set"},
		{"a seccomp profile of an unknown type", pod("securityContext: {seccompProfile: {type: runtime/default}}"), "", `spec.securityContext.seccompProfile.type: Unsupported value: "runtime/default"`},
		{"a seccomp profile without a path", sc("seccompProfile: {type: Localhost}"), "", "spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value"},
		{"a seccomp profile that leads up", sc("seccompProfile: {type: Localhost, localhostProfile: ../a}"), "", "must not contain '..'"},
		{"a seccomp profile with a path that is absolute", sc("seccompProfile: {type: Localhost, localhostProfile: /a}"), "", "must be a relative path"},
		{"a seccomp profile with a path that has none", sc("seccompProfile: {type: Unconfined, localhostProfile: a}"), "", `spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is Localhost`},
		{"seccomp annotations", pod(""), "seccomp.security.alpha.kubernetes.io/pod: docker/default, container.seccomp.security.alpha.kubernetes.io/x: localhost/a", ""},
		{"a seccomp annotation", pod(""), "seccomp.security.alpha.kubernetes.io/pod: default", `metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: Invalid value: "default": must be a valid seccomp profile`},
		{"a seccomp annotation of a container", pod(""), "container.seccomp.security.alpha.kubernetes.io/c: \"\"", `metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: Invalid value: "": must be a valid seccomp profile`},
		{"a seccomp annotation that leads up", pod(""), "seccomp.security.alpha.kubernetes.io/pod: localhost/../a", "must not contain '..'"},
		{"a seccomp annotation as the field", pod("securityContext: {seccompProfile: {type: RuntimeDefault}}"), "seccomp.security.alpha.kubernetes.io/pod: docker/default", ""},
		{"a seccomp annotation beside another field", pod("securityContext: {seccompProfile: {type: RuntimeDefault}}"), "seccomp.security.alpha.kubernetes.io/pod: unconfined", "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match"},
		{"a seccomp annotation of a container beside another field", sc("seccompProfile: {type: Localhost, localhostProfile: a}"), "container.seccomp.security.alpha.kubernetes.io/c: localhost/b", "spec.containers[0].securityContext.seccompProfile.localhostProfile: Forbidden: seccomp profile in annotation and field must match"},
		{"AppArmor annotations", pod(""), "container.apparmor.security.beta.kubernetes.io/c: localhost/x", ""},
		{"an AppArmor annotation", pod(""), "container.apparmor.security.beta.kubernetes.io/c: default", `metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: Invalid value: "default": invalid AppArmor profile name: "default"`},
		{"the proc mount", sc("procMount: Unmasked"), "", ""},
		{"an unknown proc mount", sc("procMount: unmasked"), "", `spec.containers[0].securityContext.procMount: Unsupported value: "unmasked"`},
		{"ports", "containers: [{name: c, ports: [{containerPort: 1, hostPort: 65535}]}]", "", ""},
		{"a host port that is too high", "initContainers: [{name: i, ports: [{containerPort: 1, hostPort: 65536}]}], containers: [{name: c}]", "", "spec.initContainers[0].ports[0].hostPort: Invalid value: 65536: must be between 1 and 65535, inclusive"},
		{"a negative host port", "containers: [{name: c, ports: [{containerPort: 1, hostPort: -1}]}]", "", "spec.containers[0].ports[0].hostPort: Invalid value: -1"},
		{"no container port", "containers: [{name: c, ports: [{hostPort: 1}]}]", "", "spec.containers[0].ports[0].containerPort: Required value"},
		{"a container port that is too high", "containers: [{name: c, ports: [{containerPort: 65536}]}]", "", "spec.containers[0].ports[0].containerPort: Invalid value: 65536"},
		{"the host's network", "hostNetwork: true, containers: [{name: c, ports: [{containerPort: 1, hostPort: 1}, {containerPort: 2}]}]", "", ""},
		{"another port in the host's network", "hostNetwork: true, containers: [{name: c, ports: [{containerPort: 1, hostPort: 2}]}]", "", "spec.containers[0].ports[0].containerPort: Invalid value: 1: must match `hostPort` when `hostNetwork` is true"},
		{"privileged", sc("privileged: true, allowPrivilegeEscalation: true"), "", ""},
		{"privileged without escalation", sc("privileged: true, allowPrivilegeEscalation: false"), "", "spec.containers[0].securityContext: Forbidden: cannot set `allowPrivilegeEscalation` to false and `privileged` to true"},
		{"all of a system without escalation", sc("capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false"), "", "spec.containers[0].securityContext: Forbidden: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"},
		{"another spelling of it", sc("capabilities: {add: [SYS_ADMIN]}, allowPrivilegeEscalation: false"), "", ""},
		{"two at once", pod("hostPID: true, runtimeClassName: A, serviceAccountName: B"), "", `spec.serviceAccountName: Invalid value: "B": ` + name + `; spec.runtimeClassName: Invalid value: "A"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			meta := "metadata: {name: a, annotations: {" + tc.annotations + "}}"
			manifest := "apiVersion: v1\nkind: Pod\n" + meta + "\nspec: {" + tc.spec + "}\n"
			check(t, manifest, `reading stdin: document 1 (line 1): Pod "a": `, tc.want)
			// What a server returned is taken as it is.
			check(t, strings.Replace(manifest, "metadata: {", "metadata: {uid: 0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a, ", 1), "", "")
			check(t, strings.Replace(manifest, "metadata: {", "metadata: {uid: mine, ", 1), `reading stdin: document 1 (line 1): Pod "a": `, tc.want)
			// The same in a template.
			want := strings.NewReplacer("spec.", "spec.template.spec.", "metadata.", "spec.template.metadata.").Replace(tc.want)
			check(t, "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec: {template: {"+meta+", spec: {"+tc.spec+"}}}\n", `reading stdin: document 1 (line 1): DaemonSet "a": `, want)
		})
	}
}

// check reads a manifest and expects an error that begins so, or none.
func check(t *testing.T, manifest, prefix, want string) {
	t.Helper()
	obs, err := readStream(strings.NewReader(manifest), everything, strict)
	if want == "" {
		if err != nil {
			t.Errorf("error %v in\n%s", err, manifest)
		}
		return
	}
	if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v, observed %v, want %s%s", err, obs, prefix, want)
	}
	obs = readMode(t, manifest, everything, lenient)
	if len(obs.Skipped) != 1 || cmp.Diff(err.Error(), obs.Skipped[0].Error()) != "" || len(obs.Members) != 0 {
		t.Errorf("skipped %v, want %v", obs.Skipped, err)
	}
}
