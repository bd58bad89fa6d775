package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A URL is tried that often while the server fails, as kubectl does
// (cli-runtime, pkg/resource/visitor.go, readHttpWithRetries).
const (
	maxTries   = 3
	retryAfter = time.Second
)

func isURL(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// readURL reads what a web server returns.
func (r *reader) readURL(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	client := http.Client{}
	if r.options.Client != nil {
		client = *r.options.Client
	}
	client.CheckRedirect = checkRedirect
	// The name, by which a compressed file is recognized, is without a query.
	return r.readSource(ctx, nameOf(u), func() (io.ReadCloser, error) { return fetch(ctx, &client, u) })
}

// nameOf returns what a URL is called in messages and reports: without a password, and
// without the query and the fragment, which may hold a token.
func nameOf(u *url.URL) string {
	name := *u
	name.RawQuery, name.ForceQuery, name.Fragment, name.RawFragment = "", false, "", ""
	return name.Redacted()
}

// fetch returns the body of a successful answer.
func fetch(ctx context.Context, client *http.Client, u *url.URL) (io.ReadCloser, error) {
	for try := 1; ; try++ {
		body, transient, err := get(ctx, client, u)
		if err == nil || !transient || try == maxTries {
			return body, err
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// get returns the body, or an error and whether another try may help.
func get(ctx context.Context, client *http.Client, u *url.URL) (body io.ReadCloser, transient bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, false, err
	}
	response, err := client.Do(request)
	switch {
	case err != nil:
		// The caller names the URL.
		if cause, ok := errors.AsType[*url.Error](err); ok {
			err = cause.Err
		}
		return nil, !errors.Is(err, errRedirected), err
	case response.StatusCode == http.StatusOK:
		return response.Body, false, nil
	default:
		response.Body.Close() //nolint:errcheck,gosec // not read
		return nil, response.StatusCode >= http.StatusInternalServerError, fmt.Errorf("the server responded with %s", response.Status)
	}
}

var errRedirected = errors.New("it was redirected")

// checkRedirect follows as many redirects as net/http does by itself, but not to
// a URL that is less secure than the one that was asked for.
func checkRedirect(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 10:
		return fmt.Errorf("%w %d times: use the final URL", errRedirected, len(via))
	case request.URL.Scheme != "https" && request.URL.Scheme != via[0].URL.Scheme:
		return fmt.Errorf("%w from %s to %s: use the final URL", errRedirected, via[0].URL.Scheme, nameOf(request.URL))
	default:
		return nil
	}
}
