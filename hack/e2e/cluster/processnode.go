package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// processMachine is a node for hosts that let nobody make containers: a very
// small kubelet that runs the programs of pods as processes in user and mount
// namespaces. It requests tokens as kubelet does and reports what became of
// the programs, but isolates nothing: pods share the host's network, and their
// security context ends with the user ID.
type processMachine struct {
	cluster *Cluster
	reason  error  // why there are no containers
	program string // path of nodeinit
	client  kubernetes.Interface
	server  *http.Server
	cancel  context.CancelFunc
	running sync.WaitGroup
	// processes holds the *process of every running container, by log path.
	processes sync.Map
}

func newProcessMachine(ctx context.Context, c *Cluster, reason error) (*processMachine, error) {
	m := &processMachine{cluster: c, reason: reason, program: c.path("nodeinit"), cancel: func() {}}
	return m, buildStatic(ctx, "./hack/e2e/cluster/nodeinit", m.program)
}

func (m *processMachine) mode() string {
	return fmt.Sprintf("fallback: pods are plain processes (no containers: %v)", m.reason)
}

func (m *processMachine) inside(cmd *exec.Cmd) *exec.Cmd { return cmd }

func (m *processMachine) bindAddress(outside string) string { return outside }

func (m *processMachine) start(ctx context.Context) error {
	if err := m.cluster.startScheduler(); err != nil {
		return err
	}
	config, err := m.cluster.Config("system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	if m.client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("creating the node's client: %w", err)
	}
	port, err := m.serveLogs()
	if err != nil {
		return err
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{
			corev1.LabelHostname: nodeName, corev1.LabelOSStable: "linux",
		}},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("8"),
				corev1.ResourceMemory: resource.MustParse("16Gi"),
				corev1.ResourcePods:   resource.MustParse("100"),
			},
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: port}},
		},
	}
	if _, err := m.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("registering the node: %w", err)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	m.running.Go(func() { m.loop(life) })
	return m.cluster.await(ctx, m.cluster.server, nodeReady)
}

func (m *processMachine) kill(_ context.Context, p *corev1.Pod, container string) error {
	running, ok := m.processes.Load(m.logPath(p.Namespace, p.Name, container))
	if !ok {
		return fmt.Errorf("killing container %s of pod %s/%s: not running", container, p.Namespace, p.Name)
	}
	running.(*process).kill()
	return nil
}

func (m *processMachine) stop() error {
	m.cancel()
	var err error
	if m.server != nil {
		err = m.server.Close()
	}
	m.running.Wait()
	return err
}

// loop reports that the node lives and runs the pods that are given to it.
func (m *processMachine) loop(ctx context.Context) {
	known := map[types.UID]bool{}
	for ctx.Err() == nil {
		// Either may fail while the API server is down; the next turn repeats it.
		_ = m.heartbeat(ctx)
		pods, err := m.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + nodeName})
		if err == nil {
			for i := range pods.Items {
				p := &pods.Items[i]
				if !known[p.UID] {
					known[p.UID] = true
					m.running.Go(func() { m.runPod(ctx, p) })
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (m *processMachine) heartbeat(ctx context.Context) error {
	now := metav1.Now()
	node, err := m.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the node: %w", err)
	}
	if len(node.Status.Conditions) > 0 && now.Sub(node.Status.Conditions[0].LastHeartbeatTime.Time) < 5*time.Second {
		return nil
	}
	node.Status.Allocatable = node.Status.Capacity
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Running", LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	if _, err := m.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("reporting the node: %w", err)
	}
	return nil
}

func (m *processMachine) logPath(namespace, pod, container string) string {
	return m.cluster.path(strings.Join([]string{"pod", namespace, pod, container}, "_") + ".log")
}

// serveLogs answers `kubectl logs`, for the API server only.
func (m *processMachine) serveLogs() (port int32, err error) {
	cert, err := tls.LoadX509KeyPair(m.cluster.path("server.crt"), m.cluster.path("server.key"))
	if err != nil {
		return 0, fmt.Errorf("loading the node's certificate: %w", err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(m.cluster.authority.cert)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		return 0, fmt.Errorf("listening for log requests: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(m.logPath(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		_, _ = w.Write(data)
	})
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	m.running.Go(func() { _ = m.server.Serve(listener) })  // ends when it is closed
	return int32(listener.Addr().(*net.TCPAddr).Port), nil //nolint:gosec // a port fits
}
