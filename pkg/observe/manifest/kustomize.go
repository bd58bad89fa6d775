package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// errKustomization is the problem of a kustomization where files are expected.
var errKustomization = errors.New("this is a kustomization: pass its directory with --kustomize")

func isKustomization(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), name)
}

func hasKustomization(dir string) bool {
	return slices.ContainsFunc(konfig.RecognizedKustomizationFileNames(), func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && !info.IsDir()
	})
}

// readKustomization renders a kustomization, as kubectl's -k does, and reads the
// result. Nothing is executed: plugins are disabled, and remote resources refused.
func (r *reader) readKustomization(ctx context.Context, dir string) error {
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("reading kustomizations: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("reading %s: not a directory", dir)
	}
	data, err := load(ctx, false, func() (io.ReadCloser, error) { return render(dir) })
	return r.readLoaded(ctx, dir+" (rendered)", data, err)
}

func render(dir string) (io.ReadCloser, error) {
	// An absolute path is never taken for a repository.
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	files := &localFiles{FileSystem: filesys.MakeFsOnDisk()}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, root)
	if files.err != nil {
		return nil, files.err
	}
	if err != nil {
		return nil, err
	}
	data, err := resources.AsYaml()
	return io.NopCloser(bytes.NewReader(data)), err
}

// localFiles is the file system that a kustomization is read from.
type localFiles struct {
	filesys.FileSystem
	// err is the last problem of a file that exists: kustomize goes on after it,
	// and ends with another one.
	err error
}

// ReadFile implements filesys.FileSystem: files have the limits of others, and
// kustomizations name no remote resources.
func (f *localFiles) ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		// It is tried as something else then.
		return f.FileSystem.ReadFile(path)
	}
	data, err := readLocal(path, info)
	if err != nil {
		f.err = fmt.Errorf("reading %s: %w", path, err)
	}
	return data, err
}

func readLocal(path string, info os.FileInfo) ([]byte, error) {
	switch {
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	case info.Size() > maxFile:
		return nil, errTooLarge
	}
	data, err := os.ReadFile(path) //nolint:gosec // of the directory that the user names
	if err != nil {
		return nil, err
	}
	for _, d := range documents(data) {
		if err := checkAliases(d.text); err != nil {
			return nil, err
		}
	}
	if isKustomization(filepath.Base(path)) {
		err = checkLocal(data)
	}
	return data, err
}

// remote matches what kustomize clones or downloads (api/internal/git/repospec.go,
// NewRepoSpecFromURL; api/internal/loader/fileloader.go, IsRemoteFile).
var remote = regexp.MustCompile(`(?i)^(git::)?((ssh|https?|file)://|[a-z][a-z0-9-]*@|github\.com[/:])`)

// checkLocal returns an error for a kustomization with a remote resource, which
// takes git to fetch.
func checkLocal(data []byte) error {
	var k struct {
		Resources, Bases, Components, Generators, Transformers, Validators []string
	}
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil //nolint:nilerr // kustomize says it better
	}
	for _, resource := range slices.Concat(k.Resources, k.Bases, k.Components, k.Generators, k.Transformers, k.Validators) {
		if remote.MatchString(resource) {
			return fmt.Errorf("%q is remote: render it first: kustomize build DIR | advisor inspect -f -", resource)
		}
	}
	return nil
}
