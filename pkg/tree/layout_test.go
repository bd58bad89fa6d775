package tree

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
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

func policies(level aggregate.Level, pods ...aggregate.Pod) []generate.Output {
	var f aggregate.Fleet
	for _, p := range pods {
		f.Add(p)
	}
	return psp.Engine().Outputs(f.Members(), level)
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
		{aggregate.ByWorkload, []string{"kube-system/static-pod.etcd.yaml", "shop-team/deployment.x.yaml", "shop/deployment.api.yaml", "shop/deployment.web.yaml", "shop/rollout--argoproj-io.web.yaml"}},
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
			whole, err := generate.YAML(list, true)
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

// A namespace that is no DNS label, such as a placeholder, has a file for each of
// its policies.
func TestLayoutOfOddNamespaces(t *testing.T) {
	for _, namespace := range []string{"NAMESPACE", "My-Namespace"} {
		list := policies(aggregate.ByWorkload, workload(namespace, "web"), workload(namespace, "api"), workload("shop", "web"))
		files, err := Layout(list, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 3 {
			t.Errorf("3 policies are in the files %v", slices.Sorted(maps.Keys(files)))
		}
		for _, o := range list {
			file := o.Group.Namespace + "/" + o.Key().Name + ".yaml"
			if !bytes.Contains(files[file], []byte("name: "+o.Name+"\n")) {
				t.Errorf("%s does not hold %s", file, o.Name)
			}
		}
	}
}

// No policy takes the place of another one.
func TestLayoutRefusesOnePlaceForTwo(t *testing.T) {
	for _, namespaces := range [][2]string{{"shop", "shop"}, {"shop", "SHOP"}} {
		list := slices.Concat(policies(aggregate.ByNamespace, workload(namespaces[0], "web")), policies(aggregate.ByNamespace, workload(namespaces[1], "api")))
		if files, err := Layout(list, true); err == nil || !strings.Contains(err.Error(), "has the same file") {
			t.Errorf("%v: got %v and error %v, want an error", namespaces, slices.Sorted(maps.Keys(files)), err)
		}
	}
}

func TestLayoutStaysInside(t *testing.T) {
	for _, namespace := range []string{"..", "../..", "/etc", ".git", "a/b", "a/../..", "."} {
		t.Run(namespace, func(t *testing.T) {
			for _, level := range []aggregate.Level{aggregate.ByWorkload, aggregate.ByNamespace} {
				files, err := Layout(policies(level, workload(namespace, "web")), true)
				if err == nil || !strings.Contains(err.Error(), "cannot name a directory") {
					t.Errorf("%s: got %v and error %v, want an error", level, slices.Collect(maps.Keys(files)), err)
				}
			}
		})
	}
}
