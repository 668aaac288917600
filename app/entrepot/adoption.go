package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/app/progress"
	"entrepot/app/tasks"
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

// copyAdopted is the id of the type of tasks that copy adopted blobs. It is there only while there is something to copy.
const copyAdopted = "copy-adopted"

// adoptionTypes gives the type of the task that copies adopted blobs, if there are any.
func (a *appliance) adoptionTypes(stores *adopt.Stores) []tasks.Type {
	if !stores.Needed() {
		return nil
	}
	return []tasks.Type{{
		ID: copyAdopted, Name: "Adopted blob stores: copy behind", Single: true,
		Help: "Copies blobs that are served from an old server's folders, until these are not needed any more. It starts with the server.",
		Do: func(ctx context.Context, _ map[string]string, m *tasks.Monitor) (string, error) {
			return a.copyAll(ctx, m)
		},
	}}
}

// copyAll copies until nothing is left. What is tried again counts once.
func (a *appliance) copyAll(ctx context.Context, m *tasks.Monitor) (string, error) {
	all, err := a.adopted.Status(ctx)
	if err != nil {
		return "", err
	}
	var total, size int64
	for _, s := range all {
		total, size = total+s.Blobs, size+s.Bytes
	}
	m.Total(total)
	m.Say("copying %s in %d blobs", progress.Bytes(size), total)
	var done atomic.Int64
	a.adopted.Run(ctx, func(n, _ int64) {
		if done.Add(n) <= total {
			m.Add(n)
		}
	})
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return fmt.Sprintf("Copied %d blobs, %s", total, progress.Bytes(size)), nil
}

// startCopying starts the task that copies adopted blobs.
func (a *appliance) startCopying(ctx context.Context) {
	for {
		retry, err := startRetry, a.adoptionTask(ctx)
		switch {
		case err == nil, ctx.Err() != nil:
			return
		case errors.Is(err, tasks.ErrDisabled):
			a.log.Warn("adopted blobs are not copied: the task is disabled", "type", copyAdopted)
			return
		case !errors.Is(err, tasks.ErrClosed): // tasks are served in a moment
			retry = completeRetry
			a.log.Warn("the task that copies adopted blobs cannot be started", "retry", retry, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
	}
}

// startRetry is how often is looked whether tasks are served.
const startRetry = 100 * time.Millisecond

// adoptionTask starts the task while it is needed, and removes it after that.
func (a *appliance) adoptionTask(ctx context.Context) error {
	_, needed := a.Tasks.Type(copyAdopted)
	if needed {
		d := tasks.Definition{Type: copyAdopted, Name: "Copy adopted blobs", Enabled: true, Schedule: tasks.Schedule{Frequency: tasks.Manual}}
		if err := a.Tasks.Ensure(ctx, d); err != nil {
			return err
		}
	}
	for _, t := range a.Tasks.List() {
		switch {
		case t.Type != copyAdopted:
		case needed:
			return a.Tasks.Start(ctx, t.ID, "")
		default:
			return a.Tasks.Delete(ctx, t.ID, "")
		}
	}
	return nil
}

// copyBehind makes the records of adopted assets whole, and starts to copy their blobs, until what it returns is called.
func (a *appliance) copyBehind(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a.completeRecords(ctx) {
			a.startCopying(ctx)
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
