package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrepot/storage/kv"
)

// The partitions of the key-value store.
const (
	statePartition    = "webhooks/state"     // by id of the capability
	positionPartition = "webhooks/positions" // id, NUL, content id -> sequence of the change feed
	queuePartition    = "webhooks/queue/"    // and the id; by number
)

// state is what is kept of a hook.
type state struct {
	Delivered   int64     `json:"delivered"`
	Dead        int64     `json:"dead"`
	Failing     string    `json:"failing,omitempty"`
	LastSuccess time.Time `json:"lastSuccess,omitzero"`
}

func stateKey(id string) kv.Key { return kv.Key{Partition: statePartition, Sort: id} }

func positionKey(id, content string) kv.Key {
	return kv.Key{Partition: positionPartition, Sort: id + "\x00" + content}
}

// readState reports whether the hook was there before.
func (s *Service) readState(ctx context.Context, h *hook) (bool, error) {
	e, err := s.store.Get(ctx, stateKey(h.ID))
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	var st state
	if err == nil {
		err = json.Unmarshal(e.Value, &st)
	}
	if err != nil {
		return false, fmt.Errorf("webhooks: state of %s: %w", h.ID, err)
	}
	h.mu.Lock()
	h.state = st
	h.mu.Unlock()
	return true, nil
}

func (s *Service) saveState(ctx context.Context, h *hook, more ...kv.Op) error {
	h.mu.Lock()
	value, err := json.Marshal(h.state)
	h.saved = s.opts.Now()
	h.mu.Unlock()
	if err == nil {
		err = s.store.Apply(ctx, append(more, kv.Put(stateKey(h.ID), value))...)
	}
	if err != nil {
		return fmt.Errorf("webhooks: keep state of %s: %w", h.ID, err)
	}
	return nil
}

// begin has a hook hear of what changes in a content tree from now on.
func (s *Service) begin(ctx context.Context, h *hook, content string) error {
	for _, d := range s.opts.Repositories() {
		if d.Content != content {
			continue
		}
		tree := s.opts.Content(d.Name)
		if tree == nil {
			return nil
		}
		sequence, err := tree.Position(ctx)
		if err != nil {
			return fmt.Errorf("webhooks: %w", err)
		}
		return s.store.Apply(ctx, kv.Put(positionKey(h.ID, content), []byte(sequence)))
	}
	return nil
}

// position gives the sequence behind which a hook has to be told; "" for all there is, as of a repository that came after the hook.
func (s *Service) position(ctx context.Context, h *hook, content string) (string, error) {
	e, err := s.store.Get(ctx, positionKey(h.ID, content))
	if errors.Is(err, kv.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("webhooks: position of %s: %w", h.ID, err)
	}
	return string(e.Value), nil
}

// forget drops what is kept of a hook.
func (s *Service) forget(ctx context.Context, id string) error {
	err := errors.Join(
		s.clear(ctx, positionPartition, kv.Prefix(id+"\x00")), s.clear(ctx, queuePartition+id, kv.Range{}), s.store.Apply(ctx, kv.Delete(stateKey(id))),
	)
	if err != nil {
		return fmt.Errorf("webhooks: forget %s: %w", id, err)
	}
	return nil
}

// forgetOthers drops what is left of hooks that were disabled or removed while nobody looked.
func (s *Service) forgetOthers(ctx context.Context, present map[string]*hook) error {
	var gone []string
	for e, err := range s.store.Scan(ctx, statePartition, kv.Range{}) {
		if err != nil {
			return fmt.Errorf("webhooks: %w", err)
		}
		if present[e.Sort] == nil {
			gone = append(gone, strings.Clone(e.Sort))
		}
	}
	for _, id := range gone {
		if err := s.forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) clear(ctx context.Context, partition string, r kv.Range) error {
	r.Limit = kv.MaxBatch
	for {
		var ops []kv.Op
		for e, err := range s.store.Scan(ctx, partition, r) {
			if err != nil {
				return err
			}
			ops = append(ops, kv.Delete(kv.Key{Partition: partition, Sort: e.Sort}))
		}
		if len(ops) == 0 {
			return nil
		}
		if err := s.store.Apply(ctx, ops...); err != nil {
			return err
		}
	}
}
