package main

import (
	"reflect"
	"testing"
)

func TestRandomFleetIsRepeatable(t *testing.T) {
	for n := range uint64(50) {
		if first, again := randomFleet(1, n), randomFleet(1, n); !reflect.DeepEqual(first, again) {
			t.Fatalf("fleet %d of seed 1 differs from itself:\n%v\n%v", n, first, again)
		}
	}
}

func TestShrinkKeepsWhatFails(t *testing.T) {
	fleet := []object{
		{"kind": "A", "spec": object{"list": []any{"x", "bad", "y"}, "other": "z"}},
		{"kind": "B"},
	}
	fails := func(attempt []object) bool {
		for _, o := range attempt {
			spec, _ := o["spec"].(object)
			list, _ := spec["list"].([]any)
			for _, element := range list {
				if element == "bad" {
					return true
				}
			}
		}
		return false
	}
	got := shrink(fleet, fails)
	want := []object{{"spec": object{"list": []any{"bad"}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(fleet) != 2 || len(fleet[0]["spec"].(object)["list"].([]any)) != 3 {
		t.Errorf("the fleet was changed: %v", fleet)
	}
}

func TestFaultsLeaveOutWhatIsNone(t *testing.T) {
	v := verdict{Pods: []podVerdict{{Pod: "a", Outcome: refused}, {Pod: "b", Outcome: "denied"}}}
	if got := sortedKeys(v.faults()); !reflect.DeepEqual(got, []string{"denied"}) {
		t.Errorf("got %v, want only denied", got)
	}
}
