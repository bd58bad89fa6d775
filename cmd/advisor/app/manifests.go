package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/spf13/pflag"
)

// manifestFlags say which manifests are read, beside --filename, and how.
type manifestFlags struct {
	kustomizations []string
}

func (f *manifestFlags) addTo(flags *pflag.FlagSet) {
	flags.StringSliceVarP(&f.kustomizations, "kustomize", "k", nil, "directory whose kustomization is rendered and read; repeatable, also beside --filename")
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
