package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// ErrReadOnly is the cause of refusals while the server is frozen.
var ErrReadOnly = errors.New("repository: the server is read-only")

// Freeze says since when and why the server takes no writes.
type Freeze struct {
	Since  time.Time `json:"since"`
	Actor  string    `json:"actor"`  // user id of who asked for it
	System bool      `json:"system"` // asked for by a task of the server, not by an administrator
}

var freezeKey = kv.Key{Partition: "repository/freeze", Sort: "now"}

// Frozen tells whether the server is read-only; nil when it is not.
func (e *Engine) Frozen() *Freeze { return e.frozen.Load() }

// FreezeRow tells which state of the record of Frozen is in force.
func (e *Engine) FreezeRow(ctx context.Context) (kv.Row, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opts.Store.Row(ctx, freezeKey)
}

// Freeze makes the server read-only until Release, also over a restart. It reports false when it was already.
func (e *Engine) Freeze(ctx context.Context, f Freeze) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.frozen.Load() != nil {
		return false, nil
	}
	if f.Since.IsZero() {
		f.Since = e.now()
	}
	value, err := json.Marshal(f)
	if err != nil {
		return false, fmt.Errorf("repository: freeze: %w", err)
	}
	if err := e.opts.Store.Apply(ctx, kv.Put(freezeKey, value)); err != nil {
		return false, fmt.Errorf("repository: freeze: %w", err)
	}
	e.opts.Catalog.Hold(true)
	e.frozen.Store(&f)
	e.tell(ctx, f.Actor, audit.Event{Action: "read-only.start", Object: "server"})
	return true, nil
}

// Release ends read-only mode. It reports false when there was none.
func (e *Engine) Release(ctx context.Context) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.frozen.Load() == nil {
		return false, nil
	}
	if err := e.opts.Store.Apply(ctx, kv.Delete(freezeKey)); err != nil {
		return false, fmt.Errorf("repository: release: %w", err)
	}
	e.frozen.Store(nil)
	e.opts.Catalog.Hold(false)
	e.renewal.wake()
	e.tell(ctx, "", audit.Event{Action: "read-only.end", Object: "server"})
	return true, nil
}

func (e *Engine) readFreeze(ctx context.Context) error {
	entry, err := e.opts.Store.Get(ctx, freezeKey)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read freeze: %w", err)
	}
	var f Freeze
	if err := json.Unmarshal(entry.Value, &f); err != nil {
		return fmt.Errorf("read freeze: %w", err)
	}
	e.opts.Catalog.Hold(true)
	e.frozen.Store(&f)
	return nil
}

// Writable is an error with the cause ErrReadOnly while the server is frozen, for the parts of the server that keep records elsewhere.
func (e *Engine) Writable() error { return e.writable() }

// writable refuses while the server is frozen.
func (e *Engine) writable() error {
	if e.frozen.Load() == nil {
		return nil
	}
	return &formats.Error{Kind: formats.Unavailable, Message: "The server is in read-only mode", Err: ErrReadOnly}
}
