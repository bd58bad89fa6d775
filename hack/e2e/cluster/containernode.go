package cluster

import (
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

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster/relay"
	"github.com/psp-advisor/psp-advisor/hack/image"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	cniPlugins       = "/usr/lib/cni"
	pauseImage       = "localhost/pause:e2e"
)

// containerMachine is a real node: kubelet, containerd and runc in network,
// mount and process namespaces of their own. The control plane runs in there
// too, at the address that pods expect of it.
type containerMachine struct {
	cluster  *Cluster
	program  string // path of nodeinit
	init     *process
	listener net.Listener // leads in from the outside
	cgroup   string       // that its pods go into
}

// newContainerMachine makes the namespaces. An error means that this host
// cannot have such a machine.
func newContainerMachine(ctx context.Context, c *Cluster) (*containerMachine, error) {
	if err := canContain(); err != nil {
		return nil, err
	}
	m := &containerMachine{cluster: c, program: c.path("nodeinit"), cgroup: filepath.Base(c.dir.path)}
	if err := buildStatic(ctx, "./hack/e2e/cluster/nodeinit", m.program); err != nil {
		return nil, err
	}
	socket := c.path("server.sock")
	cmd := exec.Command(m.program, "node", socket, net.JoinHostPort(serviceIP, "443"), serviceIP, nodeIP) //nolint:gosec // built by this package
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	var err error
	if m.init, err = launch("nodeinit", c.path("nodeinit.log"), cmd); err != nil {
		return nil, err
	}
	if err := m.open(ctx, socket); err != nil {
		return nil, errors.Join(err, m.stop())
	}
	return m, nil
}

// canContain tells what this host lacks.
func canContain() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	for _, program := range []string{"containerd", "ctr", "runc", "ip", "nsenter", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed: hack/install-node-packages.sh does that", program)
		}
	}
	if _, err := os.Stat(filepath.Join(cniPlugins, "bridge")); err != nil {
		return fmt.Errorf("no network plugins in %s: hack/install-node-packages.sh installs them", cniPlugins)
	}
	return nil
}

// open waits for the namespaces and leads connections into them.
func (m *containerMachine) open(ctx context.Context, socket string) error {
	for {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		select {
		case <-m.init.done:
			return fmt.Errorf("preparing the namespaces: %w: %s", m.init.err, m.init.tail())
		case <-ctx.Done():
			return fmt.Errorf("preparing the namespaces: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for clients: %w", err)
	}
	m.listener = listener
	m.cluster.address = listener.Addr().String()
	go relay.Serve(listener, "unix", socket)
	return nil
}

func (m *containerMachine) mode() string { return "kubelet with containerd and runc" }

func (m *containerMachine) bindAddress(string) string { return net.JoinHostPort(serviceIP, "443") }

func (m *containerMachine) inside(cmd *exec.Cmd) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(m.init.cmd.Process.Pid), "-m", "-n", "-p", "--", cmd.Path}
	return exec.Command("nsenter", append(args, cmd.Args[1:]...)...) //nolint:gosec // our own arguments
}

func (m *containerMachine) start(ctx context.Context) error {
	if err := m.cluster.startScheduler(); err != nil {
		return err
	}
	if err := m.startContainerd(ctx); err != nil {
		return err
	}
	for _, i := range append(slices.Clone(m.cluster.options.Images), image.Image{Name: pauseImage, Binary: m.program}) {
		if err := m.importImage(ctx, i); err != nil {
			return err
		}
	}
	return m.startKubelet(ctx)
}

func (m *containerMachine) startContainerd(ctx context.Context) error {
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
	c := m.cluster
	if err := os.MkdirAll(c.path("cni"), 0o750); err != nil {
		return fmt.Errorf("creating the network's folder: %w", err)
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
		err := m.ctr(ctx, nil, "version")
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

func (m *containerMachine) importImage(ctx context.Context, i image.Image) error {
	reader, writer := io.Pipe()
	go func() {
		_, err := i.WriteTo(writer)
		_ = writer.CloseWithError(err)
	}()
	err := m.ctr(ctx, reader, "-n", "k8s.io", "images", "import", "-")
	// When ctr fails early, the writer must not wait for ever.
	_ = reader.Close()
	if err != nil {
		return fmt.Errorf("importing image %s: %w", i.Name, err)
	}
	return nil
}

func (m *containerMachine) ctr(ctx context.Context, stdin io.Reader, args ...string) error {
	inside := m.inside(exec.Command("ctr", append([]string{"-a", containerdSocket}, args...)...)) //nolint:gosec // our own arguments
	cmd := exec.CommandContext(ctx, inside.Path, inside.Args[1:]...)                              //nolint:gosec // our own arguments
	cmd.Stdin = stdin
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running ctr %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return nil
}

func (m *containerMachine) startKubelet(ctx context.Context) error {
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
	c := m.cluster
	text := fmt.Sprintf(format, c.path("ca.crt"), c.path("server.crt"), c.path("server.key"), m.cgroup)
	if err := os.WriteFile(c.path("kubelet.yaml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing kubelet.yaml: %w", err)
	}
	kubeconfig, err := c.componentKubeconfig("system:node:"+nodeName, "system:nodes")
	if err != nil {
		return err
	}
	if err := makeCgroups(m.cgroup); err != nil {
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

func (m *containerMachine) kill(ctx context.Context, p *corev1.Pod, container string) error {
	for _, status := range p.Status.ContainerStatuses {
		if id, ok := strings.CutPrefix(status.ContainerID, "containerd://"); ok && status.Name == container {
			return m.ctr(ctx, nil, "-n", "k8s.io", "tasks", "kill", "--all", "--signal", "SIGKILL", id)
		}
	}
	return fmt.Errorf("killing container %s of pod %s/%s: not running", container, p.Namespace, p.Name)
}

// stop ends the first process of the namespaces, and with it all others.
func (m *containerMachine) stop() error {
	var err error
	if m.listener != nil {
		err = m.listener.Close()
	}
	m.init.kill()
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
