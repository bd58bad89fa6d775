package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/psp-advisor/psp-advisor/hack/bench/fleet"
	"github.com/psp-advisor/psp-advisor/hack/bench/replay"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// serve replays a fleet until it is stopped. It prints its address when it is ready.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	pods := flags.Int("pods", 20_000, "number of pods")
	seed := flags.Uint64("seed", 1, "seed of the fleet")
	listen := flags.String("listen", "127.0.0.1:0", "where to serve")
	version := flags.String("version", "v1.24.17", "what the server calls itself")
	streams := flags.Bool("streams", true, "serve watches that begin with all objects")
	kubeconfig := flags.String("kubeconfig", "", "write a kubeconfig for the server")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("parsing flags: %w", err)
	}
	server := replay.New(replay.Options{Fleet: fleet.Fleet{Seed: *seed, Pods: *pods}, Version: *version, Streams: *streams})
	defer server.Close()
	if err := server.Warm(); err != nil {
		return err //nolint:wrapcheck // it says what failed
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	address := "http://" + listener.Addr().String()
	if *kubeconfig != "" {
		if err := writeKubeconfig(*kubeconfig, address); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(os.Stdout, address); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	h := &http.Server{Handler: server} //nolint:gosec // on the loopback interface, for one client
	context.AfterFunc(ctx, func() { _ = h.Close() })
	if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func writeKubeconfig(path, address string) error {
	const name = "bench"
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: address}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name}},
		CurrentContext: name,
	}, path)
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}
