package finding_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

var all = flag.Bool("all", false, "print each finding of the corpora")

// kinds are the types of the workloads that are patched.
var kinds = map[string]metav1.Object{
	"Pod": &corev1.Pod{}, "PodTemplate": &corev1.PodTemplate{}, "ReplicationController": &corev1.ReplicationController{},
	"Deployment": &appsv1.Deployment{}, "StatefulSet": &appsv1.StatefulSet{}, "DaemonSet": &appsv1.DaemonSet{},
	"ReplicaSet": &appsv1.ReplicaSet{}, "Job": &batchv1.Job{}, "CronJob": &batchv1.CronJob{},
}

// groups are those of the kinds that are not of the core group.
var groups = map[string]string{
	"Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "ReplicaSet": "apps", "Job": "batch", "CronJob": "batch",
}

// known is what is known about the images of random pods.
var known = finding.Images{"x": {Digest: "sha256:1", UID: 101}}

// one returns the only workload of a manifest with its findings; false if it has none.
func one(t *testing.T, kind string, data []byte) (finding.Workload, bool) {
	t.Helper()
	object := reflect.New(reflect.TypeOf(kinds[kind]).Elem()).Interface().(metav1.Object)
	if err := json.Unmarshal(data, object); err != nil {
		return finding.Workload{}, false // documents of older versions
	}
	object.SetUID("")
	object.SetOwnerReferences(nil)
	if pod, ok := object.(*corev1.Pod); ok {
		// What admission has added is not in the manifest.
		pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return strings.HasPrefix(v.Name, "kube-api-access-") })
	}
	r := observe.Recorder{Scope: observe.Scope{Pods: true, Templates: true}, Interner: &profile.Interner{}}
	record := r.Record(object, schema.GroupKind{Group: groups[kind], Kind: kind})
	if record == nil || record.Profile == nil {
		return finding.Workload{}, false
	}
	list := finding.Of(observe.Resolve([]*observe.Record{record}, nil, r.Interner, r.Scope).Members, known)
	return list[0], true
}

// visit calls f for each workload of the corpora.
func visit(t *testing.T, f func(name, kind string, data []byte)) {
	t.Helper()
	paths := []string{"../../examples"}
	for _, corpus := range []string{"../../../shared/corpus", "../../../shared/corpus-live"} {
		if _, err := os.Stat(corpus); err != nil {
			t.Logf("NOT RUN: %s is not there", corpus)
			continue
		}
		paths = append(paths, corpus)
	}
	err := manifest.Visit(t.Context(), paths, manifest.Options{Recursive: true, SkipInvalid: true}, func(o manifest.Object) error {
		if _, known := kinds[o.Type.Kind]; !known {
			return nil
		}
		var data json.RawMessage
		if err := o.Decode(&data); err != nil {
			return err
		}
		f(o.Place.String(), o.Type.Kind, data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever a remedy changes, its finding goes, and nothing that matters comes.
func TestRemedies(t *testing.T) {
	c := check{T: t, mended: map[string]int{}}
	visit(t, c.remedies)
	t.Logf("%d workloads, remedies that mend by rule: %v", c.workloads, c.mended)
	if c.workloads < 10 {
		t.Errorf("%d workloads only", c.workloads)
	}
}

// The same for random pods, which break every rule that a patch can mend.
func TestRemediesOfRandomPods(t *testing.T) {
	r := podtest.Rand(t)
	c := check{T: t, mended: map[string]int{}}
	for i := range 200 {
		pod := podtest.Random(r)
		if !mergeable(pod) {
			continue
		}
		pod.Spec.Containers[0].Image = "x"
		pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db.own"}, Key: "password"},
		}}}
		for kind, object := range map[string]any{
			"Deployment": &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: pod.Annotations}, Spec: pod.Spec}}},
			"CronJob":    &batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: pod.Annotations}, Spec: pod.Spec}}}}},
			"Pod":        &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: pod.Annotations}, Spec: pod.Spec},
		} {
			object.(metav1.Object).SetName("web")
			data, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			c.remedies(fmt.Sprint("random pod ", i), kind, data)
		}
	}
	t.Logf("%d workloads, remedies that mend by rule: %v", c.workloads, c.mended)
	// A debug container has no field, and of one workload no account is shared.
	for _, rule := range finding.Rules() {
		if !slices.Contains([]string{"debug-container", "shared-account"}, rule.ID) && c.mended[rule.ID] == 0 {
			t.Errorf("no remedy of the rule %s was tried", rule.ID)
		}
	}
}

