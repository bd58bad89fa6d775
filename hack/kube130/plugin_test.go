package kube130

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/warning"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
)

// plugin starts the admission plugin of a server that has objects.
func plugin(t *testing.T, objects []map[string]any) *validating.Plugin {
	t.Helper()
	permits := schema.GroupVersion{Group: "psp-advisor.github.io", Version: "v1"}
	dynamic := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{permits.WithResource("podpermits"): "PodPermitsList"})
	var known []runtime.Object
	for _, object := range objects {
		switch object["kind"] {
		case "Namespace":
			known = append(known, read[corev1.Namespace](t, object))
		case "ValidatingAdmissionPolicy":
			policy := read[admissionv1.ValidatingAdmissionPolicy](t, object)
			// The server's defaults (pkg/apis/admissionregistration/v1/defaults.go).
			policy.Spec.MatchConstraints.MatchPolicy = new(admissionv1.Equivalent)
			policy.Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{}
			policy.Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{}
			known = append(known, policy)
		case "ValidatingAdmissionPolicyBinding":
			binding := read[admissionv1.ValidatingAdmissionPolicyBinding](t, object)
			binding.Spec.MatchResources.MatchPolicy = new(admissionv1.Equivalent)
			binding.Spec.MatchResources.ObjectSelector = &metav1.LabelSelector{}
			known = append(known, binding)
		case "PodPermits":
			// Given to the client as it is made, it would be one of podpermitses.
			u := &unstructured.Unstructured{Object: object}
			if err := dynamic.Tracker().Create(permits.WithResource("podpermits"), u, u.GetNamespace()); err != nil {
				t.Fatal(err)
			}
		case "CustomResourceDefinition":
		default:
			t.Fatalf("unexpected %s", object["kind"])
		}
	}
	known = append(known, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "untouched"}})
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.AddSpecific(permits.WithKind("PodPermits"), permits.WithResource("podpermits"), permits.WithResource("podpermits"), meta.RESTScopeNamespace)

	client := fake.NewSimpleClientset(known...)
	factory := informers.NewSharedInformerFactory(client, 0)
	p := validating.NewPlugin(nil)
	p.InspectFeatureGates(utilfeature.DefaultFeatureGate)
	p.SetExternalKubeInformerFactory(factory)
	p.SetExternalKubeClientSet(client)
	p.SetDynamicClient(dynamic)
	p.SetRESTMapper(mapper)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	p.SetDrainedNotification(ctx.Done())
	p.SetAuthorizer(authorizerfactory.NewAlwaysDenyAuthorizer())
	if err := p.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if !p.WaitForReady() {
		t.Fatal("the plugin does not get ready")
	}
	return p
}

// observed are the pods that the policies are made for.
func observed() []corev1.Pod {
	confined := func(namespace, account, name string) corev1.Pod {
		return corev1.Pod{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: corev1.PodSpec{
				ServiceAccountName: account, AutomountServiceAccountToken: new(false),
				SecurityContext: &corev1.PodSecurityContext{RunAsUser: new(int64(1000)), RunAsGroup: new(int64(1000)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
				Containers: []corev1.Container{{
					Name: "main", Image: "none", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
					SecurityContext: &corev1.SecurityContext{
						AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
						Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					},
				}},
			},
		}
	}
	web := confined("shop", "web", "web")
	host := confined("shop", "web", "host")
	host.Spec.HostNetwork = true
	host.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080, Protocol: corev1.ProtocolTCP}}
	host.Spec.Containers[0].SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	root := confined("node", "agent", "root")
	root.Spec.SecurityContext, root.Spec.Containers[0].SecurityContext = nil, &corev1.SecurityContext{RunAsUser: new(int64(0))}
	hostile := confined("node", "hostile", "hostile")
	hostile.Spec.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Type: "a b\\ level=c", Level: `s0:c1,c2" + "`}
	for _, path := range []string{"/a\n[hostile]\nprivileged", `/"quoted"\n\u0000`, "/ümlaut\u2028\u00a0😀", "/${x}'\t\x7f", "/\\", "/#", "/# comment"} {
		name := "v" + string(rune('a'+len(hostile.Spec.Volumes)))
		hostile.Spec.Volumes = append(hostile.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}})
		hostile.Spec.Containers[0].VolumeMounts = append(hostile.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
	}
	odd := confined("node", "hostile", "odd")
	odd.Spec.Volumes = []corev1.Volume{
		{Name: "empty", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}, // its sources are null
		{Name: "nothing", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	windows := confined("node", "windows", "windows")
	windows.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
	windows.Spec.SecurityContext = &corev1.PodSecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{RunAsUserName: new(`NT AUTHORITY\SYSTEM`)}}
	windows.Spec.Containers[0].SecurityContext = nil
	return []corev1.Pod{web, host, root, hostile, odd, windows}
}

var (
	podKind     = corev1.SchemeGroupVersion.WithKind("Pod")
	podResource = corev1.SchemeGroupVersion.WithResource("pods")
)

