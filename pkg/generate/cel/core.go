// Package cel has what the engines share whose policies are CEL: an expression that
// computes the privileges that a pod asks for, the table of those that are permitted,
// the validations of a policy and their options, and the Namespaces with the data.
//
// Input is members (Tables) and the place of a table at admission (Core); output is
// the text of a table, which people read and review, and variables of a policy, which
// read that text and judge a pod. The core is the same for every engine, level and
// namespace: only data differs, so it is compiled once. Laws, each tested, the first
// two with the CEL of a real API server:
//   - the variables podAsks and containerAsks of a pod are privilege.Of(pod);
//   - a pod is admitted exactly when one alternative of its account permits all of it;
//   - no feature of CEL is newer than Kubernetes 1.30;
//   - a string of a cluster is in the policy only inside a literal (Quote) or in the
//     table, where it never ends its line.
package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// Variable is a named expression; later ones refer to earlier ones as variables.NAME.
type Variable struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

// Source says where a policy finds what it judges by.
type Source struct {
	// Object is the expression of the pod.
	Object string
	// Text is the expression of the text of the table, a string.
	Text string
}

// Core returns the variables of a policy. The last ones judge:
//
//	known     whether the account of the pod has an alternative
//	admitted  whether an alternative permits the pod
//	excess    what goes beyond the nearest alternative, by container, as a text
func Core(s Source) []Variable {
	return slices.Concat(
		[]Variable{
			{"pod", "dyn(" + s.Object + ")"},
			{"podContext", `variables.pod.spec.?securityContext.orValue({})`},
			{"linux", `variables.pod.spec.?os.?name.orValue("") != "windows"`},
			{"containers", `variables.pod.spec.?containers.orValue([])
+ variables.pod.spec.?initContainers.orValue([])
+ variables.pod.spec.?ephemeralContainers.orValue([])`},
			{"defaultCapabilities", list(privilege.DefaultCapabilities)},
		},
		asks(),
		[]Variable{
			{"account", `variables.pod.spec.?serviceAccountName.orValue("")`},
			{"alternatives", s.Text + `.split("\n\n").map(b, b.split("\n"))
  .filter(b, b[0] == "[*]" || b[0] == "[" + variables.account + "]")`},
			{"known", `variables.alternatives.size() > 0`},
			{"permits", permits()},
			{"admitted", `variables.permits.exists(a,
  variables.podAsks.all(l, ` + permitted + `)
  && variables.containerAsks.all(c, c.asks.all(l, ` + permitted + `)))`},
			{"excesses", `variables.permits.map(a,
  ([variables.podAsks.filter(l, !(` + permitted + `)).join(", ")]
  + variables.containerAsks.map(c, {"name": c.name, "asks": c.asks.filter(l, !(` + permitted + `))})
      .map(c, size(c.asks) > 0 ? c.asks.join(", ") + " (container " + c.name[0] + ")" : ""))
  .filter(e, e != "").join("; "))`},
			{"excess", `(variables.excesses.filter(e, variables.excesses.all(o, size(e) <= size(o)))
  .map(e, size(e) > 2000 ? e.substring(0, 2000) + "…" : e) + [""])[0]`},
		},
	)
}

// permitted is true if the alternative a permits the line l.
const permitted = `l in a.lines || a.under.exists(p, l.startsWith(p))`

// permits returns the expression of what each alternative permits: whole lines, and
// the beginnings of the lines that are under one; the rules are those of
// privilege.Under.
func permits() string {
	lines := []string{
		"a",
		`("default capabilities" in a ? variables.defaultCapabilities.map(x, "capability " + x) : [])`,
		`a.filter(l, l.startsWith("write hostPath ")).map(l, l.substring(6))`,
	}
	under := []string{
		`a.filter(l, l.startsWith("hostPath ") || l.startsWith("write hostPath ")).map(l, l.endsWith("/") ? l : l + "/")`,
		`a.filter(l, l.startsWith("write hostPath ")).map(l, l.substring(6)).map(l, l.endsWith("/") ? l : l + "/")`,
		`a.filter(l, l.startsWith("hostPort ")).map(l, l + " on ")`,
	}
	for _, line := range slices.Sorted(maps.Keys(privilege.Implied)) {
		var whole, beginnings []string
		for _, b := range privilege.Implied[line] {
			if strings.HasSuffix(b, " ") || strings.HasSuffix(b, "/") {
				beginnings = append(beginnings, b)
			} else {
				whole = append(whole, b)
			}
		}
		if len(whole) > 0 {
			lines = append(lines, fmt.Sprintf("(%s in a ? %s : [])", Quote(line), list(whole)))
		}
		if len(beginnings) > 0 {
			under = append(under, fmt.Sprintf("(%s in a ? %s : [])", Quote(line), list(beginnings)))
		}
	}
	return "variables.alternatives.map(a, {\n  \"lines\": " + strings.Join(lines, "\n    + ") + ",\n  \"under\": " + strings.Join(under, "\n    + ") + "})"
}

