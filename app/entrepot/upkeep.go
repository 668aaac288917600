package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/app/cleanup"
	"entrepot/app/tasks"
	"entrepot/app/upkeep"
	"entrepot/compat/names"
)

// figures count what tasks did.
type figures struct {
	runs             *prometheus.CounterVec
	seconds          *prometheus.CounterVec
	collected, freed prometheus.Counter
}

func newFigures() figures {
	return figures{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entrepot_task_runs_total", Help: "Runs of tasks that ended, by type and result.",
		}, []string{"type", "result"}),
		seconds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entrepot_task_run_seconds_total", Help: "Time that runs of tasks took, by type.",
		}, []string{"type"}),
		collected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "entrepot_blobs_collected_total", Help: "Blobs that were removed because no record named them.",
		}),
		freed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "entrepot_blobs_collected_bytes_total", Help: "Bytes of blobs that were removed because no record named them.",
		}),
	}
}

func (f figures) register(r prometheus.Registerer) {
	r.MustRegister(f.runs, f.seconds, f.collected, f.freed)
}

// openUpkeep opens what looks after content by itself. Nothing runs before runTasks.
func (a *appliance) openUpkeep(ctx context.Context) (err error) {
	a.cleanup = cleanup.New(a.policies, a.engine, cleanup.Options{Audit: a.audit, Log: a.log})
	a.figures = newFigures()
	types := upkeep.Types(upkeep.Options{
		Engine: a.engine, Catalog: a.catalog, Store: a.store, Cleanup: a.cleanup, Search: a.search, Access: a.access, Checkpoint: a.records.Checkpoint, Log: a.log,
		Collected: func(blobs, bytes int64) {
			a.figures.collected.Add(float64(blobs))
			a.figures.freed.Add(float64(bytes))
		},
	})
	a.tasks, err = tasks.Open(ctx, a.store, tasks.Options{
		Types: types, Writable: a.engine.Writable, Audit: a.audit, Mail: a.mail, Log: a.log, Needless: names.Needless,
		Ended: func(typeID string, o tasks.Outcome) {
			a.figures.runs.WithLabelValues(typeID, string(o.Result)).Inc()
			a.figures.seconds.WithLabelValues(typeID).Add(o.Duration.Seconds())
		},
	})
	if err != nil {
		return err
	}
	return a.tasks.Ensure(ctx, upkeep.DefaultCleanup())
}

// runTasks runs tasks at their times until what it returns is called.
func (a *appliance) runTasks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.tasks.Serve(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
