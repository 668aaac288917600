package rest

import (
	"strings"
	"testing"
	"time"

	"entrepot/app/repository"
	"entrepot/app/scripts"
)

// TestPolicyScript plays what nexus3-cli does for cleanup policies.
func TestPolicyScript(t *testing.T) {
	const name, run = "nexus3-cli-cleanup-policy_3.27.0", "v1/script/nexus3-cli-cleanup-policy_3.27.0/run"
	r := newRig(t)
	noError(t, r.api.Scripts.Import(t.Context(), scripts.Script{Name: name, Type: scripts.Groovy, Content: "x"}))
	const shown = `{\"name\":\"old\",\"notes\":\"n\",\"mode\":\"delete\",\"format\":\"ALL_FORMATS\",\"criteria\":{\"lastBlobUpdated\":\"172800\"}}`
	r.play(t, []exchange{
		{"", "POST", run, `{"name":"old"}`, 403, nil},
		{admin, "POST", run, `{"name":"old"}`, 400, []string{"Cleanup policy not found: old"}},
		{admin, "POST", run, `{"name":"old","format":"all","notes":"n","criteria":{"lastBlobUpdated":2}}`, 200, []string{shown}},
		{admin, "POST", run, `{"name":"old","format":"all","criteria":{"lastBlobUpdated":"x"}}`, 400, nil},
		{admin, "POST", run, `{"name":"new","format":"cobol","criteria":{}}`, 400, nil},
		{admin, "POST", run, `{"name":"old","criteria":{"lastDownloaded":"3"}}`, 200, []string{`\"lastDownloaded\":\"259200\"`, `\"name\":\"old\"`}},
		{admin, "POST", run, " ", 200, []string{`"result" : "[{\"name\":\"old\"`}},
		{admin, "GET", "v1/cleanup-policies/old", "", 200, []string{`"criteriaLastDownloaded" : 3`, `"criteriaLastBlobUpdated" : null`}},
	})
}

// TestScriptsOfOldClients plays what nexus3-cli does: it brings its scripts along, which are not run but known by name.
func TestScriptsOfOldClients(t *testing.T) {
	const get, create, remove = "nexus3-cli-repository-get", "nexus3-cli-repository-create_3.21.0", "nexus3-cli-repository-delete"
	r := newRig(t)
	for _, name := range []string{get, create, remove, "other"} {
		noError(t, r.api.Scripts.Import(t.Context(), scripts.Script{Name: name, Type: scripts.Groovy, Content: "x"}))
	}
	run := func(name string) string { return "v1/script/" + name + "/run" }
	const cache = `{"name":"c","recipeName":"raw-proxy","online":true,"attributes":{"storage":{"blobStoreName":"default","strictContentTypeValidation":true},` +
		`"proxy":{"remoteUrl":"http://127.0.0.1:9/","contentMaxAge":60,"metadataMaxAge":30},"negativeCache":{"enabled":false,"timeToLive":5},` +
		`"httpclient":{"connection":{"blocked":true,"autoBlock":false}},"cleanup":{"policyName":["none"]}}}`
	r.play(t, []exchange{
		{admin, "POST", run("other"), "x", 410, []string{"does not run them"}},
		{admin, "POST", run("missing"), "x", 404, nil},
		{"", "POST", run(get), "maven-central", 403, nil},
		{admin, "POST", run(get), "nope", 200, []string{`"result" : "null"`}},
		{admin, "POST", run(get), "c", 200, []string{`"result" : "null"`}},
		{admin, "POST", run(create), strings.Replace(cache, "raw-proxy", "cobol-proxy", 1), 400, []string{"Unknown recipe: cobol-proxy"}},
		{admin, "POST", run(create), `{"name":"x","recipeName":"raw-hosted"}`, 400, []string{`"name" : "` + create + `"`}},
		{admin, "POST", run(create), `{`, 400, nil},
		{admin, "POST", run(create), `[]`, 400, []string{"Unknown recipe"}},
		{admin, "POST", run(create), strings.Replace(cache, `["none"]`, `null`, 1), 200, []string{`"result" : "null"`}},
		{admin, "POST", run(create), strings.Replace(cache, `["none"]`, `null`, 1), 400, []string{"Duplicate key"}},
		{admin, "POST", run(get), "C", 200, []string{`\"recipeName\" : \"raw-proxy\"`, `\"autoBlock\" : false`, `\"httpclient\" : {`, `\"contentMaxAge\" : 60`}},
	})
	d, _ := r.Engine.Lookup("c")
	if u := d.Upstream; u == nil || !u.Blocked || u.AutoBlock || u.ContentMaxAge != time.Hour || d.NegativeCache != (repository.NegativeCache{TTL: 5 * time.Minute}) || !d.Strict {
		t.Errorf("made %+v", d)
	}
	r.play(t, []exchange{
		{admin, "POST", "v1/security/roles", `{"id":"runner","name":"runner","privileges":["nx-script-*-run"],"roles":[]}`, 200, nil},
		{admin, "POST", "v1/security/users", newUser("run", "runner"), 200, nil},
		{"run:admin123", "POST", run(get), "c", 403, nil},
		{"run:admin123", "POST", run(remove), "c", 403, nil},
		{"run:admin123", "POST", run(create), strings.Replace(cache, `"c"`, `"d"`, 1), 403, nil},
		{admin, "POST", run(remove), "c", 200, []string{`"result" : "null"`}},
		{admin, "POST", run(remove), "c", 400, []string{"Repository not found: c"}},
	})
}
