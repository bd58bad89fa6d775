package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manifestFlags say which manifests are read, beside --filename, and how.
type manifestFlags struct {
	kustomizations []string
	validate       string
	unknownKinds   string
	// strict fails if objects that run pods are skipped.
	strict bool
	// skipInvalid goes on past what cannot be read.
	skipInvalid bool
}

func (f *manifestFlags) addTo(cmd *cobra.Command, env environment) {
	cmd.Flags().StringSliceVarP(&f.kustomizations, "kustomize", "k", nil, "kustomization directory to render and read; repeatable, also with --filename")
	env.completeDirectories(cmd, "kustomize")
	f.addReading(cmd, env)
}

// addReading adds the flags that say how manifests are read.
func (f *manifestFlags) addReading(cmd *cobra.Command, env environment) {
	flags := cmd.Flags()
	flags.StringVar(&f.validate, "validate", string(manifest.ValidateWarn), "how to handle unknown and duplicate fields in manifests: strict fails, warn prints warnings, ignore ignores them")
	flags.Lookup("validate").NoOptDefVal = string(manifest.ValidateStrict)
	flags.StringVar(&f.unknownKinds, "unknown-kinds", string(manifest.NameUnknown), "how to handle manifests of other kinds that run pods, such as Rollout: name reports them, read reads their pod templates")
	flags.BoolVar(&f.strict, "strict", false, "exit 2 if objects that run pods are skipped")
	flags.BoolVar(&f.skipInvalid, "skip-invalid", false, "skip documents that cannot be read, and report them")
	env.completeWords(cmd, "validate", string(manifest.ValidateStrict), string(manifest.ValidateWarn), string(manifest.ValidateIgnore))
	env.completeWords(cmd, "unknown-kinds", string(manifest.NameUnknown), string(manifest.ReadUnknown))
}

// check returns all that is wrong with the flags beside those of addReading. Given
// without manifests, each says so.
func (f *manifestFlags) check(given *pflag.FlagSet, files []string) error {
	var errs []error
	if len(files)+len(f.kustomizations) > 0 {
		errs = append(errs, checkConnection(given, len(files) > 0))
		return errors.Join(errs...)
	}
	for _, name := range []string{"validate", "unknown-kinds", "strict"} {
		if given.Changed(name) {
			errs = append(errs, fmt.Errorf("--%s: requires --filename or --kustomize", name))
		}
	}
	return errors.Join(errs...)
}

// reading returns how manifests are read, and all that is wrong with the flags of
// addReading.
func (f *manifestFlags) reading() (manifest.Options, error) {
	validation, err := f.validation()
	if !slices.Contains([]string{string(manifest.NameUnknown), string(manifest.ReadUnknown)}, f.unknownKinds) {
		err = errors.Join(err, fmt.Errorf("--unknown-kinds: unknown value %q: want name or read", f.unknownKinds))
	}
	return manifest.Options{SkipInvalid: f.skipInvalid, Validation: validation, UnknownKinds: manifest.UnknownKinds(f.unknownKinds)}, err
}

// checkConnection returns an error for each flag of the connection that was given:
// manifests are read without one.
func checkConnection(given *pflag.FlagSet, files bool) error {
	manifests := "--kustomize"
	if files {
		manifests = "--filename"
	}
	var errs []error
	given.Visit(func(flag *pflag.Flag) {
		if _, ok := flag.Annotations[connectionKey]; ok {
			errs = append(errs, fmt.Errorf("--%s: cannot be combined with %s, which reads no cluster", flag.Name, manifests))
		}
	})
	return errors.Join(errs...)
}

// validation returns what --validate asks for. As for kubectl, true is strict and
// false is ignore.
func (f *manifestFlags) validation() (manifest.Validation, error) {
	switch f.validate {
	case "strict", "true":
		return manifest.ValidateStrict, nil
	case "warn":
		return manifest.ValidateWarn, nil
	case "ignore", "false":
		return manifest.ValidateIgnore, nil
	default:
		return "", fmt.Errorf("--validate: unknown value %q: want strict, warn or ignore", f.validate)
	}
}

// read reads the manifests.
func (o inspectOptions) read(ctx context.Context) (*observe.Observation, error) {
	reading := o.reading
	reading.Recursive, reading.Kustomizations, reading.In = o.recursive, o.manifests.kustomizations, o.streams.In
	obs, err := manifest.Read(ctx, o.files, reading, o.scope)
	if err != nil {
		return nil, readError(err)
	}
	return obs, nil
}

// readError is an error of reading manifests: bad input, unless it took too long.
func readError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return failureError(fmt.Errorf("%w: increase --timeout", err))
	}
	return usageError(err)
}

// maxWarnings is how many warnings about files are printed.
const maxWarnings = 20

// warningLines returns the first few warnings, and how many more there are.
func warningLines(warnings []observe.Warning) []string {
	var lines []string
	for _, w := range warnings[:min(len(warnings), maxWarnings)] {
		lines = append(lines, "warning: "+w.String())
	}
	if more := len(warnings) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("warning: %d more warnings about manifests", more))
	}
	return lines
}

// notes returns what to know about the manifests, a line each.
func (f *manifestFlags) notes(obs *observe.Observation) []string {
	lines := slices.Concat(warningLines(obs.Warnings), f.unreadLines(obs.Unread))
	if line := missingLine(obs.UnknownOwners); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// unreadLines returns a line for each object that runs pods and was not read, and
// one for all others.
func (f *manifestFlags) unreadLines(list []observe.Unread) []string {
	var lines, kinds []string
	others, running := 0, 0
	for _, u := range list {
		for _, place := range u.Places {
			lines = append(lines, fmt.Sprintf("skipped: %s %s: the policies do not cover its pods", u, place))
		}
		running += len(u.Places)
		if n := u.Objects - len(u.Places); n > 0 {
			others += n
			kinds = append(kinds, u.String())
		}
	}
	if running > 0 && f.unknownKinds != string(manifest.ReadUnknown) {
		lines = append(lines, report.Count(running, "object")+" skipped although "+
			byCount(running, "its kind runs pods: set --unknown-kinds=read to read its pod template", "their kinds run pods: set --unknown-kinds=read to read their pod templates"))
	}
	if others > 0 {
		lines = append(lines, report.Count(others, "object")+" skipped, of kinds that are not read: "+generate.FirstFew(kinds))
	}
	return lines
}

// byCount returns the words for one object, or those for several.
func byCount(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// missingLine returns a line about the kinds of the owners of pods that the manifests
// do not hold; empty if they hold all.
func missingLine(owners []aggregate.Workload) string {
	count := map[string]int{}
	for _, w := range owners {
		count[w.Kind]++
	}
	var found, resources []string
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		found = append(found, report.Count(count[kind], kind))
		resources = append(resources, strings.ToLower(kind)+"s")
	}
	if len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("missing owners of pods: %s: add %s to the manifests", strings.Join(found, ", "), strings.Join(resources, " and "))
}

// checkUnread returns an error, with --strict, if something that runs pods was not
// read.
func (f *manifestFlags) checkUnread(list []observe.Unread) error {
	n := 0
	for _, u := range list {
		n += len(u.Places)
	}
	if n == 0 || !f.strict {
		return nil
	}
	remedy := byCount(n, "remove it from the input", "remove them from the input")
	if f.unknownKinds != string(manifest.ReadUnknown) {
		remedy = "set --unknown-kinds=read, or " + remedy
	}
	return usageError(fmt.Errorf("--strict: %s skipped although %s, see above: %s",
		report.Count(n, "object"), byCount(n, "it runs pods", "they run pods"), remedy))
}
