package cluster

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	corev1 "k8s.io/api/core/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// dump returns the objects as "kubectl get --output json" prints them, but for those
// of some kinds.
func dump(t *testing.T, objects []apiruntime.Object, without ...string) []byte {
	t.Helper()
	list := &corev1.List{}
	list.APIVersion, list.Kind = "v1", "List"
	for _, o := range objects {
		kinds, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(without, kinds[0].Kind) {
			continue
		}
		o = o.DeepCopyObject()
		o.GetObjectKind().SetGroupVersionKind(kinds[0])
		list.Items = append(list.Items, apiruntime.RawExtension{Object: o})
	}
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A dump of what is listed from a server is observed as the server itself.
func TestDump(t *testing.T) {
	objects := shop("shop")
	listed, err := func() (*observe.Observation, error) {
		_, config := apitest.Serve(t, objects...)
		return look(within(t), config, both())
	}()
	if err != nil {
		t.Fatal(err)
	}
	read := func(without ...string) *observe.Observation {
		obs, err := manifest.Read(t.Context(), []string{manifest.Stdin}, manifest.Options{In: bytes.NewReader(dump(t, objects, without...))}, both())
		if err != nil {
			t.Fatal(err)
		}
		return obs
	}
	if diff := cmp.Diff(encoded(t, listed), encoded(t, read())); diff != "" {
		t.Errorf("observed (-listed +dumped):\n%s", diff)
	}
	// Without the links between pods and their workloads, it says which are missing.
	want := []aggregate.Workload{
		{Namespace: "shop", Group: "batch", Kind: "Job", Name: "backup-1"},
		{Namespace: "shop", Group: "apps", Kind: "ReplicaSet", Name: "roll-1"},
		{Namespace: "shop", Group: "apps", Kind: "ReplicaSet", Name: "web-1"},
	}
	if diff := cmp.Diff(want, read("ReplicaSet", "Job").UnknownOwners); diff != "" {
		t.Errorf("unknown owners (-want +got):\n%s", diff)
	}
}

func encoded(t *testing.T, obs *observe.Observation) []string {
	t.Helper()
	data, err := observe.Encode(obs)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}
