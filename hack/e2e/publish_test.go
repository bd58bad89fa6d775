//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
)

// The groups of a cluster's administrators.
const masters = "system:masters"

// publish runs `advisor publish` and returns its exit code and what it said. A
// run that was killed has code -1.
func (e env) publish(t *testing.T, kubeconfig, into string, args ...string) (code int, stderr string) {
	t.Helper()
	cmd := e.command(t.Context(), "publish", kubeconfig, into, args...)
	return finish(t, cmd)
}

// command prepares a command of the advisor that writes into a namespace.
func (e env) command(ctx context.Context, name, kubeconfig, into string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, e.advisor, append([]string{name, "--kubeconfig", kubeconfig, "--report-namespace", into}, args...)...)
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) (code int, stderr string) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Errorf("%s: %v", strings.Join(cmd.Args, " "), err)
		return -2, ""
	}
	return cmd.ProcessState.ExitCode(), errs.String()
}

// template is a Deployment that creates no pods: its template is enough.
func template(namespace, name string, user int64) *appsv1.Deployment {
	labels := map[string]string{"app": name[:min(len(name), 63)]} // values of labels end there
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "main", Image: "none",
					SecurityContext: &corev1.SecurityContext{RunAsUser: &user},
				}}},
			},
		},
	}
}

