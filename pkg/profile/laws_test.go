package profile

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

const rounds = 200

// random returns the profile of one to four random pods.
func random(r *rand.Rand) *Profile {
	p := &Profile{}
	for range 1 + r.IntN(4) {
		p = Join(p, Of(podtest.Random(r), Options{EphemeralContainers: r.IntN(2) == 0}))
	}
	return p
}

func TestJoinLaws(t *testing.T) {
	r := podtest.Rand(t)
	for range rounds {
		a, b, c := random(r), random(r), random(r)
		before := []string{attributes(t, a), attributes(t, b), attributes(t, c)}
		for _, law := range []struct {
			name        string
			left, right *Profile
		}{
			{"commutative", Join(a, b), Join(b, a)},
			{"associative", Join(Join(a, b), c), Join(a, Join(b, c))},
			{"idempotent", Join(a, a), a},
			{"identity on the right", Join(a, &Profile{}), a},
			{"identity on the left", Join(&Profile{}, a), a},
			{"absorbs what it covers", Join(Join(a, b), b), Join(a, b)},
		} {
			// Evidence is part of the text and of the key.
			if diff := cmp.Diff(attributes(t, law.left), attributes(t, law.right)); diff != "" {
				t.Fatalf("%s: (-left +right):\n%s", law.name, diff)
			}
			if law.left.key() != law.right.key() {
				t.Fatalf("%s: keys differ", law.name)
			}
			if !law.left.Equal(law.right) || !law.right.Equal(law.left) {
				t.Fatalf("%s: not Equal", law.name)
			}
		}
		if diff := cmp.Diff(before, []string{attributes(t, a), attributes(t, b), attributes(t, c)}); diff != "" {
			t.Fatalf("Join changed its arguments (-before +after):\n%s", diff)
		}
	}
}

func TestCoversAgreesWithJoin(t *testing.T) {
	r := podtest.Rand(t)
	covered := 0
	for range rounds {
		a, b := random(r), random(r)
		if r.IntN(2) == 0 {
			a = Join(a, b)
		}
		want := Join(a, b).Equal(a)
		if got := a.Covers(b); got != want {
			t.Fatalf("Covers is %t, Join says %t:\na: %s\nb: %s", got, want, attributes(t, a), attributes(t, b))
		}
		if want {
			covered++
		}
		if !a.Covers(&Profile{}) || !a.Covers(a) {
			t.Fatalf("does not cover nothing or itself: %s", attributes(t, a))
		}
		if a.Equal(b) != (a.Covers(b) && b.Covers(a)) {
			t.Fatalf("Equal is not covering both ways:\na: %s\nb: %s", attributes(t, a), attributes(t, b))
		}
	}
	if covered == 0 || covered == rounds {
		t.Errorf("%d of %d rounds covered: the test saw one side only", covered, rounds)
	}
}

// Equal and Covers look at each attribute: one more value in one set of a
// profile makes it differ.
func TestEachAttributeCounts(t *testing.T) {
	full := &Profile{
		Privileged: SetOf(True), HostNetwork: SetOf(True), HostPID: SetOf(True), HostIPC: SetOf(True), HostPorts: SetOf(ID{}),
		AllowPrivilegeEscalation: SetOf(True), ReadOnlyRootFilesystem: SetOf(True), AddedCapabilities: SetOf(Name("x")),
		DroppedCapabilities: SetOf(Names{"x"}), Volumes: SetOf(Name("x")), HostPaths: SetOf(HostPath{Path: "/"}),
		FlexVolumeDrivers: SetOf(Name("x")), CSIDrivers: SetOf(Name("x")), Sysctls: SetOf(Name("x")), ProcMount: SetOf(Name("x")),
		RuntimeClass: SetOf(Name("x")), SELinux: SetOf(SELinux{}), RunAsUser: SetOf(User{}), RunAsGroup: SetOf(ID{}), FSGroup: SetOf(ID{}),
		SupplementalGroups: SetOf(ID{}), Seccomp: SetOf(Seccomp{}), AppArmor: SetOf(Name("x")), SeccompField: SetOf(Seccomp{}), AppArmorField: SetOf(Name("x")),
		HostProcess: SetOf(True), WindowsUser: SetOf(Name("x")), HostUsers: SetOf(True), ShareProcessNamespace: SetOf(True),
		SupplementalGroupsPolicy: SetOf(Name("x")), MountPropagation: SetOf(Name("x")), ProbeHosts: SetOf(Name("x")),
		SecretEnv: SetOf(Name("x")), RuntimeUser: SetOf(Name("x")), EphemeralContainers: SetOf(Name("x")),
		Containers: SetOf(Container{}), Mounts: SetOf(Mount{}), Ports: SetOf(Port{}), Variables: SetOf(Variable{}), Settings: SetOf(Setting{}),
		Privileges: SetOf(Name("x")), PodPrivileges: SetOf(Names{"x"}), PodSecurity: SetOf(podsecurity.Verdict{Check: "x"}),
	}
	for i, r := range full.rows() {
		t.Run(r.name, func(t *testing.T) {
			one := &Profile{}
			one.rows()[i].set.unite([]attribute{r.set}, false)
			if got := attributes(t, one); !strings.HasPrefix(got, `{"`+r.name+`":`) || len(one.Text(r.name)) != 1 || one.Text("other") != nil {
				t.Fatalf("attributes %s", got)
			}
			empty := &Profile{}
			if empty.Equal(one) || one.Equal(empty) || empty.Covers(one) || !one.Covers(empty) || !full.Covers(one) || one.key() == empty.key() {
				t.Error("the attribute is overlooked")
			}
		})
	}
}

