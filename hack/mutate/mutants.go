package main

// mutant is one fault: in the file, the text old, which stands there once,
// becomes new.
type mutant struct {
	family, what, file, old, new string
}

const (
	profileDir = "pkg/profile/"
	pspDir     = "pkg/generate/psp/"
)

// mutants has at least one fault per field family, some of them the classic
// ones of generators like this.
var mutants = []mutant{
	{"privileged", "never allowed", pspDir + "privileged.go", "d.spec.Privileged = true", "d.spec.Privileged = false"},
	{"host namespaces", "hostPID always allowed", pspDir + "host.go", "if f.set.Has(profile.True) {", "if f.set.Has(profile.True) || f.name == \"hostPID\" {"},
	{"host namespaces", "never allowed", pspDir + "host.go", "*f.field = true", "*f.field = false"},
	{"hostPorts", "low ports overlooked", profileDir + "hostports.go", "port.HostPort > 0", "port.HostPort > 80"},
	{"hostPorts", "host network's ports of templates overlooked", "pkg/observe/record.go", "if !pod.Spec.HostNetwork {", "if true {"},
	{"ranges", "a gap of one is bridged", pspDir + "ranges.go", "list[n-1].Max+1 == id.Number", "list[n-1].Max+2 >= id.Number"},
	{"ranges", "neighbours replace each other", pspDir + "ranges.go", "list[n-1].Max = id.Number", "list[n-1] = idRange{Min: id.Number, Max: id.Number}"},
	{"escalation", "unset taken for false", pspDir + "escalation.go", "!d.profile.AllowPrivilegeEscalation.All(is(profile.False))", "d.profile.AllowPrivilegeEscalation.Has(profile.True)"},
	{"escalation", "always allowed", pspDir + "escalation.go", "!d.profile.AllowPrivilegeEscalation.All(is(profile.False))", "true"},
	{"read-only root", "unset taken for true", pspDir + "escalation.go", "d.profile.ReadOnlyRootFilesystem.All(is(profile.True))", "!d.profile.ReadOnlyRootFilesystem.Has(profile.False)"},
	{"read-only root", "never demanded", pspDir + "escalation.go", "d.profile.ReadOnlyRootFilesystem.All(is(profile.True))", "false"},
	{"allowed capabilities", "runtime defaults skipped", pspDir + "capabilities.go", "for i, it := range added.Items() {", "for i, it := range added.Items() {\n\t\tif it.Value == \"NET_BIND_SERVICE\" {\n\t\t\tcontinue\n\t\t}"},
	{"required drops", "the last container's drops", pspDir + "capabilities.go", "if i == 0 {", "if i >= 0 {"},
	{"required drops", "containers without capabilities overlooked", profileDir + "capabilities.go", "p.DroppedCapabilities.add(Names{}, c.Name)", "_ = c"},
	{"required drops", "ALL is not enough", pspDir + "capabilities.go", "[]corev1.Capability{all}\n", "d.spec.RequiredDropCapabilities[1:]\n"},
	{"volumes", "cephfs spelled as in pods", pspDir + "volumes.go", "{\"cephfs\": \"cephFS\"}", "{}"},
	{"volumes", "token beside projected also by secret", pspDir + "volumes.go", "if projected {", "if projected && false {"},
	{"volumes", "token taken for any projected volume", privilegeDir + "volumes.go", "s.Projected != nil && onlyToken(s.Projected)", "s.Projected != nil && len(s.Projected.Sources) > 9"},
	{"volumes", "any audience taken for the token", privilegeDir + "volumes.go", "(t.Path != \"token\" || t.Audience != \"\")", "t.Path != \"token\""},
	{"volumes", "automount ignored", "pkg/observe/accounts.go", "r.Token == TokenByAccount && optedOut", "r.Token == NoToken && optedOut"},
	{"volumes", "claims of stateful sets overlooked", "pkg/observe/claims.go", "if len(claims) == 0 {", "if len(claims) < 9 {"},
	{"host paths", "always writable", pspDir + "hostpaths.go", "ReadOnly: !p.Writable", "ReadOnly: false"},
	{"host paths", "a read-only parent covers a writable path", pspDir + "hostpaths.go", "(h.Writable || !o.Writable)", "true"},
	{"host paths", "prefixes within a segment", pspDir + "hostpaths.go", "ok && (rest == \"\" || rest[0] == '/')", "ok && len(rest) >= 0"},
	{"host paths", "the last mount decides", profileDir + "volumes.go", "h.Writable = h.Writable || !m.readOnly", "h.Writable = !m.readOnly"},
	{"host paths", "nested paths all listed", pspDir + "hostpaths.go", "if !covered {", "if !covered || true {"},
	{"flex drivers", "any driver", pspDir + "volumes.go", "range d.profile.FlexVolumeDrivers.Items()", "range d.profile.FlexVolumeDrivers.Items()[:0]"},
	{"csi drivers", "any driver", pspDir + "volumes.go", "range d.profile.CSIDrivers.Items()", "range d.profile.CSIDrivers.Items()[:0]"},
	{"sysctls", "unused safe ones not forbidden", pspDir + "sysctls.go", "!used.Has(profile.Name(name)) && !allowed", "!used.Has(profile.Name(name)) && !allowed && false"},
	{"sysctls", "safe ones allowed again", pspDir + "sysctls.go", "return !slices.Contains(safeSysctls, string(n))", "return n != \"\""},
	{"proc mount", "never allowed", pspDir + "procmount.go", "return n != profile.Name(corev1.DefaultProcMount)", "return n == \"\""},
	{"proc mount", "default denied", pspDir + "procmount.go", "range used.Items()", "range used.Items()[used.Len()-1:]"},
	{"runtime class", "any class", pspDir + "runtimeclass.go", "AllowedRuntimeClassNames: names", "AllowedRuntimeClassNames: append(names, \"*\")"},
	{"selinux", "only the pod level compared", pspDir + "selinux.go", "return sameOptions(s.Pod, want) &&\n", "return sameOptions(s.Pod, want) || \n"},
	{"selinux", "the pod's options not inherited", profileDir + "selinux.go", "seLinuxOptionsOf(either(c.sc.SELinuxOptions, podSC.SELinuxOptions))", "seLinuxOptionsOf(c.sc.SELinuxOptions)"},
	{"runAsUser", "the pod's user not inherited", profileDir + "user.go", "either(c.sc.RunAsUser, c.podSC.RunAsUser)", "c.sc.RunAsUser"},
	{"runAsUser", "runAsNonRoot: false ignored", pspDir + "user.go", "u.NonRoot != profile.False &&", "true &&"},
	{"runAsUser", "never non-root", pspDir + "user.go", "case users.All(nonRoot):", "case users.Len() < 0:"},
	{"runAsGroup", "the pod's group not inherited", profileDir + "of.go", "either(c.sc.RunAsGroup, podSC.RunAsGroup)", "c.sc.RunAsGroup"},
	{"groups", "demanded of pods without", pspDir + "groups.go", "case ids.Has(profile.ID{}):", "case false:"},
	{"groups", "never demanded", pspDir + "groups.go", "return idRule{mustRunAs, list}", "return idRule{mayRunAs, list}"},
	{"groups", "root stands for none", pspDir + "groups.go", "const nobody = 65534", "const nobody = 0"},
	{"groups", "an empty list taken for set", profileDir + "groups.go", "if len(podSC.SupplementalGroups) == 0 {", "if podSC.SupplementalGroups == nil {"},
	{"seccomp", "mixtures listed", pspDir + "seccomp.go", "if !slices.ContainsFunc(names, func(n string) bool { return !validSeccomp(n) }) {", "if len(names) > 0 {"},
	{"seccomp", "always any", pspDir + "seccomp.go", "if !slices.ContainsFunc(names, func(n string) bool { return !validSeccomp(n) }) {", "if len(names) == 0 {"},
	{"seccomp", "container annotations overlooked", profileDir + "seccomp.go", "corev1.SeccompContainerAnnotationKeyPrefix+c.Name]; ok {", "corev1.SeccompContainerAnnotationKeyPrefix+c.Name]; ok && a == \"\" {"},
	{"seccomp", "accounts with pod-level profiles not joined", pspDir + "seccomp.go", "return m.Profile.SeccompField.Any(func(s profile.Seccomp) bool { return s.Pod != \"\" })", "return false"},
	{"apparmor", "containers without one overlooked", pspDir + "apparmor.go", "if !used.All(", "if !used.Any("},
	{"apparmor", "never listed", pspDir + "apparmor.go", "d.annotate(appArmorAllowedAnnotation, strings.Join(names, \",\"))", "_ = strings.Join(names, \",\")"},
	{"containers", "init containers overlooked", profileDir + "of.go", "for i := range spec.InitContainers {", "for i := range spec.InitContainers[:0] {"},
	{"grants", "static pods forgotten", pspDir + "rbac.go", "if g.HasMirrorPods() {", "if g.HasMirrorPods() && false {"},
	{"templates", "without a known controller overlooked", "pkg/observe/observe.go", "case owner == nil || linking[owner.Kind]:\n\t\treturn false", "case owner == nil || linking[owner.Kind]:\n\t\treturn true"},
	{"templates", "copies of their controller's count", "pkg/observe/observe.go", "|| isCopy(r, owners) {", "{"},
	{"templates", "past ones of a controller count", "pkg/observe/observe.go", "|| idle[r] ||", "|| idle[r] && false ||"},
	{"writing", "strings not quoted", "pkg/generate/yaml.go", "return scalar(v)", "return v"},
	{"grants", "every verb", pspDir + "rbac.go", "[]string{\"use\"}", "[]string{\"*\"}"},
}
