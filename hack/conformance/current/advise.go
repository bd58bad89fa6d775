package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
)

// observed returns what the advisor observes of objects.
func observed(text string) (*observe.Observation, error) {
	obs, err := manifest.Read(context.Background(), []string{manifest.Stdin}, manifest.Options{In: strings.NewReader(text), SkipInvalid: true}, observe.Scope{Pods: true, Templates: true})
	if err != nil {
		return nil, fmt.Errorf("observing: %w", err)
	}
	return obs, nil
}

// advice is what the advisor generates for a fixture at a level.
type advice struct {
	// policies are the objects as text, as users apply them: comments included, so that
	// what is written is proven and not only what is meant.
	policies string
	tables   []cel.Table
}

func advise(members []aggregate.Member, level aggregate.Level, params vap.Params) (advice, error) {
	engine := vap.Engine(vap.Options{Enforcement: cel.Deny, Params: params})
	text, err := generate.YAML(engine.Outputs(members, level), true)
	if err != nil {
		return advice{}, fmt.Errorf("writing: %w", err)
	}
	return advice{policies: string(text), tables: cel.Tables(members, level)}, nil
}

// table returns the table that judges the pods of a namespace.
func (a advice) table(namespace string) cel.Table {
	for _, t := range a.tables {
		if t.Group.Namespace == namespace || t.Group.Level == aggregate.ByCluster {
			return t
		}
	}
	return cel.Table{}
}