// mergeable reports whether a strategic merge patch can name each part of the pod. The
// API server refuses other pods, but for two ports that differ in their protocol.
func mergeable(pod *corev1.Pod) bool {
	for _, v := range pod.Spec.Volumes {
		if strings.HasPrefix(v.Name, "kube-api-access-") {
			return false // nobody names a volume so
		}
	}
	for c := range podtest.Containers(&pod.Spec) {
		paths, ports := map[string]bool{}, map[int32]bool{}
		for _, m := range c.VolumeMounts {
			if paths[m.MountPath] {
				return false
			}
			paths[m.MountPath] = true
		}
		for _, p := range c.Ports {
			if ports[p.ContainerPort] {
				return false
			}
			ports[p.ContainerPort] = true
		}
	}
	return true
}

// check applies remedies.
type check struct {
	*testing.T
	workloads int
	mended    map[string]int
}

// remedies applies the remedies of a manifest, one by one and together.
func (c *check) remedies(name, kind string, data []byte) {
	c.Helper()
	w, ok := one(c.T, kind, data)
	if !ok {
		return
	}
	c.workloads++
	var remedies []*finding.Remedy
	for _, f := range w.Findings {
		if *all {
			text, _ := json.Marshal(f)
			c.Logf("%s %s %s: %s", name, kind, w.Name, text)
		}
		if f.Remedy == nil || f.Remedy.Patch == nil {
			continue
		}
		if len(f.Remedy.Changes) == 0 {
			c.Errorf("%s: %s: a patch without a change", name, f.Rule)
		}
		after := patched(c.T, kind, data, f.Remedy.Patch)
		c.mended[f.Rule]++
		if slices.ContainsFunc(after.Findings, func(o finding.Finding) bool { return o.Compare(f) == 0 }) {
			c.Errorf("%s: %s: %s of container %q (%s) stays after %v", name, kind, f.Rule, f.Container, f.Subject, f.Remedy.Patch)
		}
		noWorse(c.T, name+": "+f.Rule, w, after)
		remedies = append(remedies, f.Remedy)
	}
	if len(remedies) == 0 {
		return
	}
	together := patched(c.T, kind, data, finding.Combine(remedies...))
	noWorse(c.T, name, w, together)
	for _, f := range w.Findings {
		if f.Remedy != nil && f.Remedy.Patch != nil && slices.ContainsFunc(together.Findings, func(o finding.Finding) bool { return o.Compare(f) == 0 }) {
			c.Errorf("%s: %s: %s of container %q (%s) stays after all remedies together", name, kind, f.Rule, f.Container, f.Subject)
		}
	}
}

func patched(t *testing.T, kind string, data []byte, patch finding.Patch) finding.Workload {
	t.Helper()
	text, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	after, err := strategicpatch.StrategicMergePatch(data, text, kinds[kind])
	if err != nil {
		t.Fatalf("applying %s: %v", text, err)
	}
	w, ok := one(t, kind, after)
	if !ok {
		t.Fatalf("%s makes something else of\n%s\n%s", text, data, after)
	}
	return w
}

// noWorse fails if the pods ask for more than before.
func noWorse(t *testing.T, name string, before, after finding.Workload) {
	t.Helper()
	set := func(w finding.Workload) privilege.Set {
		var lines []string
		for _, n := range w.Profile.Privileges.Values() {
			lines = append(lines, string(n))
		}
		return privilege.SetOf(lines...)
	}
	more := slices.DeleteFunc(set(before).Excess(set(after)), func(line string) bool { return privilege.SeverityOf(line) == privilege.Info })
	if len(more) > 0 {
		t.Errorf("%s: pods ask for more after it: %s", name, strings.Join(more, ", "))
	}
}

// A patch that was written as JSON is the same.
func TestPatchJSON(t *testing.T) {
	p := finding.Patch{"spec": finding.Patch{"list": []any{finding.Patch{"name": "x", "gone": nil}, "y"}}}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again finding.Patch
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}
