package judge

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/policy"
	"k8s.io/kubernetes/pkg/security/podsecuritypolicy"
	"k8s.io/kubernetes/pkg/security/podsecuritypolicy/seccomp"
	"k8s.io/kubernetes/pkg/security/podsecuritypolicy/sysctl"
	psputil "k8s.io/kubernetes/pkg/security/podsecuritypolicy/util"
)

// examine looks for slack in one policy: it tries every one-step tightening on
// the pods it was made for, if taken alone it leaves them unchanged as it is.
func (s *server) examine(psp *policyv1beta1.PodSecurityPolicy, pods []arrival) (Policy, error) {
	verdict := Policy{Name: psp.Name}
	provider, err := podsecuritypolicy.NewSimpleProvider(psp, "", podsecuritypolicy.NewSimpleStrategyFactory())
	if err != nil {
		return verdict, fmt.Errorf("creating provider: %w", err)
	}
	verdict.Pods = len(pods)
	if len(pods) == 0 {
		verdict.Unused = true
		return verdict, nil
	}
	for _, a := range pods {
		if !fits(provider, a) {
			// A pod is at fault, which is reported; of slack nothing can be said.
			return verdict, nil
		}
	}
	for _, step := range tightenings(psp, usageOf(pods)) {
		tighter := psp.DeepCopy()
		step.apply(tighter)
		slack, err := survives(psp, tighter, pods)
		if err != nil {
			return verdict, fmt.Errorf("tightening %s (%s): %w", step.Field, step.Change, err)
		}
		if slack {
			verdict.Slack = append(verdict.Slack, step.Slack)
		}
	}
	return verdict, nil
}

// survives reports whether the tighter policy is another, is valid, is not
// ignored, and leaves every pod unchanged.
func survives(psp, tighter *policyv1beta1.PodSecurityPolicy, pods []arrival) (bool, error) {
	internal := &policy.PodSecurityPolicy{}
	if err := legacyscheme.Scheme.Convert(tighter, internal, nil); err != nil {
		return false, fmt.Errorf("converting: %w", err)
	}
	stored, invalid, err := admissible(internal)
	if err != nil || invalid != "" || apiequality.Semantic.DeepEqual(psp, stored) {
		return false, err
	}
	provider, err := podsecuritypolicy.NewSimpleProvider(stored, "", podsecuritypolicy.NewSimpleStrategyFactory())
	if err != nil {
		return false, fmt.Errorf("creating provider: %w", err)
	}
	for _, a := range pods {
		if !fits(provider, a) {
			return false, nil
		}
	}
	return true, nil
}

// fits reports whether a policy alone admits the pod and leaves it, once
// stored, as it would be without any policy.
func fits(provider podsecuritypolicy.Provider, a arrival) bool {
	pod := a.request.DeepCopy()
	if err := provider.MutatePod(pod); err != nil || len(provider.ValidatePod(pod)) > 0 {
		return false
	}
	if apiequality.Semantic.DeepEqual(a.request, pod) {
		return true
	}
	// The provider writes the pod's own seccomp field as an annotation, which
	// the registry does anyway.
	prepare(pod)
	return apiequality.Semantic.DeepEqual(a.plain, pod)
}

// step is one tightening.
type step struct {
	Slack
	apply func(*policyv1beta1.PodSecurityPolicy)
}

// steps collects tightenings.
type steps []step

func (s *steps) add(field, change string, apply func(*policyv1beta1.PodSecurityPolicy)) {
	*s = append(*s, step{Slack{Field: field, Change: change}, apply})
}

// spec adds a tightening of the spec.
func (s *steps) spec(field, change string, apply func(*policyv1beta1.PodSecurityPolicySpec)) {
	s.add(field, change, func(psp *policyv1beta1.PodSecurityPolicy) { apply(&psp.Spec) })
}

// tightenings lists every one-step tightening of the policy worth trying on
// pods that use these values.
func tightenings(psp *policyv1beta1.PodSecurityPolicy, u usage) []step {
	var s steps
	s.flags(&psp.Spec)
	s.capabilities(&psp.Spec, u)
	s.volumes(&psp.Spec, u)
	s.hostPaths(&psp.Spec, u)
	s.hostPorts(&psp.Spec, u)
	s.sysctls(&psp.Spec, u)
	s.procMounts(&psp.Spec)
	s.runtimeClasses(&psp.Spec, u)
	s.seLinux(&psp.Spec, u)
	s.users(&psp.Spec, u)
	s.groups(&psp.Spec, u)
	s.seccomp(psp, u)
	s.appArmor(psp, u)
	return s
}

