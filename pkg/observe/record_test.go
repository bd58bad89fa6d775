package observe_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// A volume without a source is an emptyDir, unless a server has stored it.
func TestVolumesWithoutSource(t *testing.T) {
	r := observe.Recorder{Scope: observe.Scope{Pods: true, Templates: true}, Interner: &profile.Interner{}}
	pod := podtest.Pod(podtest.Volume("v", corev1.VolumeSource{}, &corev1.VolumeMount{}), podtest.Volume("w", podtest.HostPath("/x"), nil))
	pod.Name = "web"
	deployment, rollout := schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "argoproj.io", Kind: "Rollout"}
	record := func(uid types.UID, kind schema.GroupKind) *observe.Record {
		if kind.Kind == "Pod" {
			stored := pod.DeepCopy()
			stored.UID = uid
			return r.Pod(stored)
		}
		return r.Template(&metav1.ObjectMeta{Name: "web", UID: uid}, kind, &corev1.PodTemplateSpec{Spec: pod.Spec})
	}
	for name, tc := range map[string]struct {
		record *observe.Record
		kind   string
	}{
		"a manifest":                {record("", schema.GroupKind{Kind: "Pod"}), "emptyDir"},
		"a stored pod":              {record("u", schema.GroupKind{Kind: "Pod"}), "unknown"},
		"a template":                {record("", deployment), "emptyDir"},
		"a stored template":         {record("u", deployment), "unknown"},
		"a custom resource, stored": {record("u", rollout), "emptyDir"},
	} {
		want := []string{"hostPath", tc.kind}
		if tc.kind == "emptyDir" {
			want = []string{tc.kind, "hostPath"}
		}
		if diff := cmp.Diff(want, tc.record.Profile.Text("volumes")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		obs := observe.Resolve([]*observe.Record{tc.record}, nil, r.Interner, r.Scope)
		if got := obs.UnknownVolumes(); got != (tc.kind == "unknown") {
			t.Errorf("%s: unknown volumes: %t", name, got)
		}
	}
}
