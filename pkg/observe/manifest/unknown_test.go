package manifest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

// templates of pods as custom resources hold them.
const (
	podSpecText  = "{serviceAccountName: a, containers: [{name: c, image: x}]}"
	templateSpec = "{metadata: {labels: {app: web}}, spec: " + podSpecText + "}"
)

func customText(apiVersion, kind, spec string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: web, namespace: shop}\nspec: " + spec + "\n"
}

// unknownKinds are custom resources that run pods. Those that have templates which
// can be read say how many.
var unknownKinds = []struct {
	apiVersion, kind, spec string
	templates              int
}{
	{"argoproj.io/v1alpha1", "Rollout", "{template: " + templateSpec + "}", 1},
	{"argoproj.io/v1alpha1", "Experiment", "{templates: [{name: a, template: " + templateSpec + "}, {name: b, template: " + templateSpec + "}]}", 2},
	{"argoproj.io/v1alpha1", "AnalysisTemplate", "{metrics: [{provider: {web: {}}}, {provider: {job: {spec: {template: " + templateSpec + "}}}}]}", 1},
	{"argoproj.io/v1alpha1", "Workflow", "{templates: [{container: {image: x}}]}", 0},
	{"serving.knative.dev/v1", "Service", "{template: {spec: {containerConcurrency: 1, serviceAccountName: a, containers: [{image: x}]}}}", 1},
	{"serving.knative.dev/v1", "Revision", "{containerConcurrency: 1, serviceAccountName: a, containers: [{image: x}]}", 1},
	{"apps.kruise.io/v1alpha1", "CloneSet", "{template: " + templateSpec + "}", 1},
	{"apps.kruise.io/v1beta1", "StatefulSet", "{template: " + templateSpec + "}", 1},
	{"apps.kruise.io/v1alpha1", "AdvancedCronJob", "{template: {broadcastJobTemplate: {spec: {template: " + templateSpec + "}}}}", 1},
	{"apps.kruise.io/v1alpha1", "UnitedDeployment", "{template: {statefulSetTemplate: {spec: {template: " + templateSpec + "}}}}", 1},
	{"apps.kruise.io/v1alpha1", "SidecarSet", "{containers: [{name: c, image: x}]}", 0},
	{"apps.openshift.io/v1", "DeploymentConfig", "{template: " + templateSpec + "}", 1},
	{"apps.openshift.io/v1", "DeploymentConfig", "{triggers: [{type: ImageChange}], template: {spec: {serviceAccountName: a, containers: [{name: c}]}}}", 1},
	{"batch.volcano.sh/v1alpha1", "Job", "{tasks: [{template: " + templateSpec + "}]}", 1},
	{"batch.volcano.sh/v1alpha1", "CronJob", "{jobTemplate: {spec: {tasks: [{template: " + templateSpec + "}]}}}", 1},
	{"jobset.x-k8s.io/v1alpha2", "JobSet", "{replicatedJobs: [{template: {spec: {template: " + templateSpec + "}}}]}", 1},
	{"keda.sh/v1alpha1", "ScaledJob", "{jobTargetRef: {template: " + templateSpec + "}}", 1},
	{"kubeflow.org/v1", "PyTorchJob", "{pytorchReplicaSpecs: {Master: {template: " + templateSpec + "}, Worker: {template: " + templateSpec + "}}}", 2},
	{"kubeflow.org/v1", "TFJob", "{tfReplicaSpecs: {Worker: {template: " + templateSpec + "}}}", 1},
	{"kubeflow.org/v2beta1", "MPIJob", "{mpiReplicaSpecs: {Worker: {template: " + templateSpec + "}}}", 1},
	{"kubeflow.org/v1", "Notebook", "{template: {spec: " + podSpecText + "}}", 1},
	{"trainer.kubeflow.org/v1alpha1", "TrainingRuntime", "{template: {spec: {replicatedJobs: [{template: {spec: {template: " + templateSpec + "}}}]}}}", 1},
	{"trainer.kubeflow.org/v1alpha1", "TrainJob", "{runtimeRef: {name: x}}", 0},
	{"leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "{leaderWorkerTemplate: {workerTemplate: " + templateSpec + "}}", 1},
	{"ray.io/v1", "RayCluster", "{headGroupSpec: {template: " + templateSpec + "}, workerGroupSpecs: [{template: " + templateSpec + "}]}", 2},
	{"ray.io/v1", "RayJob", "{submitterPodTemplate: " + templateSpec + ", rayClusterSpec: {headGroupSpec: {template: " + templateSpec + "}}}", 2},
	{"ray.io/v1", "RayService", "{rayClusterConfig: {workerGroupSpecs: [{template: " + templateSpec + "}]}}", 1},
	{"sparkoperator.k8s.io/v1beta2", "SparkApplication", "{driver: {template: " + templateSpec + "}}", 0},
	{"sparkoperator.k8s.io/v1beta2", "ScheduledSparkApplication", "{template: {driver: {}}}", 0},
	{"tekton.dev/v1", "Task", "{steps: [{image: x}]}", 0},
	{"tekton.dev/v1", "TaskRun", "{taskRef: {name: x}}", 0},
	// Kinds that nobody knows, by the shape of what they hold.
	{"example.com/v1", "Anything", "{template: " + templateSpec + "}", 1},
	{"example.com/v1", "Deep", "{a: {b: [{c: {containers: [{name: c, image: x}]}}]}}", 0},
	{"example.com/v1", "Mixed", "{a: {containers: [none, {name: c, image: x}]}}", 0},
	// Versions that have it elsewhere.
	{"apps.kruise.io/v1", "AdvancedCronJob", "{jobTemplate: {spec: {template: " + templateSpec + "}}}", 0},
}

// Objects of other kinds that run pods are named, one by one.
func TestUnknownKindsAreNamed(t *testing.T) {
	for _, tc := range unknownKinds {
		t.Run(tc.kind, func(t *testing.T) {
			obs := read(t, podText("a")+"---\n"+customText(tc.apiVersion, tc.kind, tc.spec), everything)
			group, _, _ := strings.Cut(tc.apiVersion, "/")
			want := []observe.Unread{{Group: group, Kind: tc.kind, Objects: 1, Places: []string{"shop/web, stdin: document 2 (line 7)"}}}
			if diff := cmp.Diff(want, obs.Unread); diff != "" || obs.Templates() != 0 {
				t.Errorf("%d templates, unread (-want +got):\n%s", obs.Templates(), diff)
			}
		})
	}
}

// Those that hold templates are workloads, if asked for.
func TestUnknownKindsAreRead(t *testing.T) {
	for _, tc := range unknownKinds {
		t.Run(tc.kind, func(t *testing.T) {
			obs, err := readUnknown(customText(tc.apiVersion, tc.kind, tc.spec), strict)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if tc.templates > 0 {
				want = []string{"shop/" + tc.kind + "/web a"}
			}
			if diff := cmp.Diff(want, seen(obs)); diff != "" || obs.Templates() != tc.templates {
				t.Errorf("%d templates, want %d, workloads (-want +got):\n%s", obs.Templates(), tc.templates, diff)
			}
			if (len(obs.Unread) == 0) != (tc.templates > 0) {
				t.Errorf("unread %v", obs.Unread)
			}
			for _, m := range obs.Members {
				if group, _, _ := strings.Cut(tc.apiVersion, "/"); m.Workload.Group != group {
					t.Errorf("group %s, want %s", m.Workload.Group, group)
				}
			}
		})
	}
}

// What stands beside the templates that are read is named.
func TestUnknownKindsAreReadInPart(t *testing.T) {
	for _, tc := range []struct {
		name, spec string
		want       int
	}{
		{"a template alone", "{template: " + templateSpec + "}", 0},
		{"a template without an image", "{template: {spec: {serviceAccountName: a, containers: [{name: c}]}}}", 0},
		{"another template", "{template: " + templateSpec + ", workers: [{template: {spec: {hostPID: true, containers: [{name: c, image: x}]}}}]}", 1},
		{"one in the template", "{template: {spec: {serviceAccountName: a, containers: [{name: c, image: x}], more: {containers: [{name: c, image: x}]}}}}", 1},
		{"another one beside a template without an image", "{template: {spec: {serviceAccountName: a, containers: [{name: c}]}}, more: " + templateSpec + "}", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs, err := readUnknown(customText("example.com/v1", "Anything", tc.spec), strict)
			if err != nil {
				t.Fatal(err)
			}
			var places []string
			for _, u := range obs.Unread {
				places = append(places, u.Places...)
			}
			if diff := cmp.Diff([]string{"shop/Anything/web a"}, seen(obs)); diff != "" || obs.Templates() != 1 || len(places) != tc.want {
				t.Errorf("%d templates, places %q, want %d, workloads (-want +got):\n%s", obs.Templates(), places, tc.want, diff)
			}
		})
	}
}

