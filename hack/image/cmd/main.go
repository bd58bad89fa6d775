// Command cmd writes the advisor's container image without a container engine:
// the image that the Dockerfile describes, in the layout of `docker save`. Build
// the binary first, for the platform that the image is for.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/psp-advisor/psp-advisor/hack/image"
)

func main() {
	binary := flag.String("binary", "bin/advisor", "static binary to put in")
	name := flag.String("name", "psp-advisor:latest", "name of the image")
	version := flag.String("version", "", "version of the advisor, for the image's labels")
	revision := flag.String("revision", "", "commit of the advisor, for the image's labels")
	out := flag.String("o", "bin/advisor.tar", "archive to write")
	flag.Parse()
	if err := write(image.Advisor(*name, *binary, *version, *revision), *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(3)
	}
	fmt.Printf(`%[1]s holds image %[2]s. Take it to the cluster in one of these ways:
  registry   skopeo copy docker-archive:%[1]s docker://REGISTRY/%[2]s
  kind       kind load image-archive %[1]s
  a node     ctr --namespace k8s.io images import %[1]s
`, *out, *name)
}

func write(i image.Image, path string) (err error) {
	f, err := os.Create(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return fmt.Errorf("writing the image: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = i.WriteTo(f)
	return err
}
