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

// observeCluster observes a cluster once, and decides on the engines for it. Progress
// and notes on the server go to errOut.
func observeCluster(ctx context.Context, config *rest.Config, scope observe.Scope, choice engineChoice, errOut io.Writer) (*observe.Observation, []generate.Engine, error) {
	seen, err := listCluster(ctx, config, scope, errOut)
	if err != nil {
		return nil, nil, err
	}
	engines, notes, err := enginesFor(ctx, config, choice)
	if err != nil {
		return nil, nil, err
	}
	return seen.Observe(), engines, printLines(errOut, notes)
}

// enginesFor decides on the engines for a server, and returns notes on them and on the
// server.
func enginesFor(ctx context.Context, config *rest.Config, choice engineChoice) ([]generate.Engine, []string, error) {
	chosen, err := choice.forServer(ctx, config)
	if err != nil && choice.needsServer() && mayAnswer(err) {
		return nil, nil, errChoosing(err)
	}
	engines := chosen.build()
	if err != nil {
		return engines, append(chosen.notes, fmt.Sprintf("warning: %v", err)), nil
	}
	return engines, append(chosen.notes, serverNotes(ctx, config, engines)...), nil
}

// errChoosing is the error of a server that could not be asked for its version.
func errChoosing(err error) error {
	return failureError(fmt.Errorf("choosing engines: %w: set --server-version", err))
}

// listCluster lists what is to be observed, with the progress on errOut.
func listCluster(ctx context.Context, config *rest.Config, scope observe.Scope, errOut io.Writer) (*cluster.Snapshot, error) {
	show, clearLine := progress(errOut)
	seen, err := cluster.List(ctx, config, scope, show)
	clearLine()
	if err != nil {
		return nil, errObserving(config, err)
	}
	return seen, nil
}

func errObserving(config *rest.Config, err error) error {
	return failureError(fmt.Errorf("observing %s: %w", config.Host, err))
}

// serverNotes returns warnings about the server. A failed request is a warning, not
// an error; nothing more is requested after it.
func serverNotes(ctx context.Context, config *rest.Config, engines []generate.Engine) []string {
	server, err := cluster.NewServer(config)
	if err != nil {
		return []string{fmt.Sprintf("warning: %v", err)}
	}
	var notes []string
	for _, e := range engines {
		if e.Resource.Empty() {
			continue
		}
		served, err := server.Serves(ctx, e.Resource)
		if err != nil {
			return append(notes, fmt.Sprintf("warning: %v", err))
		}
		if served {
			continue
		}
		version, err := server.Version(ctx)
		if err != nil {
			version = "of an unknown version"
		}
		notes = append(notes, fmt.Sprintf("warning: the server (%s) does not serve %s, so the policies have no effect there: %s", version, e.Resource.Resource, e.Note))
	}
	return notes
}
