package psp

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
What a policy permits, in the lines of package privilege.

A line is permitted if a pod may have what it names, and if it is under one that is: a pod
that asks for less is no escalation, even where admission, which compares literally,
refuses it. Permitted is also every line that no field of a policy restricts. Not permitted
is what a pod asks for by leaving a field unset if the policy then sets the field, unless
that takes nothing away: drops of capabilities that no runtime gives.

Lines ignore the annotations of seccomp, which servers ignore since 1.27: a pod that sets
its profile by them alone asks for "no seccomp profile", which a list of profiles does not
permit. Of a port of the host, policies know the number only.
*/

// Permit is what one written policy permits.
type Permit struct {
	lines privilege.Set
	// beginnings are those of lines that are all permitted, and forbidden the patterns of
	// sysctls that are not.
	beginnings []string
	forbidden  []string
	// ranges are the permitted numbers of lines, by how the lines begin.
	ranges map[string][]idRange
	paths  []profile.HostPath
	// seLinux is the line of the options that are permitted; empty if others are, too.
	seLinux string
}

// unrestricted are the lines, and the beginnings of lines, that no policy restricts.
var unrestricted = []string{
	"hostUsers", "shareProcessNamespace", "image groups", "mountPropagation ", "probe host ", "windows hostProcess", "windows user ",
}

// Permits returns what the pods of a service account may ask for in a namespace: the
// permits of each valid policy that RBAC lets the account use, or that no RBAC of the files
// is about.
func (w *Written) Permits(namespace, account string) []Permit {
	m := aggregate.Member{Workload: aggregate.Workload{Namespace: namespace}, ServiceAccount: account}
	var list []Permit
	for _, p := range w.sorted() {
		grants, granted := w.grants(p.Name)
		if granted && !slices.ContainsFunc(grants, func(g Grant) bool { return g.covers(m) }) {
			continue
		}
		c := comparison{policy: p}
		if c.checkPolicy(); len(c.Faults) == 0 {
			list = append(list, p.permit())
		}
	}
	return list
}

// Excess returns the lines of what a pod asks for that are not permitted, sorted.
func (p Permit) Excess(asked privilege.Set) []string {
	return slices.DeleteFunc(p.lines.Excess(asked), p.has)
}

// Lines returns the permitted lines. An asterisk or a range at the end stands for several.
func (p Permit) Lines() []string {
	lines := slices.Clone(p.lines.Lines())
	for _, b := range p.beginnings {
		if !slices.Contains(unrestricted, b) {
			lines = append(lines, b+"*")
		}
	}
	for beginning, ranges := range p.ranges {
		for _, r := range ranges {
			lines = append(lines, beginning+r.String())
		}
	}
	if p.seLinux != "" {
		lines = append(lines, p.seLinux)
	}
	slices.Sort(lines)
	return lines
}

// has reports whether a line is permitted that may not be among the lines.
func (p Permit) has(line string) bool {
	if name, ok := strings.CutPrefix(line, "sysctl "); ok && matchesAny(p.forbidden, name) {
		return false
	}
	if slices.ContainsFunc(p.beginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
		return true
	}
	if number, beginning := numberOf(line); beginning != "" {
		return slices.ContainsFunc(p.ranges[beginning], func(r idRange) bool { return r.has(number) })
	}
	if file, writable := hostPathOf(line); file != "" {
		return slices.ContainsFunc(p.paths, func(h profile.HostPath) bool { return covers(h, profile.HostPath{Path: file, Writable: writable}) })
	}
	return strings.HasPrefix(line, "seLinux") && sameSELinux(line, p.seLinux)
}

// numberOf returns the number of a line and what precedes it; nothing if the line has none.
func numberOf(line string) (number int64, beginning string) {
	for _, b := range [...]string{"user ", "group ", "fsGroup ", "supplementalGroup ", "hostPort "} {
		if rest, ok := strings.CutPrefix(line, b); ok {
			digits, _, _ := strings.Cut(rest, "/") // of a port, before the protocol
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
				return n, b
			}
		}
	}
	switch line {
	case "root user":
		return 0, "user "
	case "root group":
		return 0, "group "
	}
	return 0, ""
}

