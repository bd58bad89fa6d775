package cluster

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("7 (a) (b c) S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 99 4096 3 18446744073709551615 1"))
	if want := (Usage{CPU: 2 * time.Second, Memory: 3 * int64(os.Getpagesize())}); err != nil || got != want {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 0 0 0 0 0 x 50 0 0 20 0 1 0 99 4096 3"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
