package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// hostilePolicy returns a policy and its RBAC with a value in every place that can
// reach the report.
func hostilePolicy(t *testing.T, value string) string {
	t.Helper()
	type object = map[string]any
	name := "p" + value
	rule := object{"rule": value, "ranges": []any{object{"min": 1, "max": 2}}}
	data, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": []any{
		object{"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": object{"name": name, "annotations": object{
			"seccomp.security.alpha.kubernetes.io/allowedProfileNames": value, "seccomp.security.alpha.kubernetes.io/defaultProfileName": value,
			"apparmor.security.beta.kubernetes.io/allowedProfileNames": value, "apparmor.security.beta.kubernetes.io/defaultProfileName": value,
		}}, "spec": object{
			"runAsUser": rule, "runAsGroup": rule, "fsGroup": rule, "supplementalGroups": rule,
			"seLinux": object{"rule": value}, "volumes": []any{value}, "allowedCapabilities": []any{value}, "requiredDropCapabilities": []any{value},
			"defaultAddCapabilities": []any{value}, "allowedHostPaths": []any{object{"pathPrefix": value}}, "allowedProcMountTypes": []any{value},
			"allowedUnsafeSysctls": []any{value}, "forbiddenSysctls": []any{value}, "runtimeClass": object{"defaultRuntimeClassName": value},
		}},
		object{"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": object{"name": "open" + value}, "spec": object{
			"privileged": true, "hostNetwork": true, "volumes": []any{"*"}, "allowedCapabilities": []any{"*", value + "x"},
			"defaultAddCapabilities": []any{value + "y"}, "allowedHostPaths": []any{object{"pathPrefix": "/"}, object{"pathPrefix": "/" + value}},
			"allowedUnsafeSysctls": []any{"*"}, "seLinux": object{"rule": "MustRunAs", "seLinuxOptions": object{"level": value}},
			"runAsUser": object{"rule": "RunAsAny"}, "fsGroup": object{"rule": "RunAsAny"}, "supplementalGroups": object{"rule": "RunAsAny"},
		}},
		object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": value}, "rules": []any{
			object{"apiGroups": []any{"policy"}, "resources": []any{"podsecuritypolicies"}, "verbs": []any{"use"}, "resourceNames": []any{name}},
		}},
		object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": value}, "roleRef": object{"kind": "ClusterRole", "name": value}, "subjects": []any{
			object{"kind": "Group", "name": "system:serviceaccounts"}, object{"kind": "ServiceAccount", "namespace": value, "name": value}, object{"kind": value, "name": value},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Whatever strings pods and policies hold, a fact stays on its line.
func TestWithinInjection(t *testing.T) {
	line := regexp.MustCompile(`^(|PodSecurityPolicy .*|All policies|  (for|unused|invalid|fits|changes|refuses|exceeds|changed|tighter|refuse|unbound): +.*)$`)
	file := filepath.Join(t.TempDir(), "written.json")
	for _, value := range hostile {
		if err := os.WriteFile(file, []byte(hostilePolicy(t, value)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"text", formatJSON} {
			args := []string{"inspect", "-f", "-", "--skip-invalid", "--within", file}
			if format == formatJSON {
				args = append(args, "-o", formatJSON)
			}
			r := run(t, manifests(t, value, value, "Kind"), args...)
			if r.out == "" {
				t.Fatalf("%q: nothing is printed: %s", value, r)
			}
			if got := string(printable.Lines([]byte(r.out))); got != r.out {
				t.Errorf("%q: not printable:\n%s", value, got)
			}
			if format == formatJSON {
				if !json.Valid([]byte(r.out)) {
					t.Errorf("%q: no JSON:\n%s", value, r.out)
				}
				continue
			}
			for text := range strings.Lines(r.out) {
				if !line.MatchString(strings.TrimSuffix(text, "\n")) {
					t.Errorf("%q: line %q", value, text)
				}
			}
		}
	}
}

// The policies that are generated for the pods of the corpora fit exactly those for
// which their RBAC is, and nothing in them can be tightened.
func TestWithinCorpora(t *testing.T) {
	for _, directory := range []string{"corpus", "corpus-live", "corpus-psp"} {
		path := filepath.Join("../../../../shared", directory)
		if _, err := os.Stat(path); err != nil {
			t.Logf("NOT RUN: no manifests in %s", path)
			continue
		}
		obs, err := manifest.Read(t.Context(), []string{path}, manifest.Options{SkipInvalid: true}, observe.Scope{Pods: true, Templates: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, level := range []aggregate.Level{aggregate.ByServiceAccount, aggregate.ByCluster} {
			data, err := generate.YAML(psp.Engine().Outputs(obs.Members, level), true)
			if err != nil {
				t.Fatal(err)
			}
			written := &psp.Written{}
			err = manifest.Visit(t.Context(), []string{manifest.Stdin}, manifest.Options{In: strings.NewReader(string(data))}, func(o manifest.Object) error {
				return written.Read(o.Type, o.Decode)
			})
			if err != nil {
				t.Fatal(err)
			}
			r := withinReportOf(psp.Compare(written, obs.Members), obs.Members)
			if len(r.Policies) == 0 || len(r.Unbound) > 0 {
				t.Errorf("%s: %d policies, may use none: %v", directory, len(r.Policies), r.Unbound)
			}
			for _, p := range r.Policies {
				if len(p.Invalid)+len(p.Exceeds)+len(p.Changed)+len(p.Tighter) > 0 {
					t.Errorf("%s, %s: %s: %+v", directory, level, p.Name, p)
				}
			}
		}
	}
}
