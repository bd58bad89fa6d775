package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/fleet"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

// grantToAll lets every account and every node use every policy.
var grantToAll = objects.Object{
	"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": objects.Object{"name": "all"},
	"roleRef": objects.Object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "all"},
	"subjects": []any{
		objects.Object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"},
		objects.Object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"},
	},
}

// withGrant returns a policy that all may use, as text.
func withGrant(policy objects.Object) (string, error) {
	role := objects.Object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": objects.Object{"name": "all"},
		"rules": []any{objects.Object{"apiGroups": []any{"policy"}, "resources": []any{"podsecuritypolicies"}, "resourceNames": []any{nameOf(policy)}, "verbs": []any{"use"}}},
	}
	return objects.Join([]objects.Object{policy, role, grantToAll})
}

func nameOf(o objects.Object) string {
	metadata, _ := o["metadata"].(objects.Object)
	name, _ := metadata["name"].(string)
	return name
}

// isKind reports whether an object is of one of the kinds.
func isKind(o objects.Object, kinds ...string) bool {
	kind, _ := o["kind"].(string)
	return slices.Contains(kinds, kind)
}

// within compares what the advisor says of a written policy and the pods of one
// workload with what the judge does.
func (r *runner) within(j *judge.Process, suite, name string, policy objects.Object, pods []objects.Object) error {
	policies, err := withGrant(policy)
	if err != nil {
		return err
	}
	text, err := objects.Join(pods)
	if err != nil {
		return err
	}
	v, err := ask(j, request{Name: name, Objects: text, Policies: policies, Members: map[string][]string{nameOf(policy): {"none"}}, SkipInvalid: true})
	if err != nil {
		return err
	}
	if v.Error != "" {
		return fmt.Errorf("judging %s: %s", name, v.Error)
	}
	want, ok := judged(v)
	if !ok {
		return nil
	}
	got, detail, err := compare(policies, text)
	if err != nil {
		return fmt.Errorf("comparing %s: %w", name, err)
	}
	if got == "" {
		return nil
	}
	verdict := verdict{Counts: v.Counts, Judged: 1}
	unknown := want == psp.Refuses && got == psp.Changes && hasEmptyGroups(text)
	if got != want && !unknown {
		verdict.Error = fmt.Sprintf("advisor: %s, judge: %s", got, want)
	}
	r.count(suite, aggregate.Level(want), verdict) // a row per outcome
	if verdict.Error == "" {
		return nil
	}
	r.mu.Lock()
	r.shown++
	show := r.shown <= r.show
	r.mu.Unlock()
	if show {
		r.print(fmt.Sprintf("FAIL %s: %s\n%s# pods\n%s# advisor: %s\n# judge: %+v", name, verdict.Error, objects.Readable(policies), objects.Readable(text), detail, v), verdict)
	}
	if r.fast {
		return errFaults
	}
	return nil
}

// judged returns the worst outcome of the pods; false if there is none.
func judged(v verdict) (psp.Outcome, bool) {
	worst, known := psp.Fits, v.Counts[unchanged] > 0
	for _, p := range v.Pods {
		switch p.Outcome {
		case refused:
			continue
		case "changed neutrally", "changed":
			if worst == psp.Fits {
				worst = psp.Changes
			}
		case "update refused":
			// Admission cannot leave the pod as it is now: another matter.
		default:
			worst = psp.Refuses
		}
		known = true
	}
	return worst, known
}

// hasEmptyGroups: a profile does not have that the list is there.
func hasEmptyGroups(text string) bool { return strings.Contains(text, `"supplementalGroups":[]`) }

// compare returns the worst of the advisor's outcomes; empty if nothing is observed.
func compare(policies, objects string) (worst psp.Outcome, detail string, err error) {
	ctx := context.Background()
	written := &psp.Written{}
	err = manifest.Visit(ctx, []string{manifest.Stdin}, manifest.Options{In: strings.NewReader(policies)}, func(o manifest.Object) error {
		return written.Read(o.Type, o.Decode)
	})
	if err != nil {
		return "", "", fmt.Errorf("reading policies: %w", err)
	}
	obs, err := manifest.Read(ctx, []string{manifest.Stdin}, manifest.Options{In: strings.NewReader(objects), SkipInvalid: true}, observe.Scope{Pods: true, Templates: true})
	if err != nil {
		return "", "", fmt.Errorf("observing: %w", err)
	}
	for _, c := range psp.Compare(written, obs.Members) {
		for _, o := range c.Outcomes {
			if o == psp.Refuses || worst != psp.Refuses && worst != psp.Changes {
				worst = o
			}
		}
		for _, d := range slices.Concat(c.Faults, c.Exceeds, c.Changed) {
			detail += fmt.Sprintf("%s: %s\n", d.Field, d.Text)
		}
	}
	return worst, detail, nil
}

