package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/migrate/adopt"
)

// completeRetry is the time from a failure to make records whole to the next attempt.
const completeRetry = time.Minute

// completeRecords makes records whole that an adoption wrote in haste. It is false when ctx has ended before.
func (a *appliance) completeRecords(ctx context.Context) bool {
	for {
		begin, assets := time.Now(), atomic.Int64{}
		err := a.Catalog.Complete(ctx, func(n int64) { assets.Add(n) })
		if err == nil {
			if n := assets.Load(); n > 0 {
				a.log.Info("the records of adopted assets are whole", "assets", n, "took", time.Since(begin).Round(time.Millisecond))
			}
			return true
		}
		if ctx.Err() == nil {
			a.log.Warn("the records of adopted assets are not whole yet", "retry", completeRetry, "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(completeRetry):
		}
	}
}

// copyBehind makes the records of adopted assets whole and copies their blobs until what it returns is called.
func (a *appliance) copyBehind(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a.completeRecords(ctx) {
			a.adopted.Run(ctx)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// observeAdoption measures what is left to copy from old servers' folders.
func (a *appliance) observeAdoption(r prometheus.Registerer) {
	gauge := func(name, help string, of func(adopt.Status) int64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			all, err := a.adopted.Status(context.Background())
			if err != nil {
				return -1
			}
			total := int64(0)
			for _, s := range all {
				total += of(s)
			}
			return float64(total)
		}))
	}
	gauge("entrepot_adopted_stores", "Blob stores in an old server's folders that are still needed; -1 when it cannot be told.", func(s adopt.Status) int64 {
		if s.Finished.IsZero() {
			return 1
		}
		return 0
	})
	gauge("entrepot_adopted_blobs", "Blobs served from an old server's folders that are not copied yet; -1 when it cannot be told.",
		func(s adopt.Status) int64 { return s.Blobs })
	gauge("entrepot_adopted_bytes", "Bytes of the blobs served from an old server's folders; -1 when it cannot be told.",
		func(s adopt.Status) int64 { return s.Bytes })
	gauge("entrepot_adopted_failures", "Blobs in an old server's folders that cannot be copied because they are missing or damaged; -1 when it cannot be told.",
		func(s adopt.Status) int64 { return s.Failures })
}
