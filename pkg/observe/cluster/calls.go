package cluster

import "sync"

// calls counts the calls in progress, so that close can wait for them. Unlike with a
// WaitGroup, a call may begin while close waits: the reflector lists in a goroutine
// that it does not wait for.
type calls struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{}
}

func newCalls() *calls { return &calls{idle: make(chan struct{})} }

// begin reports false after close.
func (c *calls) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.n++
	}
	return !c.closed
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.closed && c.n == 0 {
		close(c.idle)
	}
}

// close prevents new calls and waits for those in progress.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	if c.n == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	<-c.idle
}
