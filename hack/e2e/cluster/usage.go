package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is what kube-apiserver has used.
type Usage struct {
	CPU    time.Duration // since it started
	Memory int64         // resident now, in bytes
}

// clockTicks a second is the unit of times in /proc, whatever the kernel's own is.
const clockTicks = 100

// ServerUsage returns what kube-apiserver has used.
func (c *Cluster) ServerUsage() (Usage, error) {
	if c.server == nil {
		return Usage{}, errors.New("reading the usage of kube-apiserver: it is stopped")
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.server.cmd.Process.Pid))
	if err != nil {
		return Usage{}, fmt.Errorf("reading the usage of kube-apiserver: %w", err)
	}
	u, err := parseStat(data)
	if err != nil {
		return Usage{}, fmt.Errorf("reading the usage of kube-apiserver: %w", err)
	}
	return u, nil
}

// parseStat reads the fields utime, stime and rss of a line as proc_pid_stat(5)
// describes it.
func parseStat(data []byte) (Usage, error) {
	// The name before may hold spaces and parentheses.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const state, utime, stime, rss = 3, 14, 15, 24
	if len(fields) <= rss-state {
		return Usage{}, fmt.Errorf("parsing %q: %d fields", data, len(fields))
	}
	var values [3]int64
	for i, field := range []int{utime, stime, rss} {
		value, err := strconv.ParseInt(string(fields[field-state]), 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("parsing field %d: %w", field, err)
		}
		values[i] = value
	}
	return Usage{
		CPU:    time.Duration(values[0]+values[1]) * time.Second / clockTicks,
		Memory: values[2] * int64(os.Getpagesize()),
	}, nil
}