func readUnknown(stream string, skipInvalid bool) (*observe.Observation, error) {
	return Read(context.Background(), []string{Stdin}, Options{UnknownKinds: ReadUnknown, SkipInvalid: skipInvalid, In: strings.NewReader(stream)}, everything)
}

// What runs no pods, or is not asked for, is counted alone.
func TestUnknownKindsWithoutPods(t *testing.T) {
	rollout := customText("argoproj.io/v1alpha1", "Rollout", "{template: "+templateSpec+"}")
	inShop, elsewhere, podsAlone := everything, everything, everything
	inShop.Namespaces, elsewhere.Namespaces, podsAlone.Templates = []string{"shop"}, []string{"team"}, false
	for _, tc := range []struct {
		name, stream string
		scope        observe.Scope
		want         int
	}{
		{"a rollout", rollout, everything, 1},
		{"a rollout with escapes in its keys", `{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","metadata":{"name":"a"},"spec":{"template":{"spec":{"\u0063ontainers":[{"image":"x"}]}}}}`, everything, 1},
		{"a rollout of a namespace that is asked for", rollout, inShop, 1},
		{"a rollout of another namespace", rollout, elsewhere, 0},
		{"a rollout where templates are not asked for", rollout, podsAlone, 0},
		{"a rollout of another workload", customText("argoproj.io/v1alpha1", "Rollout", "{workloadRef: {kind: Deployment, name: web}}"), everything, 0},
		{"a Deployment in a string", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: \"containers: [{name: c, image: x}]\"}\n", everything, 0},
		{"metrics of pods", "apiVersion: metrics.k8s.io/v1beta1\nkind: PodMetrics\nmetadata: {name: a}\ncontainers: [{name: c, usage: {cpu: 1}}]\n", everything, 0},
		{"a patch of containers", customText("monitoring.coreos.com/v1", "Prometheus", "{containers: [{name: prometheus, args: [x]}]}"), everything, 0},
		{"a pattern of pods", customText("kyverno.io/v1", "ClusterPolicy", "{rules: [{validate: {pattern: {spec: {containers: [{name: \"*\", image: \"*:*\"}]}}}}]}"), everything, 0},
		{"a schema", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {properties: {containers: {items: {properties: {image: {}}}}}}\n", everything, 0},
		{"no containers", customText("example.com/v1", "Thing", "{template: {spec: {containers: []}}}"), everything, 0},
		{"containers that are none", customText("example.com/v1", "Thing", "{template: {spec: {containers: [a, b]}}}"), everything, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := read(t, tc.stream, tc.scope)
			if len(obs.Unread) != 1 || obs.Unread[0].Objects != 1 || len(obs.Unread[0].Places) != tc.want {
				t.Errorf("unread %+v, want one with %d places", obs.Unread, tc.want)
			}
		})
	}
}

