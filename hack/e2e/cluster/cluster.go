// Package cluster runs real Kubernetes control planes for tests: etcd,
// kube-apiserver and kube-controller-manager as child processes on free ports
// of the loopback interface, with certificates made on the spot. With a node,
// pods really run as well.
//
// Nothing outlives the process that started it: the kernel kills the children
// when their parent dies, however it dies.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/psp-advisor/psp-advisor/hack/image"
)

// Options say what to run. The zero value is a bare API server of the release
// that enforces PodSecurityPolicy, without controllers.
type Options struct {
	// Release of the API server. Empty means PSPRelease.
	Release Release
	// AdmissionPlugins are enabled besides the default ones and NodeRestriction.
	AdmissionPlugins []string
	// Controllers runs kube-controller-manager too. It is always of PSPRelease.
	Controllers bool
	// Node adds a machine that runs pods, and Controllers. See CheckNode for
	// what that takes of this host.
	Node bool
	// Images are what the node can run, and nothing else: it pulls nothing, so
	// the imagePullPolicy of pods must be Never or IfNotPresent.
	Images []image.Image
	// APIServerFlags are appended to those of kube-apiserver.
	APIServerFlags []string
}

// Cluster is a running control plane.
type Cluster struct {
	options   Options
	binaries  binaries
	dir       workdir
	authority *authority
	address   string // of the API server, as clients reach it
	etcdURL   string
	server    *process // kube-apiserver, nil while it is stopped
	others    []*process
	node      *node // nil without one
}

// Start runs a cluster and waits until it serves. The context bounds the
// start, not the life of the cluster: that ends with Stop.
func Start(ctx context.Context, options Options) (c *Cluster, err error) {
	if options.Release == "" {
		options.Release = PSPRelease
	}
	c = &Cluster{options: options}
	if c.binaries, err = findBinaries(ctx, options.Release); err != nil {
		return nil, err
	}
	if c.dir, err = newWorkdir(); err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.authority, err = newAuthority(); err != nil {
		return err
	}
	if err := c.writeCertificates(); err != nil {
		return err
	}
	if c.options.Node {
		c.options.Controllers = true
		if c.node, err = newNode(ctx, c); err != nil {
			return err
		}
	}
	if err := c.startEtcd(); err != nil {
		return err
	}
	if c.address == "" {
		if c.address, err = freeAddress(); err != nil {
			return err
		}
	}
	if err := c.StartServer(ctx); err != nil {
		return err
	}
	if c.options.Controllers {
		if err := c.startControllers(ctx); err != nil {
			return err
		}
	}
	if c.node != nil {
		return c.node.start(ctx)
	}
	return nil
}

// Stop ends every process and removes what the cluster wrote.
func (c *Cluster) Stop() error {
	var errs []error
	if c.node != nil {
		errs = append(errs, c.node.stop())
	}
	for _, p := range c.others {
		p.kill()
	}
	return errors.Join(append(errs, c.StopServer(), c.dir.remove())...)
}

func (c *Cluster) startEtcd() error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	c.etcdURL = "http://" + address
	return c.run(c.binaries.psp, "etcd",
		"--data-dir", c.path("etcd"),
		"--listen-client-url", c.etcdURL)
}

