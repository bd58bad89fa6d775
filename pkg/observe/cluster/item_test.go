package cluster

import (
	"runtime"
	"testing"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// Pods that are alike share a record, and only these.
func TestRecordsAreShared(t *testing.T) {
	var shared records
	recorder := observe.Recorder{Scope: both(), Interner: &profile.Interner{}}
	record := func(name string, tweaks ...func(*corev1.Pod)) *observe.Record {
		p := pod("shop", name, ownedBy("apps/v1", "ReplicaSet", "shop", "web-1"))
		for _, tweak := range tweaks {
			tweak(p)
		}
		return recorder.Pod(p)
	}
	first := shared.share(record("a"))
	if got := shared.share(record("b")); got != first {
		t.Errorf("%v does not share the record %v", got, first)
	}
	for name, other := range map[string]*observe.Record{
		"profile":    record("c", func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		"account":    record("c", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "other" }),
		"namespace":  record("c", func(p *corev1.Pod) { p.Namespace = "vault" }),
		"controller": record("c", func(p *corev1.Pod) { p.OwnerReferences[0].Name = "web-2" }),
		"none":       record("c", func(p *corev1.Pod) { p.OwnerReferences = nil }),
	} {
		if got := shared.share(other); got != other {
			t.Errorf("a pod of another %s has the record %v", name, got)
		}
	}
	runtime.KeepAlive(first)
	unused := func() int {
		runtime.GC()
		shared.mu.Lock()
		defer shared.mu.Unlock()
		return len(shared.alike)
	}
	for deadline := time.Now().Add(time.Minute); unused() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := unused(); n > 0 {
		t.Errorf("%d records are kept that nobody uses", n)
	}
}
