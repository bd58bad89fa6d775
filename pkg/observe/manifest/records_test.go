package manifest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// streamCase is what files hold and what is observed of it.
type streamCase struct {
	name   string
	stream string
	want   []string
}

func testAttribute(t *testing.T, name string, cases []streamCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, attribute(read(t, tc.stream, everything), name)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func testSeen(t *testing.T, cases []streamCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, seen(read(t, tc.stream, everything))); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
		})
	}
}

// A manifest becomes the pod that the API server would make of it; a pod that a
// server returned is taken as it is.
func TestTokenVolume(t *testing.T) {
	optedOut := "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: quiet}\nautomountServiceAccountToken: false\n---\n"
	optedIn := strings.Replace(optedOut, "false", "true", 1)
	elsewhere := strings.Replace(optedOut, "name: quiet", "name: quiet, namespace: other", 1)
	quiet := podText("p", "  serviceAccountName: quiet\n")
	mounted := strings.Replace(podText("p"), "image: x", "image: x, volumeMounts: [{name: mine, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]", 1)
	token := []string{"serviceAccountToken"}
	testAttribute(t, "volumes", []streamCase{
		{"by default", podText("p"), token},
		{"off on the pod", podText("p", "  automountServiceAccountToken: false\n"), nil},
		{"off on the account", optedOut + quiet, nil},
		{"off on the account, in any order", quiet + optedOut, nil},
		{"on on the account", optedIn + quiet, token},
		{"off on an account of another namespace", elsewhere + quiet, token},
		{"the pod has the last word", optedOut + podText("p", "  serviceAccountName: quiet\n  automountServiceAccountToken: true\n"), token},
		{"something else is mounted there", mounted, nil},
		{"a template", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: c}]}}}\n", token},
		{"a stored pod shows what it has", strings.Replace(podText("p"), "name: p", "name: p\n  uid: abc", 1), nil},
		{"a mirror pod has no account", strings.Replace(podText("p", "  nodeName: n1\n"), "name: p", "name: p\n  annotations: {kubernetes.io/config.mirror: x}", 1), nil},
	})
}

func TestHostNetworkPorts(t *testing.T) {
	ports := "  hostNetwork: true\n  containers:\n  - {name: c, ports: [{containerPort: 8080}]}\n  initContainers:\n  - {name: i, ports: [{containerPort: 7070}, {containerPort: 9090, hostPort: 9091}]}\n"
	spec := "apiVersion: v1\nkind: Pod\nmetadata: {name: p%}\nspec:\n" + ports
	testAttribute(t, "hostPorts", []streamCase{
		{"a manifest", strings.Replace(spec, "%", "", 1), []string{"7070", "8080", "9091"}},
		{"without the host's network", strings.Replace(strings.Replace(spec, "%", "", 1), "hostNetwork: true", "hostNetwork: false", 1), []string{"9091"}},
		{
			"a template", "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec:\n  template:\n    spec:\n" + strings.ReplaceAll(ports, "  ", "      "),
			[]string{"7070", "8080", "9091"},
		},
		{"a stored pod has been defaulted", strings.Replace(spec, "%", ", uid: abc", 1), []string{"9091"}},
	})
}

func TestAccounts(t *testing.T) {
	testSeen(t, []streamCase{
		{"none is default", podText("p"), []string{"default/Pod/p default"}},
		{"the field", podText("p", "  serviceAccountName: a\n"), []string{"default/Pod/p a"}},
		{"the deprecated field", podText("p", "  serviceAccount: a\n"), []string{"default/Pod/p a"}},
		{"the field over the deprecated one", podText("p", "  serviceAccount: a\n  serviceAccountName: b\n"), []string{"default/Pod/p b"}},
	})
}

// storedUID is a uid that a server gave.
const storedUID = "0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a"