type spec = policyv1beta1.PodSecurityPolicySpec

func (s *steps) flags(p *spec) {
	for _, flag := range []struct {
		name string
		of   func(*spec) *bool
	}{
		{"privileged", func(p *spec) *bool { return &p.Privileged }},
		{"hostNetwork", func(p *spec) *bool { return &p.HostNetwork }},
		{"hostPID", func(p *spec) *bool { return &p.HostPID }},
		{"hostIPC", func(p *spec) *bool { return &p.HostIPC }},
	} {
		if *flag.of(p) {
			s.spec(flag.name, "true → false", func(p *spec) { *flag.of(p) = false })
		}
	}
	if !p.ReadOnlyRootFilesystem {
		s.spec("readOnlyRootFilesystem", "false → true", func(p *spec) { p.ReadOnlyRootFilesystem = true })
	}
	no := false
	if p.AllowPrivilegeEscalation == nil || *p.AllowPrivilegeEscalation {
		s.spec("allowPrivilegeEscalation", "true → false", func(p *spec) { p.AllowPrivilegeEscalation = &no })
	}
	if p.DefaultAllowPrivilegeEscalation != nil && *p.DefaultAllowPrivilegeEscalation {
		s.spec("defaultAllowPrivilegeEscalation", "true → unset", func(p *spec) { p.DefaultAllowPrivilegeEscalation = nil })
	}
}

// capabilities: a policy that requires ALL to be dropped needs no other name.
func (s *steps) capabilities(p *spec, u usage) {
	removals(s, "allowedCapabilities", p.AllowedCapabilities, 0, func(p *spec, list []corev1.Capability) { p.AllowedCapabilities = list })
	removals(s, "defaultAddCapabilities", p.DefaultAddCapabilities, 0, func(p *spec, list []corev1.Capability) { p.DefaultAddCapabilities = list })
	if slices.Contains(p.AllowedCapabilities, policyv1beta1.AllowAllCapabilities) && !u.adds["*"] {
		s.spec("allowedCapabilities", "* → the used ones", func(p *spec) { p.AllowedCapabilities = typed[corev1.Capability](sortedKeys(u.adds)) })
	}
	if slices.Contains(p.RequiredDropCapabilities, "ALL") {
		return
	}
	for _, name := range sortedKeys(merged(u.drops, map[string]bool{"ALL": true})) {
		if !slices.Contains(p.RequiredDropCapabilities, corev1.Capability(name)) {
			s.spec("requiredDropCapabilities", "add "+name, func(p *spec) {
				p.RequiredDropCapabilities = append(p.RequiredDropCapabilities, corev1.Capability(name))
			})
		}
	}
}

// volumes: with secret allowed, a token volume needs no projected
// (pkg/security/podsecuritypolicy/provider.go:455, v1.24.17), and secret
// shows less than projected, which has every source.
func (s *steps) volumes(p *spec, u usage) {
	removals(s, "volumes", p.Volumes, 0, func(p *spec, list []policyv1beta1.FSType) { p.Volumes = list })
	if slices.Contains(p.Volumes, policyv1beta1.All) {
		s.spec("volumes", "* → the used types", func(p *spec) { p.Volumes = typed[policyv1beta1.FSType](sortedKeys(u.volumes)) })
	}
	if i := slices.Index(p.Volumes, policyv1beta1.Projected); i >= 0 && !slices.Contains(p.Volumes, policyv1beta1.Secret) {
		s.spec("volumes", "projected → secret", func(p *spec) { p.Volumes[i] = policyv1beta1.Secret })
	}
	if psputil.PSPAllowsFSType(&policyv1beta1.PodSecurityPolicy{Spec: *p}, policyv1beta1.FlexVolume) {
		restrictions(s, "allowedFlexVolumes", p.AllowedFlexVolumes, u.flex,
			func(driver string) policyv1beta1.AllowedFlexVolume {
				return policyv1beta1.AllowedFlexVolume{Driver: driver}
			},
			func(p *spec, list []policyv1beta1.AllowedFlexVolume) { p.AllowedFlexVolumes = list })
	}
	if psputil.PSPAllowsFSType(&policyv1beta1.PodSecurityPolicy{Spec: *p}, policyv1beta1.CSI) {
		restrictions(s, "allowedCSIDrivers", p.AllowedCSIDrivers, u.csi,
			func(driver string) policyv1beta1.AllowedCSIDriver {
				return policyv1beta1.AllowedCSIDriver{Name: driver}
			},
			func(p *spec, list []policyv1beta1.AllowedCSIDriver) { p.AllowedCSIDrivers = list })
	}
}

