package fleet

import (
	"reflect"
	"testing"
)

func TestRandomFleetIsRepeatable(t *testing.T) {
	for _, server := range []Server{Old, Current} {
		for n := range uint64(50) {
			if first, again := Random(1, n, server), Random(1, n, server); !reflect.DeepEqual(first, again) {
				t.Fatalf("fleet %d of seed 1 differs from itself:\n%v\n%v", n, first, again)
			}
		}
	}
}