// StartServer runs kube-apiserver, again if it was stopped, on the same
// address, and waits until it is ready.
func (c *Cluster) StartServer(ctx context.Context) error {
	bind := c.address
	if c.node != nil {
		bind = serviceAddress
	}
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return fmt.Errorf("parsing the server's address: %w", err)
	}
	args := []string{
		"--etcd-servers=" + c.etcdURL,
		"--bind-address=" + host,
		"--secure-port=" + port,
		"--tls-cert-file=" + c.path("server.crt"),
		"--tls-private-key-file=" + c.path("server.key"),
		"--client-ca-file=" + c.path("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.path("accounts.key"),
		"--service-account-signing-key-file=" + c.path("accounts.key"),
		"--kubelet-certificate-authority=" + c.path("ca.crt"),
		"--kubelet-client-certificate=" + c.path("kubelet-client.crt"),
		"--kubelet-client-key=" + c.path("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-cluster-ip-range=10.96.0.0/24",
		"--endpoint-reconciler-type=none",
		"--authorization-mode=Node,RBAC",
		"--allow-privileged",
		"--enable-admission-plugins=NodeRestriction",
	}
	for _, plugin := range c.options.AdmissionPlugins {
		args[len(args)-1] += "," + plugin
	}
	args = append(args, c.options.APIServerFlags...)
	if c.server, err = c.launch(c.binaries.server, "kube-apiserver", args...); err != nil {
		return err
	}
	return c.await(ctx, c.server, func(ctx context.Context, client kubernetes.Interface) (bool, error) {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil, nil
	})
}

// StopServer ends kube-apiserver, so that a test sees what happens without it.
func (c *Cluster) StopServer() error {
	if c.server == nil {
		return nil
	}
	c.server.kill()
	c.server = nil
	return nil
}

func (c *Cluster) startControllers(ctx context.Context) error {
	kubeconfig, err := c.componentKubeconfig("system:kube-controller-manager")
	if err != nil {
		return err
	}
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + c.path("accounts.key"),
		"--root-ca-file=" + c.path("ca.crt"),
		"--flex-volume-plugin-dir=" + c.path("flex"), // the default is a directory of the host
		"--kube-api-qps=200",                         // with the default, the first service account takes 8 seconds
		"--kube-api-burst=400",
	}
	if c.node == nil {
		// Nobody keeps Node objects alive here, and no pod is evicted for it.
		args = append(args, "--controllers=*,-nodelifecycle,-podgc")
	}
	if err := c.run(c.binaries.psp, "kube-controller-manager", args...); err != nil {
		return err
	}
	return c.await(ctx, c.others[len(c.others)-1], func(ctx context.Context, client kubernetes.Interface) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// startScheduler runs kube-scheduler, which only a cluster with a node needs.
func (c *Cluster) startScheduler() error {
	kubeconfig, err := c.componentKubeconfig("system:kube-scheduler")
	if err != nil {
		return err
	}
	return c.run(c.binaries.psp, "kube-scheduler",
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=0",
		"--leader-elect=false")
}

// Kill ends the processes of a container as `kill -9` does, so that a test sees
// what becomes of its work.
func (c *Cluster) Kill(ctx context.Context, p *corev1.Pod, container string) error {
	if c.node == nil {
		return errors.New("killing a container: the cluster has no node")
	}
	return c.node.kill(ctx, p, container)
}

// componentKubeconfig is a kubeconfig file for a part of the cluster itself,
// which reaches the server from the inside.
func (c *Cluster) componentKubeconfig(user string, groups ...string) (string, error) {
	config, err := c.Config(user, groups...)
	if err != nil {
		return "", err
	}
	if c.node != nil {
		config.Host = "https://" + serviceAddress
	}
	return c.writeKubeconfig(user, config)
}

// Etcd is the URL of etcd, for who stores more objects than a client would create one by
// one.
func (c *Cluster) Etcd() string { return c.etcdURL }

// Kubectl is the path of a kubectl that fits the control plane.
func (c *Cluster) Kubectl() string { return filepath.Join(c.binaries.psp, "kubectl") }

// Log is what a part of the cluster, such as "kube-apiserver", has written.
func (c *Cluster) Log(part string) (string, error) {
	data, err := os.ReadFile(c.path(part + ".log"))
	if err != nil {
		return "", fmt.Errorf("reading the log of %s: %w", part, err)
	}
	return string(data), nil
}

// path is that of a file of the cluster.
func (c *Cluster) path(name string) string { return filepath.Join(c.dir.path, name) }

// run launches a part that lives as long as the cluster.
func (c *Cluster) run(binaries, part string, args ...string) error {
	p, err := c.launch(binaries, part, args...)
	if err != nil {
		return err
	}
	c.others = append(c.others, p)
	return nil
}

// launch starts a part out of a directory of binaries. The part is chosen by
// the name that the binary is called with.
func (c *Cluster) launch(binaries, part string, args ...string) (*process, error) {
	cmd := exec.Command(filepath.Join(binaries, part), args...) //nolint:gosec // built by this package
	if c.node != nil {
		cmd = c.node.inside(cmd)
	}
	return launch(part, c.path(part+".log"), cmd)
}

// await asks until the condition holds, the process has ended, or the context
// is done; in the last two cases the error carries the end of the log.
func (c *Cluster) await(ctx context.Context, p *process, condition func(context.Context, kubernetes.Interface) (bool, error)) error {
	config, err := c.Admin()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("%s ended: %w", p.name, p.err)
		default:
			return condition(ctx, client)
		}
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w\n%s", p.name, err, p.tail())
	}
	return nil
}

// freeAddress is a loopback address that nobody listens on. Its port is below
// those that Linux gives to outgoing connections, one of which could take it
// before the server is there, or while the server is away.
func freeAddress() (string, error) {
	const first, count, attempts = 20_000, 10_000, 100
	var errs []error
	for range attempts {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(count))) //nolint:gosec // not a secret
		listener, err := net.Listen("tcp", address)
		if err == nil {
			err = listener.Close()
		}
		if err == nil {
			return address, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("finding a free port: %w", errors.Join(errs...))
}
