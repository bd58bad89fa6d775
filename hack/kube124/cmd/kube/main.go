// Command kube is Kubernetes 1.24.17 in one static binary: etcd, the control
// plane, kubelet and kubectl, chosen by the first argument or by the name it
// is called with.
//
// One binary, because its parts share almost all of their packages: it links
// once and takes 100 MB instead of 400. Each part still runs as a process of
// its own, since they would fight over flags, feature gates and metrics
// registries inside one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// parts maps the name of a part to the constructor of its command. They are
// constructors, because building a command registers global state.
var parts = map[string]func() *cobra.Command{
	"etcd":                    newEtcdCommand,
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand() },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	part, err := shiftPart()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(cli.Run(part()))
}

// shiftPart finds the part that is asked for and leaves in os.Args what its
// command expects: the part's name, then its own arguments.
func shiftPart() (func() *cobra.Command, error) {
	os.Args[0] = filepath.Base(os.Args[0])
	if part, ok := parts[os.Args[0]]; ok {
		return part, nil
	}
	if len(os.Args) > 1 {
		if part, ok := parts[os.Args[1]]; ok {
			os.Args = os.Args[1:]
			return part, nil
		}
	}
	return nil, errors.New("usage: kube etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubelet|kubectl [ARGS]")
}

// untilSignal is done when the process receives a signal to end.
func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
