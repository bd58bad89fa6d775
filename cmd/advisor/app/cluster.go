package app

import (
	"context"
	"fmt"
	"io"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"k8s.io/client-go/rest"
)

// lookAtCluster observes a cluster once. How far it has come and what is special
// about the server goes to errOut.
func lookAtCluster(ctx context.Context, config *rest.Config, o observe.Options, errOut io.Writer) (*observe.Observation, error) {
	show, wipe := progress(errOut)
	obs, err := observe.Live(ctx, config, o, show)
	wipe()
	if err != nil {
		return nil, failureError(fmt.Errorf("observing %s: %w", config.Host, err))
	}
	if note := serverNote(ctx, config); note != "" {
		if _, err := fmt.Fprintln(errOut, note); err != nil {
			return nil, failureError(fmt.Errorf("writing to standard error: %w", err))
		}
	}
	return obs, nil
}

// serverNote says what a reader of policies should know of the server; not being
// able to ask is no failure.
func serverNote(ctx context.Context, config *rest.Config) string {
	switch server, err := observe.LookAtServer(ctx, config); {
	case err != nil:
		return fmt.Sprintf("warning: whether the server serves PodSecurityPolicy is not known: %v", err)
	case !server.PodSecurityPolicy:
		return fmt.Sprintf("warning: the server (%s) does not serve PodSecurityPolicy: 1.24 was the last release that did", server.Version)
	default:
		return ""
	}
}
