package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/psp-advisor/psp-advisor/hack/bench/replay"
)

// settling is how long a controller may take until it is idle.
const settling = time.Minute

// eventRate is the number of pod events a second under load.
const eventRate = 200

// The figures of a controller besides those of all ways.
const (
	idleCPU   = "idle CPU, % of a core"
	eventCPU  = "CPU under events, % of a core"
	heapPod   = "heap a pod, bytes"
	syncWrite = "writes until synced"
	eventEach = "events a write"
)

// controller runs the controller until it has published, then idle, then under events.
func (b *bench) controller(ctx context.Context, t target, args []string, pods int) (s sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	address, err := freeAddress(ctx)
	if err != nil {
		return s, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return s, fmt.Errorf("finding a free port: %w", err)
	}
	before, err := t.counts(ctx)
	if err != nil {
		return s, err
	}
	var last tail
	// Each run publishes into a namespace of its own: the reports of another would not
	// have to be written. The replaying server has any namespace.
	cmd := command(ctx, append(args, "--listen-address", address, "--report-namespace", "bench-"+port)...)
	cmd.Stderr = &last
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return s, fmt.Errorf("starting the controller: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s, err = b.phases(ctx, t, "http://"+address, cmd.Process.Pid, pods, begin, before)
	if err != nil {
		cancel()
		return s, fmt.Errorf("%w\n%s", errors.Join(err, <-ended), last.String())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return s, fmt.Errorf("stopping the controller: %w", err)
	}
	if err := <-ended; err != nil {
		return s, fmt.Errorf("the controller: %w\n%s", err, last.String())
	}
	return s, nil
}

func (b *bench) phases(ctx context.Context, t target, url string, pid, pods int, begin time.Time, before counts) (s sample, err error) {
	for published := false; !published; {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return s, fmt.Errorf("waiting for the first reports: %w", context.Cause(ctx))
		}
		passes, err := metric(ctx, url, `psp_advisor_passes_total{result="succeeded"}`)
		published = err == nil && passes > 0
	}
	s.wall = time.Since(begin)
	if s.user, err = userTime(pid); err != nil {
		return s, err
	}
	synced, err := t.counts(ctx)
	if err != nil {
		return s, err
	}
	s.notes = map[string]float64{syncWrite: float64(synced.since(before).writes)}
	share := func() (float64, error) {
		begin := time.Now()
		first, err := userTime(pid)
		if err != nil {
			return 0, err
		}
		time.Sleep(b.phase)
		then, err := userTime(pid)
		return 100 * (then - first).Seconds() / time.Since(begin).Seconds(), err
	}
	if err := settle(pid); err != nil {
		return s, err
	}
	if s.notes[idleCPU], err = share(); err != nil {
		return s, err
	}
	first, err := t.counts(ctx)
	if err != nil {
		return s, err
	}
	if err := setRate(ctx, t.address, eventRate); err != nil {
		return s, err
	}
	s.notes[eventCPU], err = share()
	if err := errors.Join(err, setRate(ctx, t.address, 0)); err != nil {
		return s, err
	}
	then, err := t.counts(ctx)
	if err != nil {
		return s, err
	}
	s.notes[eventEach] = float64(then.events-first.events) / float64(max(1, then.since(first).writes))
	// The next collection is due when the heap is twice what the last one has left.
	next, err := metric(ctx, url, "go_memstats_next_gc_bytes")
	s.notes[heapPod] = next / 2 / float64(pods)
	if err != nil {
		return s, err
	}
	s.peak, err = peakOf(pid)
	return s, err
}

// settle waits until a process does nothing: after the first reports come those about what
// has changed meanwhile.
func settle(pid int) error {
	last := time.Duration(-1)
	for begin := time.Now(); time.Since(begin) < settling; time.Sleep(6 * time.Second) { // more than --debounce
		now, err := userTime(pid)
		if err != nil || now-last < 50*time.Millisecond && last >= 0 {
			return err
		}
		last = now
	}
	return nil
}

// setRate sets the number of pod events a second of a replaying server.
func setRate(ctx context.Context, address string, rate int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s%s?rate=%d", address, replay.EventsPath, rate), nil)
	if err != nil {
		return fmt.Errorf("setting the rate of events: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("setting the rate of events: %w", err)
	}
	return response.Body.Close() //nolint:wrapcheck // it cannot fail
}

// metric returns a metric of the controller.
func metric(ctx context.Context, url, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("asking for metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("asking for metrics: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read only
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64) //nolint:wrapcheck // it names the value
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// userTime returns the user CPU time of a process that runs (proc(5): field 14, in hundredths
// of seconds).
func userTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time: %w", err)
	}
	_, after, _ := strings.Cut(string(data), ") ") // the name, which may have spaces
	fields := strings.Fields(after)
	if len(fields) < 12 {
		return 0, fmt.Errorf("reading the CPU time: unknown format %q", data)
	}
	ticks, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time: %w", err)
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// peakOf returns the largest resident set so far of a process that runs.
func peakOf(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the peak: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kilobytes << 10, err //nolint:wrapcheck // it names the value
		}
	}
	return 0, errors.New("reading the peak: the kernel has none")
}

// freeAddress returns an address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
