package rest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestUserTokens(t *testing.T) {
	const path, mine = "v1/security/user-tokens", "v1/security/users/ann/NexusAuthenticatingRealm/user-token"
	r := newRig(t)
	user := func(id, role string) exchange {
		return exchange{admin, "POST", "v1/security/users", `{"userId":"` + id + `","firstName":"x","lastName":"x","emailAddress":"x@example.org","password":"admin123",` +
			`"status":"active","roles":["` + role + `"]}`, 200, nil}
	}
	r.play(t, []exchange{
		{admin, "POST", "v1/security/roles", `{"id":"tokens","name":"t","privileges":["nx-usertoken-current","nx-users-read"],"roles":[]}`, 200, nil},
		user("ann", "tokens"), user("bob", "nx-anonymous"),
		{admin, "GET", path, "", 200, []string{`"enabled" : false`, `"protectContent" : false`, `"expirationEnabled" : false`, `"expirationDays" : 30`}},
		{"bob:admin123", "GET", path, "", 403, nil},
		{admin, "PUT", path, `{"enabled":true,"expirationDays":1000}`, 400, []string{"PARAMETER expirationDays"}},
		{"ann:admin123", "POST", mine, "", 400, []string{"User tokens are not enabled."}},
		{admin, "PUT", path, `{"enabled":true,"expirationEnabled":true,"expirationDays":45}`, 200, []string{`"expirationDays" : 45`}},
		{admin, "PUT", "v1/security/realms/active", `["NexusAuthenticatingRealm","User-Token-Realm"]`, 204, nil},
		{"ann:admin123", "GET", mine, "", 404, nil},
		{"bob:admin123", "POST", "v1/security/users/bob/NexusAuthenticatingRealm/user-token", "", 403, nil},
		{"ann:admin123", "POST", "v1/security/users/bob/NexusAuthenticatingRealm/user-token", "", 403, nil},
		{"", "POST", mine, "", 403, nil},
		{admin, "POST", "v1/security/users/nobody/NexusAuthenticatingRealm/user-token", "", 404, nil},
		{admin, "POST", "v1/security/users/ann/DefaultRole/user-token", "", 422, nil},
	})
	status, text := r.do(t, "ann:admin123", "POST", mine, "")
	var made struct{ NameCode, PassCode, CreatedByUserID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != 201 || len(made.NameCode) != 8 || len(made.PassCode) != 44 {
		t.Fatalf("%d %s %v", status, text, err)
	}
	token := made.NameCode + ":" + made.PassCode
	r.play(t, []exchange{
		{"ann:admin123", "POST", mine, "", 409, nil},
		{"ann:admin123", "GET", mine, "", 200, []string{`"nameCode" : "` + made.NameCode + `"`, `"isExpired" : false`, `"createdByUserId" : "ann"`}},
		{token, "GET", "v1/security/users?userId=ann", "", 200, []string{`"userId" : "ann"`}},
		{made.NameCode + ":wrong", "GET", "v1/security/users", "", 401, nil},
		{admin, "GET", path + "/tokens?userId=ann&realm=NexusAuthenticatingRealm", "", 200, []string{made.NameCode}},
		{admin, "GET", path + "/tokens?skip=1", "", 200, []string{`"items" : [ ]`}},
		{admin, "GET", path + "/tokens?skip=x", "", 400, nil},
		{"bob:admin123", "DELETE", mine, "", 403, nil},
		{admin, "PUT", path, `{"enabled":false}`, 200, nil},
		{token, "GET", "v1/security/users", "", 401, nil},
		{admin, "PUT", path, `{"enabled":true}`, 200, []string{`"expirationEnabled" : false`}},
		{token, "GET", "v1/security/users", "", 200, nil},
		{"ann:admin123", "DELETE", mine + "-reset", "", 204, nil},
		{token, "GET", "v1/security/users", "", 401, nil},
		{"ann:admin123", "DELETE", mine, "", 404, nil},
		{admin, "POST", mine, "", 201, []string{`"createdByUserId" : "admin"`}},
		{admin, "DELETE", path, "", 204, nil},
		{admin, "GET", mine, "", 404, nil},
		{admin, "GET", "beta/security/user-tokens", "", 404, nil},
	})
	if _, text := r.do(t, admin, "GET", path+"/tokens", ""); strings.Contains(text, "passCode") {
		t.Error("a pass code is told twice: ", text)
	}
}