// workloads returns each object of a source that runs pods, with the service accounts.
func workloads(s objects.Source) ([][]objects.Object, error) {
	all, err := objects.Split(s.Text)
	if err != nil {
		return nil, err
	}
	var accounts []objects.Object
	var list [][]objects.Object
	for _, o := range all {
		if isKind(o, "ServiceAccount") {
			accounts = append(accounts, o)
		}
	}
	for _, o := range all {
		if isKind(o, "Pod", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob") {
			list = append(list, append([]objects.Object{o}, accounts...))
		}
	}
	return list, nil
}

// policiesOf returns the PodSecurityPolicies of sources.
func policiesOf(sources []objects.Source) ([]objects.Object, error) {
	var list []objects.Object
	for _, s := range sources {
		all, err := objects.Split(s.Text)
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			if isKind(o, "PodSecurityPolicy") {
				// As the server does (registry/rest/create.go, BeforeCreate).
				if metadata, ok := o["metadata"].(objects.Object); ok {
					delete(metadata, "namespace")
				}
				list = append(list, o)
			}
		}
	}
	return list, nil
}

// writtenPolicies returns the policies to compare with the corpora.
func (o options) writtenPolicies() ([]objects.Object, error) {
	if o.within == "" {
		return nil, nil
	}
	sources, err := objects.ReadDir(filepath.Join(o.root, o.within))
	if err != nil {
		return nil, err
	}
	return policiesOf(sources)
}

// withinAll compares the policies with each workload of a source.
func (r *runner) withinAll(j *judge.Process, suite string, s objects.Source, written []objects.Object) error {
	s, _, err := clean(j, s)
	if err != nil {
		return err
	}
	list, err := workloads(s)
	if err != nil {
		return err
	}
	for _, policy := range written {
		for i, pods := range list {
			name := fmt.Sprintf("policy %s and workload %d of %s", nameOf(policy), i, s.Name)
			if err := r.within(j, "within-"+suite, name, policy, pods); err != nil {
				return err
			}
		}
	}
	return nil
}

// withinRandom compares random policies with the pods of a random fleet.
func (r *runner) withinRandom(j *judge.Process, number uint64) error {
	rnd := rand.New(rand.NewPCG(r.seed, number)) //nolint:gosec // repeatable on purpose
	text, err := objects.Join(fleet.Random(r.seed, number, fleet.Old))
	if err != nil {
		return err
	}
	list, err := workloads(objects.Source{Text: text})
	if err != nil || len(list) == 0 {
		return err
	}
	for n := range 8 {
		policy, err := nearPolicy(rnd, list)
		if err != nil {
			return err
		}
		if policy == nil {
			continue // the workload is not observed, such as a pod that has ended
		}
		for i, pods := range list {
			name := fmt.Sprintf("policy %d and workload %d of fleet %d of seed %d", n, i, number, r.seed)
			if err := r.within(j, "within-random", name, policy, pods); err != nil {
				return err
			}
		}
	}
	return nil
}

// nearPolicy makes up a policy that is close to what some workload needs: the tightest
// one for it, with a few fields changed.
func nearPolicy(rnd *rand.Rand, list [][]objects.Object) (objects.Object, error) {
	text, err := objects.Join(podtest.Pick(rnd, list...))
	if err != nil {
		return nil, err
	}
	policies, _, err := advise(text, "cluster")
	if err != nil {
		return nil, err
	}
	generated, err := objects.Split(policies)
	if err != nil || len(generated) == 0 {
		return nil, err
	}
	policy := generated[0]
	spec, _ := policy["spec"].(objects.Object)
	metadata, _ := policy["metadata"].(objects.Object)
	if metadata["annotations"] == nil {
		metadata["annotations"] = objects.Object{}
	}
	annotations, _ := metadata["annotations"].(objects.Object)
	for range rnd.IntN(5) {
		change := podtest.Pick(rnd, changes...)
		value := podtest.Pick(rnd, change.values...)
		into := spec
		if strings.Contains(change.field, "/") {
			into = annotations
		}
		delete(into, change.field)
		if value != "" {
			var parsed any
			if err := json.Unmarshal([]byte(value), &parsed); err != nil {
				return nil, fmt.Errorf("reading %s: %w", value, err)
			}
			into[change.field] = parsed
		}
	}
	return policy, nil
}

