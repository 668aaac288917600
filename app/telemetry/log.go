package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lmittmann/tint"
)

// LogOptions say what is logged and how.
type LogOptions struct {
	Level  string // debug, info, warn or error; "" is info
	Format string // text, json, or auto: text on a terminal, else json; "" is auto
	Access bool   // one line a request
}

// Logs are the program's log and its line a request, both on one writer.
type Logs struct {
	Logger *slog.Logger
	Access *AccessLog     // nil when switched off
	Level  *slog.LevelVar // of Logger; may be changed at any time
}

// NewLogs makes the logs.
func NewLogs(w io.Writer, opts LogOptions) (*Logs, error) {
	var level slog.Level
	if opts.Level != "" {
		if err := level.UnmarshalText([]byte(opts.Level)); err != nil {
			return nil, fmt.Errorf("telemetry: log level %q: want debug, info, warn or error", opts.Level)
		}
	}
	least := new(slog.LevelVar)
	least.Set(level)
	terminal := isTerminal(w)
	switch opts.Format {
	case "", "auto":
		opts.Format = "json"
		if terminal {
			opts.Format = "text"
		}
	case "text", "json":
	default:
		return nil, fmt.Errorf("telemetry: log format %q: want text, json or auto", opts.Format)
	}
	shared := &locked{w: w}
	handler := func(w io.Writer) slog.Handler {
		switch {
		case opts.Format == "json":
			return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least})
		case terminal:
			return tint.NewTextHandler(w, &tint.Options{Level: least, TimeFormat: time.TimeOnly})
		}
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: least})
	}
	logs := &Logs{Logger: slog.New(handler(shared)), Level: least}
	if opts.Access {
		format := JSONLines
		if opts.Format == "text" {
			format = TextLines(handler)
		}
		logs.Access = NewAccessLog(shared, format, logs.Logger)
	}
	return logs, nil
}

// Close writes what is still waiting.
func (l *Logs) Close() {
	if l.Access != nil {
		l.Access.Close()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// locked keeps the lines of two handlers apart.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
