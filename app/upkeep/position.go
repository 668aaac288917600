package upkeep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"entrepot/storage/kv"
)

// Work that takes long keeps how far it came, so that it goes on there after a stop, a restart or a crash. What a position says was done
// is done; what was done since it was kept is done again, which changes nothing.
const (
	positionPartition = "upkeep/positions" // sorted by the name of the work
	positionEvery     = 5 * time.Second    // between two times that a position is kept
	positionLife      = 7 * day            // an older position is forgotten: too much has changed before it
)

// positionRecord is what is stored.
type positionRecord struct {
	Of    string          `json:"of"` // fingerprint of how the work was asked for
	Saved time.Time       `json:"saved"`
	At    json.RawMessage `json:"at"`
}

// position is how far a run of some work is.
type position[T any] struct {
	At T // to be brought up to date before passed is called

	w       *work // nil: no positions are kept
	key     kv.Key
	of      string
	resumed bool // At is where an earlier run was
	saved   time.Time
	known   bool // there is a row
	moved   bool // At is further than the row, or than the beginning
}

// openPosition finds out where an earlier run of the work ended. One that was asked for in another way, as of says, does not count.
func openPosition[T any](ctx context.Context, w *work, name string, of any) (*position[T], error) {
	asked, err := json.Marshal(of)
	if err != nil {
		return nil, fmt.Errorf("position of %s: %w", name, err)
	}
	sum := sha256.Sum256(asked)
	p := &position[T]{key: kv.Key{Partition: positionPartition, Sort: name}, of: hex.EncodeToString(sum[:]), saved: w.Now()}
	if w.Store == nil {
		return p, nil
	}
	p.w = w
	e, err := w.Store.Get(ctx, p.key)
	if errors.Is(err, kv.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("position of %s: %w", name, err)
	}
	p.known = true
	var r positionRecord
	if json.Unmarshal(e.Value, &r) != nil || r.Of != p.of || w.Now().Sub(r.Saved) > positionLife {
		return p, nil
	}
	var at T
	if json.Unmarshal(r.At, &at) == nil {
		p.At, p.resumed = at, true
	}
	return p, nil
}

// passed keeps the position now and then.
func (p *position[T]) passed(ctx context.Context) {
	p.moved = true
	if p.w != nil && p.w.Now().Sub(p.saved) >= positionEvery {
		p.save(ctx)
	}
}

// save keeps the position. Work goes on without it.
func (p *position[T]) save(ctx context.Context) {
	at, err := json.Marshal(p.At)
	var value []byte
	if err == nil {
		value, err = json.Marshal(positionRecord{Of: p.of, Saved: p.w.Now(), At: at})
	}
	if err == nil {
		err = p.w.Store.Apply(ctx, kv.Put(p.key, value))
	}
	if err != nil {
		p.w.Log.Warn("a later run will begin anew", "work", p.key.Sort, "error", err)
	}
	p.saved, p.known = p.w.Now(), true
}

// end forgets the position when the work is done, and keeps it when it ended with an error.
func (p *position[T]) end(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	switch {
	case p.w == nil, err != nil && !p.moved:
	case err != nil:
		p.save(ctx)
	case p.known:
		return p.w.Store.Apply(ctx, kv.Delete(p.key))
	}
	return err
}
