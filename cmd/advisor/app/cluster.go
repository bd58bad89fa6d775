package app

import (
	"context"
	"fmt"
	"io"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster"
	"k8s.io/client-go/rest"
)

// observeCluster observes a cluster once. How far it has come and what is special
// about the server goes to errOut.
func observeCluster(ctx context.Context, config *rest.Config, scope observe.Scope, engines []generate.Engine, errOut io.Writer) (*observe.Observation, error) {
	show, wipe := progress(errOut)
	seen, err := cluster.List(ctx, config, scope, show)
	wipe()
	if err != nil {
		return nil, failureError(fmt.Errorf("observing %s: %w", config.Host, err))
	}
	for _, note := range serverNotes(ctx, config, engines) {
		if err := printErr(errOut, note); err != nil {
			return nil, err
		}
	}
	return seen.Observe(), nil
}

// serverNotes says what a reader of policies should know of the server; not being
// able to ask is no failure.
func serverNotes(ctx context.Context, config *rest.Config, engines []generate.Engine) []string {
	server, err := cluster.NewServer(config)
	var notes []string
	for _, e := range engines {
		served := false
		if err == nil {
			served, err = server.Serves(ctx, e.Resource)
		}
		switch {
		case err != nil:
			notes = append(notes, fmt.Sprintf("warning: whether the server serves %s is not known: %v", e.Resource.Resource, err))
		case !served:
			version, err := server.Version(ctx)
			if err != nil {
				version = "of an unknown version"
			}
			notes = append(notes, fmt.Sprintf("warning: the server (%s) does not serve %s: %s", version, e.Resource.Resource, e.Note))
		}
	}
	return notes
}
