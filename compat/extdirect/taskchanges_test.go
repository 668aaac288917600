package extdirect

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestTaskChanges makes, changes and removes a task, as scripts of administrators do.
func TestTaskChanges(t *testing.T) {
	url := rig(t)
	do := func(method, data string, want ...string) string {
		t.Helper()
		status, text := post(t, url, `{"action":"coreui_Task","method":"`+method+`","data":[`+data+`],"type":"rpc","tid":1}`, true)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", method, status, text)
		}
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %s", text, part)
			}
		}
		return text
	}
	const body = `{"typeId":"blobstore.compact","name":"Mine","enabled":true,"alertEmail":"a@example.org","notificationCondition":"SUCCESS_FAILURE",` +
		`"properties":{"blobstoreName":"default"},"schedule":"advanced","cronExpression":"0 0 1 * * ?","timeZoneOffset":"-05:00"}`
	do("create", strings.Replace(body, `0 0 1 * * ?`, `x`, 1), `"cronExpression":"cron expression has 1 parts`)
	do("create", strings.Replace(body, `blobstore.compact`, `script`, 1), `"typeId":"This server does not have tasks of type`)
	id := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(do("create", body, `"success":true`, `"name":"Mine"`))[1]
	do("read", "", `"schedule":"advanced"`, `"cronExpression":"0 0 1 * * ?"`, `"alertEmail":"a@example.org","notificationCondition":"SUCCESS_FAILURE"`)
	do("update", `{"id":"`+id+`","name":"Weekly","enabled":false,"schedule":"weekly","recurringDays":[1,4],"startDate":"2030-01-01T00:00:00.000Z"}`, `"name":"Weekly"`)
	do("read", "", `"name":"Weekly"`, `"recurringDays":[1,4]`, `"startDate":"2030-01-01T00:00:00Z"`)
	do("update", `{"id":"nope"}`, `"success":false`)
	do("remove", `"`+id+`"`, `"success":true`)
	do("remove", `"`+id+`"`, `"success":false`)
}