func TestFinishedPodsAndJobs(t *testing.T) {
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: [{name: c}]}}}\n"
	status := func(kind, value string) string {
		return "status: {conditions: [{type: " + kind + ", status: \"" + value + "\"}]}\n"
	}
	// As a server returned it.
	stored := func(text string) string {
		return strings.NewReplacer("name: p\n", "name: p\n  uid: "+storedUID+"\n", "name: j}", "name: j, uid: "+storedUID+"}").Replace(text)
	}
	running, unfinished := []string{"default/Pod/p default"}, []string{"default/Job/j default"}
	testSeen(t, []streamCase{
		{"running", podText("p", "status: {phase: Running}\n"), running},
		{"pending", podText("p", "status: {phase: Pending}\n"), running},
		{"unknown", podText("p", "status: {phase: Unknown}\n"), running},
		{"succeeded", stored(podText("p", "status: {phase: Succeeded}\n")), nil},
		{"failed", stored(podText("p", "status: {phase: Failed}\n")), nil},
		{"to be created, as if it had succeeded", podText("p", "status: {phase: Succeeded}\n"), running},
		{"to be created, as if it had failed", strings.Replace(podText("p", "status: {phase: Failed}\n"), "name: p\n", "name: p\n  uid: mine\n", 1), running},
		{"a job", job, unfinished},
		{"a complete job", stored(job + status("Complete", "True")), nil},
		{"a failed job", stored(job + status("Failed", "True")), nil},
		{"a job that is suspended", stored(job + status("Suspended", "True")), unfinished},
		{"a job that is not complete", stored(job + status("Complete", "False")), unfinished},
		{"a job to be created, as if it were complete", job + status("Complete", "True"), unfinished},
	})
}

// owned gives an object a controller.
func owned(text, apiVersion, kind, name string) string {
	return strings.Replace(text, "metadata:\n", "metadata:\n  ownerReferences: [{apiVersion: "+apiVersion+", kind: "+kind+", name: "+name+", uid: u-"+name+", controller: true}]\n", 1)
}

func templateText(apiVersion, kind, name string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata:\n  name: " + name + "\n  uid: u-" + name + "\nspec: {template: {spec: {containers: [{name: c}]}}}\n"
}

func TestOwnerChains(t *testing.T) {
	replicaSet := owned(templateText("apps/v1", "ReplicaSet", "web-1"), "apps/v1", "Deployment", "web")
	podOfSet := owned(podText("web-1-x"), "apps/v1", "ReplicaSet", "web-1")
	job := owned(templateText("batch/v1", "Job", "nightly-1"), "batch/v1", "CronJob", "nightly")
	cronJob := "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: nightly\n  uid: u-nightly\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c}]}}}}}\n"
	podOfJob := owned(podText("nightly-1-x"), "batch/v1", "Job", "nightly-1")
	web, nightly := []string{"default/Deployment/web default"}, []string{"default/CronJob/nightly default"}
	testSeen(t, []streamCase{
		{"a dump", podOfSet + "---\n" + replicaSet + "---\n" + templateText("apps/v1", "Deployment", "web"), web},
		{"the deployment is elsewhere", replicaSet + "---\n" + podOfSet, web},
		{"an owned ReplicaSet is no source beside its controller", replicaSet + "---\n" + templateText("apps/v1", "Deployment", "web"), web},
		{"without its controller it is", replicaSet, web},
		{"a ReplicaSet of its own is one", templateText("apps/v1", "ReplicaSet", "solo"), []string{"default/ReplicaSet/solo default"}},
		{"a Job without its controller is a source", job, nightly},
		{"and not beside it", job + "---\n" + cronJob, nightly},
		{"a CronJob's pod", podOfJob + "---\n" + job, nightly},
		{"old groups are the same workload", owned(podText("web-1-x"), "extensions/v1beta1", "ReplicaSet", "web-1") + "---\n" +
			strings.Replace(replicaSet, "apiVersion: apps/v1\nkind: R", "apiVersion: extensions/v1beta1\nkind: R", 1), web},
		{"an unknown kind of owner", owned(podText("x"), "argoproj.io/v1alpha1", "Rollout", "web"), []string{"default/Rollout/web default"}},
		{
			"an unknown kind above a ReplicaSet", owned(templateText("apps/v1", "ReplicaSet", "web-1"), "argoproj.io/v1alpha1", "Rollout", "web") + "---\n" + podOfSet,
			[]string{"default/Rollout/web default"},
		},
		{
			"an owner that is not the controller", strings.Replace(podOfSet, ", controller: true", "", 1) + "---\n" + replicaSet,
			[]string{"default/Deployment/web default", "default/Pod/web-1-x default"},
		},
		{
			"a ReplicaSet of the name that is another one", strings.Replace(podOfSet, "uid: u-web-1", "uid: u-old", 1) + "---\n" + replicaSet,
			[]string{"default/Deployment/web default", "default/ReplicaSet/web-1 default"},
		},
		{"a pod names its Deployment", hashed(podOfSet, "1"), web},
		{"a pod has another hash than its ReplicaSet's name", hashed(podOfSet, "2"), []string{"default/ReplicaSet/web-1 default"}},
		{"a ReplicaSet that was observed knows better", hashed(podOfSet, "1") + "---\n" + templateText("apps/v1", "ReplicaSet", "web-1"), []string{"default/ReplicaSet/web-1 default"}},
		{
			"a circle ends", owned(templateText("apps/v1", "ReplicaSet", "a"), "apps/v1", "ReplicaSet", "b") + "---\n" +
				owned(templateText("apps/v1", "ReplicaSet", "b"), "apps/v1", "ReplicaSet", "a") + "---\n" + owned(podText("p"), "apps/v1", "ReplicaSet", "a"),
			[]string{"default/ReplicaSet/a default", "default/ReplicaSet/b default"},
		},
		{
			"a manifest beside its dump", owned(podText("web-1-x"), "apps/v1", "ReplicaSet", "web-1") + "---\n" + replicaSet + "---\n" +
				strings.Replace(templateText("apps/v1", "ReplicaSet", "web-1"), "  uid: u-web-1\n", "", 1),
			[]string{"default/Deployment/web default", "default/ReplicaSet/web-1 default"},
		},
	})
}

