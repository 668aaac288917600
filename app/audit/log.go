package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/formats"
	"entrepot/storage/kv"
)

const partition = "audit/events"

func settingsKey() kv.Key { return kv.Key{Partition: "settings/audit", Sort: "log"} }

// ActionSignInFailed is the action of a sign-in that failed. Its object is the name that was given.
const ActionSignInFailed = "signin.failure"

// Settings say what is recorded and how much of it is kept.
type Settings struct {
	Enabled       bool  `json:"enabled"`
	RetentionDays int   `json:"retentionDays" minimum:"1" maximum:"3650"` // of the events that can be asked for
	File          bool  `json:"file"`                                     // also write audit.log in the data folder
	FileBytes     int64 `json:"fileBytes" minimum:"65536"`                // size at which the file is rotated
	FileCount     int   `json:"fileCount" minimum:"1" maximum:"1000"`     // rotated files that are kept
}

// Defaults are the settings that a server begins with.
func Defaults() Settings {
	return Settings{Enabled: true, RetentionDays: 90, File: true, FileBytes: 10 << 20, FileCount: 10}
}

// Validate finds what is wrong with settings.
func (s *Settings) Validate() formats.FieldErrors {
	var wrong formats.FieldErrors
	within := func(field string, n, least, most int64) {
		if n < least || n > most {
			wrong = append(wrong, formats.FieldError{Field: field, Message: fmt.Sprintf("must be a number from %d to %d", least, most)})
		}
	}
	within("retentionDays", int64(s.RetentionDays), 1, 3650)
	within("fileBytes", s.FileBytes, 64<<10, math.MaxInt64)
	within("fileCount", int64(s.FileCount), 1, 1000)
	return wrong
}

// Entry is an event as it is kept.
type Entry struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Actor   Actor     `json:"actor"`
	Action  string    `json:"action"`
	Object  string    `json:"object"`
	Before  any       `json:"before,omitempty"` // what JSON says, nil for nothing
	After   any       `json:"after,omitempty"`
	Omitted bool      `json:"omitted,omitempty"` // before and after were too large to be kept
	Missed  int       `json:"missed,omitempty"`  // failed sign-ins since the last one that was recorded
}

// Options of a Log; the zero value of a member means its documented default.
type Options struct {
	Path     string          // of the file; "" for none
	Writable func() error    // refuses changes of the settings while the server takes none; default never
	Present  func(v any) any // what stands for a Before or After; default itself
	// Told hears of each event once it is kept, and of whether it is: also of those that happen while the log is switched off. Default
	// nobody.
	Told   func(ctx context.Context, e Entry, kept bool)
	Logger *slog.Logger     // default discards
	Now    func() time.Time // default time.Now
}

// Log keeps events. Its methods may be called from many goroutines.
type Log struct {
	store    *kv.Store
	opts     Options
	settings atomic.Pointer[Settings]
	changing sync.Mutex // held by changes of the settings
	written  atomic.Uint64
	failures bucket
	mu       sync.Mutex // of the file
	file     file
}

// Open reads the settings.
func Open(ctx context.Context, store *kv.Store, opts Options) (*Log, error) {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	if opts.Present == nil {
		opts.Present = func(v any) any { return v }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	l := &Log{store: store, opts: opts, file: file{path: opts.Path}}
	settings := Defaults()
	e, err := store.Get(ctx, settingsKey())
	if err == nil {
		err = json.Unmarshal(e.Value, &settings)
	}
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return nil, fmt.Errorf("audit: read settings: %w", err)
	}
	l.settings.Store(&settings)
	return l, nil
}

// Settings gives the settings.
func (l *Log) Settings() Settings { return *l.settings.Load() }

// Row tells which state of the record of the settings is in force; version 0 when there is none.
func (l *Log) Row(ctx context.Context) (kv.Row, error) {
	l.changing.Lock()
	defer l.changing.Unlock()
	return l.store.Row(ctx, settingsKey())
}

