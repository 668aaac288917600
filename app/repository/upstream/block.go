package upstream

import (
	"context"
	"sync"
	"time"
)

// blockUnit is the length of the first automatic block; later ones are Fibonacci multiples of it.
const blockUnit = 40 * time.Second

// State is what an administrator sees of an upstream.
type State string

// The states.
const (
	StateReady       State = "ready"       // not asked yet
	StateAvailable   State = "available"   // the last answer was good
	StateUnavailable State = "unavailable" // failed, but not blocked
	StateBlocked     State = "blocked"     // blocked by an administrator
	StateAutoBlocked State = "autoBlocked" // blocked after failures
)

// blocker keeps whether the upstream is left alone for now. A background probe at the end of each block decides how it goes on.
type blocker struct {
	now   func() time.Time
	after func(time.Duration, func()) func() bool
	probe func(context.Context) bool

	mu        sync.Mutex
	state     State
	end       time.Time
	last, cur time.Duration // the last two lengths, for the Fibonacci sequence
	stop      func() bool
	cancel    context.CancelFunc
	closed    bool
}

func newBlocker(o *Options, probe func(context.Context) bool) *blocker {
	b := &blocker{now: o.Now, after: o.AfterFunc, probe: probe, state: StateReady}
	if b.now == nil {
		b.now = time.Now
	}
	if b.after == nil {
		b.after = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return b
}

// until gives the end of the present block, zero when there is none.
func (b *blocker) until() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end
}

func (b *blocker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.end, b.last, b.cur = StateAvailable, time.Time{}, 0, 0
}

// failed blocks, for longer each time in a row. A block under way is not made longer by requests that were sent before it.
func (b *blocker) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.end.IsZero() {
		return
	}
	b.last, b.cur = b.cur, max(b.last+b.cur, blockUnit)
	b.state, b.end = StateAutoBlocked, b.now().Add(b.cur)
	b.stop = b.after(b.cur, b.expire)
}

// expire probes at the end of a block and either opens or blocks again.
func (b *blocker) expire() {
	ctx, cancel := context.WithTimeout(context.Background(), DefaultTimeout)
	defer cancel()
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.cancel = cancel
	b.mu.Unlock()
	if b.probe(ctx) {
		b.succeeded()
		return
	}
	b.mu.Lock()
	b.end = time.Time{}
	b.mu.Unlock()
	b.failed()
}

func (b *blocker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.stop != nil {
		b.stop()
	}
	if b.cancel != nil {
		b.cancel()
	}
}

// State tells how the upstream stands, and when an automatic block ends.
func (c *Client) State() (State, time.Time) {
	if c.settings.Blocked {
		return StateBlocked, time.Time{}
	}
	c.block.mu.Lock()
	defer c.block.mu.Unlock()
	return c.block.state, c.block.end
}