// asks returns the variables that compute the lines of privilege.Of, in the order of
// its files.
func asks() []Variable {
	return []Variable{
		{"writable", `variables.containers.map(c, c.?volumeMounts.orValue([]).filter(m, !m.?readOnly.orValue(false)).map(m, m.name))`},
		{"podAsks", `((variables.pod.spec.?hostNetwork.orValue(false) ? ["hostNetwork"] : [])
+ (variables.pod.spec.?hostPID.orValue(false) ? ["hostPID"] : [])
+ (variables.pod.spec.?hostIPC.orValue(false) ? ["hostIPC"] : [])
+ (variables.linux && variables.pod.spec.?hostUsers.orValue(true) ? ["hostUsers"] : [])
+ (variables.pod.spec.?shareProcessNamespace.orValue(false) ? ["shareProcessNamespace"] : [])
+ [variables.pod.spec.?runtimeClassName.optMap(r, "runtimeClass " + r).orValue("default runtimeClass")]
+ variables.podContext.?sysctls.orValue([]).map(s, "sysctl " + s.name)
+ variables.podContext.?fsGroup.optMap(g, ["fsGroup " + string(g)]).orValue([])
+ variables.podContext.?supplementalGroups.orValue([]).map(g, "supplementalGroup " + string(g))
+ (variables.linux && variables.podContext.?supplementalGroupsPolicy.orValue("") != "Strict" ? ["image groups"] : [])
+ variables.podContext.?seccompProfile.optMap(p, ` + seccompLines + `).orValue([])
+ variables.pod.spec.?volumes.orValue([]).map(v,
    has(v.hostPath) ? (variables.writable.exists(w, v.name in w) ? "write hostPath " : "hostPath ") + v.hostPath.path :
    has(v.csi) ? "csi " + v.csi.driver :
    has(v.flexVolume) ? "flexVolume " + v.flexVolume.driver :
    has(v.projected) && v.projected.?sources.optMap(s, s == null || s.all(s,
        (has(s.serviceAccountToken) || has(s.configMap) || has(s.downwardAPI))
        && (!has(s.serviceAccountToken) || (s.serviceAccountToken.path == "token" && s.serviceAccountToken.?audience.orValue("") == ""))
        && (!has(s.configMap) || s.configMap.?name.orValue("") == "kube-root-ca.crt")
        && (!has(s.downwardAPI) || s.downwardAPI.?items.orValue([]).all(i, i.path == "namespace"
          && has(i.fieldRef) && i.fieldRef.fieldPath == "metadata.namespace" && i.fieldRef.?apiVersion.orValue("v1") in ["v1", ""]))))
      .orValue(true) ? "volume serviceAccountToken" :
    v.exists(k, k != "name") ? "volume " + v.filter(k, k != "name")[0] : "volume emptyDir"))
` + escape + `
+ variables.podContext.?seLinuxOptions.optMap(o, [` + seLinuxLine() + `]).orValue([])`},
		{"containerAsks", `variables.containers.map(c, {"name": [string(c.name)], "asks":
  ((c.?securityContext.?privileged.orValue(false) ? ["privileged"] : [])
  + (variables.linux && c.?securityContext.?allowPrivilegeEscalation.orValue(true) ? ["allowPrivilegeEscalation"] : [])
  + (variables.linux && !c.?securityContext.?readOnlyRootFilesystem.orValue(false) ? ["writable root file system"] : [])
  + (!variables.linux ? [] : [c.?securityContext.?capabilities.?drop.orValue([]).map(x, x.upperAscii())].map(drop,
      "ALL" in drop ? [] :
      drop.exists(x, x in variables.defaultCapabilities) ? variables.defaultCapabilities.filter(x, !(x in drop)).map(x, "capability " + x) :
      ["default capabilities"])[0])
  + c.?securityContext.?capabilities.?add.orValue([]).map(x, x.upperAscii()).map(x, "capability " + (x.startsWith("CAP_") ? x.substring(4) : x))
  + c.?ports.orValue([]).filter(p, p.?hostPort.orValue(0) > 0).map(p,
      "hostPort " + string(p.hostPort) + "/" + p.?protocol.orValue("TCP") + (p.?hostIP.orValue("") == "" ? "" : " on " + p.hostIP))
  + c.?securityContext.?runAsUser.or(variables.podContext.?runAsUser).optMap(u, [u == 0 ? "root user" : "user " + string(u)])
    .orValue(!variables.linux && c.?securityContext.?windowsOptions.?runAsUserName.or(variables.podContext.?windowsOptions.?runAsUserName).hasValue() ? [] :
      [c.?securityContext.?runAsNonRoot.or(variables.podContext.?runAsNonRoot).orValue(false) ? "image user" : "image user root"])
  + c.?securityContext.?runAsGroup.or(variables.podContext.?runAsGroup).optMap(g, [g == 0 ? "root group" : "group " + string(g)])
    .orValue(variables.linux ? ["image group"] : [])
  + c.?securityContext.?seccompProfile.or(variables.podContext.?seccompProfile).optMap(p, ` + seccompLines + `)
    .orValue(variables.linux ? ["no seccomp profile"] : [])
  + c.?securityContext.?appArmorProfile.optMap(p, ` + appArmorLines + `)
    .or([variables.pod.metadata.?annotations[?("container.apparmor.security.beta.kubernetes.io/" + c.name)].orValue("")].map(a,
      a == "unconfined" ? optional.of(["appArmor unconfined"]) :
      a == "runtime/default" ? optional.of([]) :
      a.startsWith("localhost/") ? optional.of(["appArmor " + a]) : optional.none())[0])
    .or(variables.podContext.?appArmorProfile.optMap(p, ` + appArmorLines + `)).orValue([])
  + (c.?securityContext.?procMount.orValue("Default") == "Default" ? [] : ["procMount " + c.securityContext.procMount])
  + (c.?securityContext.?windowsOptions.?hostProcess.or(variables.podContext.?windowsOptions.?hostProcess).orValue(false) ? ["windows hostProcess"] : [])
  + c.?securityContext.?windowsOptions.?runAsUserName.or(variables.podContext.?windowsOptions.?runAsUserName).optMap(u, ["windows user " + u]).orValue([])
  + c.?volumeMounts.orValue([]).filter(m, m.?mountPropagation.orValue("None") != "None").map(m, "mountPropagation " + m.mountPropagation)
  + [c.?livenessProbe, c.?readinessProbe, c.?startupProbe, c.?lifecycle.?postStart, c.?lifecycle.?preStop]
      .map(h, [h.?httpGet.?host.orValue(""), h.?tcpSocket.?host.orValue("")].filter(x, x != "").map(x, "probe host " + x))
      .filter(x, size(x) > 0).map(x, x[0]))
  ` + escape + `
  + c.?securityContext.?seLinuxOptions.optMap(o, [` + seLinuxLine() + `]).orValue([])})`},
	}
}

