package cluster

import "sync"

// calls counts what is under way, so that its end can be waited for. Unlike a
// WaitGroup it may be waited for while something tries to begin: the reflector
// lists in a goroutine that it does not wait for.
type calls struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{}
}

func newCalls() *calls { return &calls{idle: make(chan struct{})} }

// begin reports false when it is too late to begin.
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

// close lets nothing begin any more and waits for what has begun.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	if c.n == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	<-c.idle
}
