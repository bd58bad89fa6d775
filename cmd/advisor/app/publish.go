package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
)

const publishExample = `  # Publish the policies of all namespaces into namespace psp-advisor
  advisor publish --report-namespace psp-advisor

  # Of two namespaces, one policy for each
  advisor publish --namespace shop,monitoring --level namespace --report-namespace psp-advisor`

// publishFlags are the flags of publish, and those of its that controller has.
type publishFlags struct {
	*observeFlags
	reportNamespace string
}

func newPublishFlags(env environment) *publishFlags {
	return &publishFlags{observeFlags: newObserveFlags(env)}
}

func (f *publishFlags) addTo(cmd *cobra.Command) {
	f.observeFlags.addTo(cmd)
	cmd.Flags().StringVar(&f.reportNamespace, "report-namespace", "", "namespace to publish to; required outside of a pod (default the pod's namespace)")
	f.completeNamespaces(cmd, "report-namespace")
}

// publishOptions are the validated options of publish.
type publishOptions struct {
	// publish has no engines yet: they depend on the server.
	publish publish.Options
	engines engineChoice
	// connect returns the connection and the report namespace.
	connect func() (*rest.Config, string, error)
	streams Streams
}

func newPublishCommand(env environment) *cobra.Command {
	f := newPublishFlags(env)
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Write the policies of the pods seen now into ConfigMaps",
		Long: `publish observes the pods of a cluster once and writes a report per namespace into ConfigMaps
of one namespace, with an index that names them. get-report reads them.`,
		Example: publishExample,
		Annotations: exitCodes(
			"0  all is published",
			"1  published, but something could not be observed",
			"2  wrong flags",
			"3  the server failed, or something could not be published",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.Flags())
			if err != nil {
				return err
			}
			ctx, cancel := f.deadline(cmd.Context())
			defer cancel()
			defer collectLater()()
			return o.run(ctx)
		},
	}
	f.addTo(cmd)
	cmd.Flags().Lookup("timeout").Usage = "how long observing a cluster and publishing may take; 0 means no limit"
	return cmd
}

func (f *publishFlags) options(flags *pflag.FlagSet) (publishOptions, error) {
	scope, level, err := f.scope(flags)
	var errs []error
	if f.reportNamespace != "" {
		errs = append(errs, checkNamespaces("--report-namespace", f.reportNamespace))
	}
	engines, unknown := f.engine.choice(f.environment, flags)
	if err := errors.Join(append(errs, err, unknown)...); err != nil {
		return publishOptions{}, usageError(err)
	}
	return publishOptions{
		publish: publish.Options{Scope: scope, Level: level, AllowPartial: f.allowPartial},
		engines: engines,
		connect: f.connect,
		streams: f.Streams,
	}, nil
}

// connect returns the connection and the namespace to publish into.
func (f *publishFlags) connect() (*rest.Config, string, error) {
	config, err := f.restConfig()
	if err != nil {
		return nil, "", failureError(fmt.Errorf("connecting: %w", err))
	}
	if f.reportNamespace != "" {
		return config, f.reportNamespace, nil
	}
	namespace, err := f.podNamespace()
	return config, namespace, err
}

func (o publishOptions) run(ctx context.Context) error {
	config, namespace, err := o.connect()
	if err != nil {
		return err
	}
	seen, err := listCluster(ctx, config, o.publish.Scope, o.streams.Err)
	if err != nil {
		return err
	}
	chosen, err := o.chooseEngines(ctx, config)
	if err != nil {
		return err
	}
	if err := printLines(o.streams.Err, chosen.notes); err != nil {
		return err
	}
	o.publish.Engines, o.publish.Minor = chosen.build(), chosen.options.minor
	writer, err := publish.NewWriter(config, namespace)
	if err != nil {
		return failureError(err)
	}
	r, err := writer.Publish(ctx, o.publish.NewPass(seen))
	if err != nil {
		return failureError(fmt.Errorf("publishing: %w", err))
	}
	return o.printResult(namespace, r)
}

// chooseEngines returns the engines of the reports. What readers have of them is not
// replaced on a guess: a server that cannot be asked is an error.
func (o publishOptions) chooseEngines(ctx context.Context, config *rest.Config) (chosenEngines, error) {
	chosen, err := o.engines.forServer(ctx, config)
	if err != nil {
		return chosenEngines{}, errChoosing(err)
	}
	return chosen.published(), nil
}

// printResult reports what was published, and what was not.
func (o publishOptions) printResult(namespace string, r publish.Result) error {
	lines := []string{fmt.Sprintf("%s in namespace %s, index %s; ConfigMaps: %d created, %d configured, %d unchanged, %d deleted",
		report.Count(len(r.Index.Reports), "report"), namespace, publish.IndexName, r.Writes.Created, r.Writes.Configured, r.Writes.Unchanged, r.Writes.Deleted)}
	if err := printLines(o.streams.Err, append(lines, r.Lines()...)); err != nil {
		return err
	}
	switch {
	case len(r.Failed) > 0:
		return failureError(fmt.Errorf("publishing: %s could not be published: see above", report.Count(len(r.Failed), "report")))
	case r.Problem() != "":
		return codedError{exitDrift, fmt.Errorf("published in part: %s: grant the missing permissions; see the index for details", r.Problem())}
	default:
		return nil
	}
}
