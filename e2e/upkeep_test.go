//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// oldTask is a task as the REST API lists it.
type oldTask struct {
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Type          string  `json:"type"`
	Message       *string `json:"message"`
	CurrentState  string  `json:"currentState"`
	LastRunResult *string `json:"lastRunResult"`
	LastRun       *string `json:"lastRun"`
}

// checkUpkeep compares tasks and cleanup policies of an imported server with what the old one told. Tasks of types that this server
// does not have are there, with a message that says so.
func checkUpkeep(t *testing.T, s *server, expected, password string) {
	recorded, err := os.ReadFile(filepath.Join(expected, "rest", "cleanup-policies.json"))
	must(t, err)
	resp, body := get(t, client(), s.url("/service/rest/internal/cleanup-policies"), "admin", password)
	if d := cmp.Diff(comparable(t, recorded, "name"), comparable(t, body, "name")); resp.StatusCode != http.StatusOK || d != "" {
		t.Errorf("cleanup policies: %d %s", resp.StatusCode, d)
	}
	recorded, err = os.ReadFile(filepath.Join(expected, "rest", "tasks.json"))
	must(t, err)
	_, body = get(t, client(), s.url("/service/rest/v1/tasks"), "admin", password)
	byID := func(raw []byte) map[string]oldTask {
		var page struct{ Items []oldTask }
		must(t, json.Unmarshal(raw, &page))
		all := make(map[string]oldTask)
		for _, item := range page.Items {
			all[item.ID] = item
		}
		return all
	}
	want, got := byID(recorded), byID(body)
	for id, have := range got {
		if have.Message != nil && strings.HasPrefix(*have.Message, "This server has no tasks of type") {
			there := want[id]
			there.Message, have.Message = nil, nil
			want[id], got[id] = there, have
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("tasks: %s", d)
	}
}

// runTask starts a task and waits for the end of the run.
func (s *server) runTask(id string) (result string) {
	s.t.Helper()
	path := "/service/rest/v1/tasks/" + id
	var before, now oldTask
	read := func(into *oldTask) {
		_, body := s.do(http.MethodGet, path, nil)
		if err := json.Unmarshal([]byte(body), into); err != nil {
			s.t.Fatal(err)
		}
	}
	read(&before)
	if status, body := s.do(http.MethodPost, path+"/run", nil); status != http.StatusNoContent {
		s.t.Fatalf("run: %d %s", status, body)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		read(&now)
		if now.CurrentState == "WAITING" && now.LastRun != nil && (before.LastRun == nil || *now.LastRun != *before.LastRun) {
			return *now.LastRunResult
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("task %s does not end: %+v", id, now)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// awaitTask waits until a task does nothing.
func (s *server) awaitTask(id string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		var now oldTask
		_, body := s.do(http.MethodGet, "/service/rest/v1/tasks/"+id, nil)
		if err := json.Unmarshal([]byte(body), &now); err != nil {
			s.t.Fatal(err)
		}
		if now.CurrentState == "WAITING" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("task %s does not end: %+v", id, now)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// makeTask makes a task that is only run by hand.
func (s *server) makeTask(typ, properties string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"type":%q,"name":%q,"enabled":true,"frequency":{"schedule":"manual"},"properties":%s}`, typ, typ, properties)
	status, reply := s.do(http.MethodPost, "/service/rest/v1/tasks", strings.NewReader(body), "Content-Type", "application/json")
	m := regexp.MustCompile(`"id" : "([^"]+)"`).FindStringSubmatch(reply)
	if status != http.StatusCreated || m == nil {
		s.t.Fatalf("task %s: %d %s", typ, status, reply)
	}
	return m[1]
}

// blobFiles counts the files of the default blob store and makes them look a few days old.
func (s *server) blobFiles() (count int) {
	s.t.Helper()
	old := time.Now().Add(-72 * time.Hour)
	err := filepath.WalkDir(filepath.Join(s.data, "blobs", "default"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && len(d.Name()) > 40 {
			count++
			err = os.Chtimes(path, old, old)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return count
}

// TestCleanupAndCollection cleans a repository up by a policy, collects the blobs, and finds everything else as it was. The server is
// killed in the middle of a run as well.
func TestCleanupAndCollection(t *testing.T) {
	s := start(t)
	s.makeRaw()
	const count = 200
	for i := range count {
		if status, _ := s.do(http.MethodPut, fmt.Sprintf("/repository/files/%s/%d.bin", [2]string{"old", "new"}[i%2], i), strings.NewReader(fmt.Sprint("body ", i))); status != http.StatusCreated {
			t.Fatal(status)
		}
	}
	send := func(method, path, body string, want int) {
		t.Helper()
		if status, reply := s.do(method, path, strings.NewReader(body), "Content-Type", "application/json"); status != want {
			t.Fatalf("%s: %d %s", path, status, reply)
		}
	}
	send(http.MethodPost, "/service/rest/v1/cleanup-policies", `{"name":"old","format":"raw","criteriaAssetRegex":"/old/.*"}`, http.StatusCreated)
	send(http.MethodPut, "/service/rest/v1/repositories/raw/hosted/files", `{"name":"files","online":true,"storage":{"blobStoreName":"default",`+
		`"strictContentTypeValidation":false,"writePolicy":"ALLOW"},"cleanup":{"policyNames":["old"]}}`, http.StatusNoContent)
	_, list := s.do(http.MethodGet, "/service/rest/v1/tasks?type=repository.cleanup", nil)
	own := regexp.MustCompile(`"id" : "([^"]+)"`).FindStringSubmatch(list)
	if own == nil {
		t.Fatalf("there is no cleanup task: %s", list)
	}
	if result := s.runTask(own[1]); result != "OK" {
		t.Errorf("cleanup ended %s", result)
	}
	compact := s.makeTask("blobstore.compact", `{"blobstoreName":"default","blobsOlderThan":"1"}`)
	verify := s.makeTask("verify-blobs", `{"blobStore":"*"}`)
	if result, left := s.runTask(compact), s.blobFiles(); result != "OK" || left != count {
		t.Errorf("young blobs: %s, %d left", result, left)
	}
	s.kill()
	s.blobFiles()
	s.run()
	if status, body := s.do(http.MethodPost, "/service/rest/v1/tasks/"+compact+"/run", nil); status != http.StatusNoContent {
		t.Fatalf("run: %d %s", status, body)
	}
	s.kill() // somewhere in the run, or before it
	s.blobFiles()
	s.run() // the run goes on by itself
	s.awaitTask(compact)
	s.blobFiles() // what the file system had not kept yet was written again
	if result, left := s.runTask(compact), s.blobFiles(); result != "OK" || left != count/2 {
		t.Errorf("collection: %s, %d left", result, left)
	}
	if result := s.runTask(verify); result != "OK" {
		t.Errorf("verification ended %s", result)
	}
	for i := range count {
		want := [2]int{http.StatusNotFound, http.StatusOK}[i%2]
		if status, body := s.do(http.MethodGet, fmt.Sprintf("/repository/files/%s/%d.bin", [2]string{"old", "new"}[i%2], i), nil); status != want || want == http.StatusOK && body != fmt.Sprint("body ", i) {
			t.Errorf("file %d: %d %q", i, status, body)
		}
	}
	if _, metrics := s.do(http.MethodGet, "/metrics", nil); !strings.Contains(metrics, `entrepot_task_runs_total{result="ok",type="collect-blobs"}`) {
		t.Error("the run is not among the metrics")
	}
}
