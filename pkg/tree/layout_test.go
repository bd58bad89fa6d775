package tree

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// workload is a pod of a Deployment under an account of its name.
func workload(namespace, name string, tweaks ...func(*corev1.Pod)) aggregate.Pod {
	return aggregate.Pod{
		Workload:       aggregate.Workload{Namespace: namespace, Group: "apps", Kind: "Deployment", Name: name},
		ServiceAccount: name,
		Profile:        profile.Of(podtest.Pod(tweaks...), profile.Options{}),
	}
}

func policies(level aggregate.Level, pods ...aggregate.Pod) []psp.Policy {
	var f aggregate.Fleet
	for _, p := range pods {
		f.Add(p)
	}
	return psp.All(aggregate.Groups(f.Members(), level, psp.Shares))
}

func TestLayout(t *testing.T) {
	static := workload("kube-system", "etcd")
	static.Workload.Group, static.Workload.Kind, static.ServiceAccount = "", "Pod", ""
	rollout := workload("shop", "web")
	rollout.Workload.Group, rollout.Workload.Kind = "argoproj.io", "Rollout"
	pods := []aggregate.Pod{workload("shop", "web"), workload("shop", "api"), workload("team.shop", "x"), rollout, static}
	pods[2].Workload.Namespace = "shop-team"
	for _, tc := range []struct {
		level aggregate.Level
		want  []string
	}{
		{aggregate.ByWorkload, []string{"kube-system/pod.etcd.yaml", "shop-team/deployment.x.yaml", "shop/deployment.api.yaml", "shop/deployment.web.yaml", "shop/rollout--argoproj-io.web.yaml"}},
		{aggregate.ByServiceAccount, []string{"kube-system/nodes.yaml", "shop-team/sa.x.yaml", "shop/sa.api.yaml", "shop/sa.web.yaml"}},
		{aggregate.ByNamespace, []string{"kube-system/namespace.yaml", "shop-team/namespace.yaml", "shop/namespace.yaml"}},
		{aggregate.ByCluster, []string{"cluster.yaml"}},
	} {
		t.Run(string(tc.level), func(t *testing.T) {
			list := policies(tc.level, pods...)
			files, err := Layout(list, true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, slices.Sorted(maps.Keys(files))); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			whole, err := psp.YAML(list, true)
			if err != nil {
				t.Fatal(err)
			}
			documents := 0
			for file, data := range files {
				if !bytes.HasPrefix(data, []byte(mark+"---\n")) {
					t.Errorf("%s begins with %q", file, data[:40])
				}
				documents += bytes.Count(data, []byte("---\n"))
			}
			if want := bytes.Count(whole, []byte("---\n")); documents != want {
				t.Errorf("the files hold %d documents, want %d", documents, want)
			}
		})
	}
}

func TestLayoutStaysInside(t *testing.T) {
	for _, namespace := range []string{"..", "../..", "/etc", ".git", "a/b", "a/../..", "."} {
		t.Run(namespace, func(t *testing.T) {
			for _, level := range []aggregate.Level{aggregate.ByWorkload, aggregate.ByNamespace} {
				files, err := Layout(policies(level, workload(namespace, "web")), true)
				if err == nil || !strings.Contains(err.Error(), "cannot name a folder") {
					t.Errorf("%s: got %v and error %v, want an error", level, slices.Collect(maps.Keys(files)), err)
				}
			}
		})
	}
}
