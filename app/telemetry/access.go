package telemetry

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// accessDelay is how long a line may wait for company.
	accessDelay = 100 * time.Millisecond
	// accessLimit is how many lines may wait when the writer cannot keep up. Further ones are counted, not kept: a full disk or a
	// stuck terminal must not stop the server.
	accessLimit = 64 << 10
)

// Access is one answered request.
type Access struct {
	Time       time.Time // when the request began
	ID         uint64    // number of the request in this process
	Method     string
	Path       string // as sent, without query
	Status     int
	Bytes      int64 // of the answer's body that were sent
	Duration   time.Duration
	Caller     string
	Remote     string
	Repository string
	Format     string
	Class      string
	Error      string // why the answer could not be sent whole
}

// AccessLog writes one line a request. Add costs an append; a goroutine writes.
type AccessLog struct {
	handler slog.Handler
	json    io.Writer // takes the lines of requests as JSON; nil: handler takes them
	flush   func() error
	line    []byte

	mu      sync.Mutex
	waiting []Access
	spare   []Access
	lost    int
	closed  bool
	wake    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
}

// NewAccessLog writes lines to h. flush is called after each batch; nil means nothing is to be flushed. Close ends the log.
func NewAccessLog(h slog.Handler, flush func() error) *AccessLog {
	if flush == nil {
		flush = func() error { return nil }
	}
	return startAccessLog(&AccessLog{handler: h, flush: flush})
}

// newAccessJSON writes the lines that slog.JSONHandler would write, at a fraction of its cost.
func newAccessJSON(w *bufio.Writer) *AccessLog {
	return startAccessLog(&AccessLog{handler: slog.NewJSONHandler(w, nil), json: w, flush: w.Flush})
}

func startAccessLog(l *AccessLog) *AccessLog {
	l.wake, l.stop, l.stopped = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go l.run()
	return l
}

// Add takes a line. Its strings must not change afterwards.
func (l *AccessLog) Add(a Access) {
	l.mu.Lock()
	if len(l.waiting) >= accessLimit || l.closed {
		l.lost++
		l.mu.Unlock()
		return
	}
	l.waiting = append(l.waiting, a)
	first := len(l.waiting) == 1
	l.mu.Unlock()
	if first {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Close writes what waits and ends the log.
func (l *AccessLog) Close() {
	l.mu.Lock()
	already := l.closed
	l.closed = true
	l.mu.Unlock()
	if !already {
		close(l.stop)
	}
	<-l.stopped
}

func (l *AccessLog) run() {
	defer close(l.stopped)
	for {
		select {
		case <-l.wake:
		case <-l.stop:
			l.write()
			return
		}
		select {
		case <-time.After(accessDelay):
		case <-l.stop:
		}
		l.write()
	}
}

// write takes what waits and writes it. Errors of the writer have nowhere to go: the log is where they would be told.
func (l *AccessLog) write() {
	l.mu.Lock()
	batch, lost := l.waiting, l.lost
	l.waiting, l.lost = l.spare[:0], 0
	l.mu.Unlock()
	for i := range batch {
		if l.json == nil {
			_ = l.handler.Handle(context.Background(), batch[i].record())
			continue
		}
		l.line = batch[i].appendJSON(l.line[:0])
		_, _ = l.json.Write(l.line)
	}
	if lost > 0 {
		record := slog.NewRecord(time.Now(), slog.LevelWarn, "requests not logged: the log is too slow", 0)
		record.AddAttrs(slog.Int("requests", lost))
		_ = l.handler.Handle(context.Background(), record)
	}
	_ = l.flush()
	clear(batch)
	if cap(batch) <= accessLimit/8 { // a burst's memory is given back
		l.spare = batch[:0]
	} else {
		l.spare = nil
	}
}

func (a *Access) record() slog.Record {
	r := slog.NewRecord(a.Time, slog.LevelInfo, "request", 0)
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", a.Method), slog.String("path", a.Path), slog.Int("status", a.Status), slog.Int64("bytes", a.Bytes),
		slog.Duration("duration", a.Duration), slog.String("remote", a.Remote), slog.Uint64("id", a.ID))
	for _, text := range []slog.Attr{
		slog.String("user", a.Caller), slog.String("repository", a.Repository), slog.String("format", a.Format),
		slog.String("class", a.Class), slog.String("error", a.Error),
	} {
		if text.Value.String() != "" {
			attrs = append(attrs, text)
		}
	}
	r.AddAttrs(attrs...)
	return r
}