// set creates a template or changes its user.
func (e env) set(t *testing.T, namespace, name string, user int64) {
	t.Helper()
	deployments := e.client.AppsV1().Deployments(namespace)
	_, err := deployments.Create(t.Context(), template(namespace, name, user), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = deployments.Update(t.Context(), template(namespace, name, user), metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fill creates many templates in namespaces that are made as well.
func (e env) fill(t *testing.T, count int, name func(i int) (namespace, name string)) {
	t.Helper()
	var group sync.WaitGroup
	errs := make([]error, 16)
	ctx := t.Context()
	for worker := range errs {
		group.Go(func() {
			for i := worker; i < count && errs[worker] == nil; i += len(errs) {
				ns, name := name(i)
				_, err := e.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
				if err == nil || apierrors.IsAlreadyExists(err) {
					_, err = e.client.AppsV1().Deployments(ns).Create(ctx, template(ns, name, int64(i)), metav1.CreateOptions{})
				}
				errs[worker] = err
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// follow reads the index of a namespace and every report that it names, and
// checks each against the index. A report that is gone is no harm if the index
// has changed since: that is how a reader notices.
func follow(ctx context.Context, client kubernetes.Interface, namespace string) (publish.Index, map[string]string, error) {
	for {
		cm, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, publish.IndexName, metav1.GetOptions{})
		if err != nil {
			return publish.Index{}, nil, err
		}
		index, policies, err := readReports(ctx, client, cm)
		if !apierrors.IsNotFound(err) {
			return index, policies, err
		}
		again, getErr := client.CoreV1().ConfigMaps(namespace).Get(ctx, publish.IndexName, metav1.GetOptions{})
		if getErr != nil || again.ResourceVersion == cm.ResourceVersion {
			return index, nil, errors.Join(fmt.Errorf("the index names what is not there: %w", err), getErr)
		}
	}
}

func readReports(ctx context.Context, client kubernetes.Interface, cm *corev1.ConfigMap) (publish.Index, map[string]string, error) {
	index, err := publish.ReadIndex(cm)
	if err != nil {
		return index, nil, err
	}
	policies := map[string]string{}
	for _, entry := range index.Reports {
		var parts []*corev1.ConfigMap
		for _, name := range entry.ConfigMaps {
			part, err := client.CoreV1().ConfigMaps(cm.Namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return index, nil, err
			}
			parts = append(parts, part)
		}
		files, err := publish.Unpack(entry, parts)
		if err != nil {
			return index, nil, err
		}
		policies[entry.Namespace] = string(files[publish.PoliciesFile("psp")])
	}
	return index, policies, nil
}

// published is what a reader of the reports finds.
func (e env) published(t *testing.T, namespace string) (publish.Index, map[string]string) {
	t.Helper()
	index, policies, err := follow(t.Context(), e.client, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return index, policies
}

// leftOver returns the reports that the index does not name.
func (e env) leftOver(t *testing.T, namespace string, index publish.Index) []string {
	t.Helper()
	list, err := e.client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: publish.KindLabel + "=" + publish.LabelReport})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, cm := range list.Items {
		if !slices.ContainsFunc(index.Reports, func(e publish.Entry) bool { return slices.Contains(e.ConfigMaps, cm.Name) }) {
			names = append(names, cm.Name)
		}
	}
	return names
}

// TestPublishKilledAtEveryWrite kills publish after its first write, the next
// time after its second, and so on, while a reader follows the index without a
// pause. The reports change with every run: one is of several ConfigMaps, one
// comes and goes.
func TestPublishKilledAtEveryWrite(t *testing.T) {
	e := start(t, cluster.Options{})
	const into, big, comes, small = "reports", "big", "comes", "small"
	e.ensureNamespace(t, into)
	const workloads = 800
	e.fill(t, workloads, func(i int) (string, string) { return big, fmt.Sprintf("workload-%04d", i) })
	e.ensureNamespace(t, comes)
	e.ensureNamespace(t, small)
	e.set(t, small, "workload", 1)

	d := e.openDoor(t, "admin", masters)
	if code, stderr := e.publish(t, d.kubeconfig, into); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	reader := e.keepReading(t, into)
	n, killed := 1, true
	for ; killed; n++ {
		user := int64(100_000 + n)
		e.set(t, big, "workload-0000", user)
		e.set(t, big, fmt.Sprintf("workload-%04d", workloads-1), user)
		e.set(t, small, "workload", user)
		if n%2 == 1 {
			e.set(t, comes, "workload", user)
		} else if err := e.client.AppsV1().Deployments(comes).Delete(t.Context(), "workload", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		killed = e.publishKilled(t, d, into, n)
		// A reader finds either what was or what is, never something else.
		if _, _, err := follow(t.Context(), e.client, into); err != nil {
			t.Fatalf("killed after write %d: %v", n, err)
		}
		d.reset(nil)
		if code, stderr := e.publish(t, d.kubeconfig, into); code != 0 {
			t.Fatalf("killed after write %d, the next run ends with %d:\n%s", n, code, stderr)
		}
		index, policies := e.published(t, into)
		if !strings.Contains(policies[small], fmt.Sprint(user)) || !strings.Contains(policies[big], fmt.Sprint(user)) || (policies[comes] != "") != (n%2 == 1) {
			t.Errorf("killed after write %d, the next run does not publish what there is", n)
		}
		if rest := e.leftOver(t, into, index); len(rest) > 0 {
			t.Errorf("killed after write %d, the next run leaves over %q", n, rest)
		}
	}
	t.Logf("killed after each of %d writes; a reader followed the index %d times meanwhile", n-2, reader())
	index, _ := e.published(t, into)
	if parts := len(index.Reports[0].ConfigMaps); parts < 2 {
		t.Errorf("the report of namespace %s has %d part, want several", index.Reports[0].Namespace, parts)
	}
}

// publishKilled runs publish until its n-th write, and reports whether it came
// to that.
func (e env) publishKilled(t *testing.T, d *door, into string, n int) bool {
	t.Helper()
	cmd := e.command(t.Context(), "publish", d.kubeconfig, into)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	d.reset(func(i int) {
		if i == n {
			_ = cmd.Process.Kill()
		}
	})
	err := cmd.Run()
	switch code := cmd.ProcessState.ExitCode(); code {
	case 0, -1:
		if writes := d.noted(); len(writes) > n {
			t.Errorf("writes after the kill: %q", writes[n:])
		}
		return code == -1
	default:
		t.Fatalf("publish: %v\n%s", err, errs.String())
		return false
	}
}

// keepReading follows the index in the background; the function that it returns
// ends that and says how often it was done.
func (e env) keepReading(t *testing.T, namespace string) (stop func() int) {
	ctx, cancel := context.WithCancel(t.Context())
	var count int
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && err == nil {
			_, _, err = follow(ctx, e.client, namespace)
			count++
			sleep(ctx, 20*time.Millisecond)
		}
	}()
	stop = func() int {
		cancel()
		<-done
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("following the index: %v", err)
		}
		return count
	}
	t.Cleanup(func() { cancel(); <-done })
	return stop
}

// TestPublishersAtOnce runs several at once, over and over, while what they see
// changes: whoever loses says so, nothing is torn, and the next one finishes.
func TestPublishersAtOnce(t *testing.T) {
	e := start(t, cluster.Options{})
	const into, rounds, writers = "reports", 8, 4
	e.ensureNamespace(t, into)
	name := func(i int) (string, string) { return fmt.Sprintf("team-%02d", i), "workload" }
	const namespaces = 20
	e.fill(t, namespaces, name)
	kubeconfig, err := e.AdminKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	if code, stderr := e.publish(t, kubeconfig, into); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	reader := e.keepReading(t, into)
	lost := 0
	for round := range rounds {
		user := int64(100_000 + round)
		var group sync.WaitGroup
		codes, said := make([]int, writers), make([]string, writers)
		for w := range writers {
			cmd := e.command(t.Context(), "publish", kubeconfig, into)
			group.Go(func() { codes[w], said[w] = finish(t, cmd) })
		}
		for i := range namespaces {
			namespace, workload := name(i)
			e.set(t, namespace, workload, user)
		}
		group.Wait()
		for w, code := range codes {
			switch {
			case code == 3 && strings.Contains(said[w], "another writer"):
				lost++
			case code != 0:
				t.Errorf("exit code %d:\n%s", code, said[w])
			}
		}
		if code, stderr := e.publish(t, kubeconfig, into); code != 0 {
			t.Fatalf("afterwards, exit code %d:\n%s", code, stderr)
		}
		index, policies := e.published(t, into)
		for i := range namespaces {
			if namespace, _ := name(i); !strings.Contains(policies[namespace], fmt.Sprint(user)) {
				t.Errorf("afterwards, the report of %s is an older one", namespace)
			}
		}
		if rest := e.leftOver(t, into, index); len(rest) > 0 {
			t.Errorf("left over: %q", rest)
		}
	}
	t.Logf("of %d runs, %d gave way to others; a reader followed the index %d times meanwhile", rounds*writers, lost, reader())
}