// changes are values for each field of a policy; an empty one removes it.
var changes = []struct {
	field  string
	values []string
}{
	{"privileged", []string{"", "true"}},
	{"hostNetwork", []string{"", "true"}},
	{"hostPID", []string{"", "true"}},
	{"hostIPC", []string{"", "true"}},
	{"hostPorts", []string{"", `[{"min":0,"max":65535}]`, `[{"min":1,"max":80},{"min":443,"max":9000}]`, `[{"min":9000,"max":1}]`}},
	{"readOnlyRootFilesystem", []string{"", "true"}},
	{"allowPrivilegeEscalation", []string{"", "true", "false"}},
	{"defaultAllowPrivilegeEscalation", []string{"", "true", "false"}},
	{"allowedCapabilities", []string{"", `["*"]`, `["NET_ADMIN"]`, `["ALL"]`, `["SYS_ADMIN","CAP_SYS_ADMIN","KILL","CHOWN"]`}},
	{"defaultAddCapabilities", []string{"", `["KILL"]`, `["CAP_SYS_ADMIN"]`, `["NET_ADMIN"]`}},
	{"requiredDropCapabilities", []string{"", `["ALL"]`, `["KILL"]`, `["NET_RAW","MKNOD"]`}},
	{"volumes", []string{"", `["*"]`, `["secret"]`, `["projected","secret"]`, `["configMap","emptyDir","projected","hostPath","csi","flexVolume"]`, `["cephfs"]`}},
	{"allowedHostPaths", []string{"", `[{"pathPrefix":"/"}]`, `[{"pathPrefix":"/","readOnly":true}]`, `[{"pathPrefix":"/var"},{"pathPrefix":"/var/log/","readOnly":true}]`, `[{"pathPrefix":"/data/.."}]`}},
	{"allowedFlexVolumes", []string{"", `[{"driver":"example/a"}]`}},
	{"allowedCSIDrivers", []string{"", `[{"name":"secrets-store.csi.k8s.io"}]`, `[{"name":"a.example.com"}]`}},
	{"allowedUnsafeSysctls", []string{"", `["net.*"]`, `["kernel.msgmax"]`, `["*"]`}},
	{"forbiddenSysctls", []string{"", `["*"]`, `["net.ipv4.*"]`, `["kernel.shm_rmid_forced"]`, `["net.core.somaxconn"]`}},
	{"allowedProcMountTypes", []string{"", `["Unmasked"]`, `["Default","Unmasked"]`}},
	{"runtimeClass", []string{"", `{"allowedRuntimeClassNames":["*"]}`, `{"allowedRuntimeClassNames":["gvisor"],"defaultRuntimeClassName":"gvisor"}`, `{"allowedRuntimeClassNames":["kata"]}`, `{"allowedRuntimeClassNames":["*"],"defaultRuntimeClassName":"kata"}`, `{"allowedRuntimeClassNames":[],"defaultRuntimeClassName":"kata"}`}},
	{"seLinux", []string{`{"rule":"RunAsAny"}`, `{"rule":"MustRunAs","seLinuxOptions":{"level":"s0:c1,c2"}}`, `{"rule":"MustRunAs","seLinuxOptions":{"level":"s0:c2,c1"}}`, `{"rule":"MustRunAs","seLinuxOptions":{"type":"spc_t"}}`, `{"rule":"MustRunAs"}`}},
	{"runAsUser", []string{`{"rule":"RunAsAny"}`, `{"rule":"MustRunAsNonRoot"}`, `{"rule":"MustRunAs","ranges":[{"min":1000,"max":2000}]}`, `{"rule":"MustRunAs","ranges":[{"min":1,"max":65535},{"min":0,"max":0}]}`, `{"rule":"MustRunAs"}`, `{"rule":"MustRunAs","ranges":[{"min":3000000000,"max":3000000001},{"min":0,"max":5000}]}`}},
	{"runAsGroup", []string{"", `{"rule":"RunAsAny"}`, `{"rule":"MayRunAs","ranges":[{"min":1,"max":65535}]}`, `{"rule":"MustRunAs","ranges":[{"min":0,"max":65535}]}`, `{"rule":"MustRunAs"}`}},
	{"fsGroup", []string{`{"rule":"RunAsAny"}`, `{"rule":"MayRunAs","ranges":[{"min":1,"max":65535}]}`, `{"rule":"MustRunAs","ranges":[{"min":1,"max":65535}]}`, `{"rule":"MayRunAs"}`}},
	{"supplementalGroups", []string{`{"rule":"RunAsAny"}`, `{"rule":"MayRunAs","ranges":[{"min":1,"max":65535}]}`, `{"rule":"MustRunAs","ranges":[{"min":1,"max":65535}]}`, `{"rule":"MustRunAs","ranges":[]}`}},
	{"seccomp.security.alpha.kubernetes.io/allowedProfileNames", []string{"", `"*"`, `"runtime/default"`, `"docker/default,unconfined"`, `"runtime/default,localhost/a.json,*"`, `""`}},
	{"seccomp.security.alpha.kubernetes.io/defaultProfileName", []string{"", `"runtime/default"`, `"docker/default"`, `"unconfined"`}},
	{"apparmor.security.beta.kubernetes.io/allowedProfileNames", []string{"", `"runtime/default"`, `"runtime/default,localhost/a,unconfined"`, `""`}},
	{"apparmor.security.beta.kubernetes.io/defaultProfileName", []string{"", `"runtime/default"`, `"unconfined"`}},
}
