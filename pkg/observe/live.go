package observe

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// Live observes a running cluster once. It lists and does not watch, so it needs
// the rights to list, and to get the ReplicaSets and Jobs that are nobody's.
// progress, if not nil, is called with the number of objects listed so far, one
// call at a time.
//
// What the server does not let be listed, or does not serve, is a gap of the
// observation. An unreachable server, a user that it does not know, and an end
// of ctx before everything was listed are errors.
func Live(ctx context.Context, config *rest.Config, o Options, progress func(resource string, n int)) (*Observation, error) {
	c, err := List(ctx, config, o, progress)
	if err != nil {
		return nil, err
	}
	return c.Observe(), nil
}

// List is Live for those who want the namespaces one by one: it returns a
// cluster that has been listed, and runs no more.
func List(ctx context.Context, config *rest.Config, o Options, progress func(resource string, n int)) (*Cluster, error) {
	c, err := newCluster(config, o, true)
	if err != nil {
		return nil, err
	}
	c.Listed = progress
	running, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { c.Run(running) })
	if err := c.WaitForSync(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Server is what matters of an API server itself.
type Server struct {
	// Version as the server writes it, such as v1.24.17.
	Version string
	// PodSecurityPolicy says whether the server serves them: 1.25 and later do
	// not.
	PodSecurityPolicy bool
}

// LookAtServer asks the server about itself.
func LookAtServer(ctx context.Context, config *rest.Config) (Server, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return Server{}, fmt.Errorf("preparing the connection: %w", err)
	}
	version, err := client.ServerVersionWithContext(ctx)
	if err != nil {
		return Server{}, fmt.Errorf("asking for the server's version: %w", err)
	}
	s := Server{Version: version.GitVersion}
	list, err := client.ServerResourcesForGroupVersionWithContext(ctx, "policy/v1beta1")
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return Server{}, fmt.Errorf("asking what the server serves: %w", err)
	default:
		s.PodSecurityPolicy = slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == "podsecuritypolicies" })
	}
	return s, nil
}
