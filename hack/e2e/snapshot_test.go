//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// snapshot counts pods by whose they are and what they run with: a multiset.
type snapshot map[pod]int

// pod is what two pods have in common when the second replaces the first.
type pod struct {
	owner string // namespace and controller, or name
	spec  string // without what differs from pod to pod
}

// snapshot takes the pods of some namespaces, once their number stands still.
func (e env) snapshot(t *testing.T, namespaces sets.Set[string]) snapshot {
	t.Helper()
	const still = 5 * time.Second
	count, since := -1, time.Now()
	for {
		pods := e.pods(t, namespaces)
		if len(pods) != count {
			count, since = len(pods), time.Now()
		}
		if time.Since(since) > still {
			return snapshotOf(t, pods)
		}
		sleep(t.Context(), time.Second)
	}
}

func (e env) pods(t *testing.T, namespaces sets.Set[string]) []corev1.Pod {
	t.Helper()
	list, err := e.client.CoreV1().Pods(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return !namespaces.Has(p.Namespace) })
}

func snapshotOf(t *testing.T, pods []corev1.Pod) snapshot {
	t.Helper()
	s := snapshot{}
	for i := range pods {
		s[identify(t, &pods[i])]++
	}
	return s
}

// token finds the random end of the name of a service account's token volume.
var token = regexp.MustCompile(`kube-api-access-[a-z0-9]{5}`)

func identify(t *testing.T, p *corev1.Pod) pod {
	t.Helper()
	owner := p.Namespace + " Pod/" + p.Name
	if controller := metav1.GetControllerOf(p); controller != nil {
		owner = p.Namespace + " " + controller.Kind + "/" + controller.Name
	} else if p.GenerateName != "" {
		owner = p.Namespace + " Pod/" + p.GenerateName + "*"
	}
	annotations := maps.Clone(p.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool {
		return key == "kubernetes.io/psp" || strings.Contains(key, "seccomp.security.alpha.kubernetes.io")
	})
	spec := p.Spec.DeepCopy()
	spec.NodeName = ""
	data, err := json.MarshalIndent(map[string]any{"annotations": annotations, "spec": spec}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return pod{owner: owner, spec: token.ReplaceAllString(string(data), "kube-api-access-*")}
}

// missing describes the pods of s that now lacks, a few lines each.
func (s snapshot) missing(now snapshot) []string {
	var lines []string
	for want, count := range s {
		if now[want] >= count {
			continue
		}
		line := fmt.Sprintf("%s: %d of %d are back", want.owner, now[want], count)
		for other := range now {
			if other.owner == want.owner && other.spec != want.spec && s[other] == 0 {
				line += ", one with another spec:" + difference(want.spec, other.spec)
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// difference lists the lines that only one of two texts has.
func difference(a, b string) string {
	before, after := sets.New(strings.Split(a, "\n")...), sets.New(strings.Split(b, "\n")...)
	var text strings.Builder
	for _, line := range sets.List(before.Difference(after)) {
		text.WriteString("\n\t- " + strings.TrimSpace(line))
	}
	for _, line := range sets.List(after.Difference(before)) {
		text.WriteString("\n\t+ " + strings.TrimSpace(line))
	}
	return text.String()
}

// size is the number of pods.
func (s snapshot) size() int {
	n := 0
	for _, count := range s {
		n += count
	}
	return n
}

// complaints are the distinct warnings of controllers that could not create a
// pod, by namespace and owner.
func (e env) complaints(t *testing.T, namespaces sets.Set[string]) []string {
	t.Helper()
	events, err := e.client.CoreV1().Events(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
	if err != nil {
		t.Fatal(err)
	}
	lines := sets.New[string]()
	for _, event := range events.Items {
		if namespaces.Has(event.Namespace) {
			lines.Insert(fmt.Sprintf("%s %s/%s: %s", event.Namespace, event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Message))
		}
	}
	return sets.List(lines)
}

// sleep waits, but not longer than the test may.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