// hashed gives a pod the label of a Deployment's pods.
func hashed(pod, hash string) string {
	return strings.Replace(pod, "metadata:\n", "metadata:\n  labels: {pod-template-hash: \""+hash+"\"}\n", 1)
}

// The template of an owned ReplicaSet or Job is left out if it is known to be a copy,
// or adds nothing to that of its controller: the reference alone may be made up.
func TestCopies(t *testing.T) {
	without := func(text, uid string) string { return strings.Replace(text, "  uid: "+uid+"\n", "", 1) }
	with := func(text, fields string) string {
		return strings.Replace(text, "spec: {containers", "spec: {"+fields+", containers", 1)
	}
	web, nightly := templateText("apps/v1", "Deployment", "web"), "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: nightly\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c}]}}}}}\n"
	set := owned(templateText("apps/v1", "ReplicaSet", "web-1"), "apps/v1", "Deployment", "web")
	job := owned(templateText("batch/v1", "Job", "nightly-1"), "batch/v1", "CronJob", "nightly")
	noReference := strings.Replace(set, ", uid: u-web", "", 1)
	for _, tc := range []struct {
		name, stream string
		want         int // templates
		account      string
	}{
		{"a copy", set + "---\n" + web, 1, ""},
		{"an earlier one", with(set, "hostPID: true, serviceAccountName: a") + "---\n" + web, 1, ""},
		{"a copy whose uids are missing", without(noReference, "u-web-1") + "---\n" + without(web, "u-web"), 1, ""},
		{"a copy that has less", set + "---\n" + without(with(web, "volumes: [{name: v, emptyDir: {}}]"), "u-web"), 1, ""},
		{"no uid of the owner", with(set, "hostPID: true") + "---\n" + without(web, "u-web"), 2, ""},
		{"no uid of the reference", with(noReference, "hostPID: true") + "---\n" + web, 2, ""},
		{"no uid, another account", with(set, "serviceAccountName: a") + "---\n" + without(web, "u-web"), 2, "a"},
		{"no uid, a token that the other has not", set + "---\n" + without(with(web, "automountServiceAccountToken: false"), "u-web"), 2, ""},
		{"no uid, none that the other has", with(set, "automountServiceAccountToken: false") + "---\n" + without(web, "u-web"), 1, ""},
		{"no uid, no replicas", strings.Replace(with(set, "hostPID: true"), "spec: {", "spec: {replicas: 0, ", 1) + "---\n" + set + "---\n" + without(web, "u-web"), 2, ""},
		{"no uid, no replicas, beside another one", strings.Replace(with(set, "hostPID: true"), "spec: {", "spec: {replicas: 0, ", 1) + "---\n" + strings.ReplaceAll(with(set, "hostIPC: true"), "web-1", "web-2") + "---\n" + without(web, "u-web"), 3, ""},
		{"no uid, two owners of the name", with(set, "hostPID: true") + "---\n" + without(web, "u-web") + "---\n" + without(with(web, "hostPID: true"), "u-web"), 3, ""},
		{"in another order", without(with(web, "hostPID: true"), "u-web") + "---\n" + without(web, "u-web") + "---\n" + with(set, "hostPID: true"), 3, ""},
		{"no uid, the owner twice", set + "---\n" + without(web, "u-web") + "---\n" + without(web, "u-web"), 2, ""},
		{"a job", job + "---\n" + nightly, 1, ""},
		{"a job, no uid", with(job, "hostPID: true") + "---\n" + nightly, 2, ""},
		{"one that owns itself", owned(templateText("apps/v1", "ReplicaSet", "a"), "apps/v1", "ReplicaSet", "a"), 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := read(t, tc.stream, everything)
			if obs.Templates() != tc.want || len(obs.UnknownOwners) != 0 {
				t.Errorf("%d templates, want %d, unknown owners %v", obs.Templates(), tc.want, obs.UnknownOwners)
			}
			if tc.account != "" && !slices.Contains(seen(obs), "default/Deployment/web "+tc.account) {
				t.Errorf("workloads %q, want one with the account %s", seen(obs), tc.account)
			}
		})
	}
}

