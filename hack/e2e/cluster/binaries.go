package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Release is a Kubernetes release that this package can run.
type Release string

const (
	// PSPRelease is the last one that serves and enforces PodSecurityPolicy.
	PSPRelease Release = "v1.24.17"
	// CurrentRelease has an API server only; the rest of its cluster is of
	// PSPRelease.
	CurrentRelease Release = "v1.37.2"
)

// module is the directory that builds a release and the parts that it holds.
func (r Release) module() (directory string, parts []string, err error) {
	switch r {
	case PSPRelease:
		return "kube124", []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}, nil
	case CurrentRelease:
		return "kubecurrent", []string{"kube-apiserver"}, nil
	}
	return "", nil, fmt.Errorf("finding the module of release %q: unknown release", r)
}

// binaries are directories with one link per part of Kubernetes.
type binaries struct {
	psp    string // of PSPRelease: everything but, perhaps, the API server
	server string // of the wanted release: kube-apiserver
}

func findBinaries(ctx context.Context, release Release) (b binaries, err error) {
	if b.psp, err = Build(ctx, PSPRelease); err != nil {
		return b, err
	}
	b.server, err = Build(ctx, release)
	return b, err
}

// Build returns the directory with the binaries of a release. It compiles them
// into the repository's cache, which takes minutes, unless they are there and
// made from the same sources.
func Build(ctx context.Context, release Release) (string, error) {
	directory, parts, err := release.module()
	if err != nil {
		return "", err
	}
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "hack", directory)
	hash, err := hashSources(source)
	if err != nil {
		return "", err
	}
	cache := filepath.Join(root, ".cache", "kube")
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return "", fmt.Errorf("creating the cache: %w", err)
	}
	unlock, err := lock(filepath.Join(cache, directory+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	target := filepath.Join(cache, directory+"-"+hash)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	return target, build(ctx, release, source, target, parts)
}

// build fills a new directory and gives it its name last, so that an
// interrupted build is never taken for a whole one. Older ones are removed.
func build(ctx context.Context, release Release, source, target string, parts []string) error {
	old, err := filepath.Glob(filepath.Join(filepath.Dir(target), filepath.Base(source)+"-*"))
	if err != nil {
		return fmt.Errorf("listing older builds: %w", err)
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing an older build: %w", err)
		}
	}
	unfinished := target + ".unfinished"
	fmt.Fprintf(os.Stderr, "building Kubernetes %s, which takes minutes the first time\n", release)
	version := string(release)
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "providerless", //nolint:gosec // our own arguments
		"-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion="+version+" -X k8s.io/client-go/pkg/version.gitVersion="+version,
		"-o", filepath.Join(unfinished, "kube"), "./cmd/kube")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building Kubernetes %s: %w\n%s", release, err, output)
	}
	for _, part := range parts {
		if err := os.Symlink("kube", filepath.Join(unfinished, part)); err != nil {
			return fmt.Errorf("linking %s: %w", part, err)
		}
	}
	if err := os.Rename(unfinished, target); err != nil {
		return fmt.Errorf("naming the build: %w", err)
	}
	return nil
}

// hashSources identifies what a build is made from.
func hashSources(module string) (string, error) {
	files, err := filepath.Glob(filepath.Join(module, "cmd", "kube", "*.go"))
	if err != nil {
		return "", fmt.Errorf("listing the sources of %s: %w", module, err)
	}
	files = append(files, filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum"))
	slices.Sort(files)
	sum := sha256.New()
	sum.Write([]byte(runtime.Version()))
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // a source file of this repository
		if err != nil {
			return "", fmt.Errorf("hashing the sources of %s: %w", module, err)
		}
		sum.Write(fmt.Appendln(nil, filepath.Base(file), len(data)))
		sum.Write(data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), nil
}

// lock waits until no other process holds the lock file.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // in the cache
	if err != nil {
		return nil, fmt.Errorf("opening a lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	// Closing gives the lock back; so does the death of this process.
	return func() { _ = file.Close() }, nil
}

// Root is the top directory of the repository.
func Root(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("asking for the module's directory: %w", err)
	}
	file := string(bytes.TrimSpace(output))
	if !strings.HasSuffix(file, "go.mod") {
		return "", errors.New("finding the repository: not inside a module")
	}
	return filepath.Dir(file), nil
}
