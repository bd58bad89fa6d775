package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// observeFlags say what is observed and at which level; inspect, publish and
// controller share them.
type observeFlags struct {
	config            *genericclioptions.ConfigFlags
	namespaces        []string
	excludeNamespaces []string
	selector          string
	sources           []string
	level             string
	timeout           time.Duration
	ephemeral         bool
	allowPartial      bool
}

func newObserveFlags() *observeFlags {
	config := genericclioptions.NewConfigFlags(true)
	// Ours is repeatable, and none means all.
	config.Namespace = nil
	return &observeFlags{config: config}
}

func (f *observeFlags) addTo(flags *pflag.FlagSet) {
	f.config.AddFlags(flags)
	flags.StringSliceVarP(&f.namespaces, "namespace", "n", nil, "namespace to observe; repeatable, none means all")
	flags.StringSliceVar(&f.excludeNamespaces, "exclude-namespaces", nil, "namespaces to leave out")
	flags.StringVarP(&f.selector, "selector", "l", "", "label selector for pods, and for the pods that templates make")
	flags.StringSliceVar(&f.sources, "source", []string{"pods", "templates"}, "what counts: pods, templates or both")
	flags.StringVar(&f.level, "level", string(aggregate.ByWorkload), "one policy per workload, serviceaccount, namespace or cluster")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long observing a cluster may take; 0 means no limit")
	flags.BoolVar(&f.ephemeral, "ephemeral-containers", false, "let debug containers count; a pod that is created again has none")
	flags.BoolVar(&f.allowPartial, "allow-partial", false, "go on when something may not be observed, and say what")
}

// meaningful flags do the opposite of what is wanted when they are given without
// a value, as by a script whose variable is not set.
var meaningful = []string{"namespace", "filename", "output-dir"}

// scope checks the flags and returns all that is wrong with them.
func (f *observeFlags) scope(flags *pflag.FlagSet) (observe.Scope, aggregate.Level, error) {
	o := observe.Scope{
		Namespaces: f.namespaces, ExcludedNamespaces: f.excludeNamespaces, EphemeralContainers: f.ephemeral,
	}
	var errs []error
	for _, name := range meaningful {
		if flag := flags.Lookup(name); flag != nil && flag.Changed && slices.Contains([]string{"", "[]"}, flag.Value.String()) {
			errs = append(errs, fmt.Errorf("--%s: must not be empty", name))
		}
	}
	for _, n := range f.namespaces {
		if slices.Contains(f.excludeNamespaces, n) {
			errs = append(errs, fmt.Errorf("--exclude-namespaces: %q is asked for by --namespace", n))
		}
	}
	errs = append(errs, checkNamespaces("--namespace", f.namespaces...), checkNamespaces("--exclude-namespaces", f.excludeNamespaces...))
	if f.selector != "" {
		selector, err := labels.Parse(f.selector)
		if err != nil {
			errs = append(errs, fmt.Errorf("--selector: %w", err))
		}
		o.Selector = selector
	}
	for _, s := range f.sources {
		switch s {
		case "pods":
			o.Pods = true
		case "templates":
			o.Templates = true
		default:
			errs = append(errs, fmt.Errorf("--source: unknown source %q: want pods or templates", s))
		}
	}
	if len(f.sources) == 0 {
		errs = append(errs, errors.New("--source: want pods, templates or both"))
	}
	level, err := aggregate.ParseLevel(f.level)
	if err != nil {
		errs = append(errs, fmt.Errorf("--level: %w", err))
	}
	if f.timeout < 0 {
		errs = append(errs, errors.New("--timeout: must not be negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return observe.Scope{}, "", usageError(err)
	}
	return o, level, nil
}

// checkNamespaces says which values of a flag cannot name a namespace.
func checkNamespaces(flag string, names ...string) error {
	var errs []error
	for _, n := range names {
		if problems := validation.IsDNS1123Label(n); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s %q: %s", flag, n, strings.Join(problems, ", ")))
		}
	}
	return errors.Join(errs...)
}

var errNoCluster = errors.New("no cluster is configured: name one with --kubeconfig or --server")

// restConfig returns how to reach the cluster: as kubectl does, but without its
// last resort, a server on this machine.
func (f *observeFlags) restConfig() (*rest.Config, error) {
	config, err := f.config.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	raw, err := f.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, err
	}
	if len(raw.Clusters) == 0 && config.Host == clientcmd.ClusterDefaults.Server && *f.config.APIServer == "" {
		return nil, errNoCluster
	}
	return config, nil
}

// deadline returns ctx with the timeout, if there is one.
func (f *observeFlags) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.timeout)
}

// progress returns a function that shows on w how far listing has come, if w is
// a terminal, and one that wipes the line again.
func progress(w io.Writer) (show func(resource string, n int), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string, int) {}, func() {}
	}
	const wipe = "\r\x1b[K"
	return func(resource string, n int) { fmt.Fprintf(f, wipe+"listing %s: %d", resource, n) }, //nolint:errcheck // only a progress line
		func() { fmt.Fprint(f, wipe) } //nolint:errcheck // only a progress line
}
