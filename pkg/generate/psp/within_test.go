package psp

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// open is a policy that permits everything.
func open() *writtenPolicy {
	return &writtenPolicy{ObjectMeta: metav1.ObjectMeta{
		Name:        "open",
		Annotations: map[string]string{seccompAllowedAnnotation: wildcard},
	}, Spec: writtenSpec{
		Privileged: true, AllowedCapabilities: []corev1.Capability{wildcard}, Volumes: []string{wildcard},
		HostNetwork: true, HostPorts: []idRange{{0, maxPort}}, HostPID: true, HostIPC: true,
		SELinux: seLinuxRule{Rule: runAsAny}, RunAsUser: idRule{Rule: runAsAny},
		SupplementalGroups: idRule{Rule: runAsAny}, FSGroup: idRule{Rule: runAsAny},
		AllowedUnsafeSysctls:  []string{wildcard},
		AllowedProcMountTypes: []corev1.ProcMountType{corev1.DefaultProcMount, corev1.UnmaskedProcMount},
	}}
}

// compareOne compares one policy with members.
func compareOne(p *writtenPolicy, members []aggregate.Member) Comparison {
	return Compare(&Written{policies: map[string]*writtenPolicy{p.Name: p}}, members)[0]
}

// lines returns differences as text.
func lines(list []Difference) []string {
	var text []string
	for _, d := range list {
		text = append(text, d.Field+": "+d.Text)
	}
	return text
}

// withinCase is a pod, what the open policy has instead, and the difference that makes.
type withinCase struct {
	name    string
	pod     *corev1.Pod
	policy  func(*writtenPolicy)
	exceeds []string
	changed []string
	tighter []string // those that the open policy does not have
}

func (tc withinCase) run(t *testing.T) {
	var f aggregate.Fleet
	f.Add(podOf("web", "default", tc.pod))
	before := lines(compareOne(open(), f.Members()).Tighter)
	p := open()
	tc.policy(p)
	c := compareOne(p, f.Members())
	var tighter []string
	for _, line := range lines(c.Tighter) {
		if !slices.Contains(before, line) {
			tighter = append(tighter, line)
		}
	}
	for _, d := range []struct {
		name      string
		want, got []string
	}{
		{"exceeds", tc.exceeds, lines(c.Exceeds)},
		{"changed", tc.changed, lines(c.Changed)},
		{"tighter", tc.tighter, tighter},
		{"faults", nil, lines(c.Faults)},
	} {
		if diff := cmp.Diff(d.want, d.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d.name, diff)
		}
	}
	want := Fits
	switch {
	case len(tc.exceeds) > 0:
		want = Refuses
	case len(tc.changed) > 0:
		want = Changes
	}
	if diff := cmp.Diff([]Outcome{want}, c.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func testWithin(t *testing.T, cases []withinCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, tc.run)
	}
}

// asWritten returns a generated policy as it is read back.
func asWritten(t *testing.T, p policy) *writtenPolicy {
	t.Helper()
	var w writtenPolicy
	if err := json.Unmarshal([]byte(asJSON(t, p.Object)), &w); err != nil {
		t.Fatal(err)
	}
	if w.Annotations == nil {
		w.Annotations = map[string]string{}
	}
	return &w
}

// step changes one field of a generated policy; it returns false if it cannot.
type step struct {
	name string
	take func(*writtenPolicy, *profile.Profile) bool
}

// set is a step that sets a flag.
func set(name string, field func(*writtenSpec) *bool, to bool) step {
	return step{name, func(p *writtenPolicy, _ *profile.Profile) bool {
		f := field(&p.Spec)
		was := *f
		*f = to
		return was != to
	}}
}

// when is a step that is taken if it can be.
func when(name string, can func(*writtenPolicy) bool, take func(*writtenPolicy)) step {
	return step{name, func(p *writtenPolicy, _ *profile.Profile) bool {
		if !can(p) {
			return false
		}
		take(p)
		return true
	}}
}

func always(*writtenPolicy) bool { return true }

// hasList reports whether the policy lists profiles, and no wildcard.
func hasList(key string) func(*writtenPolicy) bool {
	return func(p *writtenPolicy) bool { return p.Annotations[key] != "" && p.Annotations[key] != wildcard }
}

