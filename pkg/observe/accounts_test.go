package observe_test

import (
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What is observed of a template is what is observed of its pods, with the token
// volume that admission adds to these.
func TestTemplateWithToken(t *testing.T) {
	pod := podtest.Pod()
	r := observe.Recorder{Scope: observe.Scope{Pods: true, Templates: true}, Interner: &profile.Interner{}}
	record := r.Template(&metav1.ObjectMeta{Namespace: "shop", Name: "web"}, schema.GroupKind{Group: "apps", Kind: "Deployment"}, &corev1.PodTemplateSpec{Spec: pod.Spec})
	stored := podtest.Pod(podtest.Volume("kube-api-access-x", podtest.Token(), &corev1.VolumeMount{ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}))
	want := profile.Of(stored, profile.Options{Template: true})
	for name, tc := range map[string]struct {
		accounts observe.Accounts
		equal    bool
	}{
		"token":    {nil, true},
		"no token": {observe.Accounts{{Namespace: "shop", Name: "default"}: true}, false},
	} {
		obs := observe.Resolve([]*observe.Record{record}, tc.accounts, r.Interner, r.Scope)
		if got := obs.Members[0].Profile; got.Equal(want) != tc.equal {
			t.Errorf("%s: the profiles are equal: %t\n%q\n%q", name, !tc.equal, got.Text("privileges"), want.Text("privileges"))
		}
	}
}
