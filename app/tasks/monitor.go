package tasks

import (
	"fmt"
	"sync"
	"time"
)

// progressEvery is how often watchers hear of progress.
const progressEvery = 200 * time.Millisecond

// Monitor is how a run tells how far it is. Its methods may be called from many goroutines; a nil Monitor tells nobody.
type Monitor struct {
	now     func() time.Time
	changed func()
	started time.Time

	mu       sync.Mutex
	progress Progress
	told     time.Time
}

// Total says how much there is to do; 0 means unknown.
func (m *Monitor) Total(n int64) { m.change(func(p *Progress) { p.Total = n }) }

// Add counts what is done.
func (m *Monitor) Add(n int64) { m.change(func(p *Progress) { p.Done += n }) }

// Resume counts what an earlier run did: it is done and says nothing of the rate.
func (m *Monitor) Resume(n int64) {
	m.change(func(p *Progress) { p.Done, p.Resumed = p.Done+n, p.Resumed+n })
}

// Say tells what the run is at.
func (m *Monitor) Say(format string, args ...any) {
	m.change(func(p *Progress) { p.Message = fmt.Sprintf(format, args...) })
}

func (m *Monitor) change(f func(*Progress)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	f(&m.progress)
	now := m.now()
	tell := now.Sub(m.told) >= progressEvery
	if tell {
		m.told = now
	}
	m.mu.Unlock()
	if tell {
		m.changed()
	}
}

// Progress gives how far the run is.
func (m *Monitor) Progress() Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.progress
	p.Started = m.started
	if elapsed := m.now().Sub(m.started).Seconds(); elapsed > 0 {
		p.Rate = float64(p.Done-p.Resumed) / elapsed
	}
	return p
}