var wider = []step{
	set("privileged", func(s *writtenSpec) *bool { return &s.Privileged }, true),
	set("hostNetwork", func(s *writtenSpec) *bool { return &s.HostNetwork }, true),
	set("hostPID", func(s *writtenSpec) *bool { return &s.HostPID }, true),
	set("hostIPC", func(s *writtenSpec) *bool { return &s.HostIPC }, true),
	set("escalation", func(s *writtenSpec) *bool { return s.AllowPrivilegeEscalation }, true),
	set("readOnlyRootFilesystem", func(s *writtenSpec) *bool { return &s.ReadOnlyRootFilesystem }, false),
	when("port", always, func(p *writtenPolicy) { p.Spec.HostPorts = append(p.Spec.HostPorts, idRange{60000, 60001}) }),
	when("all ports", always, func(p *writtenPolicy) { p.Spec.HostPorts = []idRange{{0, 1 << 20}} }),
	when("capability", always, func(p *writtenPolicy) {
		p.Spec.AllowedCapabilities = append(p.Spec.AllowedCapabilities, "WIDER")
	}),
	when("every capability", func(p *writtenPolicy) bool {
		return len(p.Spec.RequiredDropCapabilities) == 0 && !slices.Contains(p.Spec.AllowedCapabilities, wildcard)
	}, func(p *writtenPolicy) { p.Spec.AllowedCapabilities = []corev1.Capability{wildcard} }),
	when("drop", func(p *writtenPolicy) bool { return len(p.Spec.RequiredDropCapabilities) > 0 }, func(p *writtenPolicy) { p.Spec.RequiredDropCapabilities = p.Spec.RequiredDropCapabilities[1:] }),
	when("volume", func(p *writtenPolicy) bool { return !slices.Contains(p.Spec.Volumes, "scaleIO") }, func(p *writtenPolicy) { p.Spec.Volumes = append(p.Spec.Volumes, "scaleIO") }),
	when("every volume", always, func(p *writtenPolicy) { p.Spec.Volumes = []string{wildcard} }),
	when("path", func(p *writtenPolicy) bool { return len(p.Spec.AllowedHostPaths) > 0 }, func(p *writtenPolicy) {
		p.Spec.AllowedHostPaths = append(p.Spec.AllowedHostPaths, allowedHostPath{PathPrefix: "/wider"})
	}),
	when("every path", func(p *writtenPolicy) bool { return len(p.Spec.AllowedHostPaths) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedHostPaths = nil }),
	when("writable path", func(p *writtenPolicy) bool {
		return len(p.Spec.AllowedHostPaths) > 0 && p.Spec.AllowedHostPaths[0].ReadOnly
	}, func(p *writtenPolicy) { p.Spec.AllowedHostPaths[0].ReadOnly = false }),
	when("flex driver", func(p *writtenPolicy) bool { return len(p.Spec.AllowedFlexVolumes) > 0 }, func(p *writtenPolicy) {
		p.Spec.AllowedFlexVolumes = append(p.Spec.AllowedFlexVolumes, allowedFlexVolume{"wider"})
	}),
	when("every flex driver", func(p *writtenPolicy) bool { return len(p.Spec.AllowedFlexVolumes) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedFlexVolumes = nil }),
	when("csi driver", func(p *writtenPolicy) bool { return len(p.Spec.AllowedCSIDrivers) > 0 }, func(p *writtenPolicy) {
		p.Spec.AllowedCSIDrivers = append(p.Spec.AllowedCSIDrivers, allowedCSIDriver{"wider"})
	}),
	when("every csi driver", func(p *writtenPolicy) bool { return len(p.Spec.AllowedCSIDrivers) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedCSIDrivers = nil }),
	when("sysctl", func(p *writtenPolicy) bool { return !slices.Contains(p.Spec.ForbiddenSysctls, wildcard) }, func(p *writtenPolicy) {
		p.Spec.AllowedUnsafeSysctls = append(p.Spec.AllowedUnsafeSysctls, "wider.one")
	}),
	when("forbidden sysctls", func(p *writtenPolicy) bool { return len(p.Spec.ForbiddenSysctls) > 0 }, func(p *writtenPolicy) { p.Spec.ForbiddenSysctls = nil }),
	when("proc mount", func(p *writtenPolicy) bool { return len(p.Spec.AllowedProcMountTypes) == 0 }, func(p *writtenPolicy) {
		p.Spec.AllowedProcMountTypes = []corev1.ProcMountType{"Default", "Unmasked"}
	}),
	when("runtime class", always, func(p *writtenPolicy) {
		p.Spec.RuntimeClass.AllowedRuntimeClassNames = append(p.Spec.RuntimeClass.AllowedRuntimeClassNames, "wider")
	}),
	when("every runtime class", always, func(p *writtenPolicy) { p.Spec.RuntimeClass = nil }),
	when("seLinux", func(p *writtenPolicy) bool { return p.Spec.SELinux.Rule == mustRunAs }, func(p *writtenPolicy) { p.Spec.SELinux = seLinuxRule{Rule: runAsAny} }),
	when("user", func(p *writtenPolicy) bool { return p.Spec.RunAsUser.Rule == mustRunAs }, func(p *writtenPolicy) {
		p.Spec.RunAsUser.Ranges = append(p.Spec.RunAsUser.Ranges, idRange{70000, 70001})
	}),
	when("every user", func(p *writtenPolicy) bool { return p.Spec.RunAsUser.Rule != runAsAny }, func(p *writtenPolicy) { p.Spec.RunAsUser = idRule{Rule: runAsAny} }),
	{"no root", func(p *writtenPolicy, need *profile.Profile) bool {
		if p.Spec.RunAsUser.Rule != mustRunAs || !need.RunAsUser.All(nonRoot) {
			return false
		}
		p.Spec.RunAsUser = idRule{Rule: mustRunAsNonRoot}
		return true
	}},
	when("group", always, func(p *writtenPolicy) {
		p.Spec.RunAsGroup.Ranges = slices.Concat(p.Spec.RunAsGroup.Ranges, []idRange{{70000, 70001}})
	}),
	when("every group", always, func(p *writtenPolicy) { p.Spec.RunAsGroup = nil }),
	when("fsGroup", always, func(p *writtenPolicy) { p.Spec.FSGroup = idRule{Rule: runAsAny} }),
	when("supplementalGroups", func(p *writtenPolicy) bool { return p.Spec.SupplementalGroups.Rule == mustRunAs }, func(p *writtenPolicy) { p.Spec.SupplementalGroups.Rule = mayRunAs }),
	when("every seccomp profile", func(p *writtenPolicy) bool { return p.Annotations[seccompAllowedAnnotation] != wildcard }, func(p *writtenPolicy) { p.Annotations[seccompAllowedAnnotation] = wildcard }),
	when("seccomp profile", hasList(seccompAllowedAnnotation), func(p *writtenPolicy) { p.Annotations[seccompAllowedAnnotation] += ",localhost/wider" }),
	when("every AppArmor profile", hasList(appArmorAllowedAnnotation), func(p *writtenPolicy) { delete(p.Annotations, appArmorAllowedAnnotation) }),
	when("AppArmor profile", hasList(appArmorAllowedAnnotation), func(p *writtenPolicy) { p.Annotations[appArmorAllowedAnnotation] += ",localhost/wider" }),
}

