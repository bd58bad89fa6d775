package profile

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// attributeCase is a pod and what its profile says of some attributes.
type attributeCase struct {
	name    string
	pod     *corev1.Pod
	options Options
	want    map[string][]string // attribute name → lines of show; nil for none
}

// testAttributes checks the attributes that a case names, and that Of leaves
// the pod as it is.
func testAttributes(t *testing.T, cases []attributeCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			before := tc.pod.DeepCopy()
			p := Of(tc.pod, tc.options)
			if diff := cmp.Diff(before, tc.pod); diff != "" {
				t.Errorf("Of changed the pod (-before +after):\n%s", diff)
			}
			got := map[string][]string{}
			for name := range tc.want {
				got[name] = show(p, name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

// show writes the values of an attribute, each with its containers.
func show(p *Profile, attribute string) []string {
	var lines []string
	for _, r := range p.rows() {
		if r.name == attribute {
			lines = r.set.(interface{ lines() []string }).lines()
		}
	}
	return lines
}

// lines writes each item of a set.
func (s *Set[T]) lines() []string {
	var lines []string
	for _, it := range s.Items() {
		line := it.Value.String()
		if names := Containers(it.Uses); len(names) > 0 {
			line += " by " + strings.Join(names, " ")
		}
		lines = append(lines, line)
	}
	return lines
}

// attributes is the text of a whole profile, evidence included.
func attributes(t *testing.T, p *Profile) string {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRowsHoldEachFieldOnce(t *testing.T) {
	p := &Profile{}
	fields := reflect.ValueOf(p).Elem()
	rows := p.rows()
	if len(rows) != fields.NumField() {
		t.Errorf("%d rows for %d fields", len(rows), fields.NumField())
	}
	names := map[string]bool{}
	for i, r := range rows {
		if names[r.name] {
			t.Errorf("name %s occurs twice", r.name)
		}
		names[r.name] = true
		if i < fields.NumField() && fields.Field(i).Addr().Interface() != r.set {
			t.Errorf("row %d (%s) is not field %s", i, r.name, fields.Type().Field(i).Name)
		}
	}
}

func TestZeroProfile(t *testing.T) {
	if got := attributes(t, &Profile{}); got != "{}" {
		t.Errorf("JSON of no pod: %s", got)
	}
}

func TestJSONShape(t *testing.T) {
	p := &Profile{Privileged: SetOf(True, Unset), HostPorts: SetOf(ID{Set: true, Number: 80})}
	p.Privileged.add(True, "c")
	want := `{"privileged":[{"value":null},{"value":true,"containers":["c"]}],"hostPorts":[{"value":80}]}`
	if diff := cmp.Diff(want, attributes(t, p)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

// A minimal pod has a value for each attribute that can be unset, so that a
// missing one is told from one that was never looked at.
func TestMinimalPod(t *testing.T) {
	got := map[string][]string{}
	for _, name := range Attributes() {
		if lines := show(Of(podtest.Pod(), Options{}), name); lines != nil {
			got[name] = lines
		}
	}
	want := map[string][]string{
		"privileged":               {"unset by c"},
		"hostNetwork":              {"false"},
		"hostPID":                  {"false"},
		"hostIPC":                  {"false"},
		"allowPrivilegeEscalation": {"unset by c"},
		"readOnlyRootFilesystem":   {"unset by c"},
		"droppedCapabilities":      {"none by c"},
		"procMount":                {"Default by c"},
		"runtimeClassName":         {"unset"},
		"seLinuxOptions":           {"pod unset, containers unset"},
		"runAsUser":                {"runAsUser unset, runAsNonRoot unset by c"},
		"runAsGroup":               {"unset by c"},
		"fsGroup":                  {"unset"},
		"supplementalGroups":       {"unset"},
		"seccomp":                  {"pod unset; containers unset"},
		"seccompProfile":           {"pod unset; containers unset"},
		"appArmor":                 {"unset by c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

// The pods that differ in one attribute do, and each attribute has its two.
func TestPodsOfAttributes(t *testing.T) {
	pairs := podtest.Attributes()
	if len(pairs) != len(Attributes()) {
		t.Errorf("%d pairs for %d attributes", len(pairs), len(Attributes()))
	}
	for attribute, pods := range pairs {
		t.Run(attribute, func(t *testing.T) {
			a, b := Of(pods[0], Options{}), Of(pods[1], Options{})
			for _, name := range Attributes() {
				if differ := cmp.Diff(a.Text(name), b.Text(name)) != ""; differ != (name == attribute) {
					t.Errorf("%s: the pods differ: %t", name, differ)
				}
			}
		})
	}
}
