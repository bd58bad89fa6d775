package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"k8s.io/apimachinery/pkg/labels"
)

// random returns an observation of few namespaces and workloads, so that several
// have them in common.
func random(r *rand.Rand) *Observation {
	list := []string{"a", "b", "c", "d"}
	some := func() []string {
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return append([]string(nil), list[:r.IntN(4)]...)
	}
	o := &Observation{Source: []string{"", "prod"}[r.IntN(2)], Scope: Scope{Pods: true, Templates: true}, Elsewhere: r.IntN(2)}
	if r.IntN(2) == 0 {
		o.Scope.Namespaces = some()
	} else {
		o.Scope.ExcludedNamespaces = some()
	}
	var fleet aggregate.Fleet
	unknown := map[aggregate.Workload]bool{}
	for range r.IntN(6) {
		w := aggregate.Workload{Namespace: list[r.IntN(4)], Group: "apps", Kind: "ReplicaSet", Name: fmt.Sprint("w\u009b", r.IntN(3))}
		fleet.Add(aggregate.Pod{
			Workload: w, ServiceAccount: []string{"", "default"}[r.IntN(2)], Template: r.IntN(2) == 0,
			Profile: profile.Of(podtest.Random(r), profile.Options{}),
		})
		unknown[w] = r.IntN(2) == 0
	}
	o.Members = fleet.Members()
	for _, m := range o.Members {
		if unknown[m.Workload] {
			o.UnknownOwners = append(o.UnknownOwners, m.Workload)
		}
	}
	for range r.IntN(3) {
		o.Gaps = append(o.Gaps, Gap{Resource: "pods", Namespace: list[r.IntN(4)], Reason: apierror.Forbidden})
		o.Skipped = append(o.Skipped, Skipped{Place{File: "a.yaml", Document: 1 + r.IntN(12), Line: 3, Item: "items[1]"}, "broken\x1b"})
		o.Warnings = append(o.Warnings, Warning{Place{File: "a.yaml", Document: 1 + r.IntN(3)}, fmt.Sprint("odd\x1b", r.IntN(2))})
		o.Unread = append(o.Unread, Unread{Group: "example.com", Kind: fmt.Sprint("K", r.IntN(2)), Objects: 1 + r.IntN(3), Places: some()})
	}
	// In the canonical form.
	o, err := Join(o)
	if err != nil {
		panic(err)
	}
	return o
}