// recorder remembers what a server tells the client, and the audit log.
type recorder struct {
	admission.Attributes
	said []string
}

func (r *recorder) AddWarning(_, text string) { r.said = append(r.said, text) }

func (r *recorder) AddAnnotation(key, value string) error {
	r.said = append(r.said, key+" "+value)
	return nil
}

// judge returns the error of a plugin for a pod, created or debugged, and what else it says.
func judge(t *testing.T, p *validating.Plugin, pod *corev1.Pod, debug bool, groups ...string) (said []string, err error) {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{Object: content}
	var old runtime.Object
	subresource, operation, options := "", admission.Create, runtime.Object(&metav1.CreateOptions{})
	if debug {
		old, subresource, operation, options = object, "ephemeralcontainers", admission.Update, &metav1.UpdateOptions{}
	}
	r := &recorder{Attributes: admission.NewAttributesRecord(object, old, podKind, pod.Namespace, pod.Name, podResource, subresource, operation, options, false,
		&user.DefaultInfo{Name: "someone", Groups: groups})}
	ctx := warning.WithWarningRecorder(context.Background(), r)
	err = p.Validate(ctx, r, admission.NewObjectInterfacesFromScheme(scheme.Scheme))
	return r.said, err
}

func TestPods(t *testing.T) {
	pods := observed()
	var manifests []byte
	for _, pod := range pods {
		data, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(append(manifests, "---\n"...), append(data, '\n')...)
	}
	advisor := buildAdvisor(t)
	for _, tc := range []struct {
		name     string
		args     []string
		accounts string // what becomes of unknown ones
	}{
		{"workload", nil, "deny"},
		{"account", []string{"--level", "serviceaccount"}, "deny"},
		{"namespace", []string{"--level", "namespace"}, ""},
		{"cluster", []string{"--level", "cluster"}, ""},
		{"crd", []string{"--params", "crd"}, "deny"},
		{"warn about accounts", []string{"--unknown-accounts", "warn"}, "warn"},
		{"crd, allow accounts", []string{"--params", "crd", "--unknown-accounts", "allow"}, "allow"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			objects := documents(t, inspect(t, advisor, manifests, append(tc.args, "--enforcement", "deny")...))
			check(t, objects)
			p := plugin(t, objects)
			for _, pod := range pods {
				for _, debug := range []bool{false, true} {
					if said, err := judge(t, p, &pod, debug); err != nil || len(said) > 0 {
						t.Errorf("%s/%s, debug %t: %v, %q", pod.Namespace, pod.Name, debug, err, said)
					}
				}
			}
			denied := func(name, want string, debug bool, tweak func(*corev1.Pod)) {
				t.Helper()
				pod := pods[0].DeepCopy()
				tweak(pod)
				if _, err := judge(t, p, pod, debug); err == nil || !strings.HasSuffix(err.Error(), want) {
					t.Errorf("%s: got %v\nwant a refusal that ends in %q", name, err, want)
				}
			}
			beyond := func(pod *corev1.Pod) { pod.Spec.HostPID = true }
			account := "service account web may not: "
			denied("hostPID", account+"hostPID", false, beyond)
			denied("a container", account+"capability FOO, user 7 (container main)", false, func(pod *corev1.Pod) {
				pod.Spec.Containers[0].SecurityContext.RunAsUser = new(int64(7))
				pod.Spec.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"FOO"}
			})
			denied("a path", account+`hostPath /x\n[web]\nprivileged`, false, func(pod *corev1.Pod) {
				pod.Spec.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x\n[web]\nprivileged"}}}}
			})
			denied("debugging", "(container debug)", true, func(pod *corev1.Pod) {
				pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
					Name: "debug", Image: "none", SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"BAR"}}},
				}}}
			})

			unknown := pods[0].DeepCopy()
			unknown.Spec.ServiceAccountName = "unknown"
			said, err := judge(t, p, unknown, false)
			none := "service account unknown may not have pods in namespace shop: none was observed"
			switch tc.accounts {
			case "deny":
				if err == nil || !strings.HasSuffix(err.Error(), none) {
					t.Errorf("unknown account: %v", err)
				}
			case "warn":
				if err != nil || !strings.Contains(strings.Join(said, "\n"), none) {
					t.Errorf("unknown account: %v, %q", err, said)
				}
			default:
				if err != nil || len(said) > 0 {
					t.Errorf("unknown account: %v, %q", err, said)
				}
			}

			elsewhere := pods[2].DeepCopy()
			elsewhere.Namespace = "untouched"
			if said, err := judge(t, p, elsewhere, false); err != nil || len(said) > 0 {
				t.Errorf("another namespace: %v, %q", err, said)
			}
			mirror := pods[0].DeepCopy()
			mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			beyond(mirror)
			if _, err := judge(t, p, mirror, false); err == nil {
				t.Error("anyone creates a mirror pod")
			}
			if said, err := judge(t, p, mirror, false, "system:nodes"); err != nil || len(said) > 0 {
				t.Errorf("the mirror of a node: %v, %q", err, said)
			}
		})
	}
}
