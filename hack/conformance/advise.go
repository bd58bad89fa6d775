package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
)

// advise asks the advisor for the policies of the objects and says, as the
// judge wants to know it, for which workloads each one was made.
func advise(objects string, level aggregate.Level) (policies string, members map[string][]string, err error) {
	obs, err := manifest.Read(context.Background(), []string{manifest.Stdin}, manifest.Options{In: strings.NewReader(objects), SkipInvalid: true}, observe.Scope{Pods: true, Templates: true})
	if err != nil {
		return "", nil, fmt.Errorf("observing: %w", err)
	}
	generated := psp.Engine().Outputs(obs.Members, level)
	// The text that users apply, comments included, so that what is written is
	// proven and not only what is meant.
	text, err := generate.YAML(generated, true)
	if err != nil {
		return "", nil, fmt.Errorf("writing: %w", err)
	}
	members = map[string][]string{}
	for _, o := range generated {
		for _, m := range o.Group.Members {
			id := fmt.Sprintf("%s/%s/%s@%s", m.Workload.Namespace, m.Workload.Kind, m.Workload.Name, m.ServiceAccount)
			members[o.Name] = append(members[o.Name], id)
		}
	}
	return string(text), members, nil
}

// try gives the verdict on the advisor's policies for the objects.
func try(j *judge.Process, name, objects string, level aggregate.Level) (verdict, string, error) {
	policies, members, err := advise(objects, level)
	if err != nil {
		// The advisor's own failure is a fault like any other.
		return verdict{Error: err.Error()}, "", nil //nolint:nilerr // see above
	}
	v, err := ask(j, request{Name: name, Objects: objects, Policies: policies, Members: members, SkipInvalid: true})
	return v, policies, err
}
