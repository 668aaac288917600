package export

import "entrepot/migrate/inventory"

// upkeep gathers what the server does by itself to its content.
func (w *writer) upkeep(u *inventory.Upkeep) {
	u.Policies = w.from.Upkeep.Cleanup.List()
	for _, s := range w.from.Upkeep.Tasks.List() {
		t := inventory.Task{Definition: s.Definition}
		if last, ran := s.Last(); ran {
			t.Last = &last
		}
		u.Tasks = append(u.Tasks, t)
	}
}
