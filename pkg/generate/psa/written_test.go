package psa

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
)

// askedBy returns what a pod asks for.
func askedBy(pod *corev1.Pod) privilege.Set {
	return privilege.SetOf(profile.Of(pod, profile.Options{}).PodPrivileges.Values()[0]...)
}

// readOne reads one object.
func readOne(t *testing.T, w *Written, object any) error {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var kind metav1.TypeMeta
	if err := json.Unmarshal(data, &kind); err != nil {
		t.Fatal(err)
	}
	return w.Read(kind, func(into any) error { return json.Unmarshal(data, into) })
}

// Each line is permitted by the levels that admit a pod with it, and by looser ones.
func TestPermit(t *testing.T) {
	baseline := []string{
		"default capabilities", "capability NET_BIND_SERVICE", "capability KILL", "allowPrivilegeEscalation", "root user", "image user root", "no seccomp profile",
		"volume nfs", "flexVolume a", "capability NET_RAW",
	}
	all := []string{
		"writable root file system", "image user", "user 5", "image group", "root group", "group 5", "sysctl net.ipv4.tcp_syncookies", "fsGroup 0", "supplementalGroup 5", "image groups", "hostUsers", "shareProcessNamespace",
		"runtimeClass a", "default runtimeClass", "mountPropagation Bidirectional", "seccomp localhost/a", "appArmor localhost/a", "seLinux type=container_t", "seLinux",
		"volume secret", "volume serviceAccountToken", "csi a", "capability NET_BIND_SERVICE", "windows user a",
	}
	none := []string{
		"privileged", "hostNetwork", "hostPID", "hostIPC", "windows hostProcess", "hostPath /", "write hostPath /a", "hostPort 80/TCP", "hostPort 80/TCP on ::1", "probe host a",
		"capability SYS_ADMIN", "capability ALL", "capability *", "sysctl kernel.msgmax", "seccomp unconfined", "appArmor unconfined", "seLinux type=spc_t", "seLinux user=a",
		"procMount Unmasked", "volume unknown",
	}
	want := map[string]api.Level{}
	for _, line := range none {
		want[line] = api.LevelPrivileged
	}
	for _, line := range baseline {
		want[line] = api.LevelBaseline
	}
	for _, line := range all {
		want[line] = api.LevelRestricted
	}
	for _, line := range slices.Sorted(maps.Keys(want)) {
		for _, level := range []api.Level{api.LevelPrivileged, api.LevelBaseline, api.LevelRestricted} {
			permitted := len(Permit{level, podsecurity.Latest}.Excess(privilege.SetOf(line, "hostUsers"))) == 0
			if want := api.CompareLevels(level, want[line]) <= 0; permitted != want {
				t.Errorf("%s: %q: permitted: %t", level, line, permitted)
			}
		}
	}
	for _, form := range privilege.Forms {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(line string) bool { f, _ := formOf(line); return f == form }) && form != "seLinux " {
			t.Errorf("no line of the form %q", form)
		}
	}
}

