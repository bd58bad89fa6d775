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
//   - a pod is admitted exactly when one alternative of its account permits all of it,
//     but for pods that are too large to be compared, which are denied and told so;
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
//
// Comparing costs about the number of lines that are asked for times that of those that
// are permitted, and a server stops an expression at 1,000,000 units. So what many
// containers ask for is compared once, and only what an alternative does not have is
// looked for under its lines. A pod that would cost more is not compared: it is not
// admitted, and the excess is a text that says so.
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
			{"common", list(common)},
			{"asked", `variables.podAsks
+ variables.common.filter(l, variables.containerAsks.exists(c, l in c.asks))
+ variables.containerAsks.map(c, c.asks.filter(l, !(l in variables.common)).join("\n")).join("\n").split("\n").filter(l, l != "")`},
			{"account", `variables.pod.spec.?serviceAccountName.orValue("")`},
			{"alternatives", s.Text + `.split("\n\n")
  .filter(b, b.startsWith("[*]") || b.startsWith("[" + variables.account + "]"))
  .map(b, b.split("\n"))`},
			{"known", `variables.alternatives.size() > 0`},
			{"permitted", `variables.alternatives.map(a, a.size() - 1).sum()`},
			{"parts", parts()},
			{"paths", `variables.parts.map(a, {"all": a.all, "keys": a.keys, "written": a.written, "ports": a.ports,
  "paths": (a.paths + a.written + a.written.map(l, l.substring(6))).map(l, l.endsWith("/") ? l : l + "/")})`},
			{"permits", permits()},
			{"small", fmt.Sprintf(`variables.permitted <= %d
&& variables.asked.size() * variables.permits.map(a, %d + a.lines.size()).sum() <= %d`, maxLines, alternativeCost, maxCost)},
			{"missing", `!variables.small ? [] : variables.permits.map(a, {
  "asked": variables.asked.filter(l, !(l in a.lines)), "paths": a.paths, "under": a.under})`},
			{"comparable", fmt.Sprintf(`variables.small && variables.missing.map(a, a.asked.size() * (1 + a.under.size()) * %[1]d
  + a.asked.filter(l, %[2]s).size() * a.paths.map(p, %[1]d + size(p) / 10).sum()).sum() <= %[3]d`, underCost, ofPath, maxCost)},
			{"excesses", `!variables.comparable ? [] : variables.missing.map(a,
  a.asked.filter(l, !(` + ofPath + ` ? a.paths : a.under).exists(p, l.startsWith(p))))`},
			{"admitted", `variables.excesses.exists(e, e.size() == 0)`},
			{"least", `variables.excesses.size() == 0 ? 0 : variables.excesses.map(e, e.size()).min()`},
			{"nearest", `variables.excesses.size() == 0 ? [] : variables.excesses.filter(e, e.size() == variables.least)[0]`},
			{"excess", `variables.nearest.size() == 0 ?
  (variables.comparable ? "" : "ask for " + string(variables.asked.size()) + " privileges where " + string(variables.permitted) + " are permitted: too many to compare") :
  [([variables.podAsks.filter(l, l in variables.nearest).join(", ")]
    + variables.containerAsks.map(c, {"name": c.name, "asks": c.asks.filter(l, l in variables.nearest)})
        .map(c, size(c.asks) > 0 ? c.asks.join(", ") + " (container " + c.name[0] + ")" : ""))
    .filter(e, e != "").join("; ")].map(e, size(e) > 2000 ? e.substring(0, 2000) + "…" : e)[0]`},
		},
	)
}

// The largest number of permitted lines of an account, and the largest cost of a
// comparison in CEL's units: what they leave of the limit of an expression is for what
// the estimates do not know.
const (
	maxLines = 12_000
	maxCost  = 800_000
)

// What a line that is asked for costs with each alternative, and with each beginning of
// lines that it may be under, beside a tenth of the length of that.
const (
	alternativeCost = 16
	underCost       = 8
)

// common are the lines without a value that containers ask for.
var common = []string{
	"privileged", "allowPrivilegeEscalation", "writable root file system", "default capabilities",
	"root user", "image user", "image user root", "root group", "image group",
	"no seccomp profile", "seccomp unconfined", "appArmor unconfined", "procMount Unmasked", "windows hostProcess",
}

// ofPath is true if the line l is about a path of the host.
const ofPath = `l.startsWith("hostPath ") || l.startsWith("write hostPath ")`

// keys are the lines that permit lines of other forms.
var keys = append(slices.Sorted(maps.Keys(privilege.Implied)), "default capabilities")

// parts returns the expression of those lines of each alternative that others are under.
func parts() string {
	return fmt.Sprintf(`variables.permitted > %d ? [] : variables.alternatives.map(a, {
  "all": a,
  "keys": %s.filter(l, l in a),
  "paths": a.filter(l, l.startsWith("hostPath ")),
  "written": a.filter(l, l.startsWith("write hostPath ")),
  "ports": a.filter(l, l.startsWith("hostPort "))})`, maxLines, list(keys))
}

// permits returns the expression of what each alternative permits: whole lines, and
// the beginnings of the lines that are under one, those of paths apart; the rules are
// those of privilege.Under.
func permits() string {
	lines := []string{
		"a.all",
		`a.written.map(l, l.substring(6))`,
		`("default capabilities" in a.keys ? variables.defaultCapabilities.map(x, "capability " + x) : [])`,
	}
	under := []string{`a.ports.map(l, l + " on ")`}
	for _, line := range keys {
		var whole, beginnings []string
		for _, b := range privilege.Implied[line] {
			if strings.HasSuffix(b, " ") || strings.HasSuffix(b, "/") {
				beginnings = append(beginnings, b)
			} else {
				whole = append(whole, b)
			}
		}
		if len(whole) > 0 {
			lines = append(lines, fmt.Sprintf("(%s in a.keys ? %s : [])", Quote(line), list(whole)))
		}
		if len(beginnings) > 0 {
			under = append(under, fmt.Sprintf("(%s in a.keys ? %s : [])", Quote(line), list(beginnings)))
		}
	}
	return `variables.paths.map(a, {
  "paths": a.paths,
  "lines": ` + strings.Join(lines, "\n    + ") + `,
  "under": ` + strings.Join(under, "\n    + ") + `})`
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
