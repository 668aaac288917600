package rest

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// idIn finds the id of the first thing in a reply.
func idIn(t *testing.T, reply string) string {
	t.Helper()
	m := regexp.MustCompile(`"id" : "([^"]+)"`).FindStringSubmatch(reply)
	if m == nil {
		t.Fatalf("no id in %s", reply)
	}
	return m[1]
}

func TestTasks(t *testing.T) {
	const compact = `{"type":"blobstore.compact","name":"Compact","enabled":true,"alertEmail":"ops@example.org","notificationCondition":"SUCCESS_FAILURE",` +
		`"frequency":{"schedule":"weekly","startDate":1893456000,"timeZoneOffset":"-05:00","recurringDays":[1,4]},"properties":{"blobstoreName":"default"}}`
	r := newRig(t)
	_, reply := r.do(t, admin, "GET", "v1/tasks", "")
	own := idIn(t, reply)
	r.play(t, []exchange{
		{"", "GET", "v1/tasks", "", 403, nil},
		{admin, "GET", "v1/tasks?type=repository.cleanup", "", 200, []string{`"name" : "Cleanup service"`, `"currentState" : "WAITING"`, `"message" : null`, `T`}},
		{admin, "GET", "v1/tasks?type=nope", "", 200, []string{`"items" : [ ]`}},
		{admin, "GET", "v1/tasks/nope", "", 404, nil},
		{admin, "DELETE", "v1/tasks/" + own, "", 400, []string{"belongs to the server"}},
		{admin, "POST", "v1/tasks/nope/run", "", 404, nil},
		{admin, "POST", "v1/tasks/" + own + "/stop", "", 409, nil},
		{"", "POST", "v1/tasks", `{}`, 400, []string{`"PARAMETER type"`, `"PARAMETER name"`, `"PARAMETER enabled"`, `"PARAMETER frequency"`}},
		{"", "POST", "v1/tasks", compact, 403, nil},
		{admin, "POST", "v1/tasks", strings.Replace(compact, "blobstore.compact", "script", 1), 400, []string{`[{"id":"type","message":"This server does not have tasks of type 'script'"}]`}},
		{admin, "POST", "v1/tasks", strings.Replace(compact, `"default"`, `"nope"`, 1), 400, []string{`[{"id":"properties.blobstoreName","message":"There is no blob store nope"}]`}},
		{admin, "POST", "v1/tasks", strings.Replace(compact, `"weekly"`, `"cron"`, 1), 400, []string{`"frequency.cronExpression"`}},
		{admin, "GET", "v1/tasks/templates/blobstore.compact", "", 200, []string{`"blobstoreName" : ""`, `"blobsOlderThan" : "1"`, `"schedule" : "manual"`}},
		{admin, "GET", "v1/tasks/templates", "", 200, []string{`"type" : "repository.maven.remove-snapshots"`, `"minimumRetained" : "1"`}},
		{admin, "GET", "v1/tasks/templates/repository.cleanup", "", 404, nil},
	})
	status, reply := r.do(t, admin, "POST", "v1/tasks", compact)
	if status != 201 || !strings.Contains(reply, `"nextRun" : "2030-01-03T00:00:00.000+00:00"`) || !strings.Contains(reply, `"blobstoreName" : "default"`) {
		t.Fatalf("created: %d %s", status, reply)
	}
	made := "v1/tasks/" + idIn(t, reply)
	r.play(t, []exchange{
		{admin, "PUT", made, strings.Replace(compact, `"enabled":true`, `"enabled":false`, 1), 204, nil},
		{admin, "POST", made + "/run", "", 405, nil},
		{admin, "PUT", made, `{"name":"Compact","enabled":true,"frequency":{"schedule":"manual"}}`, 204, nil},
		{admin, "GET", made, "", 200, []string{`"nextRun" : null`, `"lastRun" : null`}},
		{admin, "POST", made + "/run", "", 204, nil},
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, reply = r.do(t, admin, "GET", made, "")
		if strings.Contains(reply, `"lastRunResult" : "OK"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not end: %s", reply)
		}
	}
	if !strings.Contains(reply, `"message" : "Compacting default blob store"`) {
		t.Error(reply)
	}
	r.play(t, []exchange{
		{admin, "PUT", "v1/tasks/nope", `{"name":"x","enabled":true,"frequency":{"schedule":"manual"}}`, 404, nil},
		{admin, "DELETE", made, "", 204, nil},
		{admin, "DELETE", made, "", 404, nil},
	})
}

func TestCleanupPolicies(t *testing.T) {
	const path, ui = "v1/cleanup-policies", "internal/cleanup-policies"
	withPolicy := strings.Replace(rawHosted, `"name":"r"`, `"name":"r","cleanup":{"policyNames":["p"]}`, 1)
	newRig(t).play(t, []exchange{
		{"", "GET", path, "", 403, nil},
		{admin, "POST", path, `{"name":"p","format":"raw","criteriaLastBlobUpdated":0}`, 400, []string{`"PARAMETER criteriaLastBlobUpdated","message":"must be between 1 and 24855"`}},
		{admin, "POST", path, `{"name":"p","format":"raw","retain":3}`, 400, []string{"Criterion retain is not offered for format raw"}},
		{admin, "POST", path, `{"name":"p","format":"maven2","notes":"n","criteriaReleaseType":"releases","retain":3,"sortBy":"version"}`, 201, []string{`"criteriaReleaseType" : "RELEASES"`, `"retain" : 3`}},
		{admin, "POST", path, `{"name":"P","format":"raw"}`, 409, nil},
		{admin, "GET", ui + "/p", "", 200, []string{`"inUseCount" : 0`, `"sortBy" : "version"`}},
		{admin, "POST", "v1/repositories/raw/hosted", withPolicy, 400, []string{`"HelperBean.cleanup","message":"Repository r is of format type raw, unable to assign cleanup policy p of format type maven2"`}},
		{admin, "PUT", path + "/p", `{"format":"raw","criteriaAssetRegex":".*","criteriaReleaseType":"RELEASES_AND_PRERELEASES"}`, 204, nil},
		{admin, "POST", "v1/repositories/raw/hosted", withPolicy, 201, nil},
		{admin, "GET", ui, "", 200, []string{`"inUseCount" : 1`, `"criteriaAssetRegex" : ".*"`, `"retain" : null`}},
		{admin, "PUT", ui + "/p", `{"format":"maven2"}`, 400, []string{`{"id":"format","message":"You cannot change the format of a policy that is in use."}`}},
		{admin, "POST", ui, `{"name":"q","format":"raw","criteriaAssetRegex":"("}`, 400, []string{`"PARAMETER criteriaAssetRegex","message":"Invalid regular expression pattern: unexpected end-of-string"`}},
		{admin, "POST", ui, `{"name":"q","format":"raw","criteriaReleaseType":"x"}`, 400, []string{`"criteriaReleaseType"`}},
		{admin, "POST", ui, `{"format":null}`, 400, []string{`{"id":"PARAMETER name","message":"must not be empty"}`, `{"id":"PARAMETER format","message":"must not be empty"}`}},
		{admin, "POST", ui + "/preview/components", `{"repository":"r","criteriaAssetRegex":".*"}`, 200, []string{`"total" : -1`, `"results" : [ ]`}},
		{admin, "POST", ui + "/preview/components", `{}`, 400, nil},
		{admin, "GET", ui + "/preview/components/csv?repository=r&criteriaLastBlobUpdated=1", "", 200, []string{"Namespace,Name,Version,Path"}},
		{admin, "GET", ui + "/preview/components/csv?repository=nope", "", 404, nil},
		{admin, "DELETE", path + "/p", "", 204, nil},
		{admin, "GET", path + "/p", "", 404, nil},
		{admin, "GET", "v1/repositories/raw/hosted/r", "", 200, []string{`"cleanup" : null`}},
	})
}

// TestCleanupPreview shows what a policy would remove.
func TestCleanupPreview(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 201, nil}})
	r.upload(t, "r", "docs", "one.txt", "one")
	r.play(t, []exchange{
		{admin, "POST", "internal/cleanup-policies/preview/components", `{"repository":"r","criteriaAssetRegex":".*one.*"}`, 200, []string{`"group" : "/docs"`, `"format" : "raw"`}},
		{admin, "GET", "internal/cleanup-policies/preview/components/csv?repository=r&criteriaAssetRegex=.*", "", 200, []string{"/docs,", ",/docs/one.txt,default,3,,"}},
	})
}
