package catalog

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"entrepot/storage/kv"
)

// sequencer hands out the sequences of the change feeds: nanoseconds since 1970, made unique and increasing. It knows the writes
// that are under way, so that a reader of a feed never passes a sequence that may still appear.
type sequencer struct {
	mu       sync.Mutex
	last     uint64
	underWay map[uint64]struct{}
}

func (s *sequencer) begin(now time.Time) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, uint64(max(now.UnixNano(), 0)))
	if s.underWay == nil {
		s.underWay = make(map[uint64]struct{})
	}
	s.underWay[s.last] = struct{}{}
	return s.last
}

func (s *sequencer) end(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.underWay, sequence)
}

// raise makes all later sequences greater than one that was found in a feed, in case the clock was set back.
func (s *sequencer) raise(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, sequence)
}

// settled gives the sequence below which nothing can appear any more.
func (s *sequencer) settled() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	lowest := s.last + 1
	for q := range s.underWay {
		lowest = min(lowest, q)
	}
	return lowest
}

func feedSort(sequence uint64) string {
	return string(binary.BigEndian.AppendUint64(nil, sequence))
}

// Details of a feed entry stand behind its path and a NUL, which no path has.
const (
	detailCreated   = 1 << iota // the path did not exist before
	detailComponent             // a component changed with the asset
)

var componentLetters = map[ComponentChange]byte{ComponentCreated: 'c', ComponentUpdated: 'u', ComponentDeleted: 'd'}

// encode gives the value of a feed entry.
func (c *Change) encode() []byte {
	letter := byte('p')
	if c.Kind == ChangeDelete {
		letter = 'd'
	}
	b := append(append([]byte{recordFormat, letter}, c.Path...), 0)
	b = binary.AppendUvarint(b, c.Asset)
	var flags byte
	if c.Created {
		flags |= detailCreated
	}
	if c.Component != nil {
		flags |= detailComponent
	}
	b = append(b, flags)
	b = append(binary.AppendUvarint(b, uint64(len(c.Actor))), c.Actor...)
	if c.Component != nil {
		b = binary.AppendUvarint(append(b, componentLetters[c.Component.Change]), c.Component.ID)
		b = append(b, coordString(&c.Component.Coordinates)...)
	}
	return b
}

// decodeDetails reverses what encode wrote behind the path.
func (c *Change) decodeDetails(b []byte) error {
	id, n := binary.Uvarint(b)
	if n <= 0 || len(b) <= n {
		return errRecord
	}
	flags, b := b[n], b[n+1:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return errRecord
	}
	c.Asset, c.Created, c.Actor = id, flags&detailCreated != 0, string(b[n:n+int(size)])
	if b = b[n+int(size):]; flags&detailComponent == 0 {
		return nil
	}
	if len(b) == 0 {
		return errRecord
	}
	component := &ChangedComponent{}
	for kind, letter := range componentLetters {
		if letter == b[0] {
			component.Change = kind
		}
	}
	component.ID, n = binary.Uvarint(b[1:])
	if n <= 0 || component.Change == "" {
		return errRecord
	}
	var ok bool
	if component.Coordinates, ok = parseCoordinates(string(b[1+n:])); !ok {
		return errRecord
	}
	c.Component = component
	return nil
}

func changeOfRow(e *kv.Entry) (Change, error) {
	if len(e.Sort) != 8 || len(e.Value) < 2 || e.Value[0] != recordFormat {
		return Change{}, fmt.Errorf("change %x: %w", e.Sort, errRecord)
	}
	kind := ChangePut
	if e.Value[1] == 'd' {
		kind = ChangeDelete
	}
	path, details, detailed := bytes.Cut(e.Value[2:], []byte{0})
	c := Change{
		Sequence: hex.EncodeToString([]byte(e.Sort)),
		Time:     time.Unix(0, int64(binary.BigEndian.Uint64([]byte(e.Sort)))).UTC(),
		Kind:     kind,
		Path:     string(path),
	}
	if detailed {
		if err := c.decodeDetails(details); err != nil {
			return Change{}, fmt.Errorf("change %x: %w", e.Sort, err)
		}
	}
	return c, nil
}

// Changes delivers the changes behind a sequence in order; "" means from the oldest that is kept. It ends at the newest change
// that no write under way can precede. ErrTrimmed when changes behind the given sequence were trimmed already.
func (t *Content) Changes(ctx context.Context, after string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if t.state.Load() == 0 { // nothing was written by this process: what is there is settled
			if err := t.raiseFeed(ctx); err != nil {
				yield(Change{}, wrap(err, "changes of "+t.id))
				return
			}
		}
		r := kv.Range{To: feedSort(t.catalog.feed.settled())}
		if after != "" {
			raw, err := hex.DecodeString(after)
			if err != nil || len(raw) != 8 {
				yield(Change{}, fmt.Errorf("%w: sequence %q", ErrInvalid, after))
				return
			}
			r.From = string(raw) + "\x00"
			horizon, err := t.catalog.find(ctx, t.parts.usage, feedHorizon)
			if err == nil && string(horizon.Value) > string(raw) {
				err = ErrTrimmed
			}
			if err != nil {
				yield(Change{}, wrap(err, "changes of "+t.id))
				return
			}
		}
		for e, err := range t.catalog.store.Scan(ctx, t.parts.feed, r) {
			if err != nil {
				yield(Change{}, wrap(err, "changes of "+t.id))
				return
			}
			change, err := changeOfRow(&e)
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

// Position gives the sequence behind which every change appears that is not visible yet: what a copy of the tree that begins now follows.
func (t *Content) Position(ctx context.Context) (string, error) {
	if t.state.Load() == 0 {
		if err := t.raiseFeed(ctx); err != nil {
			return "", wrap(err, "position of "+t.id)
		}
	}
	return hex.EncodeToString([]byte(feedSort(t.catalog.feed.settled() - 1))), nil
}

// trimInterval is how often old entries of the change feeds are removed.
const trimInterval = time.Hour

// TrimFeeds removes the entries of all change feeds that are older than Options.FeedRetention. It runs in the background too.
func (c *Catalog) TrimFeeds(ctx context.Context) error {
	oldest := c.opts.Now().Add(-c.opts.FeedRetention)
	for e, err := range c.store.Scan(ctx, registryPartition, kv.Range{}) {
		if err == nil && treeIsLive(&e) {
			err = c.Content(e.Sort).trimFeed(ctx, e.Version, oldest)
		}
		if err != nil {
			return wrap(err, "trim change feeds")
		}
	}
	return nil
}

// trimFeed removes entries in batches, each with the new horizon, as long as the tree's row in the registry has a version.
func (t *Content) trimFeed(ctx context.Context, registered uint64, oldest time.Time) error {
	live := kv.Check(t.registryKey(), registered)
	horizon := kv.Key{Partition: t.parts.usage, Sort: feedHorizon}
	old := kv.Range{To: feedSort(uint64(max(oldest.UnixNano(), 0))), Limit: kv.MaxBatch - 2}
	for {
		ops := []kv.Op{live}
		last := ""
		for e, err := range t.catalog.store.Scan(ctx, t.parts.feed, old) {
			if err != nil {
				return err
			}
			ops = append(ops, kv.Delete(kv.Key{Partition: t.parts.feed, Sort: e.Sort}))
			last = e.Sort
		}
		if last == "" {
			return nil
		}
		ops = append(ops, kv.Put(horizon, []byte(last)))
		err := t.catalog.store.Apply(ctx, ops...)
		if errors.Is(err, kv.ErrConflict) {
			return nil // the tree is being removed
		}
		if err != nil {
			return err
		}
	}
}
