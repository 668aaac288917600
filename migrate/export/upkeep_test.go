package export_test

import (
	"context"
	"testing"

	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/tasks"
	"entrepot/migrate/importer"
	"entrepot/storage/kv"
)

// newUpkeep gives what takes cleanup policies and tasks. It has one type of tasks.
func newUpkeep(t *testing.T, rows *kv.Store, engine *repository.Engine) importer.Upkeep {
	t.Helper()
	policies, err := cleanup.Open(t.Context(), rows)
	must(t, err)
	service, err := tasks.Open(t.Context(), rows, tasks.Options{Types: []tasks.Type{{
		ID: "collect-blobs", Name: "Collect", Do: func(context.Context, map[string]string, *tasks.Monitor) (string, error) { return "", nil },
	}}})
	must(t, err)
	return importer.Upkeep{Cleanup: cleanup.New(policies, engine, cleanup.Options{}), Tasks: service}
}
