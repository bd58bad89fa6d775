package cluster

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// Server has the version and the resources of an API server.
type Server struct {
	client *discovery.DiscoveryClient
}

// NewServer returns the server that config connects to.
func NewServer(config *rest.Config) (*Server, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	return &Server{client}, nil
}

// Version returns the version of the server, such as v1.24.17.
func (s *Server) Version(ctx context.Context) (string, error) {
	version, err := s.client.ServerVersionWithContext(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the server's version: %w", err)
	}
	return version.GitVersion, nil
}

// Serves reports whether the server serves a resource.
func (s *Server) Serves(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	list, err := s.client.ServerResourcesForGroupVersionWithContext(ctx, resource.GroupVersion().String())
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checking whether the server serves %s: %w", resource.GroupResource(), err)
	default:
		return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }), nil
	}
}
