package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/kio"
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
	return r.readSource(ctx, dir+" (rendered)", func() (io.ReadCloser, error) { return render(dir) })
}

func render(dir string) (_ io.ReadCloser, err error) {
	// kustomize panics on some input, such as an empty file of crds.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("rendering the kustomization: kustomize failed: %v", p)
		}
	}()
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

// CleanedAbs implements filesys.FileSystem: kustomize asks for the real path of a file
// before it reads it, and only here does a kustomization that is a link still have
// its name.
func (f *localFiles) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	dir, name, err := f.FileSystem.CleanedAbs(path)
	if err != nil || name == "" || !isKustomization(filepath.Base(path)) {
		return dir, name, err
	}
	data, err := f.ReadFile(dir.Join(name))
	if err == nil {
		if err = checkLocal(filepath.Dir(path), data); err != nil {
			err = fmt.Errorf("reading %s: %w", path, err)
			f.err = err
		}
	}
	return dir, name, err
}

// ReadFile implements filesys.FileSystem: files have the limits of others.
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
	for _, d := range documents(data, &position{}) {
		if err := checkAliases(d.text); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// remote matches what kustomize clones or downloads (api/internal/git/repospec.go,
// NewRepoSpecFromURL; api/internal/loader/fileloader.go, IsRemoteFile).
var remote = regexp.MustCompile(`(?i)^(git::)?((ssh|https?|file)://|[a-z][a-z0-9-]*@|github\.com[/:])`)

// plainFields are the fields, of kustomizations and of plugins, that kustomize takes
// for neither a path nor a URL. Their names are compared as they are: kustomize also
// knows a field in capitals, which is checked then.
var plainFields = []string{
	"annotations", "commonAnnotations", "commonLabels", "imageTags", "images", "labels",
	"literals", "metadata", "namePrefix", "nameSuffix", "patch", "sourceValue",
}

// inFiles matches the fields whose paths can have a name before them.
var inFiles = regexp.MustCompile(`(?i)(^|\.)files(\[\d+\])?$`)

// checkLocal returns an error for a kustomization in dir that has kustomize clone or
// download something. Whatever the field, kustomize downloads a path that is a URL.
func checkLocal(dir string, data []byte) error {
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil //nolint:nilerr // kustomize says it better
	}
	if err := checkValue("", k); err != nil {
		return err
	}
	for key, value := range k {
		if !slices.ContainsFunc([]string{"generators", "transformers", "validators"}, func(field string) bool { return strings.EqualFold(key, field) }) {
			continue
		}
		list, _ := value.([]any)
		for i, item := range list {
			if text, ok := item.(string); ok {
				if err := checkPlugin(fmt.Sprintf("%s[%d]", key, i), dir, text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkPlugin checks the configuration of a plugin: text is the path of a file with it,
// or is the configuration itself.
func checkPlugin(field, dir, text string) error {
	path := text
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if err := checkConfigurations(field, []byte(text)); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil //nolint:nilerr // no path, or kustomize says it better
	case info.IsDir():
		// What its kustomization makes of the plugins is known only after they ran.
		return fmt.Errorf("%s: %q is a directory: list its files, or render it first: kustomize build DIR | advisor inspect -f -", field, text)
	}
	data, err := readLocal(path, info)
	if err != nil {
		return fmt.Errorf("%s: %q: %w", field, text, err)
	}
	return checkConfigurations(fmt.Sprintf("%s: %q", field, text), data)
}

// checkConfigurations reads objects as kustomize does.
func checkConfigurations(field string, data []byte) error {
	objects, err := kio.FromBytes(data)
	if err != nil {
		return nil //nolint:nilerr // kustomize says it better
	}
	for _, o := range objects {
		text, err := o.String()
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if err := checkValue(field, value); err != nil {
			return err
		}
	}
	return nil
}

// checkValue returns an error for the value of a field that has something remote in it.
func checkValue(field string, value any) error {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if slices.Contains(plainFields, key) {
				continue
			}
			inner := strings.TrimPrefix(field+"."+key, ".")
			if err := checkValue(inner, v[key]); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := checkValue(fmt.Sprintf("%s[%d]", field, i), item); err != nil {
				return err
			}
		}
	case string:
		_, path, _ := strings.Cut(v, "=") // NAME=PATH in the files of a generator
		if remote.MatchString(v) || inFiles.MatchString(field) && remote.MatchString(path) {
			return fmt.Errorf("%s: %q is remote: render it first: kustomize build DIR | advisor inspect -f -", field, v)
		}
	}
	return nil
}
