//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestUserTokenForContent demands user tokens for content, while everything else still takes passwords.
func TestUserTokenForContent(t *testing.T) {
	s := start(t)
	s.makeRaw()
	if status, text := s.do(http.MethodPut, "/repository/files/a.txt", strings.NewReader("a")); status != http.StatusCreated {
		t.Fatal(status, text)
	}
	s.json(http.MethodPut, "/service/rest/v1/security/anonymous", `{"enabled":false}`)
	s.json(http.MethodPut, "/service/rest/v1/security/user-tokens", `{"enabled":true,"protectContent":true,"expirationEnabled":false,"expirationDays":30}`)
	s.json(http.MethodPut, "/service/rest/v1/security/realms/active", `["NexusAuthenticatingRealm","User-Token-Realm"]`)
	status, text := s.do(http.MethodPost, "/service/rest/v1/security/users/admin/NexusAuthenticatingRealm/user-token", nil)
	var token struct{ NameCode, PassCode string }
	if err := json.Unmarshal([]byte(text), &token); err != nil || status != http.StatusCreated {
		t.Fatal(status, text, err)
	}
	const file, users = "/repository/files/a.txt", "/service/rest/v1/security/users"
	s.wants("content for tokens", [][4]string{
		{"admin", adminPassword, file, "401"}, {token.NameCode, token.PassCode, file, "200"}, {token.NameCode, "wrong", file, "401"},
		{"admin", adminPassword, users, "200"}, {token.NameCode, token.PassCode, users, "200"},
	})
}
