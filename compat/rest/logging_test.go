package rest

import "testing"

func TestLogging(t *testing.T) {
	r := newRig(t)
	const levels = "internal/ui/loggingConfiguration"
	r.play(t, []exchange{
		{admin, "GET", levels, "", 200, []string{`"name" : "ROOT"`, `"level" : "INFO"`, `"override" : true`}},
		{admin, "GET", levels + "/org.example", "", 200, []string{`"level" : "INFO"`, `"override" : false`}},
		{"", "GET", levels, "", 403, nil},
		{admin, "PUT", levels + "/ROOT", `{"name":"ROOT","level":"debug"}`, 204, nil},
		{admin, "GET", levels + "/ROOT", "", 200, []string{`"level" : "DEBUG"`}},
		{admin, "PUT", levels + "/ROOT", `{"level":"NOPE"}`, 400, []string{`"id":"level"`}},
		{admin, "PUT", levels + "/org.example", `{"level":"DEBUG"}`, 400, []string{"one log"}},
		{"", "PUT", levels + "/ROOT", `{"level":"OFF"}`, 403, nil},
		{admin, "POST", levels + "/org.example/reset", "", 204, nil},
		{admin, "GET", levels + "/ROOT", "", 200, []string{`"level" : "DEBUG"`}},
		{admin, "POST", levels + "/reset", "", 204, nil},
		{admin, "GET", levels + "/ROOT", "", 200, []string{`"level" : "INFO"`}},
		{admin, "POST", "internal/logging/log/mark", "here", 204, nil},
		{admin, "GET", "internal/logging/logs", "", 200, []string{"[ ]"}},
		{admin, "GET", "internal/logging/logs/nexus.log", "", 404, nil},
	})
}
