package main

import (
	"reflect"
	"testing"
)

func TestFaultsLeaveOutWhatIsNone(t *testing.T) {
	v := verdict{Pods: []podVerdict{{Pod: "a", Outcome: refused}, {Pod: "b", Outcome: "denied"}}}
	if got := sorted(v.faults()); !reflect.DeepEqual(got, []string{"denied"}) {
		t.Errorf("got %v, want only denied", got)
	}
}
