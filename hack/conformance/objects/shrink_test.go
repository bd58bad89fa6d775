package objects

import (
	"reflect"
	"testing"
)

func TestShrinkKeepsWhatFails(t *testing.T) {
	fleet := []Object{
		{"kind": "A", "spec": Object{"list": []any{"x", "bad", "y"}, "other": "z"}},
		{"kind": "B"},
	}
	fails := func(attempt []Object) bool {
		for _, o := range attempt {
			spec, _ := o["spec"].(Object)
			list, _ := spec["list"].([]any)
			for _, element := range list {
				if element == "bad" {
					return true
				}
			}
		}
		return false
	}
	got := Shrink(fleet, fails)
	want := []Object{{"spec": Object{"list": []any{"bad"}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(fleet) != 2 || len(fleet[0]["spec"].(Object)["list"].([]any)) != 3 {
		t.Errorf("the fleet was changed: %v", fleet)
	}
}