// A pod that a level admits asks for nothing beyond it: random pods, and those of upstream,
// which a level refuses because they ask for something, but for what their manifest lacks.
func TestPermitAgreesWithTheEvaluator(t *testing.T) {
	e, r := evaluator(t), podtest.Rand(t)
	admitted := 0
	check := func(pod *corev1.Pod, level api.Level, minor int) bool {
		excess := Permit{level, minor}.Excess(askedBy(pod))
		for _, result := range e.EvaluatePod(api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}, &pod.ObjectMeta, &pod.Spec) {
			if !result.Allowed {
				return len(excess) > 0
			}
		}
		admitted++
		if len(excess) > 0 {
			t.Fatalf("%s in 1.%d admits it, but %q is beyond: %s", level, minor, excess, pod.Name)
		}
		return true
	}
	for range 300 {
		pod := restricted(func(own *corev1.Pod) { loosen(r, own, podtest.Random(r)) })
		pod.Annotations = nil
		for minor := podsecurity.First; minor <= podsecurity.Latest; minor++ {
			check(stored(pod, minor), api.LevelBaseline, minor)
			check(stored(pod, minor), api.LevelRestricted, minor)
		}
	}
	missed := map[string]bool{}
	for _, f := range podtest.Fixtures(t, podsecurity.First) {
		if f.Minor > podsecurity.Latest {
			continue
		}
		if !check(stored(f.Pod, f.Minor), api.Level(f.Level), f.Minor) {
			name := f.Name[strings.LastIndex(f.Name, "/")+1:]
			missed[strings.TrimRight(strings.TrimSuffix(name, ".yaml"), "0123456789")] = true
		}
	}
	if admitted < 1000 {
		t.Errorf("%d admitted only", admitted)
	}
	// They add NET_RAW, which containers have by default and may keep at this level.
	if diff := cmp.Diff([]string{"capabilities_baseline"}, slices.Sorted(maps.Keys(missed))); diff != "" {
		t.Errorf("refused, but not beyond the level (-want +got):\n%s", diff)
	}
}

// The labels of the engine are read back, and permit what the pods ask for.
func TestWritten(t *testing.T) {
	r := podtest.Rand(t)
	for range 50 {
		var pods []aggregate.Pod
		for range 1 + r.IntN(4) {
			pod := restricted(func(own *corev1.Pod) { loosen(r, own, podtest.Random(r)) })
			pod.Annotations = nil
			pods = append(pods, deployment(podtest.Pick(r, "a", "b", "c"), pod))
		}
		w := &Written{}
		for _, o := range Engine(Options{Minor: 30}).Outputs(members(pods...), aggregate.ByWorkload) {
			for _, object := range o.Objects() {
				if err := readOne(t, w, object.Value); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, m := range members(pods...) {
			permits := w.Permits(m.Workload.Namespace, m.ServiceAccount)
			if len(permits) != 1 {
				t.Fatalf("%d permits", len(permits))
			}
			for _, pod := range m.Profile.PodPrivileges.Values() {
				if diff := cmp.Diff([]string{}, permits[0].Excess(privilege.SetOf(pod...)), cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("%s: %s", permits[0].level, diff)
				}
			}
		}
	}
}

func TestWrittenLabels(t *testing.T) {
	namespace := func(labels map[string]string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
	}
	for _, tc := range []struct {
		name   string
		labels map[string]string
		want   []Permit
		fails  string
	}{
		{"a level", map[string]string{api.EnforceLevelLabel: "baseline", api.EnforceVersionLabel: "v1.30"}, []Permit{{api.LevelBaseline, 30}}, ""},
		{"of any version", map[string]string{api.EnforceLevelLabel: "restricted"}, []Permit{{api.LevelRestricted, podsecurity.Latest}}, ""},
		{"of an old version", map[string]string{api.EnforceLevelLabel: "restricted", api.EnforceVersionLabel: "v1.2"}, []Permit{{api.LevelRestricted, podsecurity.First}}, ""},
		{"only warned", map[string]string{api.WarnLevelLabel: "restricted"}, nil, ""},
		{"no level", map[string]string{api.EnforceLevelLabel: "strict"}, nil, `the Namespace "shop": the label pod-security.kubernetes.io/enforce must be one of privileged, baseline, restricted`},
		{"no version", map[string]string{api.EnforceLevelLabel: "baseline", api.EnforceVersionLabel: "1.30"}, nil, `the Namespace "shop": the label pod-security.kubernetes.io/enforce-version must be "latest" or "v1.x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &Written{}
			err := readOne(t, w, namespace(tc.labels))
			if tc.fails != "" {
				if err == nil || err.Error() != tc.fails {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, w.Permits("shop", "web"), cmp.AllowUnexported(Permit{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if w.Empty() != (tc.want == nil) || w.Permits("bank", "web") != nil {
				t.Error("other namespaces have permits")
			}
		})
	}
}
