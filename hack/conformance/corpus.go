package main

import (
	"fmt"

	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/hack/conformance/objects"
)

// clean drops the objects which 1.24 itself refuses: no server that enforces
// policies can hold them, but the advisor would allow what they ask for.
// Where all are fine the text stays as it was written.
func clean(j *judge.Process, s objects.Source) (cleaned objects.Source, dropped []string, err error) {
	list, err := objects.Split(s.Text)
	if err != nil {
		return s, nil, fmt.Errorf("splitting %s: %w", s.Name, err)
	}
	var kept []objects.Object
	for _, o := range list {
		text, err := objects.Join([]objects.Object{o})
		if err != nil {
			return s, nil, err
		}
		v, err := ask(j, request{Name: s.Name, Objects: text, SkipInvalid: true})
		if err != nil {
			return s, nil, err
		}
		switch {
		case v.Error != "":
			return s, nil, fmt.Errorf("judging %s: %s", s.Name, v.Error)
		case len(v.Skipped) > 0:
			dropped = append(dropped, s.Name+": "+v.Skipped[0])
		case v.Counts[refused] > 0:
			dropped = append(dropped, s.Name+": "+v.Pods[0].Pod+": "+v.Pods[0].Detail)
		default:
			kept = append(kept, o)
		}
	}
	if len(dropped) == 0 {
		return s, nil, nil
	}
	s.Text, err = objects.Join(kept)
	return s, dropped, err
}
