// Command image writes the advisor's container image without a container engine:
// the one that the Dockerfile describes, in the layout of `docker save`. Build
// bin/advisor first.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

func main() {
	binary := flag.String("binary", "bin/advisor", "static binary to put in")
	name := flag.String("name", "psp-advisor:latest", "name of the image")
	out := flag.String("o", "bin/advisor.tar", "archive to write")
	flag.Parse()
	if err := write(cluster.Image{Name: *name, Binary: *binary, User: "65534:65534"}, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func write(image cluster.Image, path string) (err error) {
	f, err := os.Create(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = image.WriteTo(f)
	return err
}
