//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// adoptionTask gives the id of the task that copies adopted blobs, its state and how many blobs it has to copy; "" when there is none.
func (s *server) adoptionTask(password string) (id, state, last string, total int64) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.url("/api/v1/task-statuses"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var all struct {
		Items []struct {
			ID, Name, State string
			Progress        *struct{ Total int64 }
			Runs            []struct{ Result string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		s.t.Fatal(err)
	}
	for _, t := range all.Items {
		if t.Name != "Copy adopted blobs" {
			continue
		}
		if t.Progress != nil {
			total = t.Progress.Total
		}
		if len(t.Runs) > 0 {
			last = t.Runs[0].Result
		}
		return t.ID, t.State, last, total
	}
	return "", "", "", 0
}

// TestAdoptionIsATask watches the copy as a task, stops it and starts it again; it goes on after a kill, and is gone when all is copied.
func TestAdoptionIsATask(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	data := filepath.Join(t.TempDir(), "data")
	run(t, "", binary(t), "import", "nexus", "--data", data, "--adopt", source)
	password := dataDirectories["nexus-3.77-small"]
	s := startAt(t, data, 2)
	running := func() bool {
		_, state, _, total := s.adoptionTask(password)
		return state == "running" && total > 100
	}
	eventually(t, "the task to run", running)
	id, _, _, _ := s.adoptionTask(password)
	if status, body := s.rest(http.MethodGet, "/v1/tasks/"+id, password, ""); status != http.StatusOK || !strings.Contains(body, `"RUNNING"`) {
		t.Errorf("in the old API: %d %s", status, body)
	}
	if status, body := s.rest(http.MethodPost, "/v1/tasks/"+id+"/stop", password, ""); status != http.StatusNoContent {
		t.Errorf("stop: %d %s", status, body)
	}
	eventually(t, "the task to stop", func() bool {
		_, state, last, _ := s.adoptionTask(password)
		return state == "waiting" && last == "stopped"
	})
	left := s.gauge("entrepot_adopted_blobs")
	if status, body := s.rest(http.MethodPost, "/v1/tasks/"+id+"/run", password, ""); status != http.StatusNoContent {
		t.Errorf("run: %d %s", status, body)
	}
	eventually(t, "the task to copy on", func() bool { return running() && s.gauge("entrepot_adopted_blobs") < left })
	s.kill()
	s.start()
	eventually(t, "the task to run after a kill", running)
	s.stop()

	s = startAt(t, data, 0)
	eventually(t, "the task to end", func() bool { _, state, last, _ := s.adoptionTask(password); return state == "waiting" && last == "ok" })
	if n := s.gauge("entrepot_adopted_stores"); n != 0 {
		t.Errorf("%d stores are needed still", n)
	}
	s.stop()
	s = startIn(t, data)
	eventually(t, "the task to go", func() bool { id, _, _, _ := s.adoptionTask(password); return id == "" })
}