// Any order and any split of the pods joins to the same text.
func TestAnyOrderAndSplit(t *testing.T) {
	r := podtest.Rand(t)
	for range rounds / 10 {
		var profiles []*Profile
		for range 12 {
			profiles = append(profiles, Of(podtest.Random(r), Options{}))
		}
		want := attributes(t, joinAll(profiles))
		for range 5 {
			shuffled := slices.Clone(profiles)
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			// The parts overlap: what is joined twice does not count twice.
			cut, back := r.IntN(len(shuffled)), r.IntN(3)
			got := attributes(t, Join(joinAll(shuffled[:cut]), joinAll(shuffled[max(0, cut-back):])))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("another order or split (-want +got):\n%s", diff)
			}
		}
	}
}

func joinAll(profiles []*Profile) *Profile {
	joined := &Profile{}
	for _, p := range profiles {
		joined = Join(joined, p)
	}
	return joined
}

func TestOfDoesNotChangeThePod(t *testing.T) {
	r := podtest.Rand(t)
	for range rounds {
		pod := podtest.Random(r)
		before := pod.DeepCopy()
		first := Of(pod, Options{EphemeralContainers: true})
		if diff := cmp.Diff(before, pod); diff != "" {
			t.Fatalf("Of changed the pod (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(attributes(t, first), attributes(t, Of(pod, Options{EphemeralContainers: true}))); diff != "" {
			t.Fatalf("Of twice (-first +second):\n%s", diff)
		}
	}
}

// Gather holds the values of Join, and names each container of each profile.
func TestGather(t *testing.T) {
	r := podtest.Rand(t)
	for range rounds {
		members := make([]*Profile, 1+r.IntN(6))
		for i := range members {
			members[i] = random(r)
			if i > 0 && r.IntN(2) == 0 {
				members[i] = members[0] // with the same sets
			}
		}
		gathered := Gather(members...)
		if joined := Join(members...); !gathered.Equal(joined) {
			t.Fatalf("Gather and Join differ:\n%s\n%s", attributes(t, gathered), attributes(t, joined))
		}
		for _, it := range gathered.RunAsUser.Items() {
			var want []Use
			for i, m := range members {
				for _, own := range m.RunAsUser.Uses(is(it.Value)) {
					want = append(want, Use{Member: i, Container: own.Container})
				}
			}
			if diff := cmp.Diff(want, it.Uses); diff != "" {
				t.Fatalf("uses of %s (-of the members +gathered):\n%s", it.Value, diff)
			}
		}
	}
}

func is[T Value[T]](v T) func(T) bool { return func(o T) bool { return o.Compare(v) == 0 } }

// A container stands for its pod, whatever is joined first.
func TestContainersStandForThePod(t *testing.T) {
	unmounted := &Profile{Volumes: SetOf(Name("secret"))}
	mounted := named("secret", "b", "a")
	for _, p := range []*Profile{Join(unmounted, mounted), Join(mounted, unmounted), Join(Join(unmounted, mounted), unmounted)} {
		if diff := cmp.Diff([]string{"secret by a b"}, show(p, "volumes")); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
	}
}

// What is written can be read again, evidence included.
func TestJSONIsLossless(t *testing.T) {
	r := podtest.Rand(t)
	for range rounds {
		p := random(r)
		var back Profile
		if err := json.Unmarshal([]byte(attributes(t, p)), &back); err != nil {
			t.Fatal(err)
		}
		if back.key() != p.key() {
			t.Fatalf("read again:\n%s\nwritten:\n%s", attributes(t, &back), attributes(t, p))
		}
	}
}

// What a newer version has written, or somebody by hand, is an error that names
// the place.
func TestJSONIsStrict(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"privileged":[{"value":true}],"other":[]}`, "other: unknown attribute"},
		{`{"privileged":[{"value":true,"since":1}]}`, `privileged: unknown field "[0].since"`},
		{`{"privileged":[{"containers":["c"]}]}`, "privileged: [0]: value: required"},
		{`{"hostPaths":[{"value":{"path":"/"}},{"value":{"path":"/","mode":1}}]}`, `hostPaths: [1]: value: unknown field "mode"`},
		{`{"seLinuxOptions":[{"value":{"pod":{"range":"s0"},"containers":[]}}]}`, `seLinuxOptions: [0]: value: unknown field "range"`},
		{`{"hostPorts":[{"value":"80"}]}`, "hostPorts: [0]: value: json: cannot unmarshal string into Go value of type int64"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			var p Profile
			if err := json.Unmarshal([]byte(tc.in), &p); err == nil || err.Error() != tc.want {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
		})
	}
}

// FuzzOf: any pod that can be decoded gives a profile that obeys the laws.
func FuzzOf(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 20 {
		data, err := json.Marshal(podtest.Random(r))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"spec":{"containers":[{"name":"a"},{"name":"a","securityContext":{"capabilities":{"drop":["","","unset"]}}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var pod corev1.Pod
		if json.Unmarshal(data, &pod) != nil {
			t.Skip()
		}
		before := pod.DeepCopy()
		p := Of(&pod, Options{})
		if diff := cmp.Diff(before, &pod); diff != "" {
			t.Fatalf("Of changed the pod:\n%s", diff)
		}
		text := attributes(t, p)
		if again := attributes(t, Of(&pod, Options{})); again != text {
			t.Fatalf("Of twice:\n%s\n%s", text, again)
		}
		all := Of(&pod, Options{EphemeralContainers: true})
		if !p.Covers(p) || !Join(p, p).Equal(p) || attributes(t, Join(p, p)) != text {
			t.Fatalf("not idempotent: %s", text)
		}
		if len(pod.Spec.EphemeralContainers) == 0 && attributes(t, all) != text {
			t.Fatalf("debug containers that are not there count: %s", text)
		}
		for _, r := range p.rows() {
			if lines := show(p, r.name); slices.Contains(lines, "") || len(lines) != len(p.Text(r.name)) {
				t.Fatalf("%s holds %q", r.name, lines)
			}
		}
		containersContribute(t, &pod, all)
	})
}

// containersContribute checks that each container adds exactly one value to
// each attribute that every container has, and nothing else is in there.
func containersContribute(t *testing.T, pod *corev1.Pod, whole *Profile) {
	t.Helper()
	joined := &Profile{}
	containers := containersOf(pod, podSecurityContext(pod), Options{EphemeralContainers: true})
	for _, c := range containers {
		alone := pod.DeepCopy()
		alone.Spec.InitContainers, alone.Spec.EphemeralContainers = nil, nil
		alone.Spec.Containers = []corev1.Container{*c.Container}
		p := Of(alone, Options{})
		joined = Join(joined, p)
		for name, n := range map[string]int{
			"privileged": p.Privileged.Len(), "allowPrivilegeEscalation": p.AllowPrivilegeEscalation.Len(),
			"readOnlyRootFilesystem": p.ReadOnlyRootFilesystem.Len(), "droppedCapabilities": p.DroppedCapabilities.Len(),
			"procMount": p.ProcMount.Len(), "runAsUser": p.RunAsUser.Len(), "runAsGroup": p.RunAsGroup.Len(), "appArmor": p.AppArmor.Len(),
			"seLinuxOptions of the containers": len(p.SELinux.Values()[0].Containers),
			"seccomp of the containers":        len(p.Seccomp.Values()[0].Containers),
			"seccompProfile of the containers": len(p.SeccompField.Values()[0].Containers),
			"supplementalGroups, at least one": min(1, p.SupplementalGroups.Len()),
			"fsGroup":                          p.FSGroup.Len(),
			"runtimeClassName":                 p.RuntimeClass.Len(),
			"hostNetwork":                      p.HostNetwork.Len(),
			"hostPID":                          p.HostPID.Len(),
			"hostIPC":                          p.HostIPC.Len(),
		} {
			if n != 1 {
				t.Fatalf("a container gives %d values of %s", n, name)
			}
		}
	}
	if len(containers) == 0 {
		return
	}
	for _, r := range joined.rows() {
		switch r.name {
		case "privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "droppedCapabilities", "addedCapabilities",
			"procMount", "runAsUser", "runAsGroup", "appArmor", "appArmorProfile", "hostPorts", "hostProcess", "secretEnv", "probeHosts":
			if diff := cmp.Diff(show(joined, r.name), show(whole, r.name)); diff != "" {
				t.Fatalf("%s is not the union over the containers (-union +whole):\n%s", r.name, diff)
			}
		}
	}
}
