package tasks

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// touch marks a task as changed and wakes those who watch.
func (s *Service) touch(t *task) {
	t.revision.Store(s.revision.Add(1))
	s.watching.Lock()
	defer s.watching.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

// Watch delivers the status of a task, or with the id "" of all tasks, at once and after each change until ctx ends. The last status of
// a task that was deleted says so; after that of the one task that is watched, or when there is no such task, the sequence ends.
func (s *Service) Watch(ctx context.Context, id string) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		seen := make(map[string]Status)
		for ctx.Err() == nil {
			s.watching.Lock()
			news := s.news
			s.watching.Unlock()
			for _, status := range s.changes(id, seen) {
				if !yield(status) {
					return
				}
			}
			if id != "" && len(seen) == 0 {
				return
			}
			select {
			case <-ctx.Done():
			case <-news:
			}
		}
	}
}

// changes gives what is new since a watcher looked, and remembers it as seen.
func (s *Service) changes(id string, seen map[string]Status) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changed []Status
	for known, status := range seen {
		if s.tasks[known] == nil {
			status.Deleted, status.State, status.Progress = true, Waiting, nil
			changed = append(changed, status)
			delete(seen, known)
		}
	}
	watched := slices.Sorted(maps.Keys(s.tasks))
	if id != "" {
		watched = []string{id}
	}
	for _, id := range watched {
		t := s.tasks[id]
		if before, known := seen[id]; t == nil || known && before.Revision == t.revision.Load() {
			continue
		}
		status := s.status(t)
		seen[id] = status
		changed = append(changed, status)
	}
	return changed
}
