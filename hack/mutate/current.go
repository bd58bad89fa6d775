package main

const (
	privilegeDir = "pkg/privilege/"
	celDir       = "pkg/generate/cel/"
	vapDir       = "pkg/generate/vap/"
)

// currentMutants are faults of the engines of current Kubernetes. Those in the Go model
// or in CEL alone show as a difference; those in what both share, or in the tables, show
// in a promise that does not hold.
var currentMutants = []mutant{
	{"host namespaces", "hostPID overlooked", privilegeDir + "namespaces.go", "a.askIf(spec.HostPID, ", "a.askIf(false, "},
	{"host namespaces", "unset hostUsers taken for false", privilegeDir + "namespaces.go", "!is(spec.HostUsers, false)", "is(spec.HostUsers, true)"},
	{"seccomp", "the pod's profile not inherited", privilegeDir + "confinement.go", "either(c.sc.SeccompProfile, a.podSC.SeccompProfile)", "c.sc.SeccompProfile"},
	{"seccomp", "the pod's own profile overlooked", privilegeDir + "confinement.go", "p != nil && p.Type != corev1.SeccompProfileTypeRuntimeDefault {\n\t\ta.ask(\"\"", "p != nil && p.Type == \"\" {\n\t\ta.ask(\"\""},
	{"apparmor", "the pod's profile overlooked", privilegeDir + "confinement.go", "field = a.podSC.AppArmorProfile", "field = nil"},
	{"selinux", "spaces not escaped", privilegeDir + "confinement.go", "quoteWord(part.value)", "Quote(part.value)"},
	{"escalation", "unset taken for false", privilegeDir + "powers.go", "!is(c.sc.AllowPrivilegeEscalation, false)", "is(c.sc.AllowPrivilegeEscalation, true)"},
	{"capabilities", "CAP_ is part of a name", privilegeDir + "powers.go", "strings.TrimPrefix(upper(added), \"CAP_\")", "strings.TrimPrefix(upper(added), \"CAP__\")"},
	{"capabilities", "dropped as spelled", privilegeDir + "powers.go", "upper(string(d))", "string(d)"},
	{"host ports", "low ports overlooked", privilegeDir + "network.go", "p.HostPort <= 0", "p.HostPort <= 80"},
	{"host ports", "addresses overlooked", privilegeDir + "network.go", "if address != \"\" {", "if address == \"x\" {"},
	{"probes", "startup probes overlooked", privilegeDir + "network.go", "c.ReadinessProbe, c.StartupProbe}", "c.ReadinessProbe}"},
	{"probes", "hooks before the end overlooked", privilegeDir + "network.go", "c.Lifecycle.PostStart, c.Lifecycle.PreStop}", "c.Lifecycle.PostStart}"},
	{"users", "root is a user like any other", privilegeDir + "users.go", "uid != nil && *uid == 0", "uid != nil && *uid < 0"},
	{"users", "runAsNonRoot of the container only", privilegeDir + "users.go", "either(c.sc.RunAsNonRoot, a.podSC.RunAsNonRoot)", "c.sc.RunAsNonRoot"},
	{"groups", "an unset policy is strict", privilegeDir + "users.go", "!is(a.podSC.SupplementalGroupsPolicy, corev1.SupplementalGroupsPolicyStrict)", "is(a.podSC.SupplementalGroupsPolicy, corev1.SupplementalGroupsPolicyMerge)"},
	{"volumes", "any mount writes", privilegeDir + "volumes.go", "m.Name == name && !m.ReadOnly })", "m.Name == name })"},
	{"volumes", "new projections taken for the token", privilegeDir + "volumes.go", "s.ServiceAccountToken == nil && s.ConfigMap == nil && s.DownwardAPI == nil", "s.Secret != nil"},
	{"volumes", "any audience taken for the token", privilegeDir + "volumes.go", "(t.Path != \"token\" || t.Audience != \"\")", "t.Path != \"token\""},
	{"containers", "debug containers overlooked", privilegeDir + "privilege.go", "if ephemeral {", "if ephemeral && false {"},
	{"lines under others", "paths not under their directory", privilegeDir + "set.go", "(permits(line[:i]) || permits(line[:i+1])", "(permits(line[:i+1])"},
	{"lines under others", "reading not under writing", privilegeDir + "set.go", "return line == read || ", "return "},
	{"lines under others", "users not under the image's", privilegeDir + "set.go", "\"image user root\":                {\"image user\", \"user \"}", "\"image user root\":                {\"image user\"}"},
	{"lines under others", "root under the image's user", privilegeDir + "set.go", "\"image user root\":                {\"image user\", \"user \"}", "\"image user root\":                {\"image user\", \"user \", \"root user\"}"},
	{"observation", "privileges of containers overlooked", profileDir + "privileges.go", "p.Privileges.add(Name(a.Line), a.Container)", "if a.Container == \"\" {\n\t\t\tp.Privileges.add(Name(a.Line), \"\")\n\t\t}"},
	{"observation", "no privilege for the token that is added", profileDir + "privileges.go", "append(slices.Clone(n), line)", "slices.Clone(n)"},
	{"expression", "debug containers overlooked", celDir + "core.go", "\n+ variables.pod.spec.?ephemeralContainers.orValue([])", ""},
	{"expression", "Windows taken for Linux", celDir + "core.go", "orValue(\"\") != \"windows\"", "orValue(\"\") != \"win\""},
	{"expression", "line feeds not escaped", celDir + "core.go", "const escape = `.map(l, l.replace(\"\\\\\", \"\\\\\\\\\").replace(\"\\n\", \"\\\\n\"))`", "const escape = `.map(l, l.replace(\"\\\\\", \"\\\\\\\\\"))`"},
	{"expression", "backslashes not escaped", celDir + "core.go", "const escape = `.map(l, l.replace(\"\\\\\", \"\\\\\\\\\").replace(", "const escape = `.map(l, l.replace("},
	{"expression", "any account not looked for", celDir + "core.go", "b.startsWith(\"[*]\") || ", ""},
	{"expression", "accounts with the same beginning", celDir + "core.go", "b.startsWith(\"[\" + variables.account + \"]\")", "b.startsWith(\"[\" + variables.account)"},
	{"expression", "prefixes of paths within a segment", celDir + "core.go", "l.endsWith(\"/\") ? l : l + \"/\"", "l"},
	{"expression", "what one container asks for overlooked", celDir + "core.go", "variables.containerAsks.exists(c, l in c.asks)", "variables.containerAsks.all(c, l in c.asks)"},
	{"expression", "written only if all containers write", celDir + "core.go", "variables.writable.exists(w, ", "variables.writable.all(w, "},
	{"expression", "unconfined taken for unset", celDir + "core.go", "p.type == \"Unconfined\" ? [\"seccomp unconfined\"]", "p.type == \"Unconfined\" ? [\"no seccomp profile\"]"},
	{"expression", "the pod's group not inherited", celDir + "core.go", "c.?securityContext.?runAsGroup.or(variables.podContext.?runAsGroup)", "c.?securityContext.?runAsGroup"},
	{"expression", "any audience taken for the token", celDir + "core.go", "(s.serviceAccountToken.path == \"token\" && s.serviceAccountToken.?audience.orValue(\"\") == \"\")", "s.serviceAccountToken.path == \"token\""},
	{"expression", "unknown accounts are known", celDir + "core.go", "variables.alternatives.size() > 0", "variables.alternatives.size() >= 0"},
	{"expression", "no limit of costs", celDir + "core.go", "maxCost  = 800_000", "maxCost  = 80_000_000"},
	{"expression", "not compared for nothing", celDir + "core.go", "maxCost  = 800_000", "maxCost  = 80_00"},
	{"message", "names what is permitted", celDir + "core.go", "c.asks.filter(l, l in variables.nearest)", "c.asks"},
	{"message", "names the pod's lines only", celDir + "core.go", "size(c.asks) > 0 ? ", "size(c.asks) > 9 ? "},
	{"tables", "the smaller alternative is kept", celDir + "table.go", "return o.set.Permits(n.set) && !o.set.Equal(n.set)", "return n.set.Permits(o.set) && !o.set.Equal(n.set)"},
	{"tables", "pods of a workload are one pod", celDir + "table.go", "range m.Profile.PodPrivileges.Values() {", "range []profile.Names{slices.Concat(m.Profile.PodPrivileges.Values()...)} {"},
	{"tables", "static pods have permits", celDir + "table.go", "if m.ServiceAccount == \"\" {\n\t\t\t\tcontinue", "if m.ServiceAccount == \"-\" {\n\t\t\t\tcontinue"},
	{"tables", "one line too few", celDir + "table.go", "for _, line := range a.Permits.Lines() {\n\t\tif comments {", "for _, line := range a.Permits.Lines()[:max(1, len(a.Permits.Lines())-1)] {\n\t\tif comments {"},
	{"diff", "a new workload is compared with nothing", "pkg/diff/diff.go", "c.State, old = Added, before.namespaces[w.Namespace]", "c.State = Added"},
	{"diff", "the reductions are the escalations", "pkg/diff/diff.go", "c.Escalated = excess(old.permits(), now)", "c.Escalated = excess(now.permits(), old)"},
	{"policy", "debug containers not judged", celDir + "policy.go", "rule(admissionv1.Update, \"pods/ephemeralcontainers\"),", ""},
	{"policy", "anyone may make a mirror pod", celDir + "verdict.go", "in request.userInfo.?groups.orValue([])\n  && ", "in request.userInfo.?groups.orValue([])\n  || "},
	{"policy", "all or nothing", celDir + "verdict.go", "\"!variables.known || variables.admitted\"", "\"!variables.known || !variables.admitted\""},
	{"policy", "bound to one place of permits", vapDir + "policy.go", "MatchLabels: map[string]string{cel.Key: where}", "MatchLabels: map[string]string{cel.Key: \"annotation\"}"},
	{"policy", "deny means audit", celDir + "policy.go", "return []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}", "return []admissionv1.ValidationAction{admissionv1.Audit}"},
	{"policy", "a part of the permits of the cluster lost", celDir + "text.go", "names = append(names, \"variables.\"+name)", "names = []string{\"variables.\" + name}"},
}
