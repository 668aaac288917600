package access

import (
	"strings"
	"sync"
	"time"
)

// throttle slows down guessing. Failed sign-ins fill three leaking buckets: of the user at the address, of the user, and of the
// address. While one holds more than it tolerates, attempts that it covers are let through one by one, with a growing pause
// between them; credentials verified before do not come here, so builds that run keep running.
type throttle struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	level float64   // failures that have not leaked away yet
	at    time.Time // when level was true
	next  time.Time // the slot of the attempt let through last
}

// tolerance says what a bucket bears.
type tolerance struct {
	free  float64       // failures without consequence
	leak  float64       // failures forgotten per second
	pause time.Duration // the longest between two attempts
}

const (
	firstPause = 250 * time.Millisecond
	maxWait    = 10 * time.Second
	maxBuckets = 30_000
	// worst bounds how far a bucket can overflow, so that it is empty again after a while.
	worst = 20
)

func newThrottle() *throttle { return &throttle{buckets: map[string]*bucket{}} }

// covering gives the buckets that an attempt belongs to.
func covering(user, address string) map[string]tolerance {
	user = strings.ToLower(strings.ToUpper(user)) // some directories do not tell letter case apart
	return map[string]tolerance{
		"b" + user + "\x00" + address: {free: 30, leak: 1.0 / 3, pause: 2 * time.Second},
		"u" + user:                    {free: 100, leak: 1, pause: time.Second},
		"a" + address:                 {free: 200, leak: 2, pause: time.Second},
	}
}

func (b *bucket) settle(now time.Time, t tolerance) {
	if now.After(b.at) { // another attempt may have read the clock later
		b.level = max(0, b.level-t.leak*now.Sub(b.at).Seconds())
		b.at = now
	}
}

// reserve gives the time to wait before an attempt, or a *ThrottledError when too many wait already.
func (t *throttle) reserve(now time.Time, user, address string) (time.Duration, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var wait time.Duration
	var waitsAt []*bucket
	for name, tol := range covering(user, address) {
		b := t.buckets[name]
		if b == nil {
			continue
		}
		b.settle(now, tol)
		if b.level <= tol.free {
			continue
		}
		pause := firstPause << min(3, int(b.level-tol.free))
		slot := now
		if b.next.After(now) {
			slot = b.next
		}
		wait = max(wait, slot.Add(min(pause, tol.pause)).Sub(now))
		waitsAt = append(waitsAt, b)
	}
	if wait > maxWait {
		return 0, &ThrottledError{RetryAfter: wait}
	}
	for _, b := range waitsAt {
		b.next = now.Add(wait)
	}
	return wait, nil
}

// failed notes a failed attempt.
func (t *throttle) failed(now time.Time, user, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, tol := range covering(user, address) {
		b := t.buckets[name]
		if b == nil {
			t.makeRoom(now)
			b = &bucket{at: now}
			t.buckets[name] = b
		}
		b.settle(now, tol)
		b.level = min(b.level+1, tol.free+worst)
	}
}

// makeRoom forgets buckets when there are too many: those that leaked empty first, then any, until a quarter is free, so that many
// failures with ever new names cost little each.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.buckets) < maxBuckets {
		return
	}
	const longAgo = 3 * time.Minute // by then every bucket is empty enough
	for name, b := range t.buckets {
		if now.Sub(b.at) > longAgo {
			delete(t.buckets, name)
		}
	}
	for name := range t.buckets {
		if len(t.buckets) < maxBuckets*3/4 {
			return
		}
		delete(t.buckets, name)
	}
}
