package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// BenchmarkList compares an observation and a watcher with a loop that lists the same
// pods with client-go's clientset, once keeping them and once keeping nothing. held
// is what stays on the heap per pod when all are listed, peak the most that the
// heap ever held in the meantime, the server's share included. There are 20 different
// profiles, which take next to nothing of it.
func BenchmarkList(b *testing.B) {
	for _, pods := range []int{20_000, 100_000} {
		config := servePods(b, pods)
		for _, way := range []struct {
			name string
			look func(testing.TB, *rest.Config, int) any
		}{{"observe", lookList}, {"watch", lookWatch}, {"loop-keeping-nothing", lookDropping}, {"loop-keeping-pods", lookKeeping}} {
			b.Run(fmt.Sprintf("%d/%s", pods, way.name), func(b *testing.B) {
				var held, peak uint64
				for b.Loop() {
					before := heapInUse()
					stop := watchPeak(&peak)
					kept := way.look(b, config, pods)
					stop()
					held = heapInUse() - min(before, heapInUse())
					runtime.KeepAlive(kept)
					if end, ok := kept.(func()); ok {
						end()
					}
				}
				b.ReportMetric(float64(held)/float64(pods), "held-B/pod")
				b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
			})
		}
	}
}

// lookList lists as inspect does, and keeps the snapshot.
func lookList(t testing.TB, config *rest.Config, pods int) any {
	c, err := List(context.Background(), config, observe.Scope{Pods: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	obs := c.Observe()
	if obs.Pods() != pods || obs.Gaps != nil {
		t.Fatalf("got %d pods, gaps %v", obs.Pods(), obs.Gaps)
	}
	return []any{c, obs}
}

// lookWatch follows the pods as the controller does, and goes on until the result is called.
func lookWatch(t testing.TB, config *rest.Config, pods int) any {
	w, err := NewWatcher(config, observe.Scope{Pods: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	if err := w.WaitForSync(ctx); err != nil || w.Pods() != pods {
		t.Fatalf("got %d pods: %v", w.Pods(), err)
	}
	return func() {
		cancel()
		<-done
	}
}

func lookKeeping(t testing.TB, config *rest.Config, pods int) any {
	var kept []corev1.Pod
	loop(t, config, pods, func(page []corev1.Pod) { kept = append(kept, page...) })
	return kept
}

func lookDropping(t testing.TB, config *rest.Config, pods int) any {
	loop(t, config, pods, func([]corev1.Pod) {})
	return nil
}

func loop(t testing.TB, config *rest.Config, pods int, take func([]corev1.Pod)) {
	config = rest.CopyConfig(config)
	config.ContentType, config.QPS = apiruntime.ContentTypeProtobuf, -1
	client, err := typedcorev1.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	n, options := 0, metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.Pods("").List(context.Background(), options)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Items)
		take(page.Items)
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	if n != pods {
		t.Fatalf("got %d pods", n)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchPeak keeps the largest size of the heap in peak until it is stopped.
func watchPeak(peak *uint64) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// What stands in a page for what differs between pages.
const (
	pageMark     = "PPPPPPP"
	continueMark = "CCCCCCC"
)

// servePods serves that many pods, in protobuf pages that are encoded but once,
// and nothing else.
func servePods(b *testing.B, pods int) *rest.Config {
	b.Helper()
	codecs := serializer.NewCodecFactory(apitest.Scheme())
	encode := func(list apiruntime.Object, version apiruntime.GroupVersioner) []byte {
		info, _ := apiruntime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), apiruntime.ContentTypeProtobuf)
		data, err := apiruntime.Encode(codecs.EncoderForVersion(info.Serializer, version), list)
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "100"}}
	for i := range pageSize {
		list.Items = append(list.Items, bigPod(i))
	}
	last := encode(list, corev1.SchemeGroupVersion)
	list.Continue = continueMark
	page := encode(list, corev1.SchemeGroupVersion)
	none := encode(&metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: "100"}}, metav1.SchemeGroupVersion)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); query.Has("watch") {
			if query.Has("sendInitialEvents") {
				http.Error(w, "lists cannot be streamed", http.StatusBadRequest)
				return
			}
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", apiruntime.ContentTypeProtobuf)
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			_, _ = w.Write(none) // the client may be gone
			return
		}
		n, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		data := page
		if (n+1)*pageSize >= pods {
			data = last
		}
		data = bytes.ReplaceAll(data, []byte(pageMark), fmt.Appendf(nil, "%07d", n))
		data = bytes.ReplaceAll(data, []byte(continueMark), fmt.Appendf(nil, "%07d", n+1))
		_, _ = w.Write(data) // the client may be gone
	}))
	b.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

// bigPod is a pod of the usual size in a cluster: 9 kB. Five pods make a
// ReplicaSet; there are twenty different ones in each of the ten namespaces.
func bigPod(i int) corev1.Pod {
	set := i / 5
	p := pod(fmt.Sprintf("namespace-%02d", i/50), fmt.Sprintf("workload-%s-%03d-%03d", pageMark, set, i))
	p.UID = types.UID(fmt.Sprintf("5f6e1f9c-%s-4d5c-9a51-0d8a4c%07d", pageMark, i))
	p.OwnerReferences = []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", p.Namespace, fmt.Sprintf("workload-%s-%03d", pageMark, set))}
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(strings.Repeat(`{"f:status":{}}`, 250))}}
	p.Spec.ServiceAccountName = fmt.Sprintf("account-%03d", set)
	user := int64(1000 + set%20)
	p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &user}
	for c := range 3 {
		container := corev1.Container{Name: fmt.Sprintf("container-%d", c), Image: "image:1.2.3"}
		for e := range 20 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", e), Value: strings.Repeat("value ", 5)})
		}
		container.VolumeMounts = []corev1.VolumeMount{{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}}
		p.Spec.Containers = append(p.Spec.Containers, container)
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: container.Name, ImageID: strings.Repeat("digest", 10), Ready: true})
	}
	p.Spec.Volumes = []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "token"}}}}
	return *p
}
