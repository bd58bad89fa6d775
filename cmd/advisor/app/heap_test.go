package app

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestPercentFor(t *testing.T) {
	const mb = 1 << 20
	for _, tc := range []struct {
		live, roots uint64
		want        int
	}{
		{1 * mb, 0, 31 * 100 / 4}, // no more than the smallest heap needs
		{8 * mb, 0, 300},          // 8 MiB in use and 24 of garbage
		{6 * mb, 2 * mb, 26 * 100 / 8},
		{20 * mb, 0, 100},
		{500 * mb, 0, 100},
	} {
		if got := percentFor(heapFloor, tc.live, tc.roots); got != tc.want {
			t.Errorf("a heap of %d MiB and %d MiB of roots grows by %d%%, want %d%%", tc.live/mb, tc.roots/mb, got, tc.want)
		}
	}
}

// await runs collections until the percentage is a wanted one.
func await(t *testing.T, what string, ok func(uint64) bool) {
	t.Helper()
	for t.Context().Err() == nil {
		runtime.GC()
		if ok(percent()) {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%s: %d%%", what, percent())
}

// TestCollectLater: the percentage follows the heap, which another part of the program and
// the user overrule, and is in the end what it was.
func TestCollectLater(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	runtime.GC()
	live, _ := heap() // with what other tests have left
	floor := 3*live + heapFloor
	restore := collectFrom(floor)
	await(t, "a small heap", func(p uint64) bool { return p > 100 })
	ballast := make([]byte, 2*floor)
	await(t, "a large heap", func(p uint64) bool { return p == 100 })
	runtime.KeepAlive(ballast)
	await(t, "a small heap again", func(p uint64) bool { return p > 100 })
	before := debug.SetGCPercent(25)
	for range 3 {
		runtime.GC()
	}
	if p := percent(); p != 25 {
		t.Errorf("%d%%, though another part of the program has set 25%%", p)
	}
	debug.SetGCPercent(before)
	restore()
	if p := percent(); p != 100 {
		t.Errorf("%d%% in the end, want 100%%", p)
	}
	debug.SetGCPercent(400)
	collectLater()()
	if p := percent(); p != 400 {
		t.Errorf("%d%%, though the user has set 400%%", p)
	}
}
