package importer_test

import "testing"

// TestDeletionsBetweenTwoWays brings content from the living server first, and then all from the stopped one, where something was deleted in
// between.
func TestDeletionsBetweenTwoWays(t *testing.T) {
	s, alive := newServer(t), newOld()
	alive.SystemID, alive.Installation, alive.Complete = "rest:system-1", "system-1", false
	s.bring(t, alive)
	s.delete(t, "files", "/same.txt")
	s.store(t, "files", "/mine.txt", "mine")
	stopped := newOld()
	stopped.delete("files", "/a.txt")
	plan, report := s.bring(t, stopped)
	if plan.RemovedAssets != 1 || plan.OwnAssets != 1 || plan.DeletedAssets != 1 || report.RemovedAssets != 1 || report.Deleted != 1 {
		t.Errorf("plan %+v\nreport %+v", plan, report)
	}
	for path, there := range map[string]bool{"/a.txt": false, "/same.txt": false, "/mine.txt": true} {
		if a, err := s.Engine.Held(t.Context(), "files", path); err != nil || (a != nil) != there {
			t.Errorf("%s: %v, %v", path, a, err)
		}
	}
}
