package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	"github.com/spf13/pflag"
)

// manifestFlags say which manifests are read, beside --filename, and how.
type manifestFlags struct {
	kustomizations []string
	validate       string
}

func (f *manifestFlags) addTo(flags *pflag.FlagSet) {
	flags.StringSliceVarP(&f.kustomizations, "kustomize", "k", nil, "directory whose kustomization is rendered and read; repeatable, also beside --filename")
	flags.StringVar(&f.validate, "validate", string(manifest.ValidateWarn), "what becomes of unknown and duplicate fields in manifests: strict refuses them, warn reports them, ignore does nothing")
	flags.Lookup("validate").NoOptDefVal = string(manifest.ValidateStrict)
}

// check returns all that is wrong with the flags. Given without manifests, each
// says so.
func (f *manifestFlags) check(given *pflag.FlagSet, files []string) error {
	var errs []error
	if _, err := f.validation(); err != nil {
		errs = append(errs, err)
	}
	if len(files)+len(f.kustomizations) > 0 {
		return errors.Join(errs...)
	}
	for _, name := range []string{"validate"} {
		if given.Changed(name) {
			errs = append(errs, fmt.Errorf("--%s: needs --filename or --kustomize", name))
		}
	}
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
	validation, err := o.manifests.validation()
	if err != nil {
		return nil, usageError(err)
	}
	obs, err := manifest.Read(ctx, o.files, manifest.Options{
		Recursive: o.recursive, SkipInvalid: o.skipInvalid, Validation: validation,
		Kustomizations: o.manifests.kustomizations, In: o.streams.In,
	}, o.scope)
	if err != nil {
		return nil, readError(err)
	}
	return obs, nil
}

// readError is an error of reading manifests: bad input, unless it took too long.
func readError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return failureError(fmt.Errorf("%w: give it more time with --timeout", err))
	}
	return usageError(err)
}

// maxWarnings is how many warnings about files are printed.
const maxWarnings = 20

// firstWarnings returns the first few warnings, and how many there are besides.
func firstWarnings(warnings []observe.Warning) []string {
	var lines []string
	for _, w := range warnings[:min(len(warnings), maxWarnings)] {
		lines = append(lines, w.String())
	}
	if more := len(warnings) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more about manifests", more))
	}
	return lines
}
