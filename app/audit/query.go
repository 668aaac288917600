package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"entrepot/storage/kv"
)

// Filter selects events. Zero members select all.
type Filter struct {
	User   string // id of the actor
	Action string // whole, or what is before a dot: "user" is "user.create" and its like
	Object string
	From   time.Time // not older
	To     time.Time // not newer
}

// maxExamined bounds the events that are read for one part of an answer.
const maxExamined = 5_000

// Query gives at most limit events, the newest first, from behind the one called after, "" for the newest. next is where to go on, ""
// at the end: a part may be short or empty and yet have a next one.
func (l *Log) Query(ctx context.Context, f Filter, after string, limit int) (found []Entry, next string, err error) {
	r := kv.Range{Limit: maxExamined}
	if !f.To.IsZero() {
		r.From = timeKey(f.To.Add(time.Millisecond))
	}
	if after != "" {
		r.From = max(r.From, after+"\x00")
	}
	if !f.From.IsZero() {
		r.To = timeKey(f.From) + "~"
	}
	examined, last := 0, ""
	for e, err := range l.store.Scan(ctx, partition, r) {
		if err != nil {
			return nil, "", fmt.Errorf("audit: read events: %w", err)
		}
		if len(found) == limit {
			return found, last, nil
		}
		examined, last = examined+1, e.Sort
		var entry Entry
		d := json.NewDecoder(bytes.NewReader(e.Value))
		d.UseNumber()
		if err := d.Decode(&entry); err != nil {
			return nil, "", fmt.Errorf("audit: read event %s: %w", e.Sort, err)
		}
		if f.selects(&entry) {
			found = append(found, entry)
		}
	}
	if examined == maxExamined {
		return found, last, nil
	}
	return found, "", nil
}

func (f *Filter) selects(e *Entry) bool {
	switch {
	case f.User != "" && f.User != e.Actor.UserID, f.Object != "" && f.Object != e.Object:
		return false
	case f.Action != "" && f.Action != e.Action && !strings.HasPrefix(e.Action, f.Action+"."):
		return false
	}
	return (f.From.IsZero() || !e.Time.Before(f.From)) && (f.To.IsZero() || !e.Time.After(f.To))
}