// hostPathOf returns the path of a line, quoted; nothing if the line has none.
func hostPathOf(line string) (file string, writable bool) {
	rest, writable := strings.CutPrefix(line, "write ")
	if file, ok := strings.CutPrefix(rest, "hostPath "); ok {
		return file, writable
	}
	return "", false
}

// sameSELinux reports whether two lines have the same options; see sameOptions.
func sameSELinux(a, b string) bool {
	options, level, _ := strings.Cut(a, "level=")
	want, wantLevel, _ := strings.Cut(b, "level=")
	return a == b || options == want && sameCategories(level, wantLevel)
}

// permitting is a Permit while it is made.
type permitting struct {
	Permit
	policy *writtenPolicy
	listed []string
}

// permit returns what a policy permits.
func (p *writtenPolicy) permit() Permit {
	m := &permitting{policy: p, Permit: Permit{ranges: map[string][]idRange{}}}
	for _, permit := range []func(){
		m.permitUnrestricted,
		m.permitFlags,
		m.permitVolumes,
		m.permitIDs,
		m.permitSysctls,
		m.permitClasses,
		m.permitProfiles,
	} {
		permit()
	}
	m.lines = privilege.SetOf(m.listed...)
	return m.Permit
}

// permitIf permits a line if a condition holds, and permitAllIf every line that begins so.
func (m *permitting) permitIf(condition bool, line string) {
	if condition {
		m.listed = append(m.listed, line)
	}
}

func (m *permitting) permitAllIf(condition bool, beginning string) {
	if condition {
		m.beginnings = append(m.beginnings, beginning)
	}
}

func (m *permitting) permitUnrestricted() {
	for _, line := range unrestricted {
		several := strings.HasSuffix(line, " ")
		m.permitIf(!several, line)
		m.permitAllIf(several, line)
	}
}

func (m *permitting) permitFlags() {
	spec := &m.policy.Spec
	m.permitIf(spec.Privileged, "privileged")
	m.permitIf(spec.HostNetwork, "hostNetwork")
	m.permitIf(spec.HostPID, "hostPID")
	m.permitIf(spec.HostIPC, "hostIPC")
	m.permitIf(spec.allowsEscalation(), "allowPrivilegeEscalation")
	m.permitIf(!spec.ReadOnlyRootFilesystem, "writable root file system")
	m.listed = append(m.listed, spec.capabilityLines()...)
	for _, t := range spec.AllowedProcMountTypes {
		m.permitIf(t != corev1.DefaultProcMount, "procMount "+privilege.Quote(string(t)))
	}
}

func (m *permitting) permitVolumes() {
	spec := &m.policy.Spec
	for _, kind := range volumeKinds() {
		m.permitIf(spec.allowsVolume(profile.Name(kind)), "volume "+kind)
	}
	if spec.allowsVolume("hostPath") {
		m.permitAllIf(len(spec.AllowedHostPaths) == 0, "hostPath ")
		m.permitAllIf(len(spec.AllowedHostPaths) == 0, "write hostPath ")
		for _, h := range spec.AllowedHostPaths {
			m.permitIf(true, privilege.HostPath(h.PathPrefix, !h.ReadOnly))
			m.paths = append(m.paths, profile.HostPath{Path: privilege.Quote(h.PathPrefix), Writable: !h.ReadOnly})
		}
	}
	if spec.allowsVolume("csi") {
		m.permitAllIf(len(spec.AllowedCSIDrivers) == 0, "csi ")
		for _, d := range spec.AllowedCSIDrivers {
			m.permitIf(true, "csi "+privilege.Quote(d.Name))
		}
	}
	if spec.allowsVolume("flexVolume") {
		m.permitAllIf(len(spec.AllowedFlexVolumes) == 0, "flexVolume ")
		for _, d := range spec.AllowedFlexVolumes {
			m.permitIf(true, "flexVolume "+privilege.Quote(d.Driver))
		}
	}
}

