package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster"
	"k8s.io/client-go/rest"
)

// The minor versions of Kubernetes that --server-version can name. The newest is that
// of the libraries that the advisor is built with.
const (
	oldestMinor = 24
	newestMinor = 37
)

// versions matches the versions of Kubernetes, such as 1.30 and v1.30.4-gke.100.
var versions = regexp.MustCompile(`^v?1\.([0-9]{1,4})(\.[0-9]+([-+].*)?)?$`)

// minorOf returns the minor version in a version of Kubernetes.
func minorOf(version string) (minor int, ok bool) {
	match := versions.FindStringSubmatch(version)
	if match == nil {
		return 0, false
	}
	minor, err := strconv.Atoi(match[1])
	return minor, err == nil
}

var errNotKubernetes = errors.New("is not a version of Kubernetes")

// mayAnswer reports whether the server may answer later what it did not answer now. One
// that refuses to, or that has no version of Kubernetes, will not.
func mayAnswer(err error) bool {
	return !errors.Is(err, errNotKubernetes) && apierror.Of(err).Transient()
}

// askVersion returns the server that config connects to, its version, and the minor
// version in it.
func askVersion(ctx context.Context, config *rest.Config) (server *cluster.Server, version string, minor int, err error) {
	if server, err = cluster.NewServer(config); err != nil {
		return nil, "", 0, err //nolint:wrapcheck // it says what failed
	}
	if version, err = server.Version(ctx); err != nil {
		return nil, "", 0, err //nolint:wrapcheck // it says what failed
	}
	minor, ok := minorOf(version)
	if !ok {
		return nil, "", 0, fmt.Errorf("reading the server's version: %q %w", version, errNotKubernetes)
	}
	return server, version, minor, nil
}

// parseServerVersion returns the minor version that --server-version names; 0, if it
// is empty.
func parseServerVersion(version string) (int, error) {
	if version == "" {
		return 0, nil
	}
	minor, ok := minorOf(version)
	switch {
	case !ok:
		return 0, fmt.Errorf("--server-version: invalid version %q: want one such as 1.30 or v1.30.4", version)
	case minor < oldestMinor:
		return 0, fmt.Errorf("--server-version: %s is too old: want 1.%d or newer", version, oldestMinor)
	default:
		return minor, nil
	}
}

// serverVersions are the words for --server-version, the newest first.
func serverVersions() []string {
	var words []string
	for minor := newestMinor; minor >= oldestMinor; minor-- {
		words = append(words, "1."+strconv.Itoa(minor))
	}
	return words
}