// The templates of a controller that is not read are sources; those that make no
// pods any more only where none of them does.
func TestTemplatesOfUnreadControllers(t *testing.T) {
	set := func(name, user, replicas string) string {
		text := owned(templateText("apps/v1", "ReplicaSet", name), "argoproj.io/v1alpha1", "Rollout", "web")
		return strings.Replace(text, "spec: {template: {spec: {", "spec: {replicas: "+replicas+", template: {spec: {securityContext: {runAsUser: "+user+"}, ", 1)
	}
	testAttribute(t, "runAsUser", []streamCase{
		{"one", set("web-1", "1", "2"), []string{"runAsUser 1, runAsNonRoot unset"}},
		{"a past one beside it", set("web-1", "1", "0") + "---\n" + set("web-2", "2", "1"), []string{"runAsUser 2, runAsNonRoot unset"}},
		{"two at once, in a rollout", set("web-1", "1", "1") + "---\n" + set("web-2", "2", "1"), []string{"runAsUser 1, runAsNonRoot unset", "runAsUser 2, runAsNonRoot unset"}},
		{"scaled to nothing", set("web-1", "1", "0") + "---\n" + set("web-2", "2", "0"), []string{"runAsUser 1, runAsNonRoot unset", "runAsUser 2, runAsNonRoot unset"}},
	})
	testSeen(t, []streamCase{
		{"they are the controller's", set("web-1", "1", "2"), []string{"default/Rollout/web default"}},
		{"a JobSet's Job", owned(templateText("batch/v1", "Job", "train-0"), "jobset.x-k8s.io/v1alpha2", "JobSet", "train"), []string{"default/JobSet/train default"}},
	})
}

