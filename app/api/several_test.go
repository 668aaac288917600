package api

import (
	"testing"

	"entrepot/app/apptest"
	"entrepot/app/settings"
)

// TestSeveral has capabilities of one type, made here by name and elsewhere without.
func TestSeveral(t *testing.T) {
	r := newRig(t)
	old, err := r.Settings.Create(t.Context(), settings.Capability{Type: "webhook.global", Enabled: true, Properties: map[string]string{"names": "audit", "url": "http://old.example.org", "secret": "hush"}})
	apptest.Must(t, err)
	const hook = `"type":"webhook.global","properties":{"names":"audit","url":"http://a.example.org"}`
	r.play([]exchange{
		{admin, "POST", "capabilities", `{"name":"build",` + hook + `}`, 201, []string{`{"name":"build","type":"webhook.global"`}},
		{admin, "POST", "capabilities", `{"name":"build",` + hook + `}`, 409, []string{"build already"}},
		{admin, "POST", "capabilities", `{"name":"` + old.ID + `",` + hook + `}`, 409, nil},
		{admin, "POST", "capabilities", `{"name":"baseurl",` + hook + `}`, 422, []string{"#/name"}},
		{admin, "POST", "capabilities", `{"name":"a/b",` + hook + `}`, 422, []string{"#/name"}},
		{admin, "POST", "capabilities", `{"name":"x","type":"baseurl","properties":{"url":"http://a.example.org"}}`, 422, []string{"#/name"}},
		{admin, "POST", "capabilities", `{"name":"baseurl","type":"baseurl","properties":{"url":"http://a.example.org"}}`, 201, []string{`"name":"baseurl"`}},
		{admin, "PATCH", "capabilities/build", `{"notes":"n"}`, 200, []string{`"notes":"n"`}},
		{admin, "PATCH", "capabilities/build", `{"name":"other"}`, 400, []string{"#/name"}},
		{admin, "PATCH", "capabilities/build", `{"type":"baseurl"}`, 400, []string{"#/type"}},
		{admin, "PATCH", "capabilities/" + old.ID, `{"enabled":false}`, 200, []string{`"name":"` + old.ID + `"`, `"enabled":false`, "old.example.org"}},
		{admin, "PUT", "configuration", `{"capabilities":[{"name":"build","notes":null},{"name":"` + old.ID + `","properties":{"secret":"hush"}},{"name":"deploy",` + hook + `}]}`, 200,
			[]string{`{"changes":[{"action":"create","section":"capabilities","key":"deploy"`, `{"action":"update","section":"capabilities","key":"build","members":[{"path":"notes","before":"n"}]}],`}},
		{admin, "POST", "configuration/plan?prune=true", `{"capabilities":[{"name":"deploy"}]}`, 200, []string{`"delete","section":"capabilities","key":"baseurl"`, `"key":"build"`, old.ID}},
		{admin, "POST", "configuration/plan", `{"capabilities":[{` + hook + `}]}`, 400, []string{"has no name"}},
		{admin, "DELETE", "capabilities/build", "", 204, nil},
		{admin, "GET", "capabilities", "", 200, []string{`"name":"baseurl"`, `"name":"deploy"`}},
	})
}

func TestScripts(t *testing.T) {
	r := newRig(t)
	r.play([]exchange{
		{admin, "POST", "scripts", `{"name":"hello","content":"log.info('x')"}`, 201, []string{`"type":"groovy"`}},
		{admin, "POST", "scripts", `{"name":"hello","content":"x"}`, 409, []string{"already"}},
		{admin, "POST", "scripts", `{"name":"_","content":""}`, 422, []string{"#/name", "#/content"}},
		{admin, "PATCH", "scripts/hello", `{"content":"y"}`, 200, []string{`"content":"y"`}},
		{admin, "PUT", "scripts/hello", `{"name":"other","content":"y"}`, 400, []string{"#/name"}},
		{admin, "GET", "scripts/none", "", 404, nil},
		{admin, "POST", "roles", `{"id":"hello","privileges":["hello"]}`, 422, nil},
		{admin, "PUT", "configuration", `{"scripts":[{"name":"second","content":"z"}],"roles":[{"id":"reader","privileges":["read-second"]}],
			"privileges":[{"name":"read-second","type":"script","script":"second","actions":["read","browse"]}],
			"users":[{"id":"low","firstName":"L","lastName":"W","email":"l@example.org","roles":["reader"],"password":"low"}]}`, 200, nil},
		{"low:low", "GET", "scripts", "", 200, []string{`{"items":[{"name":"second","type":"groovy","content":"z"}]}`}},
		{"low:low", "GET", "scripts/hello", "", 404, nil},
		{"low:low", "PATCH", "scripts/second", `{"content":"w"}`, 403, nil},
		{"low:low", "POST", "scripts", `{"name":"w","content":"w"}`, 403, nil},
		{"", "GET", "scripts/second", "", 401, nil},
		{admin, "DELETE", "scripts/hello", "", 204, nil},
		{admin, "GET", "configuration", "", 200, []string{`"scripts":[{"name":"second","type":"groovy","content":"z"}]`}},
	})
}