// escape is privilege's quote for every line of a list.
const escape = `.map(l, l.replace("\\", "\\\\").replace("\n", "\\n"))`

// The lines of a seccomp profile p, and of an AppArmor profile p.
const (
	seccompLines = `p.type == "RuntimeDefault" ? [] :
    p.type == "Unconfined" ? ["seccomp unconfined"] :
    p.type == "Localhost" ? ["seccomp localhost/" + p.?localhostProfile.orValue("")] : ["seccomp type " + p.type]`
	appArmorLines = `p.type == "RuntimeDefault" ? [] :
    p.type == "Unconfined" ? ["appArmor unconfined"] :
    p.type == "Localhost" ? ["appArmor localhost/" + p.?localhostProfile.orValue("")] : ["appArmor type " + p.type]`
)

// seLinuxLine returns the expression of the line of SELinux options o; the values are
// escaped as by privilege's quoteWord.
func seLinuxLine() string {
	words := []string{`"seLinux"`}
	for _, part := range []string{"user", "role", "type", "level"} {
		words = append(words, fmt.Sprintf(`o.?%[1]s.optMap(x, x == "" ? "" : " %[1]s=" + x.replace("\\", "\\\\").replace("\n", "\\n").replace(" ", "\\ ")).orValue("")`, part))
	}
	return strings.Join(words, "\n      + ")
}
