package api

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// token makes a token and gives its text and id.
func (r *rig) token(user, body string) (text, id string) {
	r.t.Helper()
	got := r.do(user, "POST", "tokens", body)
	var made Token
	if got.status != http.StatusCreated {
		r.t.Fatalf("%+v", got)
	}
	got.decode(r.t, &made)
	return made.Token, made.ID
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	r.do(admin, "POST", "repositories", `{"name":"files","format":"raw","kind":"hosted"}`)
	r.do(admin, "POST", "repositories", `{"name":"other","format":"raw","kind":"hosted"}`)
	all, id := r.token(admin, `{"name":"all"}`)
	read, _ := r.token(admin, `{"name":"reader","scope":["read"],"validFor":"24h"}`)
	one, _ := r.token(admin, `{"name":"one","scope":["nexus:repository-admin:raw:files:read,edit"]}`)
	r.play([]exchange{
		{all, "POST", "roles", `{"id":"dev"}`, 201, nil},
		{all, "GET", "audit?object=dev", "", 200, []string{`"token":"` + id}},
		{all, "POST", "tokens", `{"name":"more"}`, 403, []string{"cannot get other credentials"}},
		{all, "PUT", "users/admin/password", `{"password":"taken over"}`, 403, []string{"cannot get other credentials"}},
		{"admin:" + all, "PUT", "users/anonymous/password", `{"password":"taken over"}`, 403, []string{"cannot get other credentials"}},
		{"admin:" + all, "GET", "roles/dev", "", 200, nil},
		{"jane:" + all, "GET", "roles/dev", "", 401, nil},
		{read, "GET", "roles/dev", "", 200, nil},
		{read, "GET", "repositories/files", "", 200, nil},
		{read, "POST", "roles", `{"id":"no"}`, 403, nil},
		{read, "DELETE", "repositories/files", ``, 403, nil},
		{read, "GET", "audit", "", 403, nil},
		{read, "PUT", "users/admin/password", `{"password":"x"}`, 403, nil},
		{one, "GET", "repositories/files", "", 200, nil},
		{one, "GET", "repositories/other", "", 404, nil},
		{one, "PATCH", "repositories/files", `{"writePolicy":"DENY"}`, 200, nil},
		{one, "DELETE", "repositories/files", ``, 403, nil},
		{one, "GET", "roles", "", 403, nil},
		{"ent_00000000000000000000000000000000", "GET", "roles", "", 401, nil},
		{admin, "POST", "tokens", `{"name":"","scope":["what"],"expires":"2020-01-01T00:00:00Z"}`, 422, []string{"#/name", "#/scope/0", "#/expires"}},
		{admin, "POST", "tokens", `{"name":"x","validFor":"1h","expires":"2020-01-01T00:00:00Z"}`, 400, []string{"#/validFor"}},
		{"", "GET", "tokens", "", 401, nil},
		{"", "POST", "tokens", `{"name":"x"}`, 401, nil},
		{admin, "GET", "tokens/" + id, "", 200, []string{`"name":"all"`}},
	})
	if list := r.do(admin, "GET", "tokens", "").body; strings.Contains(list, all) || strings.Count(list, `"id"`) != 3 {
		t.Errorf("list: %s", list)
	}
	r.play([]exchange{
		{admin, "DELETE", "tokens/" + id, "", 204, nil},
		{all, "GET", "roles/dev", "", 401, nil},
		{admin, "DELETE", "tokens/" + id, "", 404, nil},
	})
}

func TestTokensOfOthers(t *testing.T) {
	r := newRig(t)
	r.do(admin, "POST", "roles", `{"id":"none"}`)
	r.do(admin, "POST", "users", `{"id":"jane","firstName":"J","lastName":"D","email":"j@example.org","roles":["none"],"password":"first"}`)
	_, id := r.token("jane:first", `{"name":"hers"}`)
	_, admins := r.token(admin, `{"name":"his"}`)
	r.play([]exchange{
		{"jane:first", "GET", "tokens?user=admin", "", 403, nil},
		{"jane:first", "DELETE", "tokens/" + admins, "", 404, nil},
		{"jane:first", "DELETE", "tokens/" + admins + "?user=admin", "", 403, nil},
		{admin, "GET", "tokens?user=jane", "", 200, []string{`"hers"`}},
		{admin, "DELETE", "tokens/" + id + "?user=jane", "", 204, nil},
		{"jane:first", "GET", "tokens", "", 200, []string{`{"items":[]}`}},
	})
}

func TestTokensExpire(t *testing.T) {
	r := newRig(t)
	text, _ := r.token(admin, `{"name":"short","validFor":"5m"}`)
	if got := r.do(text, "GET", "roles", ""); got.status != http.StatusOK {
		t.Fatalf("fresh: %+v", got)
	}
	r.clock.Store(int64(6 * time.Minute))
	if got := r.do(text, "GET", "roles", ""); got.status != http.StatusUnauthorized {
		t.Errorf("expired: %d", got.status)
	}
}
