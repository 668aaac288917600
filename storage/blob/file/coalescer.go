package file

import "sync"

// coalescer runs an action on behalf of many callers. Who calls while the action runs waits for the next run, since the running one
// may have begun too early to count; all who wait share that run and its error.
type coalescer struct {
	mu   sync.Mutex
	next *run       // gathers callers; nil when nobody waits
	turn sync.Mutex // held during a run
}

type run struct {
	done chan struct{}
	err  error
}

func (c *coalescer) do(action func() error) error {
	c.mu.Lock()
	r := c.next
	leads := r == nil
	if leads {
		r = &run{done: make(chan struct{})}
		c.next = r
	}
	c.mu.Unlock()
	if !leads {
		<-r.done
		return r.err
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	c.next = nil
	c.mu.Unlock()
	r.err = action()
	close(r.done)
	return r.err
}