// hostPaths: an empty list allows every path, so it is never a step.
func (s *steps) hostPaths(p *spec, u usage) {
	if !psputil.PSPAllowsFSType(&policyv1beta1.PodSecurityPolicy{Spec: *p}, policyv1beta1.HostPath) {
		return
	}
	set := func(p *spec, list []policyv1beta1.AllowedHostPath) { p.AllowedHostPaths = list }
	restrictions(s, "allowedHostPaths", p.AllowedHostPaths, u.hostPaths,
		func(path string) policyv1beta1.AllowedHostPath {
			return policyv1beta1.AllowedHostPath{PathPrefix: path}
		}, set)
	for i, entry := range p.AllowedHostPaths {
		replace := func(change string, with ...policyv1beta1.AllowedHostPath) {
			list := slices.Concat(p.AllowedHostPaths[:i], with, p.AllowedHostPaths[i+1:])
			s.spec("allowedHostPaths", entry.PathPrefix+": "+change, func(p *spec) { set(p, list) })
		}
		var below []policyv1beta1.AllowedHostPath
		for _, path := range sortedKeys(u.hostPaths) {
			only := &policyv1beta1.PodSecurityPolicy{Spec: spec{AllowedHostPaths: p.AllowedHostPaths[i : i+1]}}
			if allowed, _ := psputil.AllowsHostVolumePath(only, path); allowed && strings.TrimSuffix(path, "/") != strings.TrimSuffix(entry.PathPrefix, "/") {
				below = append(below, policyv1beta1.AllowedHostPath{PathPrefix: path, ReadOnly: entry.ReadOnly})
			}
		}
		if len(below) > 0 {
			replace("only the used paths below", below...)
		}
		if entry.ReadOnly {
			continue
		}
		reading := policyv1beta1.AllowedHostPath{PathPrefix: entry.PathPrefix, ReadOnly: true}
		replace("read-only", reading)
		if len(below) > 0 {
			replace("read-only, except for the used paths below", append(slices.Clone(below), reading)...)
		}
		// The written paths may be few of those below.
		for _, path := range below {
			replace("read-only, except for "+path.PathPrefix, reading, path)
		}
	}
}

func (s *steps) hostPorts(p *spec, u usage) {
	var spans []span
	for _, r := range p.HostPorts {
		spans = append(spans, span{int64(r.Min), int64(r.Max)})
	}
	for _, tighter := range narrower(spans, u.ports) {
		var list []policyv1beta1.HostPortRange
		for _, t := range tighter {
			list = append(list, policyv1beta1.HostPortRange{Min: int32(t.min), Max: int32(t.max)}) //nolint:gosec // between ends that were int32
		}
		s.spec("hostPorts", fmt.Sprintf("%v → %v", spans, tighter), func(p *spec) { p.HostPorts = list })
	}
}

// sysctls: only a safe name is worth forbidding, since others must be allowed
// one by one.
func (s *steps) sysctls(p *spec, u usage) {
	set := func(p *spec, list []string) { p.AllowedUnsafeSysctls = list }
	removals(s, "allowedUnsafeSysctls", p.AllowedUnsafeSysctls, 0, set)
	for i, pattern := range p.AllowedUnsafeSysctls {
		prefix, ok := strings.CutSuffix(pattern, "*")
		if !ok {
			continue
		}
		var names, longer []string
		for _, name := range sortedKeys(u.sysctls) {
			if strings.HasPrefix(name, prefix) {
				names, longer = append(names, name), append(longer, name+"*")
			}
		}
		for _, with := range [][]string{names, longer} {
			list := slices.Concat(p.AllowedUnsafeSysctls[:i], with, p.AllowedUnsafeSysctls[i+1:])
			if len(with) > 0 && !slices.Equal(list, p.AllowedUnsafeSysctls) {
				s.spec("allowedUnsafeSysctls", fmt.Sprintf("%s → %v", pattern, with), func(p *spec) { set(p, list) })
			}
		}
	}
	if slices.Contains(p.ForbiddenSysctls, "*") {
		return
	}
	for _, name := range sysctl.SafeSysctlAllowlist() {
		if !slices.Contains(p.ForbiddenSysctls, name) && !slices.ContainsFunc(p.ForbiddenSysctls, func(f string) bool {
			prefix, pattern := strings.CutSuffix(f, "*")
			return pattern && strings.HasPrefix(name, prefix)
		}) {
			s.spec("forbiddenSysctls", "add "+name, func(p *spec) { p.ForbiddenSysctls = append(p.ForbiddenSysctls, name) })
		}
	}
}