func encode(t *testing.T, o *Observation) string {
	t.Helper()
	data, err := Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDocumentIsLossless(t *testing.T) {
	r := podtest.Rand(t)
	for range 100 {
		o := random(r)
		text := encode(t, o)
		back, err := Decode([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if diff := cmp.Diff(text, encode(t, back)); diff != "" {
			t.Fatalf("read back (-written +read):\n%s", diff)
		}
		if back.Pods() != o.Pods() || back.Templates() != o.Templates() || cmp.Diff(o.Namespaces(), back.Namespaces()) != "" || back.Elsewhere != o.Elsewhere {
			t.Fatalf("%d pods, %d templates, namespaces %v", back.Pods(), back.Templates(), back.Namespaces())
		}
		if strings.ContainsAny(text, "\x1b\u009b") {
			t.Fatalf("not printable: %q", text)
		}
	}
}

func TestJoinLaws(t *testing.T) {
	r := podtest.Rand(t)
	join := func(list ...*Observation) *Observation {
		o, err := Join(list...)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for range 100 {
		a, b, c := random(r), random(r), random(r)
		before := encode(t, a)
		for _, law := range []struct {
			name        string
			left, right *Observation
		}{
			{"commutative", join(a, b), join(b, a)},
			{"associative", join(join(a, b), c), join(a, join(b, c))},
			{"many at once", join(c, b, a), join(a, join(b, c))},
			{"idempotent", join(a, a), a},
		} {
			if diff := cmp.Diff(encode(t, law.left), encode(t, law.right)); diff != "" {
				t.Fatalf("%s (-left +right):\n%s", law.name, diff)
			}
		}
		for _, ns := range []string{"a", "b", "c", "d", "e"} {
			if got, want := join(a, b).Scope.Includes(ns), a.Scope.Includes(ns) || b.Scope.Includes(ns); got != want {
				t.Fatalf("the scope of both includes %s: %t, want %t: %+v, %+v", ns, got, want, a.Scope, b.Scope)
			}
		}
		if diff := cmp.Diff(before, encode(t, a)); diff != "" {
			t.Fatalf("Join changed its argument (-before +after):\n%s", diff)
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	both := Scope{Pods: true, Templates: true}
	selecting := both
	selecting.Selector = labels.SelectorFromSet(labels.Set{"app": "web"})
	debug := both
	debug.EphemeralContainers = true
	for _, tc := range []struct {
		a, b Scope
		want string
	}{
		{both, Scope{Pods: true}, "--source pods,templates, another with pods"},
		{both, selecting, "--selector"},
		{debug, both, "--ephemeral-containers, another without"},
	} {
		_, err := Join(&Observation{Scope: tc.a}, &Observation{Scope: tc.b})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got error %v, want one with %q", err, tc.want)
		}
	}
}

func TestNarrow(t *testing.T) {
	r := podtest.Rand(t)
	for range 100 {
		o := random(r)
		scope := random(r).Scope
		narrowed, err := o.Narrow(scope)
		both := false
		for _, ns := range []string{"a", "b", "c", "d", "e"} {
			both = both || o.Scope.Includes(ns) && scope.Includes(ns)
		}
		if (err == nil) != both {
			t.Fatalf("error %v, though some namespace is in both: %t", err, both)
		}
		if err != nil {
			continue
		}
		for _, ns := range []string{"a", "b", "c", "d", "e"} {
			if got, want := narrowed.Scope.Includes(ns), o.Scope.Includes(ns) && scope.Includes(ns); got != want {
				t.Fatalf("%s is included: %t, want %t", ns, got, want)
			}
		}
		for _, m := range narrowed.Members {
			if !scope.Includes(m.Workload.Namespace) {
				t.Fatalf("%v is not asked for", m.Workload)
			}
		}
	}
	o := &Observation{Scope: Scope{Pods: true, Templates: true}}
	for _, tc := range []struct {
		scope Scope
		want  string
	}{
		{Scope{Pods: true}, "made with --source pods,templates: set the same"},
		{Scope{Pods: true, Templates: true, EphemeralContainers: true}, "made without --ephemeral-containers"},
		{Scope{Pods: true, Templates: true, Selector: labels.SelectorFromSet(labels.Set{"app": "web"})}, "made with --selector"},
	} {
		if _, err := o.Narrow(tc.scope); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got error %v, want one with %q", err, tc.want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	good := `{"apiVersion":"psp-advisor.github.io/v1","kind":"Observation","scope":{"sources":["pods"]},"coverage":{},"workloads":[` +
		`{"namespace":"shop","kind":"Pod","name":"p","pods":1,"profile":{"hostPID":[{"value":true}]}}]}`
	const hostPID = `"hostPID":[{"value":true}]`
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, old, new, want string }{
		{"a newer version", "/v1", "/v2", `apiVersion: "psp-advisor.github.io/v2" is unknown, want psp-advisor.github.io/v1: use the version of advisor that wrote it, or a newer one`},
		{"a field of a newer one", `"coverage"`, `"new":1,"coverage"`, `unknown field "new"`},
		{"an attribute of a newer one", "hostPID", "hostXYZ", "hostXYZ: unknown attribute: if a newer version of advisor wrote it"},
		{"a namespace that is a path", "shop", "../x", `workloads[0]: namespace: "../x" is not a valid namespace name`},
		{"no name", `"name":"p"`, `"name":""`, "workloads[0]: name: required"},
		{"no kind", `"kind":"Pod"`, `"kind":""`, "workloads[0]: kind: required"},
		{"no profile", `,"profile":{"hostPID":[{"value":true}]}`, "", "workloads[0]: profile: required"},
		{"a count below zero", `"pods":1`, `"pods":-1`, "pods, templates: -1, 0: must be between 0 and 2147483647"},
		{"a count whose sum overflows", `"pods":1`, `"pods":9223372036854775807`, "must be between 0 and 2147483647"},
		{"templates whose sum overflows", `"pods":1`, `"templates":2147483648`, "must be between 0 and 2147483647"},
		{"elsewhere whose sum overflows", `"coverage":{}`, `"coverage":{"elsewhere":9223372036854775807}`, "coverage.elsewhere: 9223372036854775807: must be"},
		{"an unknown source", `["pods"]`, `["pods","audit"]`, `scope.sources: "audit" is unknown`},
		{"a field twice", `"coverage":{}`, `"coverage":{"gaps":[]},"coverage":{}`, `duplicate field "coverage"`},
		{"a field in another case", `"coverage":{}`, `"coverage":{"gaps":[]},"Coverage":{}`, `unknown field "Coverage"`},
		{"an attribute twice", `"hostPID":`, `"hostPID":[],"hostPID":`, `duplicate field "hostPID"`},
		{"a value twice", `"value":true`, `"value":true,"value":false`, `duplicate field "[0].value"`},
		{"a value in another case", `"value":true`, `"value":true,"Value":false`, `unknown field "[0].Value"`},
		{"a field of a value twice", hostPID, `"hostPaths":[{"value":{"path":"/","path":"/a"}}]`, `hostPaths: [0]: value: duplicate field "path"`},
		{"an option twice", hostPID, `"seLinuxOptions":[{"value":{"pod":{"type":"a","type":"b"},"containers":[]}}]`, `duplicate field "type"`},
		{"an account that no server has", `"pods":1`, `"pods":1,"serviceAccount":"A_b:x\nfoo"`, `workloads[0]: Pod "shop/p": serviceAccount: "A_b:x\nfoo": a lowercase RFC 1123 subdomain`},
		{"a port below 1", hostPID, `"hostPorts":[{"value":-7}]`, `workloads[0]: Pod "shop/p": hostPorts: "-7": must be between 1 and 65535`},
		{"a port above 65535", hostPID, `"hostPorts":[{"value":700000}]`, `hostPorts: "700000": must be`},
		{"no port", hostPID, `"hostPorts":[{"value":null}]`, `hostPorts: "unset": must be`},
		{"any volume", hostPID, `"volumes":[{"value":"hostPath"},{"value":"*"}]`, `volumes: "*": must be the name of a field`},
		{"what is no privilege", hostPID, `"privileges":[{"value":"hostPID\n[web]"}]`, "must be a privilege"},
		{"no privileges", hostPID, `"privileged":[{"value":null}]`, "privileges: required"},
		{"any path", hostPID, `"hostPaths":[{"value":{"path":"","writable":true}}]`, `hostPaths: "\"\" writable": must not be empty`},
		{"a path that goes up", hostPID, `"hostPaths":[{"value":{"path":"/a/../b","writable":true}}]`, "or contain '..'"},
		{"no driver", hostPID, `"flexVolumeDrivers":[{"value":null}]`, `flexVolumeDrivers: "unset": must be set`},
		{"any driver", hostPID, `"csiDrivers":[{"value":"*"}]`, `csiDrivers: "*": a lowercase RFC 1123 subdomain`},
		{"a driver with a long name", hostPID, `"csiDrivers":[{"value":"` + strings.Repeat("a", 64) + `"}]`, "must have at most 63 characters"},
		{"any sysctl", hostPID, `"sysctls":[{"value":"*"}]`, `sysctls: "*": must have at most`},
		{"a pattern of sysctls", hostPID, `"sysctls":[{"value":"kernel.*"}]`, `sysctls: "kernel.*": must have at most`},
		{"an unknown procMount", hostPID, `"procMount":[{"value":"*"}]`, `procMount: "*": unknown type`},
		{"any runtime class", hostPID, `"runtimeClassName":[{"value":"*"}]`, `runtimeClassName: "*": a lowercase RFC 1123 subdomain`},
		{"a user below zero", hostPID, `"runAsUser":[{"value":{"runAsUser":-1,"runAsNonRoot":null}}]`, `runAsUser: "runAsUser -1, runAsNonRoot unset": must be between 0 and`},
		{"a group below zero", hostPID, `"runAsGroup":[{"value":-1}]`, `runAsGroup: "-1": must be between 0 and`},
		{"an fsGroup above the last", hostPID, `"fsGroup":[{"value":2147483648}]`, `fsGroup: "2147483648": must be between 0 and`},
		{"another group below zero", hostPID, `"supplementalGroups":[{"value":-1}]`, `supplementalGroups: "-1": must be between 0 and`},
		{"no privileges of each pod", hostPID, `"privileged":[{"value":true}],"privileges":[{"value":"privileged"}]`, "podPrivileges: must have the lines of privileges"},
		{"other privileges of each pod", hostPID, `"privileged":[{"value":true}],"privileges":[{"value":"hostPID"}],"podPrivileges":[{"value":["hostPID","privileged"]}]`, "podPrivileges: must have the lines of privileges"},
		{"no Pod Security", hostPID, `"privileged":[{"value":true}],"privileges":[{"value":"privileged"}],"podPrivileges":[{"value":["privileged"]}],"podSecurity":[{"value":{"level":"baseline","check":"privileged","from":24}}]`, "podSecurity: required: observe again with this version"},
		{"an unknown level", hostPID, `"podSecurity":[{"value":{"level":"privileged","check":"x","from":24}}]`, `podSecurity: "privileged from 1.24: x": must have the level`},
		{"a check that ends its line", hostPID, `"podSecurity":[{"value":{"level":"baseline","check":"x\n","from":24}}]`, `podSecurity: "baseline from 1.24: x\n": must have the name`},
		{"a range that ends before it begins", hostPID, `"podSecurity":[{"value":{"level":"baseline","check":"x","from":24,"to":23}}]`, `must have a range of minors`},
		{"a range below zero", hostPID, `"podSecurity":[{"value":{"from":-1,"to":37}}]`, `must have a range of minors`},
		{"judged for no end", hostPID, `"podSecurity":[{"value":{"from":24}}]`, `must have the last minor`},
		{"judged at a level", hostPID, `"podSecurity":[{"value":{"level":"baseline","from":24,"to":37}}]`, `must have the last minor and no level`},
		{"a selector that is none", `"sources"`, `"selector":"a in b","sources"`, "scope.selector: "},
		{"a namespace that is excluded", `"sources"`, `"namespaces":["a"],"excludedNamespaces":["a"],"sources"`, `"a" is also in scope.excludedNamespaces`},
		{"no JSON", `{"apiV`, "{", "reading the observation: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Decode([]byte(strings.Replace(good, tc.old, tc.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// What a server stores is read, whatever a policy can do with it.
func TestDecodeKeepsWhatServersStore(t *testing.T) {
	for _, attribute := range []string{
		`"addedCapabilities":[{"value":"*"},{"value":"ALL"},{"value":null}]`,
		`"hostPaths":[{"value":{"path":"etc","writable":false}},{"value":{"path":"C:\\x","writable":true}},{"value":{"path":"/..a","writable":true}}]`,
		`"hostPorts":[{"value":1},{"value":65535}]`,
		`"volumes":[{"value":"serviceAccountToken"},{"value":"image"},{"value":"cephfs"}]`,
		`"csiDrivers":[{"value":"CSI.example.com"}]`,
		`"flexVolumeDrivers":[{"value":"a/b"}]`,
		`"sysctls":[{"value":"net/ipv4/conf/eth0.1/forwarding"}]`,
		`"runtimeClassName":[{"value":null}]`,
		`"seccomp":[{"value":{"pod":"*","containers":["no-such-profile"]}}]`,
		`"appArmor":[{"value":"*"}]`,
		`"podSecurity":[{"value":{"from":30,"to":99}},{"value":{"level":"restricted","check":"ofANewerVersion_2","from":98}}]`,
	} {
		text := `{"apiVersion":"psp-advisor.github.io/v1","kind":"Observation","scope":{"sources":["pods"]},"coverage":{},"workloads":[` +
			`{"namespace":"shop","kind":"Node","name":"A b","serviceAccount":"a.b","pods":2147483647,"profile":{` + attribute + `}}]}`
		if _, err := Decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}

// The words of a server stay out of documents.
func TestGapsAreClassified(t *testing.T) {
	o := &Observation{Gaps: []Gap{{Resource: "pods", Reason: apierror.Unreachable, Err: errors.New("dial tcp 10.0.0.1:6443: refused")}}}
	if text := encode(t, o); strings.Contains(text, "10.0.0.1") || !strings.Contains(text, `"reason": "Unreachable"`) {
		t.Errorf("the document is\n%s", text)
	}
}

// FuzzDecode: any document is refused, or read to what is written again the same.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 0))
	for range 10 {
		data, err := Encode(random(r))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Decode(data)
		if err != nil {
			return
		}
		text := encode(t, o)
		again, err := Decode([]byte(text))
		if err != nil || encode(t, again) != text {
			t.Fatalf("written and read again: %v\n%s", err, text)
		}
		if !json.Valid([]byte(text)) {
			t.Fatal("no JSON")
		}
	})
}
