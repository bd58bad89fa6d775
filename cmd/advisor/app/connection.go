package app

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// connectionFlags say how to reach the cluster. They are kubectl's.
type connectionFlags struct {
	*genericclioptions.ConfigFlags
	environment
}

func newConnectionFlags(env environment) *connectionFlags {
	// Not kept, because diff connects to two clusters.
	config := genericclioptions.NewConfigFlags(false)
	// What it means differs from command to command.
	config.Namespace = nil
	config.WrapConfigFn = func(c *rest.Config) *rest.Config {
		c.UserAgent = thisBuild().userAgent()
		if env.wrap != nil {
			c = env.wrap(c)
		}
		return c
	}
	return &connectionFlags{config, env}
}

func (f *connectionFlags) addTo(cmd *cobra.Command) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.AddFlags(flags)
	flags.VisitAll(func(flag *pflag.Flag) { flag.Annotations = map[string][]string{connectionKey: nil} })
	cmd.Flags().AddFlagSet(flags)
	f.completeConnection(cmd)
}

var errNoCluster = errors.New("no cluster is configured: set --kubeconfig or --server")

// restConfig returns how to reach the cluster: as kubectl does, but without its
// last resort, a server on this machine.
func (f *connectionFlags) restConfig() (*rest.Config, error) {
	config, err := f.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	named, err := f.namesCluster()
	if err != nil {
		return nil, err
	}
	if !named && config.Host == clientcmd.ClusterDefaults.Server {
		return nil, errNoCluster
	}
	return config, nil
}

// namesCluster reports whether a kubeconfig or a flag says which cluster is meant.
// Otherwise it can be the one that the advisor runs in.
func (f *connectionFlags) namesCluster() (bool, error) {
	raw, err := f.ToRawKubeConfigLoader().RawConfig()
	return len(raw.Clusters) > 0 || *f.APIServer != "", err //nolint:wrapcheck // it names the file
}

var errNoReportNamespace = errors.New("--report-namespace: required outside of a pod: set the namespace to publish to")

// podNamespace returns the namespace of the pod that the advisor runs in.
func (f *connectionFlags) podNamespace() (string, error) {
	named, err := f.namesCluster()
	if err == nil && named {
		return "", usageError(errNoReportNamespace)
	}
	var namespace string
	if err == nil {
		namespace, _, err = f.ToRawKubeConfigLoader().Namespace()
	}
	if err != nil {
		return "", failureError(fmt.Errorf("finding the report namespace: %w", err))
	}
	return namespace, nil
}

// connectUnlessFiles returns the connection of a command that reads manifests instead if
// it is given some.
func connectUnlessFiles(restConfig func() (*rest.Config, error)) (*rest.Config, error) {
	config, err := restConfig()
	if errors.Is(err, errNoCluster) {
		err = fmt.Errorf("%w, or pass manifests with --filename", err)
	}
	if err != nil {
		return nil, failureError(fmt.Errorf("connecting: %w", err))
	}
	return config, nil
}

// onlyFlags refuses arguments: manifests are flags.
func onlyFlags(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: pass manifests with --filename", args[0])
	}
	return nil
}
