package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// accessDelay is how long a line may wait for company.
	accessDelay = 100 * time.Millisecond
	// accessBatch is how many bytes of lines are written without waiting for more.
	accessBatch = 64 << 10
	// accessLimit is how many bytes of lines may wait when the writer cannot keep up. Further ones are counted, not kept: a full disk
	// or a stuck terminal must not stop the server.
	accessLimit = 8 << 20
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

// LineFormat appends the line of a request. Only one call runs at a time.
type LineFormat func(b []byte, a *Access) []byte

// AccessLog writes one line a request. Add costs an append; a goroutine writes.
type AccessLog struct {
	w      io.Writer
	format LineFormat
	log    *slog.Logger

	mu      sync.Mutex
	adding  Access // the one whose line is made
	waiting []byte
	spare   []byte
	lost    int // requests
	closed  bool
	wake    chan struct{} // the first line waits
	full    chan struct{} // a batch waits
	stop    chan struct{}
	stopped chan struct{}
}

// NewAccessLog writes lines to w, many at once. log is told when some had to be left out. Close ends the log.
func NewAccessLog(w io.Writer, format LineFormat, log *slog.Logger) *AccessLog {
	l := &AccessLog{
		w: w, format: format, log: log,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go l.run()
	return l
}

// Add takes a line.
func (l *AccessLog) Add(a Access) {
	l.mu.Lock()
	before := len(l.waiting)
	if before >= accessLimit || l.closed {
		l.lost++
		l.mu.Unlock()
		return
	}
	l.adding = a
	l.waiting = l.format(l.waiting, &l.adding)
	after := len(l.waiting)
	l.mu.Unlock()
	if before == 0 {
		signal(l.wake)
	}
	if before < accessBatch && after >= accessBatch {
		signal(l.full)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
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
		case <-l.full:
		case <-l.stop:
		}
		l.write()
	}
}

// write takes what waits and writes it. Errors of the writer have nowhere to go: the log is where they would be told.
func (l *AccessLog) write() {
	l.mu.Lock()
	batch, lost := l.waiting, l.lost
	l.waiting, l.lost = l.spare, 0
	l.mu.Unlock()
	if len(batch) > 0 {
		_, _ = l.w.Write(batch)
	}
	if lost > 0 {
		l.log.Warn("requests not logged: the log is too slow", "requests", lost)
	}
	l.spare = nil
	if cap(batch) <= 4*accessBatch { // a burst's memory is given back
		l.spare = batch[:0]
	}
}

// TextLines formats lines with a handler that newHandler makes on a writer.
func TextLines(newHandler func(io.Writer) slog.Handler) LineFormat {
	var line appender
	handler := newHandler(&line)
	return func(b []byte, a *Access) []byte {
		line.b = b
		_ = handler.Handle(context.Background(), a.record()) // an appender never fails
		b, line.b = line.b, nil
		return b
	}
}

// appender is a writer in memory.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
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
