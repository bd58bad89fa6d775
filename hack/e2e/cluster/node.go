package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster/relay"
	"github.com/psp-advisor/psp-advisor/hack/image"
)

const (
	// nodeName is that of the only node.
	nodeName = "node1"
	// serviceAddress is where the API server listens beside a node.
	serviceAddress   = serviceIP + ":443"
	containerdSocket = "/run/containerd/containerd.sock"
	cniPlugins       = "/usr/lib/cni"
	pauseImage       = "localhost/pause:e2e"
)

// node is the machine that runs the pods of a cluster: kubelet, containerd and
// runc in network, mount and process namespaces of their own. The control plane
// runs in there too, at the address that pods expect of it.
type node struct {
	cluster  *Cluster
	program  string // path of nodeinit
	init     *process
	listener net.Listener // leads in from the outside
	cgroup   string       // that its pods go into
}

// CheckNode reports what this host lacks to run a node.
func CheckNode() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	for _, program := range []string{"containerd", "ctr", "runc", "ip", "nsenter", "unshare", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed: make e2e installs it, as root on Debian", program)
		}
	}
	if _, err := os.Stat(filepath.Join(cniPlugins, "bridge")); err != nil {
		return fmt.Errorf("no network plugins in %s: make e2e installs them, as root on Debian", cniPlugins)
	}
	if output, err := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("creating namespaces: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}

// newNode makes the namespaces.
func newNode(ctx context.Context, c *Cluster) (*node, error) {
	if err := CheckNode(); err != nil {
		return nil, fmt.Errorf("preparing a node: %w", err)
	}
	n := &node{cluster: c, program: c.path("nodeinit"), cgroup: filepath.Base(c.dir.path)}
	if err := buildStatic(ctx, "./hack/e2e/cluster/nodeinit", n.program); err != nil {
		return nil, err
	}
	socket := c.path("server.sock")
	cmd := exec.Command(n.program, "node", socket, serviceAddress, serviceIP, nodeIP) //nolint:gosec // built by this package
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	var err error
	if n.init, err = launch("nodeinit", c.path("nodeinit.log"), cmd); err != nil {
		return nil, err
	}
	if err := n.open(ctx, socket); err != nil {
		return nil, errors.Join(err, n.stop())
	}
	return n, nil
}

// open waits for the namespaces and leads connections into them.
func (n *node) open(ctx context.Context, socket string) error {
	for {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		select {
		case <-n.init.done:
			return fmt.Errorf("preparing the namespaces: %w: %s", n.init.err, n.init.tail())
		case <-ctx.Done():
			return fmt.Errorf("preparing the namespaces: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for clients: %w", err)
	}
	n.listener = listener
	n.cluster.address = listener.Addr().String()
	go relay.Serve(listener, "unix", socket)
	return nil
}

// inside changes a command so that it runs where the node's network is.
func (n *node) inside(cmd *exec.Cmd) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(n.init.cmd.Process.Pid), "-m", "-n", "-p", "--", cmd.Path}
	return exec.Command("nsenter", append(args, cmd.Args[1:]...)...) //nolint:gosec // our own arguments
}

// start makes the machine a node of the cluster and waits until it is ready.
func (n *node) start(ctx context.Context) error {
	if err := n.cluster.startScheduler(); err != nil {
		return err
	}
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	for _, i := range append(slices.Clone(n.cluster.options.Images), image.Image{Name: pauseImage, Binary: n.program}) {
		if err := n.importImage(ctx, i); err != nil {
			return err
		}
	}
	return n.startKubelet(ctx)
}

