package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/app/tasks"
)

// figures count what tasks and webhooks did.
type figures struct {
	hooks            *prometheus.CounterVec
	runs             *prometheus.CounterVec
	seconds          *prometheus.CounterVec
	collected, freed prometheus.Counter
}

func newFigures() figures {
	return figures{
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entrepot_webhook_attempts_total",
			Help: "Attempts to deliver webhooks by capability and result: delivered, failed (it is tried again), dead (given up).",
		}, []string{"capability", "result"}),
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
	r.MustRegister(f.hooks, f.runs, f.seconds, f.collected, f.freed)
}

// count hears of blobs that were removed.
func (f figures) count(blobs, bytes int64) {
	f.collected.Add(float64(blobs))
	f.freed.Add(float64(bytes))
}

// ended hears of a run of a task.
func (f figures) ended(typeID string, o tasks.Outcome) {
	f.runs.WithLabelValues(typeID, string(o.Result)).Inc()
	f.seconds.WithLabelValues(typeID).Add(o.Duration.Seconds())
}

// attempted hears of attempts to deliver webhooks.
func (f figures) attempted(capability, result string) {
	f.hooks.WithLabelValues(capability, result).Inc()
}

// runTasks runs tasks at their times until what it returns is called.
func (a *appliance) runTasks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Tasks.Serve(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// runWebhooks sends webhooks until what it returns is called.
func (a *appliance) runWebhooks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Webhooks.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
