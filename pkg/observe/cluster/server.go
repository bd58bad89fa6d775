package cluster

import (
	"context"
	"fmt"
	"slices"

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

// Serves reports whether the server serves a resource. Only the list of the groups, which
// every API server has, can say that it does not: a group version that is not found may be
// the answer of something in between.
func (s *Server) Serves(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	serves, err := s.serves(ctx, resource)
	if err != nil {
		return false, fmt.Errorf("checking whether the server serves %s: %w", resource.GroupResource(), err)
	}
	return serves, nil
}

func (s *Server) serves(ctx context.Context, resource schema.GroupVersionResource) (bool, error) {
	var groups metav1.APIGroupList
	if err := s.client.RESTClient().Get().AbsPath("/apis").Do(ctx).Into(&groups); err != nil {
		return false, err //nolint:wrapcheck // by Serves
	}
	version := resource.GroupVersion().String()
	named := func(v metav1.GroupVersionForDiscovery) bool { return v.GroupVersion == version }
	if !slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return slices.ContainsFunc(g.Versions, named) }) {
		return false, nil
	}
	list, err := s.client.ServerResourcesForGroupVersionWithContext(ctx, version)
	if err != nil {
		return false, err //nolint:wrapcheck // by Serves
	}
	return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }), nil
}
