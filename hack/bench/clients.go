package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// pageSize is that of kubectl, and of the advisor.
const pageSize = 500

// connect returns the configuration that the flags of a way name.
func connect(way string, args []string) (*rest.Config, error) {
	flags := flag.NewFlagSet(way, flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "the cluster to list")
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("parsing flags: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.ContentType, config.QPS = runtime.ContentTypeProtobuf, -1
	return config, nil
}

// rawGet reads all pages of pods and decodes nothing but where the next one begins.
func rawGet(ctx context.Context, args []string) error {
	config, err := connect("raw", args)
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	for next := ""; ; {
		next, err = rawPage(ctx, client, config.Host, next)
		if err != nil {
			return fmt.Errorf("reading a page: %w", err)
		}
		if next == "" {
			return nil
		}
	}
}

func rawPage(ctx context.Context, client *http.Client, host, token string) (next string, err error) {
	query := url.Values{"limit": {fmt.Sprint(pageSize)}}
	if token != "" {
		query.Set("continue", token)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/api/v1/pods?"+query.Encode(), nil)
	if err != nil {
		return "", err //nolint:wrapcheck // wrapped by the caller
	}
	request.Header.Set("Accept", runtime.ContentTypeProtobuf)
	response, err := client.Do(request)
	if err != nil {
		return "", err //nolint:wrapcheck // wrapped by the caller
	}
	defer response.Body.Close() //nolint:errcheck // it is read only
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	body := bufio.NewReaderSize(response.Body, 64<<10)
	start, err := body.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err //nolint:wrapcheck // wrapped by the caller
	}
	if next, err = continueToken(start); err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, body)
	return next, err //nolint:wrapcheck // wrapped by the caller
}

var errNoList = errors.New("the response is no list in protobuf")

// continueToken returns the token in the beginning of a list: in it are the type, then
// the metadata, then the objects (runtime.Unknown in k8s.io/apimachinery).
func continueToken(data []byte) (string, error) {
	field := func() (content []byte, err error) {
		if len(data) < 2 {
			return nil, errNoList
		}
		length, n := binary.Uvarint(data[1:])
		if n <= 0 {
			return nil, errNoList
		}
		data = data[1+n:]
		return data[:min(length, uint64(len(data)))], nil
	}
	if len(data) < 4 {
		return "", errNoList
	}
	data = data[4:] // k8s\0
	types, err := field()
	if err != nil {
		return "", err
	}
	data = data[len(types):]
	if _, err = field(); err != nil { // the list, of which only the beginning is there
		return "", err
	}
	metadata, err := field()
	if err != nil {
		return "", err
	}
	var m metav1.ListMeta
	if err := m.Unmarshal(metadata); err != nil {
		return "", fmt.Errorf("reading the metadata of a list: %w", err)
	}
	return m.Continue, nil
}

// loop lists all pods, page by page, and keeps none.
func loop(ctx context.Context, args []string) error {
	config, err := connect("loop", args)
	if err != nil {
		return err
	}
	client, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	n, options := 0, metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		n += len(page.Items)
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	fmt.Fprintln(os.Stderr, n, "pods")
	return nil
}

// informer keeps all pods, as most controllers do.
func informer(ctx context.Context, args []string) error {
	config, err := connect("informer", args)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("preparing the connection: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
		return context.Cause(ctx) //nolint:wrapcheck // it says that it was interrupted
	}
	fmt.Fprintln(os.Stderr, len(pods.GetStore().ListKeys()), "pods")
	return nil
}
