package cluster

import (
	"fmt"
	"net/http"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// The forms in which a server can send only the metadata of objects
// (apiserver/pkg/endpoints/handlers/response.go, since 1.15).
const (
	acceptMetadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1," +
		"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	acceptMetadataList = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// requestTimeout is how long a request may take that is no watch. A server gives up
// earlier (kube-apiserver --request-timeout, a minute by default), but what is between may
// never respond.
const requestTimeout = 2 * time.Minute

// client requests objects from a server, in protobuf if possible. Unlike a clientset it
// requests whole objects and metadata in the same way.
type client struct {
	http       *http.Client
	codec      runtime.Decoder
	tables     *tables
	groups     map[schema.GroupVersion]*rest.RESTClient
	parameters runtime.ParameterCodec
}

// newClient returns a client for what is read in a scope.
func newClient(config *rest.Config, scope observe.Scope) (*client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, metav1.AddMetaToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("registering types: %w", err)
		}
	}
	config = rest.CopyConfig(config)
	codecs := serializer.NewCodecFactory(scheme)
	tables := tablesFor(scope)
	config.NegotiatedSerializer = pruning{codecs.WithoutConversion(), tables}
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.ContentType = runtime.ContentTypeProtobuf
	// Priority and fairness in the server limits the rate of requests.
	config.QPS, config.RateLimiter = -1, nil
	config.WarningHandler, config.WarningHandlerWithContext = rest.NoWarnings{}, nil
	if config.UserAgent == "" {
		config.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	if !config.DisableCompression {
		config.DisableCompression = true // that of net/http
		config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return &gunzip{RoundTripper: rt} })
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	c := &client{
		http:       httpClient,
		codec:      codecs.UniversalDeserializer(),
		tables:     tables,
		groups:     map[schema.GroupVersion]*rest.RESTClient{},
		parameters: runtime.NewParameterCodec(scheme),
	}
	for _, gv := range []schema.GroupVersion{corev1.SchemeGroupVersion, appsv1.SchemeGroupVersion, batchv1.SchemeGroupVersion} {
		config.GroupVersion, config.APIPath = &gv, "/apis"
		if gv.Group == "" {
			config.APIPath = "/api"
		}
		c.groups[gv], err = rest.RESTClientForConfigAndClient(config, httpClient)
		if err != nil {
			return nil, fmt.Errorf("preparing the connection: %w", err)
		}
	}
	return c, nil
}

// get returns a request for a resource in one namespace or in all.
func (c *client) get(r resource, namespace string) *rest.Request {
	return c.groups[r.GroupVersion()].Get().
		NamespaceIfScoped(namespace, namespace != metav1.NamespaceAll).
		Resource(r.Resource).
		Timeout(requestTimeout)
}

// list returns a request for a page of objects.
func (c *client) list(r resource, namespace string, o metav1.ListOptions) *rest.Request {
	request := c.get(r, namespace).VersionedParams(&o, c.parameters)
	if r.metadata {
		request.SetHeader("Accept", acceptMetadataList)
	}
	return request
}

// watch returns a request for the changes of objects.
func (c *client) watch(r resource, namespace string, o metav1.ListOptions) *rest.Request {
	o.Watch = true
	request := c.get(r, namespace).VersionedParams(&o, c.parameters)
	if r.metadata {
		request.SetHeader("Accept", acceptMetadata)
	}
	return request
}

// close closes idle connections.
func (c *client) close() { utilnet.CloseIdleConnectionsFor(c.http.Transport) }