func (s *steps) procMounts(p *spec) {
	removals(s, "allowedProcMountTypes", p.AllowedProcMountTypes, 1, func(p *spec, list []corev1.ProcMountType) { p.AllowedProcMountTypes = list })
}

func (s *steps) runtimeClasses(p *spec, u usage) {
	if p.RuntimeClass == nil || slices.Contains(p.RuntimeClass.AllowedRuntimeClassNames, policyv1beta1.AllowAllRuntimeClassNames) {
		s.spec("runtimeClass", "any → the used ones", func(p *spec) {
			p.RuntimeClass = &policyv1beta1.RuntimeClassStrategyOptions{AllowedRuntimeClassNames: sortedKeys(u.classes)}
		})
	}
	if p.RuntimeClass != nil {
		removals(s, "runtimeClass", p.RuntimeClass.AllowedRuntimeClassNames, 0, func(p *spec, list []string) { p.RuntimeClass.AllowedRuntimeClassNames = list })
	}
}

func (s *steps) seLinux(p *spec, u usage) {
	if p.SELinux.Rule != policyv1beta1.SELinuxStrategyRunAsAny {
		return
	}
	for _, used := range u.selinuxes {
		options := &corev1.SELinuxOptions{User: used.User, Role: used.Role, Type: used.Type, Level: used.Level}
		s.spec("seLinux", fmt.Sprintf("RunAsAny → MustRunAs %v", options), func(p *spec) {
			p.SELinux = policyv1beta1.SELinuxStrategyOptions{Rule: policyv1beta1.SELinuxStrategyMustRunAs, SELinuxOptions: options}
		})
	}
}

func (s *steps) users(p *spec, u usage) {
	set := func(rule policyv1beta1.RunAsUserStrategy, spans []span) func(*spec) {
		return func(p *spec) {
			p.RunAsUser = policyv1beta1.RunAsUserStrategyOptions{Rule: rule, Ranges: idRanges(spans)}
		}
	}
	rule := p.RunAsUser.Rule
	switch rule {
	case policyv1beta1.RunAsUserStrategyRunAsAny, policyv1beta1.RunAsUserStrategyMustRunAsNonRoot:
		if rule == policyv1beta1.RunAsUserStrategyRunAsAny {
			s.spec("runAsUser", "RunAsAny → MustRunAsNonRoot", set(policyv1beta1.RunAsUserStrategyMustRunAsNonRoot, nil))
		}
		s.spec("runAsUser", fmt.Sprintf("%s → MustRunAs %v", rule, exact(u.uids)), set(policyv1beta1.RunAsUserStrategyMustRunAs, exact(u.uids)))
	case policyv1beta1.RunAsUserStrategyMustRunAs:
		for _, tighter := range narrower(spansOf(p.RunAsUser.Ranges), u.uids) {
			s.spec("runAsUser", fmt.Sprintf("%v → %v", spansOf(p.RunAsUser.Ranges), tighter), set(rule, tighter))
		}
	}
}

// groups: the three group fields share their rules' names and meaning.
func (s *steps) groups(p *spec, u usage) {
	gidRule, gidRanges := "RunAsAny", []policyv1beta1.IDRange(nil)
	if p.RunAsGroup != nil {
		gidRule, gidRanges = string(p.RunAsGroup.Rule), p.RunAsGroup.Ranges
	}
	s.group("runAsGroup", gidRule, gidRanges, u.gids, func(p *spec, rule string, ranges []policyv1beta1.IDRange) {
		p.RunAsGroup = &policyv1beta1.RunAsGroupStrategyOptions{Rule: policyv1beta1.RunAsGroupStrategy(rule), Ranges: ranges}
	})
	s.group("fsGroup", string(p.FSGroup.Rule), p.FSGroup.Ranges, u.fsGroups, func(p *spec, rule string, ranges []policyv1beta1.IDRange) {
		p.FSGroup = policyv1beta1.FSGroupStrategyOptions{Rule: policyv1beta1.FSGroupStrategyType(rule), Ranges: ranges}
	})
	s.group("supplementalGroups", string(p.SupplementalGroups.Rule), p.SupplementalGroups.Ranges, u.groups, func(p *spec, rule string, ranges []policyv1beta1.IDRange) {
		p.SupplementalGroups = policyv1beta1.SupplementalGroupsStrategyOptions{Rule: policyv1beta1.SupplementalGroupsStrategyType(rule), Ranges: ranges}
	})
}

// nobody is the range for pods that set no group: MayRunAs demands a range,
// and this is the one without power.
var nobody = []span{{65534, 65534}}

