// Package tasks runs work at set times: cleaning up, collecting blobs, rebuilding indexes. It knows nothing of what the work is: kinds
// of work are Types that the program is put together with (package app/upkeep has those of this server).
//
// Invariants:
//
//   - A task has at most one run at a time, and two runs that claim the same thing never overlap: the later one waits, blocked.
//   - The begin of a run is a conditional write. A run that was cut off, by a crash or the end of the process, is recorded as
//     interrupted when tasks are served again.
//   - A time that passed while nobody was there to see it is made up for once, as soon as tasks are served.
//   - A task whose type this program does not have is kept as it is and never runs; its Status says why.
//   - Of the last runs of a task 20 are kept.
//
// # For an API
//
// List and Get give a Status: the definition, the state, the progress of a run and the last runs. Types describes forms; Template gives a
// definition with all defaults. Create, Update and Delete check everything and return formats.FieldErrors, ErrNotFound or the refusal
// of a frozen server; Start and Stop return ErrNotFound, ErrDisabled, ErrUnsupported, ErrNotRunning. Watch delivers a Status at once and
// after each change, for server-sent events; changes that come faster than a watcher takes them are passed over, the last one never.
//
// Example:
//
//	service, err := tasks.Open(ctx, store, tasks.Options{Types: types})
//	go service.Serve(ctx)
//	made, err := service.Create(ctx, tasks.Definition{
//		Type: "collect-blobs", Name: "Nightly", Enabled: true, Properties: map[string]string{"blobStore": "default"},
//		Schedule: tasks.Schedule{Frequency: tasks.Cron, Cron: "0 0 2 * * ?", Zone: "Europe/Berlin"},
//	}, "admin")
//	for status := range service.Watch(ctx, made.ID) { … }
package tasks
