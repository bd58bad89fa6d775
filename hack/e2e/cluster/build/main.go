// Command build builds the Kubernetes releases that test clusters run, unless
// that is done already.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

func main() {
	for _, release := range []cluster.Release{cluster.PSPRelease, cluster.CurrentRelease} {
		if _, err := cluster.Build(context.Background(), release); err != nil {
			fmt.Fprintln(os.Stderr, "build:", err)
			os.Exit(3)
		}
	}
}
