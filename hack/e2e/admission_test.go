//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// measured is how many namespaces get pods in a benchmark, with and without permits.
const measured = 20

// accounts is how many service accounts have permits in a namespace.
const accounts = 5

// BenchmarkAdmission measures what creating a pod takes on a current server: an empty
// one, and those that have the policy and the permits of few and many namespaces.
func BenchmarkAdmission(b *testing.B) {
	for _, tc := range []struct {
		name       string
		namespaces int // with permits
	}{
		{"empty", 0}, {"permits-20", measured}, {"permits-1000", 1000},
	} {
		b.Run(tc.name, func(b *testing.B) { benchmarkAdmission(b, tc.namespaces) })
	}
}

func benchmarkAdmission(b *testing.B, namespaces int) {
	e := start(b, cluster.Options{Release: cluster.CurrentRelease})
	before := e.serverUsage(b)
	begin := time.Now()
	if namespaces > 0 {
		e.cover(b, namespaces)
	}
	loaded, setUp := time.Since(begin), e.serverUsage(b).CPU-before.CPU
	for i := range measured {
		namespace := team(i)
		e.ensureNamespace(b, namespace)
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: accountName(0)}}
		if _, err := e.client.CoreV1().ServiceAccounts(namespace).Create(b.Context(), account, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	create := func(ctx context.Context, i int, tweak func(*corev1.Pod)) error {
		i %= measured
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}, Spec: workload(i, 0)}
		tweak(pod)
		_, err := e.client.CoreV1().Pods(team(i)).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	permitted := func(*corev1.Pod) {}
	await(b, func(ctx context.Context) error {
		for i := range measured {
			if err := create(ctx, i, permitted); err != nil {
				return err
			}
			err := create(ctx, i, func(p *corev1.Pod) { p.Spec.HostPID = true })
			if namespaces > 0 && !apierrors.IsForbidden(err) {
				return fmt.Errorf("the permits are not in force yet: %w", err)
			}
		}
		return nil
	})

	before = e.serverUsage(b)
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := create(b.Context(), len(took), permitted); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	after := e.serverUsage(b)
	slices.Sort(took)
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(milliseconds(after.CPU-before.CPU)/float64(len(took)), "server-cpu-ms/op")
	b.ReportMetric(float64(after.Memory)/(1<<20), "server-MiB")
	if namespaces > 0 {
		b.ReportMetric(loaded.Seconds(), "apply-s") // making the policies included
		b.ReportMetric(setUp.Seconds(), "apply-cpu-s")
	}
}

func (e env) serverUsage(b *testing.B) cluster.Usage {
	b.Helper()
	u, err := e.ServerUsage()
	if err != nil {
		b.Fatal(err)
	}
	return u
}

func team(i int) string { return fmt.Sprintf("team-%04d", i) }

func accountName(i int) string { return fmt.Sprintf("account-%d", i) }

// workload is what the pods of an account are like: its permits have about 11 lines.
func workload(namespace, account int) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: accountName(account),
		Containers: []corev1.Container{
			{
				Name: "main", Image: "none",
				Ports:        []corev1.ContainerPort{{ContainerPort: 8080, HostPort: int32(8000 + account)}},
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			},
			{Name: "sidecar", Image: "none", SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(1000 + namespace)), AllowPrivilegeEscalation: new(false)}},
		},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: fmt.Sprintf("/data/%d/%d", namespace, account)}}}},
	}
}

// cover applies what the advisor makes of workloads in a number of namespaces.
func (e env) cover(b *testing.B, namespaces int) {
	b.Helper()
	var manifests bytes.Buffer
	for i := range namespaces {
		for j := range accounts {
			d := template(team(i), accountName(j), 0)
			d.APIVersion, d.Kind = "apps/v1", "Deployment"
			d.Spec.Template.Spec = workload(i, j)
			data, err := yaml.Marshal(d)
			if err != nil {
				b.Fatal(err)
			}
			manifests.WriteString("---\n")
			manifests.Write(data)
		}
	}
	cmd := exec.CommandContext(b.Context(), e.advisor, "inspect", "-f", "-", "--engine", "vap", "--enforcement", "deny")
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = &manifests, &errs
	policies, err := cmd.Output()
	if err != nil {
		b.Fatalf("inspect: %v\n%s", err, errs.String())
	}

	// kubectl takes one object after the other.
	const workers = 8
	documents := bytes.Split(bytes.TrimPrefix(policies, []byte("---\n")), []byte("\n---\n"))
	failures := make([]error, workers)
	var group sync.WaitGroup
	for worker := range failures {
		group.Go(func() {
			for i := worker; i < len(documents) && failures[worker] == nil; i += workers {
				failures[worker] = e.applyOne(b.Context(), documents[i])
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		b.Fatal(err)
	}
	if want := namespaces + 2; len(documents) != want {
		b.Fatalf("the advisor made %d objects, want %d", len(documents), want)
	}
}

// applyOne applies a document as kubectl apply --server-side does.
func (e env) applyOne(ctx context.Context, document []byte) error {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		return err
	}
	resource, ok := map[string]string{
		"Namespace":                        "namespaces",
		"ValidatingAdmissionPolicy":        "validatingadmissionpolicies",
		"ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
	}[object.GetKind()]
	if !ok {
		return fmt.Errorf("unexpected kind %s", object.GetKind())
	}
	gvr := object.GroupVersionKind().GroupVersion().WithResource(resource)
	_, err := e.dynamic.Resource(gvr).Apply(ctx, object.GetName(), &object, metav1.ApplyOptions{FieldManager: "psp-advisor"})
	return err
}
