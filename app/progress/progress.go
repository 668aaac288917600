// Package progress shows how long work goes on: a bar with rate and time left on a terminal, a plain line now and then elsewhere.
//
//	m := progress.Start(os.Stderr, progress.Options{Title: "import", Terminal: progress.IsTerminal(os.Stderr)})
//	m.Total(items, bytes)
//	m.Add(1, size) // from many goroutines
//	m.Close()
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	barWidth      = 28
	terminalEvery = 200 * time.Millisecond
	plainEvery    = 10 * time.Second
)

// Options describe a meter. The zero value is a plain meter without a title.
type Options struct {
	Title    string
	Terminal bool             // draw a bar in place
	Now      func() time.Time // default time.Now
	Every    time.Duration    // between two drawings; default by kind of output
}

// Meter counts what is done. All methods but Close may be called from many goroutines.
type Meter struct {
	out   io.Writer
	o     Options
	start time.Time

	items, bytes           atomic.Int64
	totalItems, totalBytes atomic.Int64

	stop chan struct{}
	done sync.WaitGroup
}

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// Start begins to show progress on w until Close.
func Start(w io.Writer, o Options) *Meter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every == 0 {
		if o.Every = plainEvery; o.Terminal {
			o.Every = terminalEvery
		}
	}
	m := &Meter{out: w, o: o, start: o.Now(), stop: make(chan struct{})}
	m.done.Add(1)
	go m.run()
	return m
}

// Total says how much there is to do. Zero means unknown.
func (m *Meter) Total(items, bytes int64) {
	m.totalItems.Store(items)
	m.totalBytes.Store(bytes)
}

// Add counts work done.
func (m *Meter) Add(items, bytes int64) {
	m.items.Add(items)
	m.bytes.Add(bytes)
}

// Close ends the drawing with the final figures.
func (m *Meter) Close() {
	close(m.stop)
	m.done.Wait()
	m.draw()
	if m.o.Terminal {
		fmt.Fprintln(m.out)
	}
}

func (m *Meter) run() {
	defer m.done.Done()
	tick := time.NewTicker(m.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.draw()
		}
	}
}

func (m *Meter) draw() {
	line := m.Line()
	if m.o.Terminal {
		fmt.Fprintf(m.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(m.out, line)
}

// Line gives the present state as one line of text.
func (m *Meter) Line() string {
	items, bytes := m.items.Load(), m.bytes.Load()
	totalItems, totalBytes := m.totalItems.Load(), m.totalBytes.Load()
	elapsed := m.o.Now().Sub(m.start)
	var b strings.Builder
	if m.o.Title != "" {
		b.WriteString(m.o.Title + "  ")
	}
	share := fraction(items, bytes, totalItems, totalBytes)
	if share >= 0 {
		if m.o.Terminal {
			full := int(share * barWidth)
			b.WriteString("[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] ")
		}
		fmt.Fprintf(&b, "%3.0f %%  %d/%d  %s/%s", share*100, items, totalItems, Bytes(bytes), Bytes(totalBytes))
	} else {
		fmt.Fprintf(&b, "%d  %s", items, Bytes(bytes))
	}
	if seconds := elapsed.Seconds(); seconds > 0 {
		fmt.Fprintf(&b, "  %.0f/s  %s/s", float64(items)/seconds, Bytes(int64(float64(bytes)/seconds)))
	}
	if share > 0 && share < 1 {
		left := time.Duration(float64(elapsed) * (1 - share) / share)
		fmt.Fprintf(&b, "  %s left", left.Round(time.Second))
	}
	return b.String()
}

// fraction is the share of the work done, by whichever of items and bytes is further behind; -1 when there is no total.
func fraction(items, bytes, totalItems, totalBytes int64) float64 {
	share := -1.0
	if totalItems > 0 {
		share = float64(items) / float64(totalItems)
	}
	if totalBytes > 0 {
		if s := float64(bytes) / float64(totalBytes); share < 0 || s < share {
			share = s
		}
	}
	return min(share, 1)
}

// Bytes writes a number of bytes for people, in binary units.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
