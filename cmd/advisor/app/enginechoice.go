package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"k8s.io/client-go/rest"
)

// engineChoice is what the flags say about engines. Which ones they mean, and what
// these are built with, can depend on the server.
type engineChoice struct {
	table []engine
	// names of engines; auto among them stands for one that the server decides on.
	names []string
	// options of the engines; without a minor version it is that of the server.
	options engineOptions
	// given are the flags that were set and that only some engines read.
	given []string
}

// chosenEngines are the engines that were decided on.
type chosenEngines struct {
	table   []engine
	names   []string
	options engineOptions
	// notes on the decision, a line each.
	notes []string
}

// prefer returns the engine that auto stands for: the first one in the table that is
// served. If none is, it returns the last one and false.
func prefer(table []engine, served func(engine) (bool, error)) (engine, bool, error) {
	var last engine
	for _, e := range table {
		if !e.auto {
			continue
		}
		last = e
		if ok, err := served(e); ok || err != nil {
			return e, ok, err
		}
	}
	return last, false, nil
}

// withoutServer returns the engines for what no server runs, or for one that cannot be
// asked: auto is the first engine in the table, for the reason given, unless
// --server-version says otherwise.
func (c engineChoice) withoutServer(reason string) chosenEngines {
	minor := c.options.minor
	preferred, _, _ := prefer(c.table, func(e engine) (bool, error) { // nothing is asked, so nothing fails
		return e.servedBy(minor), nil
	})
	if minor > 0 {
		reason = fmt.Sprintf("for Kubernetes 1.%d", minor)
	}
	chosen := c.decided(preferred.name, reason, "--server-version")
	for _, e := range c.table {
		if slices.Contains(chosen.names, e.name) && !e.servedBy(minor) {
			built := e.build(chosen.options)
			chosen.notes = append(chosen.notes, fmt.Sprintf("warning: Kubernetes 1.%d does not serve %s, so the policies have no effect there: %s", minor, built.Resource.Resource, built.Note))
		}
	}
	return chosen
}

// forManifests returns the engines for pods that manifests create.
func (c engineChoice) forManifests() chosenEngines {
	return c.withoutServer("for manifests, unless --server-version says otherwise")
}

// forServer returns the engines for the server that config connects to. It asks only
// what --server-version does not say. If the server cannot be asked, the engines are
// those for an unknown one, and the error says why.
func (c engineChoice) forServer(ctx context.Context, config *rest.Config) (chosenEngines, error) {
	unknown := c.withoutServer("the server cannot be asked")
	if c.options.minor > 0 {
		return unknown, nil
	}
	server, version, minor, err := askVersion(ctx, config)
	if err != nil {
		return unknown, err
	}
	c.options.minor = minor
	if !slices.Contains(c.names, autoEngine) {
		return c.decided("", "", "the server's version"), nil
	}
	preferred, served, err := prefer(c.table, func(e engine) (bool, error) {
		resource := e.build(engineOptions{}).Resource
		if resource.Empty() {
			return true, nil
		}
		return server.Serves(ctx, resource)
	})
	if err != nil {
		return unknown, err
	}
	resource := preferred.build(engineOptions{}).Resource
	reason := fmt.Sprintf("the server serves %s %s", resource.GroupVersion(), resource.Resource)
	if !served {
		reason = fmt.Sprintf("the server, %s, serves the policies of no engine", version)
	}
	return c.decided(preferred.name, reason, "the server's version"), nil
}

// needsServer reports whether the policies are others for other servers.
func (c engineChoice) needsServer() bool {
	if c.options.minor > 0 {
		return false
	}
	return slices.Contains(c.names, autoEngine) || slices.ContainsFunc(c.table, func(e engine) bool {
		return e.perMinor && slices.Contains(c.names, e.name)
	})
}

// decided returns the engines where auto stands for the preferred one, for a reason.
// source is where the minor version is from.
func (c engineChoice) decided(preferred, reason, source string) chosenEngines {
	chosen := chosenEngines{table: c.table, options: c.options}
	if c.options.minor > newestMinor {
		chosen.options.minor = newestMinor
		chosen.notes = append(chosen.notes, fmt.Sprintf("warning: %s 1.%d is newer than the newest that this advisor knows, 1.%d: treated as that", source, c.options.minor, newestMinor))
	}
	for _, e := range c.table {
		if slices.Contains(c.names, e.name) || slices.Contains(c.names, autoEngine) && e.name == preferred {
			chosen.names = append(chosen.names, e.name)
		}
	}
	if slices.Contains(c.names, autoEngine) {
		chosen.notes = append(chosen.notes, fmt.Sprintf("engine: %s (%s)", preferred, reason))
	}
	for _, flag := range unread(c.table, chosen.names, c.given) {
		chosen.notes = append(chosen.notes, fmt.Sprintf("warning: --%s has no effect on the policies of %s", flag, strings.Join(chosen.names, ", ")))
	}
	return chosen
}

// build returns the engines, in the order of the table.
func (c chosenEngines) build() []generate.Engine {
	options := c.options
	preferred, served, _ := prefer(c.table, func(e engine) (bool, error) { // nothing is asked, so nothing fails
		return e.servedBy(cmp.Or(options.minor, newestMinor)), nil
	})
	var built []generate.Engine
	for _, e := range c.table {
		if slices.Contains(c.names, e.name) {
			if served && len(c.names) == 1 && !e.auto {
				options.beside = preferred.name
			}
			built = append(built, e.build(options))
		}
	}
	return built
}

// published returns the engines with those that every report has.
func (c chosenEngines) published() chosenEngines {
	var names []string
	for _, e := range c.table {
		always := e.publishedSince > 0 && (c.options.minor == 0 || c.options.minor >= e.publishedSince)
		if always || slices.Contains(c.names, e.name) {
			names = append(names, e.name)
		}
	}
	c.names = names
	return c
}