// A workload, the ReplicaSets and the pods that it makes are one.
func TestUnknownKindsWithTheirPods(t *testing.T) {
	rollout := "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web, uid: u-web}\nspec: {template: {spec: {containers: [{name: c, image: x}]}}}\n"
	stream := rollout + "---\n" + owned(templateText("apps/v1", "ReplicaSet", "web-1"), "argoproj.io/v1alpha1", "Rollout", "web") + "---\n" + owned(podText("web-1-a"), "apps/v1", "ReplicaSet", "web-1")
	obs, err := readUnknown(stream, strict)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default/Rollout/web default"}, seen(obs)); diff != "" || obs.Pods() != 1 || obs.Templates() != 1 {
		t.Errorf("%d pods, %d templates, workloads (-want +got):\n%s", obs.Pods(), obs.Templates(), diff)
	}
}

func TestBrokenUnknownKinds(t *testing.T) {
	for _, tc := range []struct{ name, stream, want string }{
		{"a wrong type", customText("argoproj.io/v1alpha1", "Rollout", "{template: {spec: {hostPID: 1, containers: [{name: c, image: x}]}}}"), `Rollout "shop/web": spec.template: spec.hostPID: want a boolean, found a number`},
		{"a value that no server runs", customText("ray.io/v1", "RayCluster", "{workerGroupSpecs: [{template: {spec: {securityContext: {runAsUser: -1}, containers: [{name: c, image: x}]}}}]}"), `RayCluster "shop/web": spec.workerGroupSpecs[0].template.spec.securityContext.runAsUser: Invalid value: -1`},
		{"a value of an object that is a template itself", customText("serving.knative.dev/v1", "Revision", "{runtimeClassName: A, containers: [{image: x}]}"), `Revision "shop/web": spec.runtimeClassName: Invalid value: "A"`},
		{"a wrong type in one", customText("serving.knative.dev/v1", "Revision", "{hostPID: 1, containers: [{image: x}]}"), `Revision "shop/web": spec.hostPID: want a boolean`},
		{"no name", strings.Replace(customText("argoproj.io/v1alpha1", "Rollout", "{template: "+templateSpec+"}"), "name: web, ", "", 1), `Rollout "shop/": metadata.name: required`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readUnknown(tc.stream, strict)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
			// They are only named otherwise.
			if obs := read(t, tc.stream, everything); len(obs.Unread) != 1 || len(obs.Unread[0].Places) != 1 {
				t.Errorf("unread %+v", obs.Unread)
			}
			obs, err := readUnknown(tc.stream, lenient)
			if err != nil || len(obs.Skipped) != 1 {
				t.Errorf("%v, skipped %v", err, obs)
			}
		})
	}
}

// Places are those of all objects, in any order.
func TestUnknownPlaces(t *testing.T) {
	var docs []string
	for i := range 3 {
		docs = append(docs, strings.Replace(customText("argoproj.io/v1alpha1", "Rollout", "{template: "+templateSpec+"}"), "name: web", fmt.Sprint("name: web", i), 1))
	}
	slices.Reverse(docs)
	obs := read(t, "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: tekton.dev/v1, kind: Task}\n---\n"+strings.Join(docs, "---\n"), everything)
	want := []observe.Unread{
		{Group: "argoproj.io", Kind: "Rollout", Objects: 3, Places: []string{
			"shop/web0, stdin: document 4 (line 15)", "shop/web1, stdin: document 3 (line 10)", "shop/web2, stdin: document 2 (line 5)",
		}},
		{Group: "tekton.dev", Kind: "Task", Objects: 1, Places: []string{"default/, stdin: document 1 (line 1): items[0]"}},
	}
	if diff := cmp.Diff(want, obs.Unread); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
}