func (m *permitting) permitIDs() {
	spec := &m.policy.Spec
	m.ranges["hostPort "] = spec.HostPorts
	group := idRule{Rule: runAsAny}
	if spec.RunAsGroup != nil {
		group = *spec.RunAsGroup
	}
	m.permitIf(spec.RunAsUser.Rule == runAsAny, "image user root")
	m.permitIf(spec.RunAsUser.Rule == runAsAny, "root user")
	m.permitIf(spec.RunAsUser.Rule == mustRunAsNonRoot, "image user")
	m.permitIf(group.Rule == runAsAny, "root group")
	m.permitIf(group.Rule != mustRunAs, "image group")
	m.permitAllIf(spec.FSGroup.Rule == runAsAny, "fsGroup ")
	m.permitAllIf(spec.SupplementalGroups.Rule == runAsAny, "supplementalGroup ")
	for beginning, rule := range map[string]idRule{
		"user ": spec.RunAsUser, "group ": group, "fsGroup ": spec.FSGroup, "supplementalGroup ": spec.SupplementalGroups,
	} {
		if rule.Rule == mustRunAs || rule.Rule == mayRunAs {
			m.ranges[beginning] = rule.Ranges
		}
	}
}

func (m *permitting) permitSysctls() {
	spec := &m.policy.Spec
	m.forbidden = spec.ForbiddenSysctls
	for _, name := range safeSysctls {
		m.permitIf(!matchesAny(spec.ForbiddenSysctls, name), privilege.Sysctl(name))
	}
	for _, pattern := range spec.AllowedUnsafeSysctls {
		prefix, several := strings.CutSuffix(pattern, wildcard)
		m.permitIf(!several, privilege.Sysctl(pattern))
		m.permitAllIf(several, privilege.Sysctl(prefix))
	}
}

func (m *permitting) permitClasses() {
	spec := &m.policy.Spec
	m.permitAllIf(spec.SELinux.Rule == runAsAny, "seLinux")
	if spec.SELinux.Rule == mustRunAs {
		m.seLinux = privilege.SELinux(spec.SELinux.SELinuxOptions)
	}
	rule := spec.RuntimeClass
	if rule == nil {
		rule = &writtenRuntimeClass{AllowedRuntimeClassNames: []string{wildcard}}
	}
	m.permitIf(rule.DefaultRuntimeClassName == nil, "default runtimeClass")
	for _, name := range rule.AllowedRuntimeClassNames {
		m.permitIf(name != wildcard, "runtimeClass "+privilege.Quote(name))
		m.permitAllIf(name == wildcard, "runtimeClass ")
	}
}

func (m *permitting) permitProfiles() {
	list, ok := m.policy.seccompList()
	every := slices.Contains(list, wildcard)
	m.permitIf((every || !ok) && m.policy.Annotations[seccompDefaultAnnotation] == "", "no seccomp profile")
	m.permitIf(every || slices.Contains(list, corev1.SeccompProfileNameUnconfined), "seccomp unconfined")
	for _, name := range list {
		m.permitIf(strings.HasPrefix(name, corev1.SeccompLocalhostProfileNamePrefix), "seccomp "+privilege.Quote(name))
	}
	list, ok = m.policy.appArmorList()
	m.permitAllIf(!ok, "appArmor ")
	for _, name := range list {
		m.permitIf(name != corev1.DeprecatedAppArmorBetaProfileRuntimeDefault, "appArmor "+privilege.Quote(name))
	}
}

// capabilityLines returns what containers may have: what they may add, and what runtimes
// give them by default unless it must be dropped, as runtimes read it.
func (s *writtenSpec) capabilityLines() []string {
	var lines, dropped []string
	for _, c := range slices.Concat(s.AllowedCapabilities, s.DefaultAddCapabilities) {
		if c == wildcard {
			c = all
		}
		lines = append(lines, privilege.Capability(string(c)))
	}
	for _, c := range s.RequiredDropCapabilities {
		dropped = append(dropped, strings.ToUpper(string(c)))
	}
	for _, c := range privilege.DefaultCapabilities {
		if !slices.Contains(dropped, c) && !slices.Contains(dropped, all) {
			lines = append(lines, privilege.Capability(c))
		}
	}
	return lines
}

// volumeKinds returns the kinds of volumes that have no line of another form.
func volumeKinds() []string {
	kinds := []string{privilege.ServiceAccountToken}
	for f := range reflect.TypeFor[corev1.VolumeSource]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !slices.Contains([]string{"hostPath", "csi", "flexVolume"}, name) {
			kinds = append(kinds, name)
		}
	}
	return kinds
}
