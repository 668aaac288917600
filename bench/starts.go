package main

import (
	"context"
	"path/filepath"
)

// starts measures an empty server: its memory when idle, and the time from start to the first good answer.
func (b *bench) starts(context.Context) error {
	data := filepath.Join(b.dir, "empty")
	for range 2 { // the second start finds the folder made
		p, err := b.entrepot(data)
		if err != nil {
			return err
		}
		rss, err := p.memory("VmRSS")
		if err != nil {
			return err
		}
		started := p.started
		if err := p.stop(); err != nil {
			return err
		}
		b.bound("memory idle, empty", "MiB", rss, 40)
		b.bound("start to first 200, empty", "s", started.Seconds(), 0.2)
	}
	return nil
}
