package federated

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"sync"
	"time"
)

// PendingOptions of a Pending; nil and zero members mean the defaults.
type PendingOptions struct {
	// For is how long a value waits to be taken. Default: 15 minutes.
	For time.Duration
	// Limit is how many values wait at most; the oldest makes room. Default: 10,000.
	Limit int
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Random is the source of keys. Default: crypto/rand.
	Random io.Reader
}

// Pending holds values until somebody comes back with their key, which is a secret of 256 bits. Each can be taken once. It lives in the
// memory of one instance, as sessions do, and is safe for many goroutines.
type Pending[T any] struct {
	opts PendingOptions

	mu    sync.Mutex
	order *list.List // of *waiting[T], the oldest first
	byKey map[string]*list.Element
}

type waiting[T any] struct {
	key   string
	value T
	until time.Time
}

// NewPending gives an empty Pending.
func NewPending[T any](opts PendingOptions) *Pending[T] {
	if opts.For <= 0 {
		opts.For = 15 * time.Minute
	}
	if opts.Limit <= 0 {
		opts.Limit = 10_000
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	return &Pending[T]{opts: opts, order: list.New(), byKey: make(map[string]*list.Element)}
}

// Secret makes a random text of 256 bits, of letters, digits, "-" and "_".
func (p *Pending[T]) Secret() (string, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(p.opts.Random, raw); err != nil {
		return "", fmt.Errorf("federated: make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Add holds a value and gives its key, made by Secret.
func (p *Pending[T]) Add(value T) (string, error) {
	key, err := p.Secret()
	if err != nil {
		return "", err
	}
	p.Put(key, value)
	return key, nil
}

// Put holds a value under a key that the caller made of Secret, in place of what was held there.
func (p *Pending[T]) Put(key string, value T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.byKey[key]; old != nil {
		p.drop(old)
	}
	now := p.opts.Now()
	for e := p.order.Front(); e != nil; e = p.order.Front() {
		if p.order.Len() < p.opts.Limit && now.Before(e.Value.(*waiting[T]).until) {
			break
		}
		p.drop(e)
	}
	p.byKey[key] = p.order.PushBack(&waiting[T]{key: key, value: value, until: now.Add(p.opts.For)})
}

// Take gives the value of a key, which is then held no more.
func (p *Pending[T]) Take(key string) (value T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byKey[key]
	if e == nil {
		return value, false
	}
	w := p.drop(e)
	if !p.opts.Now().Before(w.until) {
		return value, false
	}
	return w.value, true
}

func (p *Pending[T]) drop(e *list.Element) *waiting[T] {
	w := p.order.Remove(e).(*waiting[T])
	delete(p.byKey, w.key)
	return w
}