var narrower = []step{
	set("privileged", func(s *writtenSpec) *bool { return &s.Privileged }, false),
	set("hostNetwork", func(s *writtenSpec) *bool { return &s.HostNetwork }, false),
	set("hostPID", func(s *writtenSpec) *bool { return &s.HostPID }, false),
	set("hostIPC", func(s *writtenSpec) *bool { return &s.HostIPC }, false),
	{"escalation", func(p *writtenPolicy, need *profile.Profile) bool {
		*p.Spec.AllowPrivilegeEscalation = false
		return need.AllowPrivilegeEscalation.Has(profile.True)
	}},
	{"readOnlyRootFilesystem", func(p *writtenPolicy, need *profile.Profile) bool {
		p.Spec.ReadOnlyRootFilesystem = true
		return need.ReadOnlyRootFilesystem.Has(profile.False)
	}},
	when("port", func(p *writtenPolicy) bool { return len(p.Spec.HostPorts) > 0 }, func(p *writtenPolicy) { p.Spec.HostPorts[0].Min++ }),
	when("capability", func(p *writtenPolicy) bool { return len(p.Spec.AllowedCapabilities) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedCapabilities = p.Spec.AllowedCapabilities[1:] }),
	when("volume", func(p *writtenPolicy) bool { return len(p.Spec.Volumes) > 0 }, func(p *writtenPolicy) { p.Spec.Volumes = p.Spec.Volumes[1:] }),
	when("path", func(p *writtenPolicy) bool { return len(p.Spec.AllowedHostPaths) > 1 }, func(p *writtenPolicy) { p.Spec.AllowedHostPaths = p.Spec.AllowedHostPaths[1:] }),
	when("writable path", func(p *writtenPolicy) bool {
		return len(p.Spec.AllowedHostPaths) == 1 && !p.Spec.AllowedHostPaths[0].ReadOnly
	}, func(p *writtenPolicy) { p.Spec.AllowedHostPaths[0].ReadOnly = true }),
	when("flex driver", func(p *writtenPolicy) bool { return len(p.Spec.AllowedFlexVolumes) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedFlexVolumes = []allowedFlexVolume{{"other"}} }),
	when("csi driver", func(p *writtenPolicy) bool { return len(p.Spec.AllowedCSIDrivers) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedCSIDrivers = []allowedCSIDriver{{"other"}} }),
	when("unsafe sysctl", func(p *writtenPolicy) bool { return len(p.Spec.AllowedUnsafeSysctls) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedUnsafeSysctls = p.Spec.AllowedUnsafeSysctls[1:] }),
	when("proc mount", func(p *writtenPolicy) bool { return len(p.Spec.AllowedProcMountTypes) > 0 }, func(p *writtenPolicy) { p.Spec.AllowedProcMountTypes = nil }),
	when("runtime class", func(p *writtenPolicy) bool { return len(p.Spec.RuntimeClass.AllowedRuntimeClassNames) > 0 }, func(p *writtenPolicy) { p.Spec.RuntimeClass.AllowedRuntimeClassNames = nil }),
	when("user", func(p *writtenPolicy) bool { return p.Spec.RunAsUser.Rule == mustRunAs }, func(p *writtenPolicy) { p.Spec.RunAsUser.Ranges = []idRange{{70000, 70001}} }),
	{"group", func(p *writtenPolicy, need *profile.Profile) bool {
		p.Spec.RunAsGroup.Ranges = []idRange{{70000, 70001}}
		return need.RunAsGroup.Any(func(id profile.ID) bool { return id.Set })
	}},
	{"fsGroup", func(p *writtenPolicy, need *profile.Profile) bool {
		p.Spec.FSGroup.Ranges = []idRange{{70000, 70001}}
		return need.FSGroup.Any(func(id profile.ID) bool { return id.Set })
	}},
	when("seccomp", func(p *writtenPolicy) bool { return p.Annotations[seccompAllowedAnnotation] != "" }, func(p *writtenPolicy) { delete(p.Annotations, seccompAllowedAnnotation) }),
	when("AppArmor", hasList(appArmorAllowedAnnotation), func(p *writtenPolicy) { p.Annotations[appArmorAllowedAnnotation] = "localhost/narrower" }),
}