func TestUnknownOwners(t *testing.T) {
	stream := owned(podText("b"), "apps/v1", "ReplicaSet", "gone") + "---\n" + owned(podText("a"), "apps/v1", "ReplicaSet", "gone") + "---\n" +
		owned(podText("c"), "example.com/v1", "Mine", "x") + "---\n" + podText("d") + "---\n" + owned(podText("e"), "batch/v1", "Job", "away")
	obs := read(t, stream, everything)
	want := []aggregate.Workload{
		{Namespace: "default", Group: "batch", Kind: "Job", Name: "away"}, {Namespace: "default", Group: "apps", Kind: "ReplicaSet", Name: "gone"},
	}
	if diff := cmp.Diff(want, obs.UnknownOwners); diff != "" {
		t.Errorf("unknown owners (-want +got):\n%s", diff)
	}
}

func TestMirrorPods(t *testing.T) {
	mirror := func(name, node string) string {
		return strings.Replace(owned(podText(name, "  nodeName: "+node+"\n  hostNetwork: true\n"), "v1", "Node", node),
			"metadata:\n", "metadata:\n  uid: u\n  annotations: {kubernetes.io/config.mirror: x}\n", 1)
	}
	testSeen(t, []streamCase{
		{"the node's name is cut off, there is no account", mirror("etcd-node-1", "node-1"), []string{"default/Pod/etcd "}},
		{"one workload on several nodes", mirror("etcd-a", "a") + "---\n" + mirror("etcd-b", "b"), []string{"default/Pod/etcd "}},
		{"a name without the node's", mirror("etcd", "a"), []string{"default/Pod/etcd "}},
	})
}

func TestGenerateName(t *testing.T) {
	testSeen(t, []streamCase{
		{"a manifest to be created more than once", strings.Replace(podText("p"), "name: p", "generateName: run-", 1), []string{"default/Pod/run- default"}},
	})
}

// Making a record leaves the object as it is.
func TestRecordsDoNotMutate(t *testing.T) {
	r := podtest.Rand(t)
	recorder := observe.Recorder{Scope: everything, Interner: &profile.Interner{}}
	for range 50 {
		pod := podtest.Random(r)
		pod.Spec.HostNetwork = true
		before := pod.DeepCopy()
		recorder.Pod(pod)
		template := &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
		set := &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Template: *template, VolumeClaimTemplates: []corev1.PersistentVolumeClaim{
			{ObjectMeta: metav1.ObjectMeta{Name: "v0"}}, {ObjectMeta: metav1.ObjectMeta{Name: "claim"}},
		}}}
		recorder.Record(set, schema.GroupKind{Group: "apps", Kind: "StatefulSet"})
		if diff := cmp.Diff(before, pod); diff != "" {
			t.Fatalf("the pod was changed (-before +after):\n%s", diff)
		}
	}
}

// A workload stands where its first template does, else where its first pod does: at the
// line that separates documents.
func TestPlaces(t *testing.T) {
	stream := owned(podText("web-1-x"), "apps/v1", "ReplicaSet", "web-1") + "---\n" + templateText("apps/v1", "Deployment", "web") + "---\n" +
		owned(templateText("apps/v1", "ReplicaSet", "web-1"), "apps/v1", "Deployment", "web") + "---\n" + podText("alone")
	lines := strings.Split(stream, "\n")
	want := map[string]int{"Deployment/web": slices.Index(lines, "  name: web") - 4, "Pod/alone": slices.Index(lines, "  name: alone") - 4}
	got := map[string]int{}
	obs := read(t, stream, everything)
	for w, p := range obs.Places {
		got[w.String()] = p.Line - 1
		if p.File != "stdin" {
			t.Errorf("%s is in %s", w, p.File)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	joined, err := observe.Join(obs, &observe.Observation{Scope: obs.Scope, Places: map[aggregate.Workload]observe.Place{
		{Namespace: "default", Kind: "Pod", Name: "alone"}: {File: "a"}, {Kind: "Pod", Name: "b"}: {File: "b"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for w, file := range map[string]string{"Deployment/web": "stdin", "Pod/alone": "a", "Pod/b": "b"} {
		for found, p := range joined.Places {
			if found.String() == w && p.File != file {
				t.Errorf("joined, %s is in %s, want %s", w, p.File, file)
			}
		}
	}
	if len(joined.Places) != 3 {
		t.Errorf("joined: %v", joined.Places)
	}
}
