package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nodeName is that of the only node.
const nodeName = "node1"

// machine is where the pods of a cluster run.
type machine interface {
	// mode describes the machine in a few words.
	mode() string
	// inside changes a command so that it runs where the machine's network is.
	inside(*exec.Cmd) *exec.Cmd
	// bindAddress is where the API server has to listen, so that clients reach
	// it at the outside address.
	bindAddress(outside string) string
	// start makes the machine a node of the cluster and waits until it is ready.
	start(context.Context) error
	// kill ends the processes of a container at once.
	kill(ctx context.Context, p *corev1.Pod, container string) error
	stop() error
}

// newMachine prepares a real machine where that is possible. It says on
// standard error which one it is: a test that ran on the lesser one proves
// less.
func newMachine(ctx context.Context, c *Cluster) (machine, error) {
	var m machine
	reason := errors.New("asked for")
	if !c.options.NoContainers {
		var container *containerMachine
		if container, reason = newContainerMachine(ctx, c); reason == nil {
			m = container
		}
	}
	if m == nil {
		process, err := newProcessMachine(ctx, c, reason)
		if err != nil {
			return nil, err
		}
		m = process
	}
	fmt.Fprintf(os.Stderr, "node: %s\n", m.mode())
	return m, nil
}

// Mode describes the machine that pods run on; it is empty without a node.
func (c *Cluster) Mode() string {
	if c.machine == nil {
		return ""
	}
	return c.machine.mode()
}

// Kill ends the processes of a container as `kill -9` does, so that a test sees
// what becomes of its work.
func (c *Cluster) Kill(ctx context.Context, p *corev1.Pod, container string) error {
	if c.machine == nil {
		return errors.New("killing a container: the cluster has no node")
	}
	return c.machine.kill(ctx, p, container)
}

// componentKubeconfig is a kubeconfig file for a part of the cluster itself,
// which reaches the server from the inside.
func (c *Cluster) componentKubeconfig(user string, groups ...string) (string, error) {
	config, err := c.Config(user, groups...)
	if err != nil {
		return "", err
	}
	if c.machine != nil {
		config.Host = "https://" + c.machine.bindAddress(c.address)
	}
	return c.writeKubeconfig(user, config)
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

// nodeReady tells whether the node has reported that it is ready.
func nodeReady(ctx context.Context, client kubernetes.Interface) (bool, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the node: %w", err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, nil
		}
	}
	return false, nil
}
