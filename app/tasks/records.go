package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"entrepot/storage/kv"
)

// The partitions of the key-value store. Both are sorted by the id of the task.
const (
	definitionPartition = "tasks/definitions"
	runsPartition       = "tasks/runs"
)

// maxRuns is how many runs of a task are remembered.
const maxRuns = 20

// runsRecord is what is remembered of a task's runs. The one that goes on is written before it begins, on condition that nobody else
// wrote meanwhile: of several processes over one store only one begins it.
type runsRecord struct {
	Running *runningRecord `json:"running,omitempty"`
	Ended   []Outcome      `json:"ended,omitempty"` // the last one first
}

type runningRecord struct {
	Started time.Time `json:"started"`
	Actor   string    `json:"actor,omitempty"`
}

func definitionKey(id string) kv.Key { return kv.Key{Partition: definitionPartition, Sort: id} }

func runsKey(id string) kv.Key { return kv.Key{Partition: runsPartition, Sort: id} }

// Row tells which state of a task's record is in force; version 0 when there is no such task.
func (s *Service) Row(id string) kv.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := kv.Row{Key: definitionKey(id)}
	if t := s.tasks[id]; t != nil {
		row.Version = t.version
	}
	return row
}

// load reads all tasks.
func (s *Service) load(ctx context.Context) error {
	for e, err := range s.store.Scan(ctx, definitionPartition, kv.Range{}) {
		if err != nil {
			return fmt.Errorf("tasks: read: %w", err)
		}
		t := &task{version: e.Version}
		if err := json.Unmarshal(e.Value, &t.def); err != nil {
			return fmt.Errorf("tasks: read %s: %w", e.Sort, err)
		}
		if err := s.loadRuns(ctx, t); err != nil {
			return err
		}
		s.touch(t)
		s.tasks[t.def.ID] = t
	}
	return nil
}

func (s *Service) loadRuns(ctx context.Context, t *task) error {
	e, err := s.store.Get(ctx, runsKey(t.def.ID))
	if errors.Is(err, kv.ErrNotFound) {
		t.runs, t.runsVersion = runsRecord{}, 0
		return nil
	}
	if err == nil {
		t.runs, t.runsVersion = runsRecord{}, e.Version
		err = json.Unmarshal(e.Value, &t.runs)
	}
	if err != nil {
		return fmt.Errorf("tasks: read runs of %s: %w", t.def.ID, err)
	}
	return nil
}

// saveRuns replaces what is remembered of runs. It wraps kv.ErrConflict when another process wrote meanwhile. s.mu is held.
func (s *Service) saveRuns(ctx context.Context, t *task, next runsRecord) error {
	value, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("tasks: encode runs of %s: %w", t.def.ID, err)
	}
	op := kv.PutIf(runsKey(t.def.ID), value, t.runsVersion)
	if t.runsVersion == 0 {
		op = kv.PutNew(op.Key, value)
	}
	if err := s.store.Apply(ctx, op, kv.Op{Kind: kv.OpCheck, Key: definitionKey(t.def.ID), If: kv.IfExists}); err != nil {
		return fmt.Errorf("tasks: write runs of %s: %w", t.def.ID, err)
	}
	return s.loadRuns(ctx, t)
}

// saveDefinition stores a definition, new when t has no version yet. s.mu is held.
func (s *Service) saveDefinition(ctx context.Context, t *task, d Definition, more ...kv.Op) error {
	value, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("tasks: encode %s: %w", d.ID, err)
	}
	key := definitionKey(d.ID)
	op := kv.PutIf(key, value, t.version)
	if t.version == 0 {
		op = kv.PutNew(key, value)
	}
	if err := s.store.Apply(ctx, append(more, op)...); err != nil {
		return fmt.Errorf("tasks: write %s: %w", d.ID, err)
	}
	e, err := s.store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("tasks: read back %s: %w", d.ID, err)
	}
	t.def, t.version = d, e.Version
	return nil
}

func (r runsRecord) with(o Outcome) runsRecord {
	ended := append([]Outcome{o}, r.Ended...)
	return runsRecord{Ended: ended[:min(len(ended), maxRuns)]}
}
