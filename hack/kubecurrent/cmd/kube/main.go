// Command kube is a current kube-apiserver. As with the 1.24 binary beside it, its
// name says which component it is; the only one that it knows is kube-apiserver, as
// the other components of a test cluster may be older.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if name := filepath.Base(os.Args[0]); name != "kube-apiserver" {
		fmt.Fprintf(os.Stderr, "called as %q: this binary is kube-apiserver only\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
