package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/controller"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/discovery"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
)

const controllerExample = `  # Keep the reports of all namespaces current
  advisor controller --report-namespace psp-advisor`

// leaseName is the Lease that the leading replica holds, in the report
// namespace.
const leaseName = "psp-advisor"

// shutdownTimeout is how long requests under way may take at the end.
const shutdownTimeout = 5 * time.Second

// controllerFlags are the flags of controller.
type controllerFlags struct {
	*publishFlags
	listen   string
	debounce time.Duration
	resync   time.Duration
	lease    time.Duration
}

// controllerOptions are the validated options of controller.
type controllerOptions struct {
	publishOptions
	controller controller.Options
	listen     string
	// log takes the logger of the whole process.
	log func(klog.Logger)
}

func newControllerCommand(env environment) *cobra.Command {
	f := &controllerFlags{publishFlags: newPublishFlags(env)}
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Keep the policies in ConfigMaps current",
		Long: `controller does what publish does, whenever something changes, until it receives SIGTERM or
SIGINT. Several replicas may run: the one that holds the Lease psp-advisor in the report
namespace publishes. It serves /healthz, /readyz and /metrics, and logs to standard error.`,
		Example: controllerExample,
		Annotations: exitCodes(
			"0  stopped by a signal",
			"2  wrong flags",
			"3  the first observation failed, or the listen address is not available",
		),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd.Flags())
			if err != nil {
				return err
			}
			// The other commands may be ended at any time, and leave nothing half-done.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return o.run(ctx)
		},
	}
	f.addTo(cmd)
	return cmd
}

func (f *controllerFlags) addTo(cmd *cobra.Command) {
	f.publishFlags.addTo(cmd)
	flags := cmd.Flags()
	flags.Lookup("timeout").Usage = "how long observing a cluster for the first time may take; 0 means no limit"
	flags.StringVar(&f.listen, "listen-address", ":8080", "where to serve /healthz, /readyz and /metrics")
	flags.DurationVar(&f.debounce, "debounce", 5*time.Second, "how long to collect changes before publishing them")
	flags.DurationVar(&f.resync, "resync", 10*time.Minute, "how often to render all reports again without a change")
	flags.DurationVar(&f.lease, "lease-duration", 15*time.Second, "how long other replicas wait for a leader that does not renew its lease")
}

func (f *controllerFlags) options(flags *pflag.FlagSet) (controllerOptions, error) {
	p, err := f.publishFlags.options(flags)
	errs := []error{err}
	if f.debounce < 0 {
		errs = append(errs, errors.New("--debounce: must not be negative"))
	}
	if f.resync < time.Second {
		errs = append(errs, errors.New("--resync: must be at least 1s"))
	}
	if f.lease < 3*time.Second {
		errs = append(errs, errors.New("--lease-duration: must be at least 3s"))
	}
	if err := errors.Join(errs...); err != nil {
		return controllerOptions{}, usageError(err)
	}
	return controllerOptions{
		publishOptions: p,
		controller: controller.Options{
			Publish: p.publish, Debounce: f.debounce, Resync: f.resync, SyncTimeout: f.timeout,
			// The proportions that Kubernetes' own components use.
			Lease: controller.Lease{Duration: f.lease, Deadline: f.lease * 2 / 3, Retry: f.lease * 2 / 15},
		},
		listen: f.listen, log: f.log,
	}, nil
}

func (o controllerOptions) run(ctx context.Context) error {
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(entries{o.streams.Err})))
	o.log(logger)
	ctx = klog.NewContext(ctx, logger)
	config, namespace, err := o.connect()
	if err != nil {
		return err
	}
	// They are for the server as it is now; another version is noticed at the next start.
	chosen, err := o.chooseEngines(ctx, config)
	if err != nil {
		return err
	}
	o.controller.Publish.Engines, o.controller.Publish.Minor = chosen.build(), chosen.options.minor
	c, err := o.prepare(config, namespace)
	if err != nil {
		return failureError(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return failureError(fmt.Errorf("listening on %s: %w", o.listen, err))
	}
	klog.FromContext(ctx).Info("Starting", "version", thisBuild().Version, "reportNamespace", namespace, "level", o.publish.Level, "engines", chosen.names, "notes", chosen.notes, "address", listener.Addr().String())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: shutdownTimeout}
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- server.Serve(listener)
	}()
	err = c.Run(ctx)
	stopping, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer stop()
	err = errors.Join(err, server.Shutdown(stopping))
	if serving := <-served; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serving on %s: %w", o.listen, serving))
	}
	if err != nil {
		return failureError(err)
	}
	return nil
}

// prepare puts the controller together.
func (o controllerOptions) prepare(config *rest.Config, namespace string) (*controller.Controller, error) {
	requests := controller.NewRequests()
	requests.Count(config)
	watcher, err := cluster.NewWatcher(config, o.publish.Scope)
	if err != nil {
		return nil, err
	}
	writer, err := publish.NewWriter(config, namespace)
	if err != nil {
		return nil, err
	}
	// A lease that waits for other requests is a lease that is lost.
	forLeases := rest.CopyConfig(config)
	forLeases.UserAgent += "/leader-election"
	// Nor may one request take all the time that there is to renew it; client-go limits
	// renewing only, not acquiring.
	forLeases.Timeout = o.controller.Lease.Deadline / 2
	leases, err := coordinationv1client.NewForConfig(forLeases)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("reading the host name: %w", err)
	}
	options, build := o.controller, thisBuild()
	options.Requests, options.Version, options.Commit = requests, build.Version, build.Commit
	options.Lease.Lock = &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}, Client: leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}
	options.Ping = func(ctx context.Context) error {
		_, err := server.ServerVersionWithContext(ctx)
		return err //nolint:wrapcheck // wrapped where it is reported
	}
	c := controller.New(watcher, writer, options)
	watcher.Changed = c.Changed
	return c, nil
}

// maxEntry is how long an entry of the log may be.
const maxEntry = 4000

// entries writes each entry of a log as one line, whatever it quotes.
type entries struct{ io.Writer }

// Write implements io.Writer, for one entry at a time.
func (w entries) Write(entry []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, printable.Line(string(entry), maxEntry)+"\n"); err != nil {
		return 0, err //nolint:wrapcheck // as the writer has it
	}
	return len(entry), nil
}