func (n *node) startContainerd(ctx context.Context) error {
	const containerd = `version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  disable_apparmor = true
  # Else runc fails where the score of this process may not be lowered.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "` + cniPlugins + `"
    conf_dir = "%s"
`
	const network = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": "pods0", "isGateway": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.97.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`
	c := n.cluster
	if err := os.MkdirAll(c.path("cni"), 0o750); err != nil {
		return fmt.Errorf("creating the network's directory: %w", err)
	}
	for name, text := range map[string]string{
		"containerd.toml":   fmt.Sprintf(containerd, c.path("cni")),
		"cni/pods.conflist": network,
	} {
		if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	path, err := exec.LookPath("containerd")
	if err != nil {
		return fmt.Errorf("finding containerd: %w", err)
	}
	if err := c.run(filepath.Dir(path), "containerd", "--config", c.path("containerd.toml")); err != nil {
		return err
	}
	for {
		err := n.ctr(ctx, nil, "version")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for containerd: %w", err)
		case <-c.others[len(c.others)-1].done:
			return fmt.Errorf("starting containerd: %s", c.others[len(c.others)-1].tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (n *node) importImage(ctx context.Context, i image.Image) error {
	reader, writer := io.Pipe()
	go func() {
		_, err := i.WriteTo(writer)
		_ = writer.CloseWithError(err)
	}()
	err := n.ctr(ctx, reader, "-n", "k8s.io", "images", "import", "-")
	// When ctr fails early, the writer must not wait for ever.
	_ = reader.Close()
	if err != nil {
		return fmt.Errorf("importing image %s: %w", i.Name, err)
	}
	return nil
}

func (n *node) ctr(ctx context.Context, stdin io.Reader, args ...string) error {
	inside := n.inside(exec.Command("ctr", append([]string{"-a", containerdSocket}, args...)...)) //nolint:gosec // our own arguments
	cmd := exec.CommandContext(ctx, inside.Path, inside.Args[1:]...)                              //nolint:gosec // our own arguments
	cmd.Stdin = stdin
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running ctr %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return nil
}

func (n *node) startKubelet(ctx context.Context) error {
	const format = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
tlsCertFile: %q
tlsPrivateKeyFile: %q
cgroupDriver: cgroupfs
cgroupRoot: /%s
failSwapOn: false
makeIPTablesUtilChains: false
healthzPort: 0
resolvConf: ""
volumePluginDir: /var/lib/kubelet/plugins
nodeStatusUpdateFrequency: 1s
evictionHard: {imagefs.available: 0%%, nodefs.available: 0%%, nodefs.inodesFree: 0%%, memory.available: 0%%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
`
	c := n.cluster
	text := fmt.Sprintf(format, c.path("ca.crt"), c.path("server.crt"), c.path("server.key"), n.cgroup)
	if err := os.WriteFile(c.path("kubelet.yaml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing kubelet.yaml: %w", err)
	}
	kubeconfig, err := c.componentKubeconfig("system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	if err := makeCgroups(n.cgroup); err != nil {
		return err
	}
	err = c.run(c.binaries.psp, "kubelet",
		"--config="+c.path("kubelet.yaml"),
		"--kubeconfig="+kubeconfig,
		"--container-runtime=remote",
		"--container-runtime-endpoint=unix://"+containerdSocket,
		"--pod-infra-container-image="+pauseImage,
		"--hostname-override="+nodeName,
		"--node-ip="+nodeIP)
	if err != nil {
		return err
	}
	return c.await(ctx, c.others[len(c.others)-1], nodeReady)
}

// kill ends the processes of a container at once.
func (n *node) kill(ctx context.Context, p *corev1.Pod, container string) error {
	for _, status := range p.Status.ContainerStatuses {
		if id, ok := strings.CutPrefix(status.ContainerID, "containerd://"); ok && status.Name == container {
			return n.ctr(ctx, nil, "-n", "k8s.io", "tasks", "kill", "--all", "--signal", "SIGKILL", id)
		}
	}
	return fmt.Errorf("killing container %s of pod %s/%s: not running", container, p.Namespace, p.Name)
}

// stop ends the first process of the namespaces, and with it all others.
func (n *node) stop() error {
	var err error
	if n.listener != nil {
		err = n.listener.Close()
	}
	n.init.kill()
	return err
}

// buildStatic compiles a command of this repository into a binary that needs
// nothing but a kernel.
func buildStatic(ctx context.Context, pkg, target string) error {
	root, err := Root(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", target, pkg) //nolint:gosec // our own arguments
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, output)
	}
	return nil
}

// nodeReady reports whether the node has reported that it is ready.
func nodeReady(ctx context.Context, client kubernetes.Interface) (bool, error) {
	n, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the node: %w", err)
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, nil
		}
	}
	return false, nil
}