// Set replaces the settings. Switching the log off is the last thing it records. It returns formats.FieldErrors when they are wrong.
func (l *Log) Set(ctx context.Context, s Settings) error {
	if wrong := s.Validate(); len(wrong) > 0 {
		return wrong
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	if err := l.opts.Writable(); err != nil {
		return err
	}
	value, err := json.Marshal(s)
	if err == nil {
		err = l.store.Apply(ctx, kv.Put(settingsKey(), value))
	}
	if err != nil {
		return fmt.Errorf("audit: write settings: %w", err)
	}
	before := l.Settings()
	if s.Enabled {
		l.settings.Store(&s)
	}
	Record(ctx, l, Event{Action: "audit.update", Object: "settings", Before: before, After: s})
	l.settings.Store(&s)
	return nil
}

// Record implements Recorder.
func (l *Log) Record(ctx context.Context, e Event) {
	settings := l.Settings()
	if !settings.Enabled && l.opts.Told == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = l.opts.Now()
	}
	entry := Entry{ID: newID(e.Time), Time: e.Time.UTC().Truncate(time.Millisecond), Actor: e.Actor, Action: e.Action, Object: e.Object}
	if e.Action == ActionSignInFailed {
		var ok bool
		if entry.Missed, ok = l.failures.take(e.Time); !ok {
			return
		}
	}
	entry.Before, entry.After = l.present(e.Before), l.present(e.After)
	if settings.Enabled {
		line, err := entry.encode()
		if err == nil {
			err = l.keep(context.WithoutCancel(ctx), entry.ID, line, settings)
		}
		if err != nil {
			l.opts.Logger.ErrorContext(ctx, "change was not recorded", "action", e.Action, "object", e.Object, "user", e.Actor.UserID, "error", err)
		}
	}
	if l.opts.Told != nil {
		l.opts.Told(ctx, entry, settings.Enabled)
	}
}

// keep writes an event down, and now and then forgets those that are too old.
func (l *Log) keep(ctx context.Context, id string, line []byte, settings Settings) error {
	const forgetEvery = 256
	err := l.store.Apply(ctx, kv.Put(kv.Key{Partition: partition, Sort: id}, line))
	if settings.File && l.file.path != "" {
		l.mu.Lock()
		err = errors.Join(err, l.file.append(line, settings))
		l.mu.Unlock()
	}
	if l.written.Add(1)%forgetEvery == 1 {
		err = errors.Join(err, l.forget(ctx, l.opts.Now().AddDate(0, 0, -settings.RetentionDays)))
	}
	return err
}

// forget removes events that are older than a moment, a bounded number at a time.
func (l *Log) forget(ctx context.Context, before time.Time) error {
	const most = 10 * kv.MaxBatch
	var ops []kv.Op
	for e, err := range l.store.Scan(ctx, partition, kv.Range{From: timeKey(before), Limit: most}) {
		if err != nil {
			return fmt.Errorf("audit: read old events: %w", err)
		}
		if ops = append(ops, kv.Delete(kv.Key{Partition: partition, Sort: e.Sort})); len(ops) == kv.MaxBatch {
			if err := l.store.Apply(ctx, ops...); err != nil {
				return fmt.Errorf("audit: remove old events: %w", err)
			}
			ops = ops[:0]
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return l.store.Apply(ctx, ops...)
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.close()
}

// timeKey sorts newer before older.
func timeKey(t time.Time) string { return fmt.Sprintf("%016x", uint64(math.MaxInt64-t.UnixNano())) }

// newID names an event, so that newer ones sort first.
func newID(t time.Time) string { return timeKey(t) + "-" + strings.ToLower(rand.Text()[:8]) }

// encode gives the line of an event, without the documents when they are too large to be kept.
func (e *Entry) encode() ([]byte, error) {
	line, err := json.Marshal(e)
	if err == nil && len(line) > kv.MaxValue/2 {
		e.Before, e.After, e.Omitted = nil, nil, true
		line, err = json.Marshal(e)
	}
	if err != nil {
		return nil, fmt.Errorf("audit: encode: %w", err)
	}
	return line, nil
}

// present gives what the JSON of a document says, without its secrets; nil when none can be made of it.
func (l *Log) present(v any) any {
	if v == nil {
		return nil
	}
	data, err := json.Marshal(l.opts.Present(v))
	if err != nil {
		return nil
	}
	document, err := read(data)
	if err != nil {
		return nil
	}
	return hide(document)
}

// read gives what JSON says, numbers as they are written.
func read(data []byte) (document any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return document, d.Decode(&document)
}

// hide replaces what is named like a secret.
func hide(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if text, ok := value.(string); ok && text != "" && secret(name) {
				v[name] = "***"
			} else {
				v[name] = hide(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = hide(v[i])
		}
	}
	return v
}

func secret(name string) bool {
	name = strings.ToLower(name)
	if name == "stamp" { // of a user's password
		return true
	}
	for _, word := range []string{"password", "secret", "passphrase", "bearertoken", "sessiontoken", "keypair", "privatekey", "sealed"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// bucket lets a burst pass, and then one a second.
type bucket struct {
	mu     sync.Mutex
	left   float64
	last   time.Time
	missed int
}

// burst is how many failed sign-ins are recorded at once.
const burst = 20

// take reports whether one more may pass, and how many did not since the last that did.
func (b *bucket) take(now time.Time) (missed int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.IsZero() {
		b.left = burst
	} else if d := now.Sub(b.last); d > 0 {
		b.left = min(burst, b.left+d.Seconds())
	}
	b.last = now
	if b.left < 1 {
		b.missed++
		return 0, false
	}
	b.left--
	missed, b.missed = b.missed, 0
	return missed, true
}
