package psp

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestYAMLOrder(t *testing.T) {
	other := podOf("web", "default", podtest.Pod())
	other.Workload.Namespace = "infra"
	list := policies(aggregate.ByWorkload, podOf("web", "default", podtest.Pod()), podOf("api", "default", podtest.Pod()), other)
	data, err := asYAML(list, false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, doc := range split(data) {
		var o struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal(doc, &o); err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Kind+" "+o.Metadata.Name)
	}
	want := []string{
		"PodSecurityPolicy advisor.infra.deployment.web", "Role advisor.infra.deployment.web", "RoleBinding advisor.infra.deployment.web",
		"PodSecurityPolicy advisor.shop.deployment.api", "PodSecurityPolicy advisor.shop.deployment.web",
		"Role advisor.shop.deployment.api", "Role advisor.shop.deployment.web",
		"RoleBinding advisor.shop.deployment.api", "RoleBinding advisor.shop.deployment.web",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

func TestYAMLOfNothing(t *testing.T) {
	data, err := asYAML(nil, true)
	if err != nil || len(data) != 0 {
		t.Errorf("%q, %v", data, err)
	}
	data, err = generate.JSON(nil)
	if err != nil || !strings.Contains(string(data), `"items": []`) {
		t.Errorf("%q, %v", data, err)
	}
}

func TestComments(t *testing.T) {
	data, err := asYAML([]policy{policyFor(t, podtest.Pod(podtest.Security(privileged), podSeccomp("RuntimeDefault", "")))}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"---\n# for Deployment/web, under service account default\napiVersion",
		"\n  # used by Deployment/web (container c)\n  privileged: true\n",
		"\n    # runtime/default: used by Deployment/web\n    seccomp.security.alpha.kubernetes.io/allowedProfileNames: runtime/default\n",
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in\n%s", want, data)
		}
	}
}

// split cuts where a line is a document marker, as kubectl does.
func split(data []byte) [][]byte {
	var docs [][]byte
	for doc := range bytes.SplitSeq(append([]byte("\n"), data...), []byte("\n---\n")) {
		if len(bytes.TrimSpace(doc)) > 0 {
			docs = append(docs, doc)
		}
	}
	return docs
}

// No string of a cluster can become a document, a line or a terminal's command
// of its own, and each is read back as it was.
func TestStringsCannotInjectYAML(t *testing.T) {
	r := podtest.Rand(t)
	list := hostile()
	for range 40 {
		var fleet aggregate.Fleet
		for range 1 + r.IntN(3) {
			fleet.Add(hostilePod(r, list))
		}
		for _, level := range aggregate.Levels() {
			all := policiesOf(fleet.Members(), level)
			for _, explain := range []bool{false, true} {
				data, err := asYAML(all, explain)
				if err != nil {
					t.Fatal(err)
				}
				checkYAML(t, all, data)
			}
			data, err := generate.JSON(outputsOf(all))
			if err != nil {
				t.Fatal(err)
			}
			var back struct{ Items []any }
			if err := json.Unmarshal(data, &back); err != nil || len(back.Items) != 3*len(all) {
				t.Fatalf("%d items, %v", len(back.Items), err)
			}
		}
	}
}

func hostilePod(r *rand.Rand, list []string) aggregate.Pod {
	s := func() string { return list[r.IntN(len(list))] }
	pod := podtest.Pod(
		podtest.Security(caps(capabilities{corev1.Capability(s()), corev1.Capability(s())}, capabilities{corev1.Capability(s())})),
		podtest.PodSecurity(func(sc *corev1.PodSecurityContext) { sc.Sysctls = []corev1.Sysctl{{Name: s()}} }),
		podSELinux(corev1.SELinuxOptions{User: s(), Role: s(), Type: s(), Level: s()}),
		podSeccomp("Localhost", s()), appArmor("c", "localhost/"+s()),
		podtest.Container(func(c *corev1.Container) { c.Image = s() }),
		podtest.Sidecar(s(), podtest.Context(privileged)),
		volume(podtest.HostPath("/"+s())),
		podtest.Volume("f", corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: s()}}, nil),
		podtest.Volume("d", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: s()}}, nil),
		podtest.Security(func(sc *corev1.SecurityContext) { sc.ProcMount = new(corev1.ProcMountType(s())) }),
		func(p *corev1.Pod) { p.Spec.RuntimeClassName = new(s()) },
	)
	return aggregate.Pod{
		Workload:       aggregate.Workload{Namespace: s(), Group: s(), Kind: s(), Name: s()},
		ServiceAccount: s(),
		Profile:        profile.Of(pod, profile.Options{}),
	}
}

// checkYAML checks that data holds the objects of the policies, and them only.
func checkYAML(t *testing.T, list []policy, data []byte) {
	t.Helper()
	for line := range strings.SplitSeq(string(data), "\n") {
		if !safeLine(line) {
			t.Fatalf("the line %q", line)
		}
	}
	want := map[string]int{}
	for _, p := range list {
		for _, o := range p.Objects() {
			want[canonical(t, asJSON(t, o.Value))]++
		}
	}
	docs := split(data)
	got := map[string]int{}
	for _, doc := range docs {
		object, err := yaml.YAMLToJSON(doc)
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		got[canonical(t, string(object))]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("objects (-want +got):\n%s\n%s", diff, data)
	}
}

// canonical writes JSON with sorted keys.
func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
