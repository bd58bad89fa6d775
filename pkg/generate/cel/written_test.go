package cel_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/gatekeeper"
	"github.com/psp-advisor/psp-advisor/pkg/generate/kyverno"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// read reads the objects of YAML documents.
func read(documents []byte) (*cel.Written, error) {
	w := &cel.Written{}
	for _, doc := range generate.Documents(documents) {
		data, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, err
		}
		var t metav1.TypeMeta
		if err := json.Unmarshal(data, &t); err != nil {
			return nil, err
		}
		for _, read := range []func(*cel.Written, metav1.TypeMeta, func(any) error) error{vap.Read, kyverno.Read, gatekeeper.Read} {
			if err := read(w, t, func(into any) error { return json.Unmarshal(data, into) }); err != nil {
				return nil, err
			}
		}
	}
	return w, w.Check()
}

// What each engine writes is read back as it was meant, comments and all.
func TestWritten(t *testing.T) {
	r := podtest.Rand(t)
	engines := map[string]generate.Engine{
		"vap": vap.Engine(vap.Options{Params: vap.Annotation}), "vap, crd": vap.Engine(vap.Options{Params: vap.CRD}),
		"vap, warnings about accounts": vap.Engine(vap.Options{Params: vap.Annotation, UnknownAccounts: cel.WarnUnknown}),
		"kyverno":                      kyverno.Engine(kyverno.Options{}), "gatekeeper": gatekeeper.Engine(gatekeeper.Options{UnknownAccounts: cel.WarnUnknown}),
	}
	for range 40 {
		members := randomMembers(r)
		for name, engine := range engines {
			for _, level := range aggregate.Levels() {
				data, err := generate.YAML(engine.Outputs(members, level), true)
				if err != nil {
					t.Fatal(err)
				}
				written, err := read(data)
				if err != nil {
					t.Fatalf("%s, %s: %v\n%s", name, level, err, data)
				}
				for _, m := range members {
					want := map[string]bool{}
					for _, table := range cel.Tables(members, level) {
						if table.Group.Namespace != "" && table.Group.Namespace != m.Workload.Namespace {
							continue
						}
						for _, a := range table.Alternatives {
							if a.Account == cel.AnyAccount || a.Account == m.ServiceAccount {
								want[strings.Join(a.Permits.Lines(), "\n")] = true
							}
						}
					}
					got := map[string]bool{}
					for _, s := range written.Permits(m.Workload.Namespace, m.ServiceAccount) {
						got[strings.Join(s.Lines(), "\n")] = true
					}
					if name == "gatekeeper" || strings.HasSuffix(name, "accounts") {
						delete(got, "") // of the accounts that are known, for warnings
						delete(want, "")
					}
					if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
						t.Fatalf("%s, %s: %s (-table +written):\n%s", name, level, m.Workload, diff)
					}
				}
			}
		}
	}
}

func TestWrittenErrors(t *testing.T) {
	namespace := func(permits string) string {
		data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
			"name": "shop", "labels": map[string]string{cel.Key: cel.InAnnotation}, "annotations": map[string]string{cel.Key: permits},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, tc := range []struct{ name, document, want string }{
		{"no account", namespace("web\nhostPID"), `Namespace "shop": permits: "web": want a service account in brackets`},
		{"an empty account", namespace("[]\nhostPID"), `permits: "[]": want a service account in brackets`},
		{"no privilege", namespace("[web]\nhostPid"), `Namespace "shop": permits: [web]: "hostPid" is no privilege`},
		{"a policy that is not there", `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"psp-advisor.github.io/permits": "policy"}}}`, `Namespace "shop": its permits are in a policy that was not read`},
		{"no literal", `{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "advisor.privileges"}, "spec": {"variables": [{"name": "text0", "expression": "object"}, {"name": "text", "expression": "variables.text0"}]}}`, `policy "advisor.privileges": spec.variables: text0: want a literal`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := read([]byte(tc.document)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
	// What is none of ours has no permits.
	w, err := read([]byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": {"psp-advisor.github.io/permits": "x"}}}` + "\n---\n" +
		`{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "x"}, "spec": {"variables": [{"name": "text0", "expression": "object"}]}}` + "\n---\n" +
		`{"apiVersion": "example.com/v1", "kind": "PodPermits", "spec": {"permits": 5}}` + "\n"))
	if err != nil || !w.Empty() || len(w.Permits("shop", "web")) > 0 {
		t.Errorf("%v, empty: %t", err, w.Empty())
	}
	if w, err := read([]byte(`{"apiVersion": "psp-advisor.github.io/v1", "kind": "PodPermits", "spec": {"permits": "[web]\n# for x\nhostPID\n\n[*]\n"}}`)); err != nil || !cmp.Equal([]privilege.Set{privilege.SetOf("hostPID"), privilege.SetOf()}, w.Permits("default", "web"), cmp.Comparer(privilege.Set.Equal)) {
		t.Errorf("%v, %v", err, w.Permits("default", "web"))
	}
}
