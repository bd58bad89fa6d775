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
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// scopeFlags say what is observed.
type scopeFlags struct {
	*connectionFlags
	namespaces        []string
	allNamespaces     bool
	excludeNamespaces []string
	selector          string
	sources           []string
	timeout           time.Duration
	ephemeral         bool
	allowPartial      bool
}

// observeFlags say what is observed, and for which policies; inspect, publish and
// controller share them.
type observeFlags struct {
	scopeFlags
	engine engineFlags
	level  string
}

func newObserveFlags(env environment) *observeFlags {
	return &observeFlags{scopeFlags: scopeFlags{connectionFlags: newConnectionFlags(env)}}
}

func (f *observeFlags) addTo(cmd *cobra.Command) {
	f.scopeFlags.addTo(cmd)
	cmd.Flags().StringVar(&f.level, "level", string(aggregate.ByWorkload), "one policy per workload, serviceaccount, namespace or cluster")
	f.engine.addTo(cmd, f.environment)
	var levels []string
	for _, level := range aggregate.Levels() {
		levels = append(levels, string(level))
	}
	f.completeWords(cmd, "level", levels...)
}

func (f *scopeFlags) addTo(cmd *cobra.Command) {
	f.connectionFlags.addTo(cmd)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.namespaces, "namespace", "n", nil, "namespace to observe; repeatable; the current context's namespace is ignored (default all)")
	flags.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "observe all namespaces, as without --namespace")
	flags.StringSliceVar(&f.excludeNamespaces, "exclude-namespaces", nil, "namespaces to exclude")
	flags.StringVarP(&f.selector, "selector", "l", "", "label selector for pods, and for the pods that templates create")
	flags.StringSliceVar(&f.sources, "source", []string{observe.SourcePods, observe.SourceTemplates}, "objects to observe: pods, templates or both")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long observing may take; 0 means no limit")
	flags.BoolVar(&f.ephemeral, "ephemeral-containers", false, "include ephemeral (debug) containers; a recreated pod has none")
	flags.BoolVar(&f.allowPartial, "allow-partial", false, "go on even if some objects cannot be observed, and report the gaps")
	f.completeNamespaces(cmd, "namespace")
	f.completeNamespaces(cmd, "exclude-namespaces")
	f.completeWords(cmd, "source", observe.SourcePods, observe.SourceTemplates)
}

// nonEmptyFlags are flags that would do the opposite of what is wanted if they were set
// to an empty value, as by a script whose variable is not set.
var nonEmptyFlags = []string{"namespace", "report-namespace", "filename", "kustomize", "output-dir", "output-file", "source-name", "server-version", "within", "against", "remedies"}

// checkNonEmpty returns an error for each of nonEmptyFlags that is set to an empty value.
func checkNonEmpty(flags *pflag.FlagSet) error {
	var errs []error
	for _, name := range nonEmptyFlags {
		if flag := flags.Lookup(name); flag != nil && flag.Changed && slices.Contains([]string{"", "[]"}, flag.Value.String()) {
			errs = append(errs, fmt.Errorf("--%s: must not be empty", name))
		}
	}
	return errors.Join(errs...)
}

// scope checks the flags and returns all that is wrong with them.
func (f *observeFlags) scope(flags *pflag.FlagSet) (observe.Scope, aggregate.Level, error) {
	scope, err := f.scopeFlags.scope(flags)
	level, unknown := aggregate.ParseLevel(f.level)
	if unknown != nil {
		err = errors.Join(err, fmt.Errorf("--level: %w", unknown))
	}
	if err != nil {
		return observe.Scope{}, "", usageError(err)
	}
	return scope, level, nil
}

// scope checks the flags and returns all that is wrong with them.
func (f *scopeFlags) scope(flags *pflag.FlagSet) (observe.Scope, error) {
	o := observe.Scope{
		Namespaces: f.namespaces, ExcludedNamespaces: f.excludeNamespaces, EphemeralContainers: f.ephemeral,
	}
	errs := []error{checkNonEmpty(flags)}
	switch {
	case f.allNamespaces && len(f.namespaces) > 0:
		errs = append(errs, errors.New("--all-namespaces: cannot be combined with --namespace"))
	case !f.allNamespaces && flags.Changed("all-namespaces"):
		errs = append(errs, errors.New("--all-namespaces: name the namespaces with --namespace instead"))
	}
	for _, n := range f.namespaces {
		if slices.Contains(f.excludeNamespaces, n) {
			errs = append(errs, fmt.Errorf("--exclude-namespaces: %q is also in --namespace: remove it from one of them", n))
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
		case observe.SourcePods:
			o.Pods = true
		case observe.SourceTemplates:
			o.Templates = true
		default:
			errs = append(errs, fmt.Errorf("--source: unknown source %q: want pods or templates", s))
		}
	}
	if len(f.sources) == 0 {
		errs = append(errs, errors.New("--source: must not be empty: want pods, templates or both"))
	}
	if f.timeout < 0 {
		errs = append(errs, errors.New("--timeout: must not be negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return observe.Scope{}, usageError(err)
	}
	return o, nil
}

// orList joins words as a choice: "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// checkNamespaces returns an error for each value of a flag that cannot name a namespace.
func checkNamespaces(flag string, names ...string) error {
	var errs []error
	for _, n := range names {
		if problems := validation.IsDNS1123Label(n); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s: invalid namespace %q: %s", flag, n, strings.Join(problems, ", ")))
		}
	}
	return errors.Join(errs...)
}

// deadline returns ctx with the timeout, if there is one.
func (f *scopeFlags) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.timeout)
}

// progress returns a function that shows on w how far listing has come, if w is
// a terminal, and one that clears the line.
func progress(w io.Writer) (show func(resource string, n int), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string, int) {}, func() {}
	}
	const clearLine = "\r\x1b[K"
	return func(resource string, n int) { fmt.Fprintf(f, clearLine+"listing %s: %d", resource, n) }, //nolint:errcheck // only a progress line
		func() { fmt.Fprint(f, clearLine) } //nolint:errcheck // only a progress line
}
