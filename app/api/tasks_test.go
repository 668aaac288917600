package api

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // the clock of the Date header
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // looks for its end every ten seconds
		goleak.IgnoreAnyFunction("net/http.(*Transport).dialConn"),                        // idle connections of the tests' client
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

func TestCleanupPolicies(t *testing.T) {
	r := newRig(t)
	r.play([]exchange{
		{admin, "POST", "cleanup-policies", `{"name":"old","format":"raw","updatedDays":30}`, 201, []string{`"updatedDays":30`}},
		{admin, "POST", "cleanup-policies", `{"name":"OLD","format":"raw","updatedDays":30}`, 409, nil},
		{admin, "POST", "cleanup-policies", `{"name":"bad","format":"none","assetRegex":"("}`, 422, []string{"#/assetRegex"}},
		{admin, "PATCH", "cleanup-policies/old", `{"updatedDays":null,"downloadedDays":7}`, 200, []string{`"downloadedDays":7`}},
		{admin, "POST", "repositories", `{"name":"files","format":"raw","kind":"hosted","cleanupPolicies":["old"]}`, 201, []string{`["old"]`}},
		{admin, "GET", "cleanup-policies/none", "", 404, nil},
		{admin, "DELETE", "cleanup-policies/old", "", 204, nil},
	})
}

// follow reads the events of an address.
func (r *rig) follow(path string) (next func() (string, TaskStatus), end func()) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.base+prefix+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin123")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("%s: %d %s", path, resp.StatusCode, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	return func() (event string, status TaskStatus) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				event = value
			case "data":
				if err := json.Unmarshal([]byte(value), &status); err != nil {
					r.t.Fatal(err)
				}
			case "":
				if event != "" {
					return event, status
				}
			}
		}
		return "end", status
	}, func() { resp.Body.Close() }
}

func TestTasks(t *testing.T) {
	r := newRig(t)
	made := r.do(admin, "POST", "tasks", `{"type":"count","name":"Count","properties":{"to":"3"}}`)
	var task struct{ ID string }
	made.decode(t, &task)
	if made.status != http.StatusCreated || made.header.Get("Location") != "/api/v1/tasks/"+task.ID {
		t.Fatalf("made: %+v", made)
	}
	path := "tasks/" + task.ID
	next, end := r.follow(path + "/events")
	defer end()
	if event, s := next(); event != "status" || s.State != "waiting" || len(s.Runs) != 0 {
		t.Errorf("first: %s %+v", event, s)
	}
	if got := r.do(admin, "POST", path+"/start", ""); got.status != http.StatusAccepted {
		t.Fatalf("start: %+v", got)
	}
	var last TaskStatus
	for event := ""; event != "end" && last.Progress == nil; {
		event, last = next()
	}
	if last.Progress == nil || last.State != "running" {
		t.Fatalf("running: %+v", last)
	}
	for range 3 {
		r.job <- struct{}{}
	}
	for event := ""; event != "end" && len(last.Runs) == 0; {
		event, last = next()
	}
	if len(last.Runs) != 1 || last.Runs[0].Result != "ok" || last.Runs[0].Actor != "admin" {
		t.Errorf("run: %+v", last)
	}
	r.play([]exchange{
		{admin, "GET", path + "/status", "", 200, []string{`"result":"ok"`, `"message":"Counted"`}},
		{admin, "GET", "task-statuses", "", 200, []string{task.ID}},
		{admin, "GET", "task-types", "", 200, []string{`"id":"count"`}},
		{admin, "POST", path + "/stop", "", 409, []string{"not running"}},
		{admin, "POST", "tasks/none/start", "", 404, nil},
		{admin, "GET", "tasks/none/events", "", 404, nil},
		{admin, "POST", "tasks", `{"type":"none","name":"x"}`, 422, nil},
		{admin, "PATCH", path, `{"schedule":{"frequency":"cron","cron":"what"}}`, 422, []string{"#/schedule"}},
		{admin, "PATCH", path, `{"type":"other"}`, 400, []string{"#/type"}},
		{admin, "PATCH", path, `{"schedule":{"frequency":"cron","cron":"0 0 3 * * ?"}}`, 200, []string{`"0 0 3 * * ?"`}},
		{admin, "POST", "configuration/plan", `{"tasks":[{"name":"Count","properties":{"to":"4"}}]}`, 200, []string{`"path":"properties.to","before":"3","after":"4"`}},
		{admin, "GET", "configuration", "", 200, []string{`{"type":"count","name":"Count"`}},
		{admin, "DELETE", path, "", 204, nil},
	})
	event := ""
	for event != "end" && !last.Deleted {
		event, last = next()
	}
	if event, _ = next(); event != "end" || !last.Deleted {
		t.Errorf("a deleted task is watched on: %s %+v", event, last)
	}
}

func TestEventsEndWithTheServer(t *testing.T) {
	r := newRig(t)
	next, end := r.follow("task-events")
	t.Cleanup(end)
	ended := make(chan string)
	go func() {
		event := "status"
		for event == "status" { // of the tasks that every server has
			event, _ = next()
		}
		ended <- event
	}()
	if err := r.shutdown(); err != nil {
		t.Error(err)
	}
	select {
	case event := <-ended:
		if event != "end" {
			t.Errorf("got %s", event)
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}

func TestCloneRepository(t *testing.T) {
	r := newRig(t)
	r.play([]exchange{
		{admin, "POST", "repositories", `{"name":"files","format":"raw","kind":"hosted","blobStore":"default"}`, 201, nil},
		{admin, "POST", "repositories/files/clone", `{"name":"files"}`, 409, nil},
		{admin, "POST", "repositories/files/clone", `{"name":"a b"}`, 422, nil},
		{admin, "POST", "repositories/files/clone", `{"title":"x"}`, 400, []string{"title"}},
		{admin, "POST", "repositories/none/clone", `{"name":"x"}`, 404, nil},
		{"", "POST", "repositories/files/clone", `{"name":"x"}`, 401, nil},
	})
	begun := r.do(admin, "POST", "repositories/files/clone", `{"name":"frozen","snapshot":true}`)
	if begun.status != http.StatusAccepted {
		t.Fatalf("begun: %+v", begun)
	}
	next, end := r.follow(strings.TrimPrefix(begun.header.Get("Location"), "/api/v1/") + "/events")
	defer end()
	var last TaskStatus
	for event := ""; event != "end" && len(last.Runs) == 0; {
		event, last = next()
	}
	if len(last.Runs) != 1 || last.Runs[0].Result != "ok" {
		t.Fatalf("run: %+v", last)
	}
	r.play([]exchange{{admin, "GET", "repositories/frozen", "", 200, []string{`"writePolicy":"DENY"`}}})
}
