package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/image"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// imageFlags say which images are read, and how.
type imageFlags struct {
	sources  []string
	layers   bool
	platform string
	cache    string
}

func (f *imageFlags) addTo(cmd *cobra.Command, env environment) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.sources, "image-config", nil, "read what images are configured to: from their registry, or from an OCI layout or a tar of docker save; repeatable")
	flags.Lookup("image-config").NoOptDefVal = image.Registry
	flags.BoolVar(&f.layers, "image-layers", false, "with --image-config: also read the layers of images, for setuid files")
	flags.StringVar(&f.platform, "image-platform", "linux/amd64", "with --image-config: platform of images for several platforms")
	flags.StringVar(&f.cache, "image-cache", "", "with --image-config: directory for what registries return by digest; empty for none (default in the user's cache directory)")
	env.completeFiles(cmd, "image-config")
	env.completeDirectories(cmd, "image-cache")
}

// reader returns the reader of images, or all that is wrong with the flags; nil if no
// images are read.
func (f *imageFlags) reader(given *pflag.FlagSet) (*image.Reader, error) {
	if len(f.sources) == 0 {
		var errs []error
		for _, name := range []string{"image-layers", "image-platform", "image-cache"} {
			if given.Changed(name) {
				errs = append(errs, fmt.Errorf("--%s: requires --image-config", name))
			}
		}
		return nil, errors.Join(errs...)
	}
	cache := f.cache
	if !given.Changed("image-cache") {
		if dir, err := os.UserCacheDir(); err == nil {
			cache = filepath.Join(dir, "psp-advisor", "images")
		}
	}
	reader, err := image.NewReader(image.Options{Sources: f.sources, Layers: f.layers, Platform: f.platform, CacheDir: cache})
	if err != nil {
		return nil, fmt.Errorf("--image-config: %w", err)
	}
	return reader, nil
}

// readImages returns what is known about the images of an observation, and the errors of
// those that could not be read.
func readImages(ctx context.Context, reader *image.Reader, obs *observe.Observation) (map[string]image.Facts, map[string]error) {
	if reader == nil {
		return nil, nil
	}
	return reader.ReadAll(ctx, report.ImagesOf(obs))
}

// maxDockerfile is how large a Dockerfile may be, in bytes.
const maxDockerfile = 1 << 20

// dockerfile is a Dockerfile, and what is wrong with it.
type dockerfile struct {
	name    string
	results []image.Result
}

// readDockerfiles reads those of the files that are Dockerfiles by their name, and
// returns the others.
func readDockerfiles(files []string) (list []dockerfile, others []string, err error) {
	for _, file := range files {
		if strings.Contains(file, "://") || !image.IsDockerfile(filepath.Base(file)) || isDirectory(file) {
			others = append(others, file)
			continue
		}
		data, err := readLimited(file, maxDockerfile)
		if err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", file, err)
		}
		results, err := image.Dockerfile(data)
		if err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", file, err)
		}
		list = append(list, dockerfile{file, results})
	}
	return list, others, nil
}

func isDirectory(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.IsDir()
}

// readLimited reads a file, which is an error if it is larger than limit bytes.
func readLimited(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err //nolint:wrapcheck // it says which file
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return data, err
}
