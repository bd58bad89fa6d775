package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// newEtcdCommand runs a single etcd member for tests: no peers, no fsync, and
// nothing to keep once it ends.
func newEtcdCommand() *cobra.Command {
	var dir, client string
	cmd := &cobra.Command{
		Use:          "etcd --data-dir DIR --listen-client-url URL",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			return runEtcd(dir, client)
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", "directory of the database")
	cmd.Flags().StringVar(&client, "listen-client-url", "", "where clients connect")
	return cmd
}

func runEtcd(dir, client string) error {
	clientURL, err := url.Parse(client)
	if err != nil {
		return fmt.Errorf("parsing the client URL: %w", err)
	}
	// The peer port is never used, so any free one will do.
	peerURL := url.URL{Scheme: "http", Host: "127.0.0.1:0"}

	config := embed.NewConfig()
	config.Dir = dir
	config.LCUrls, config.ACUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
	config.LPUrls, config.APUrls = []url.URL{peerURL}, []url.URL{peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"

	ctx, stop := untilSignal()
	defer stop()
	member, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	defer member.Close()
	select {
	case <-ctx.Done():
		return nil
	case err := <-member.Err():
		return fmt.Errorf("running etcd: %w", err)
	}
}
