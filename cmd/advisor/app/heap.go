package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// heapFloor is the size, in bytes, that the heap of a command that runs once may have
// before garbage is collected: to inspect a heap of a few megabytes again and again takes
// more of the CPU than all that is done with a pod.
const heapFloor = 32 << 20

// collectLater collects no garbage before the heap has heapFloor bytes, until restore is
// called. Beyond it garbage is collected as always, when the heap has doubled. It respects
// what the user or another part of the program has set meanwhile.
func collectLater() (restore func()) { return collectFrom(heapFloor) }

func collectFrom(bytes uint64) (restore func()) {
	if percent() != 100 {
		return func() {} // the user says how often
	}
	f := &floor{bytes: bytes, percent: 100}
	f.adjust()
	return f.remove
}

// floor keeps the percentage of garbage, which is by how much the heap grows between
// collections, such that the heap grows to so many bytes.
type floor struct {
	bytes uint64

	mu      sync.Mutex
	percent int // as it was set last
	removed bool
}

// adjust sets the percentage for a heap like that after the last collection, and does so
// again after the next one.
func (f *floor) adjust() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.removed {
		return
	}
	live, roots := heap()
	f.set(percentFor(f.bytes, live, roots))
	// What nothing refers to is collected at once, which tells of the collection.
	runtime.AddCleanup(new(*floor), (*floor).adjust, f)
}

func (f *floor) remove() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set(100)
	f.removed = true
}

// set sets the percentage unless another part of the program has set it.
func (f *floor) set(percent int) {
	if now := debug.SetGCPercent(percent); now != f.percent {
		debug.SetGCPercent(now)
		return
	}
	f.percent = percent
}

// percentFor returns the percentage by which a heap grows to so many bytes, at least 100.
// The runtime counts what refers to the heap as part of it (runtime/mgcpacer.go).
func percentFor(bytes, live, roots uint64) int {
	if live >= bytes {
		return 100
	}
	const smallest = 4 << 20 // the heap that no collection of 100 percent makes smaller
	percent := (bytes - live) * 100 / max(live+roots, smallest)
	return max(100, int(percent)) //nolint:gosec // it fits
}

// percent returns the percentage that is set; that of a program that collects no garbage is
// the highest number.
func percent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// heap returns how many bytes of the heap the last collection has found in use, and how
// many there were of what refers to it.
func heap() (live, roots uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64() + samples[2].Value.Uint64()
}