func (s *steps) group(field, rule string, ranges []policyv1beta1.IDRange, used map[int64]bool, set func(*spec, string, []policyv1beta1.IDRange)) {
	const any, may, must = "RunAsAny", "MayRunAs", "MustRunAs"
	to := func(rule string, spans []span) {
		s.spec(field, fmt.Sprintf("%s %v", rule, spans), func(p *spec) { set(p, rule, idRanges(spans)) })
	}
	spans := spansOf(ranges)
	tightest := exact(used)
	if len(tightest) == 0 {
		tightest = nobody
	}
	switch rule {
	case any:
		to(may, tightest)
		to(must, tightest)
		return
	case may:
		to(must, spans)
	}
	for _, tighter := range narrower(spans, used) {
		to(rule, tighter)
	}
	if len(used) == 0 && !slices.Equal(spans, nobody) {
		to(rule, nobody)
	}
}

func (s *steps) seccomp(psp *policyv1beta1.PodSecurityPolicy, u usage) {
	allowed, present := psp.Annotations[seccomp.AllowedProfilesAnnotationKey]
	if !present {
		return
	}
	s.annotation(seccomp.AllowedProfilesAnnotationKey, allowed, u.seccomps)
	s.add(seccomp.AllowedProfilesAnnotationKey, allowed+" → absent", func(psp *policyv1beta1.PodSecurityPolicy) {
		delete(psp.Annotations, seccomp.AllowedProfilesAnnotationKey)
	})
}

func (s *steps) appArmor(psp *policyv1beta1.PodSecurityPolicy, u usage) {
	allowed, present := psp.Annotations[corev1.AppArmorBetaAllowedProfilesAnnotationKey]
	if !present {
		allowed = "*" // absent allows any
	}
	s.annotation(corev1.AppArmorBetaAllowedProfilesAnnotationKey, allowed, u.appArmors)
}

// annotation tightens a comma-separated list of profiles.
func (s *steps) annotation(key, allowed string, used map[string]bool) {
	to := func(list []string) {
		if len(list) == 0 {
			return // an empty list denies every pod
		}
		value := strings.Join(list, ",")
		s.add(key, allowed+" → "+value, func(psp *policyv1beta1.PodSecurityPolicy) {
			if psp.Annotations == nil {
				psp.Annotations = map[string]string{}
			}
			psp.Annotations[key] = value
		})
	}
	list := strings.Split(allowed, ",")
	if slices.Contains(list, "*") {
		to(sortedKeys(used))
	}
	for i := range list {
		to(slices.Concat(list[:i], list[i+1:]))
	}
}

// removals adds a step per element skipped; a list shorter than least would
// allow more, not less.
func removals[T ~string](s *steps, field string, list []T, least int, set func(*spec, []T)) {
	for i, element := range list {
		if len(list)-1 >= least {
			rest := slices.Concat(list[:i], list[i+1:])
			s.spec(field, "remove "+string(element), func(p *spec) { set(p, rest) })
		}
	}
}

// restrictions is for lists of which the empty one allows everything.
func restrictions[T any](s *steps, field string, list []T, used map[string]bool, of func(string) T, set func(*spec, []T)) {
	if len(list) == 0 && len(used) > 0 {
		var exact []T
		for _, value := range sortedKeys(used) {
			exact = append(exact, of(value))
		}
		s.spec(field, "any → the used ones", func(p *spec) { set(p, exact) })
	}
	for i, element := range list {
		if len(list) > 1 {
			rest := slices.Concat(list[:i], list[i+1:])
			s.spec(field, fmt.Sprintf("remove %v", element), func(p *spec) { set(p, rest) })
		}
	}
}

func spansOf(ranges []policyv1beta1.IDRange) []span {
	var spans []span
	for _, r := range ranges {
		spans = append(spans, span{r.Min, r.Max})
	}
	return spans
}

func idRanges(spans []span) []policyv1beta1.IDRange {
	var ranges []policyv1beta1.IDRange
	for _, s := range spans {
		ranges = append(ranges, policyv1beta1.IDRange{Min: s.min, Max: s.max})
	}
	return ranges
}

func typed[T ~string](list []string) []T {
	out := make([]T, 0, len(list))
	for _, element := range list {
		out = append(out, T(element))
	}
	return out
}

func merged(a, b map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, m := range []map[string]bool{a, b} {
		for key := range m {
			out[key] = true
		}
	}
	return out
}

func sortedNumbers(set map[int64]bool) []int64 {
	numbers := make([]int64, 0, len(set))
	for n := range set {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}