// Laws over random groups: the policy that is generated for a group fits, with nothing
// to tighten; one field wider is exactly one line; one field narrower exceeds.
func TestWithinLaws(t *testing.T) {
	r := podtest.Rand(t)
	taken := map[string]int{}
	for range 60 {
		for _, p := range policiesOf(randomFleet(r).Members(), aggregate.Levels()[r.IntN(4)]) {
			need, members := p.Group.Profile(), p.Group.Members
			if need.Volumes.Has("image") {
				continue // no policy admits it
			}
			c := compareOne(asWritten(t, p), members)
			if len(c.Faults)+len(c.Exceeds)+len(c.Changed)+len(c.Tighter) > 0 || slices.ContainsFunc(c.Outcomes, func(o Outcome) bool { return o != Fits }) {
				t.Fatalf("the generated policy %s\ndiffers from what it is for: %+v", asJSON(t, p.Object), c)
			}
			for _, s := range wider {
				w := asWritten(t, p)
				if !s.take(w, need) {
					continue
				}
				taken["wider "+s.name]++
				c := compareOne(w, members)
				if len(c.Faults)+len(c.Exceeds)+len(c.Changed) > 0 || len(c.Tighter) != 1 {
					t.Fatalf("wider %s of %s:\n%q", s.name, asJSON(t, p.Object), slices.Concat(lines(c.Faults), lines(c.Exceeds), lines(c.Changed), lines(c.Tighter)))
				}
			}
			for _, s := range narrower {
				w := asWritten(t, p)
				if !s.take(w, need) {
					continue
				}
				taken["narrower "+s.name]++
				c := compareOne(w, members)
				if len(c.Exceeds) == 0 || !slices.Contains(c.Outcomes, Refuses) {
					t.Fatalf("narrower %s of %s:\n%q", s.name, asJSON(t, p.Object), slices.Concat(lines(c.Changed), lines(c.Tighter)))
				}
			}
		}
	}
	t.Log("steps tried:", taken)
}

// Comparing changes none of its arguments, and the order of members does not matter.
func TestWithinIsPure(t *testing.T) {
	r := podtest.Rand(t)
	for range 20 {
		members := randomFleet(r).Members()
		p := open()
		before := asJSON(t, members) + asJSON(t, p)
		first := asJSON(t, compareOne(p, members))
		shuffled := slices.Clone(members)
		slices.Reverse(shuffled)
		if second := asJSON(t, compareOne(p, shuffled)); first != second {
			t.Fatalf("another order gives\n%s\nnot\n%s", second, first)
		}
		if after := asJSON(t, members) + asJSON(t, p); before != after {
			t.Fatalf("changed from\n%s\nto\n%s", before, after)
		}
	}
}
