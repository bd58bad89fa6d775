//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// apply applies policies as their readers are told to.
func (e env) apply(t *testing.T, policies string) {
	t.Helper()
	e.kubectl(t, policies, "apply", "--server-side", "--field-manager=psp-advisor", "-f", "-")
}

// confined is a pod of today that uses a little of each attribute.
func confined() *corev1.Pod {
	p := modest()
	delete(p.Annotations, appArmor)
	p.Spec.SecurityContext.SupplementalGroupsPolicy = new(corev1.SupplementalGroupsPolicyStrict)
	p.Spec.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Type: "container_t", Level: "s0:c1,c2"}
	p.Spec.AutomountServiceAccountToken = new(false)
	return p
}

// await waits until a condition holds; what it says last is the failure.
func await(t testing.TB, condition func(context.Context) error) {
	t.Helper()
	err := condition(t.Context())
	for attempt := 0; err != nil && attempt < 600; attempt++ {
		sleep(t.Context(), 100*time.Millisecond)
		err = condition(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneStepBeyond shows on a current server that a pod may ask for what its account
// is permitted, for less, and for nothing beyond it.
func TestOneStepBeyond(t *testing.T) {
	for _, params := range []string{"annotation", "crd"} {
		t.Run(params, func(t *testing.T) { t.Parallel(); oneStepBeyond(t, params) })
	}
}

func oneStepBeyond(t *testing.T, params string) {
	e := start(t, cluster.Options{Release: cluster.CurrentRelease})
	ctx, base := t.Context(), confined()
	namespace, account := base.Namespace, base.Spec.ServiceAccountName
	for _, name := range []string{namespace, "untouched"} {
		e.ensureNamespace(t, name)
		for _, account := range []string{account, "unknown", "default"} {
			if _, err := e.client.CoreV1().ServiceAccounts(name).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"used", "unused"} {
		if _, err := e.client.NodeV1().RuntimeClasses().Create(ctx, &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: "handler"}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.client.CoreV1().Pods(namespace).Create(ctx, base, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const user = "advisor"
	e.grantReadAll(t, user)
	policies, stderr := e.inspect(t, user, "-n", namespace, "--engine", "vap", "--enforcement", "deny", "--params", params)
	t.Logf("stderr:\n%s", stderr)
	if params == "crd" {
		// The kind must exist before its objects.
		definition, _, _ := strings.Cut(strings.TrimPrefix(policies, "---\n"), "\n---\n")
		e.apply(t, definition)
		e.kubectl(t, "", "wait", "--for=condition=Established", "crd/podpermits.psp-advisor.github.io", "--timeout=60s")
	}
	e.apply(t, policies)

	// A tenant may do everything that edit allows, in its namespaces. Without
	// controllers the role is empty, but not those that it is made of.
	for _, name := range []string{namespace, "untouched"} {
		for _, role := range []string{"system:aggregate-to-edit", "system:aggregate-to-view"} {
			binding := &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: role},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"}},
			}
			if _, err := e.client.RbacV1().RoleBindings(name).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	config, err := e.Config("tenant")
	if err != nil {
		t.Fatal(err)
	}
	config.WarningHandler = rest.NoWarnings{}
	tenant := kubernetes.NewForConfigOrDie(config)
	pods := tenant.CoreV1().Pods(namespace)
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	create := func(step func(*corev1.Pod)) error {
		p := confined()
		p.Name = "step"
		step(p)
		_, err := tenant.CoreV1().Pods(p.Namespace).Create(ctx, p, dryRun)
		return err
	}
	beyond := func(p *corev1.Pod) { p.Spec.HostPID = true }
	// The server needs a moment to notice what was applied.
	await(t, func(context.Context) error {
		if err := create(func(*corev1.Pod) {}); err != nil {
			return err
		}
		if err := create(beyond); !apierrors.IsForbidden(err) {
			return fmt.Errorf("the policy is not in force yet: %w", err)
		}
		return nil
	})

	first := func(p *corev1.Pod) *corev1.SecurityContext { return p.Spec.Containers[0].SecurityContext }
	for _, tc := range []struct {
		name string
		step func(*corev1.Pod)
		want string // what the refusal names; empty: the pod is admitted
	}{
		{"less: no volume", func(p *corev1.Pod) { p.Spec.Volumes, p.Spec.Containers[0].VolumeMounts = nil, nil }, ""},
		{"less: no capability", func(p *corev1.Pod) { first(p).Capabilities.Add = nil }, ""},
		{"less: a path below", func(p *corev1.Pod) { p.Spec.Volumes[0].HostPath.Path = "/var/log/app/today" }, ""},
		{"less: no groups", func(p *corev1.Pod) {
			p.Spec.SecurityContext.SupplementalGroups, p.Spec.SecurityContext.FSGroup = nil, nil
		}, ""},
		{"less: users of its own", func(p *corev1.Pod) { p.Spec.HostUsers = new(false) }, ""},
		{"less: no sysctls", func(p *corev1.Pod) { p.Spec.SecurityContext.Sysctls = nil }, ""},
		{"less: no host port", func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }, ""},
		{"another namespace", func(p *corev1.Pod) { p.Namespace = "untouched"; beyond(p) }, ""},
		{"privileged", func(p *corev1.Pod) { first(p).Privileged, first(p).AllowPrivilegeEscalation = new(true), nil }, "privileged, allowPrivilegeEscalation (container main)"},
		{"hostNetwork", func(p *corev1.Pod) {
			p.Spec.HostNetwork = true
			p.Spec.SecurityContext.Sysctls = p.Spec.SecurityContext.Sysctls[1:] // of the pod's own network
			p.Spec.Containers[0].Ports[0].ContainerPort = 8080
		}, "hostNetwork"},
		{"hostPID", beyond, "hostPID"},
		{"hostIPC", func(p *corev1.Pod) {
			p.Spec.HostIPC = true
			p.Spec.SecurityContext.Sysctls = p.Spec.SecurityContext.Sysctls[:1]
		}, "hostIPC"},
		{"shareProcessNamespace", func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) }, "shareProcessNamespace"},
		{"hostPort", func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].HostPort = 8081 }, "hostPort 8081/TCP (container main)"},
		{"hostPort of another protocol", func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].Protocol = "UDP" }, "hostPort 8080/UDP (container main)"},
		{"allowPrivilegeEscalation", func(p *corev1.Pod) { first(p).AllowPrivilegeEscalation = nil }, "allowPrivilegeEscalation (container main)"},
		{"readOnlyRootFilesystem", func(p *corev1.Pod) { first(p).ReadOnlyRootFilesystem = nil }, "writable root file system (container main)"},
		{"capability", func(p *corev1.Pod) { first(p).Capabilities.Add = append(first(p).Capabilities.Add, "NET_ADMIN") }, "capability NET_ADMIN (container main)"},
		{"default capabilities", func(p *corev1.Pod) { first(p).Capabilities.Drop = nil }, "default capabilities (container main)"},
		{"volume", func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}, "volume emptyDir"},
		{"hostPath", func(p *corev1.Pod) { p.Spec.Volumes[0].HostPath.Path = "/var/log" }, "hostPath /var/log"},
		{"hostPath sibling", func(p *corev1.Pod) { p.Spec.Volumes[0].HostPath.Path = "/var/log/app2" }, "hostPath /var/log/app2"},
		{"a line in a hostPath", func(p *corev1.Pod) { p.Spec.Volumes[0].HostPath.Path = "/a\n[modest]\nprivileged" }, `hostPath /a\n[modest]\nprivileged`},
		{"hostPath writable", func(p *corev1.Pod) { p.Spec.Containers[0].VolumeMounts[0].ReadOnly = false }, "write hostPath /var/log/app"},
		{"mount propagation", func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts[0].MountPropagation = new(corev1.MountPropagationHostToContainer)
		}, "mountPropagation HostToContainer (container main)"},
		{"flex driver", func(p *corev1.Pod) { p.Spec.Volumes[1].FlexVolume.Driver = "example/unused" }, "flexVolume example/unused"},
		{"CSI driver", func(p *corev1.Pod) { p.Spec.Volumes[2].CSI.Driver = "unused.example" }, "csi unused.example"},
		{"sysctl", func(p *corev1.Pod) { p.Spec.SecurityContext.Sysctls[0].Name = "kernel.msgmax" }, "sysctl kernel.msgmax"},
		{"runtimeClass", func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("unused") }, "runtimeClass unused"},
		{"default runtimeClass", func(p *corev1.Pod) { p.Spec.RuntimeClassName = nil }, "default runtimeClass"},
		{"procMount", func(p *corev1.Pod) {
			first(p).ProcMount = new(corev1.UnmaskedProcMount)
			p.Spec.HostUsers = new(false)
		}, "procMount Unmasked (container main)"},
		{"seLinux", func(p *corev1.Pod) { p.Spec.SecurityContext.SELinuxOptions.Type = "spc_t" }, "seLinux type=spc_t level=s0:c1,c2"},
		{"root", func(p *corev1.Pod) { first(p).RunAsUser = new(int64(0)) }, "root user (container main)"},
		{"another user", func(p *corev1.Pod) { first(p).RunAsUser = new(int64(1001)) }, "user 1001 (container main)"},
		{"user of the image", func(p *corev1.Pod) { p.Spec.SecurityContext.RunAsUser = nil }, "image user root (container main)"},
		{"group", func(p *corev1.Pod) { first(p).RunAsGroup = new(int64(0)) }, "root group (container main)"},
		{"fsGroup", func(p *corev1.Pod) { p.Spec.SecurityContext.FSGroup = new(int64(3001)) }, "fsGroup 3001"},
		{"supplementalGroups", func(p *corev1.Pod) { p.Spec.SecurityContext.SupplementalGroups = []int64{4000, 4001} }, "supplementalGroup 4001"},
		{"supplementalGroupsPolicy", func(p *corev1.Pod) { p.Spec.SecurityContext.SupplementalGroupsPolicy = nil }, "image groups"},
		{"no seccomp", func(p *corev1.Pod) { p.Spec.SecurityContext.SeccompProfile = nil }, "no seccomp profile (container main)"},
		{"seccomp", func(p *corev1.Pod) {
			first(p).SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		}, "seccomp unconfined (container main)"},
		{"AppArmor", func(p *corev1.Pod) {
			first(p).AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		}, "appArmor unconfined (container main)"},
		{"AppArmor by annotation", func(p *corev1.Pod) {
			p.Annotations = map[string]string{appArmor: "localhost/mine"}
		}, "appArmor localhost/mine (container main)"},
		{"probe host", func(p *corev1.Pod) {
			p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "10.0.0.1"}}}
			p.Spec.Containers[0].LivenessProbe.TCPSocket.Port.IntVal = 22
		}, "probe host 10.0.0.1 (container main)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := create(tc.step)
			if tc.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			want := "service account " + account + " may not: " + tc.want
			if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v\nwant a refusal that ends in %q", err, want)
			}
			// The policy does not judge updates, for the server itself refuses those of
			// what a pod asks for.
			stored, err := pods.Get(t.Context(), base.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tc.step(stored)
			if _, err := pods.Update(t.Context(), stored, metav1.UpdateOptions{DryRun: dryRun.DryRun}); !apierrors.IsInvalid(err) {
				t.Errorf("the update of a pod: got %v, want that it is invalid", err)
			}
		})
	}

	t.Run("updates of what asks for nothing", func(t *testing.T) {
		for name, update := range map[string]func(*corev1.Pod){
			"image":    func(p *corev1.Pod) { p.Spec.Containers[0].Image = "other" },
			"deadline": func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(60)) },
			"tolerations": func(p *corev1.Pod) {
				p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Operator: corev1.TolerationOpExists})
			},
			"labels":      func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} },
			"annotations": func(p *corev1.Pod) { p.Annotations = map[string]string{"a": "b"} },
		} {
			stored, err := pods.Get(t.Context(), base.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			update(stored)
			if _, err := pods.Update(t.Context(), stored, metav1.UpdateOptions{DryRun: dryRun.DryRun}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})

	t.Run("unknown account", func(t *testing.T) {
		err := create(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "unknown" })
		if want := "service account unknown may not have pods in namespace " + namespace; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a refusal that says %q", err, want)
		}
	})

	// Anyone may call a pod the mirror of a static pod; it has no account.
	t.Run("the mirror of no static pod", func(t *testing.T) {
		err := create(func(p *corev1.Pod) {
			beyond(p)
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			p.Spec.ServiceAccountName, p.Spec.NodeName = "", "node"
		})
		if want := "may not have pods in namespace " + namespace; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a refusal that says %q", err, want)
		}
	})

	t.Run("the mirror of a static pod", func(t *testing.T) {
		e.createNode(t, "linux")
		node, err := e.client.CoreV1().Nodes().Get(t.Context(), "linux", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		config, err := e.Config("system:node:linux", "system:nodes")
		if err != nil {
			t.Fatal(err)
		}
		mirror := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: "static-linux", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID, Controller: new(true)}},
			},
			Spec: corev1.PodSpec{NodeName: node.Name, HostPID: true, Containers: []corev1.Container{{Name: "static", Image: "none"}}},
		}
		if _, err := kubernetes.NewForConfigOrDie(config).CoreV1().Pods(namespace).Create(t.Context(), mirror, dryRun); err != nil {
			t.Error(err)
		}
	})

	t.Run("debug", func(t *testing.T) {
		debug := func(patch string) error {
			_, err := pods.Patch(t.Context(), base.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{DryRun: dryRun.DryRun}, "ephemeralcontainers")
			return err
		}
		within := `{"spec":{"ephemeralContainers":[{"name":"debug","image":"none","securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}}]}}`
		// Who may debug is nothing that edit says.
		e.grantIn(t, namespace, "debug", []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"}, Verbs: []string{"patch"}}}, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"})
		await(t, func(context.Context) error { return debug(within) })
		err := debug(`{"spec":{"ephemeralContainers":[{"name":"debug","image":"none"}]}}`)
		if want := "allowPrivilegeEscalation, writable root file system, default capabilities (container debug)"; !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want a refusal that ends in %q", err, want)
		}
		// As people do it.
		kubeconfig, err := e.Kubeconfig("tenant")
		if err != nil {
			t.Fatal(err)
		}
		output, err := exec.CommandContext(t.Context(), e.Kubectl(), "--kubeconfig", kubeconfig, "-n", namespace, "debug", base.Name, "--image=none", "--container=debugger").CombinedOutput()
		if err == nil || !strings.Contains(string(output), "(container debugger)") {
			t.Errorf("kubectl debug: %v\n%s", err, output)
		}
	})

	t.Run("a tenant cannot widen its permits", func(t *testing.T) {
		wider := func(object map[string]any) []byte {
			data, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		_, err := tenant.CoreV1().Namespaces().Patch(ctx, namespace, types.MergePatchType, wider(map[string]any{"metadata": map[string]any{
			"annotations": map[string]any{"psp-advisor.github.io/permits": "[" + account + "]\nprivileged"},
		}}), metav1.PatchOptions{})
		if !apierrors.IsForbidden(err) {
			t.Errorf("changing the annotation: %v", err)
		}
		_, err = tenant.CoreV1().Namespaces().Patch(ctx, namespace, types.MergePatchType, wider(map[string]any{"metadata": map[string]any{
			"labels": map[string]any{"psp-advisor.github.io/permits": nil},
		}}), metav1.PatchOptions{})
		if !apierrors.IsForbidden(err) {
			t.Errorf("removing the label: %v", err)
		}
		for _, verb := range []string{"PATCH", "PUT", "DELETE"} {
			err = tenant.CoreV1().RESTClient().Verb(verb).AbsPath("/apis/psp-advisor.github.io/v1/namespaces/"+namespace+"/podpermits/permits").
				SetHeader("Content-Type", string(types.MergePatchType)).
				Body(wider(map[string]any{"spec": map[string]any{"permits": "[" + account + "]\nprivileged"}})).Do(ctx).Error()
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s of the permits: %v", verb, err)
			}
		}
	})
}

// TestCorpusStays is the promise on a current server: what ran before the levels and permits runs
// after them, unchanged.
func TestCorpusStays(t *testing.T) {
	files := corpus(t)
	e := start(t, cluster.Options{Release: cluster.CurrentRelease, Controllers: true})
	e.grant(t, "create-pods", []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"},
	}}, everyAccount())
	e.createNode(t, "linux")
	e.createNode(t, "windows")
	f := e.load(t, "", files...)
	e.snapshot(t, f.namespaces) // until the controllers are done

	const user = "advisor"
	e.grantReadAll(t, user)
	e.comesBack(t, f, user, e.apply, "--engine", "psa,vap", "--enforcement", "deny")
}
