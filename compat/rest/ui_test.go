package rest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"entrepot/app/access"
)

func TestTickets(t *testing.T) {
	var tickets tickets
	now := time.Unix(1000, 0)
	one := tickets.issue("ann", now)
	if tickets.redeem(one, "bob", now) || tickets.redeem(one, "ann", now) {
		t.Error("a ticket that somebody else tried is still good")
	}
	two := tickets.issue("ann", now)
	if !tickets.redeem(two, "ann", now.Add(ticketLife-1)) || tickets.redeem(two, "ann", now) {
		t.Error("a ticket is good once, for a minute")
	}
	if three := tickets.issue("ann", now); tickets.redeem(three, "ann", now.Add(ticketLife)) {
		t.Error("a ticket is good after its time")
	}
	first := tickets.issue("ann", now)
	for len(tickets.given) < maxTickets {
		tickets.issue("ann", now.Add(time.Second))
	}
	tickets.issue("ann", now.Add(time.Second))
	if len(tickets.given) != maxTickets || tickets.redeem(first, "ann", now) {
		t.Errorf("%d tickets, want %d without the oldest", len(tickets.given), maxTickets)
	}
}

func TestOwnPassword(t *testing.T) {
	r := newRig(t)
	credentials := func(user, password string) string {
		return `{"u":"` + base64.StdEncoding.EncodeToString([]byte(user)) + `","p":"` + base64.StdEncoding.EncodeToString([]byte(password)) + `"}`
	}
	status, text := r.do(t, admin, http.MethodPost, "wonderland/authenticate", credentials("admin", "admin123"))
	_, ticket, _ := strings.Cut(text, "<t>")
	ticket, _, ok := strings.Cut(ticket, "</t>")
	if status != http.StatusOK || !ok {
		t.Fatalf("ticket: %d %s", status, text)
	}
	const own = "internal/ui/user/admin/password"
	r.play(t, []exchange{
		{admin, "POST", "wonderland/authenticate", credentials("admin", "wrong"), 403, nil},
		{admin, "POST", "wonderland/authenticate", credentials("ann", "admin123"), 400, nil},
		{"", "POST", "wonderland/authenticate", credentials("admin", "admin123"), 403, nil},
		{admin, "POST", "wonderland/authenticate", "{}", 400, nil},
		{admin, "PUT", own, `{"authToken":"` + ticket + `","password":"second"}`, 204, nil},
		{"admin:second", "PUT", own, `{"authToken":"` + ticket + `","password":"third"}`, 403, []string{"Invalid authentication ticket"}},
		{"admin:second", "PUT", "internal/ui/onboarding/change-admin-password", "admin123", 204, nil},
		{admin, "PUT", "internal/ui/user", `{"userId":"admin","firstName":"A","lastName":"B","email":"c@example.org"}`, 204, nil},
		{admin, "GET", "internal/ui/user", "", 200, []string{`"firstName" : "A"`, `"external" : false`}},
		{"", "GET", "internal/ui/user", "", 200, []string{`"userId" : "anonymous"`}},
	})
}

// A user of another source who has the id of a local one changes nothing of that.
func TestPasswordOfNamesake(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "PUT", "v1/security/user-tokens", `{"enabled":true}`, 200, nil},
		{admin, "PUT", "v1/security/realms/active", `["NexusAuthenticatingRealm","SamlRealm","User-Token-Realm"]`, 204, nil},
		{admin, "POST", "v1/security/roles", `{"id":"changer","name":"changer","privileges":["nx-userschangepw"],"roles":[]}`, 200, nil},
		{admin, "POST", "v1/security/saml/users", `{"userId":"admin","firstName":"A","lastName":"","emailAddress":"a@example.org","status":"active","roles":["changer"]}`, 201, nil},
	})
	made, passCode, err := r.api.access.CreateUserToken(t.Context(), access.System(), access.SourceSAML, "admin")
	if err != nil {
		t.Fatal(err)
	}
	ticket := r.api.tickets.issue("admin", time.Now())
	r.play(t, []exchange{
		{made.NameCode + ":" + passCode, "PUT", "internal/ui/user/admin/password", `{"authToken":"` + ticket + `","password":"taken"}`, 403, nil},
		{"admin:taken", "GET", "v1/security/users", "", 401, nil},
		{admin, "GET", "v1/security/users", "", 200, nil},
	})
}

func TestInternalLists(t *testing.T) {
	r := newRig(t)
	r.play(t, []exchange{
		{admin, "POST", "v1/repositories/raw/hosted", rawHosted, 201, nil},
		{admin, "GET", "internal/ui/repositories?withAll=true&type=hosted&format=raw", "", 200, []string{`"id" : "*"`, `"id" : "r"`}},
		{admin, "GET", "internal/ui/repositories?type=proxy", "", 200, []string{"[ ]"}},
		{"", "GET", "internal/ui/repositories", "", 403, nil},
		{"", "GET", "internal/ui/repositories/details", "", 200, []string{`"online" : true`}},
		{admin, "GET", "internal/ui/repositories/repository/r", "", 200, []string{`"writePolicy" : "ALLOW"`}},
		{admin, "GET", "internal/ui/repositories/repository/nope", "", 404, nil},
		{"", "GET", "internal/ui/repositories/repository/r", "", 403, nil},
		{"", "GET", "internal/ui/repositories/recipes", "", 200, []string{`"format" : "raw"`}},
		{admin, "GET", "internal/ui/blobstores", "", 200, []string{`"typeId" : "file"`}},
		{admin, "GET", "internal/ui/blobstores/types", "", 200, []string{`"id" : "file"`}},
		{admin, "GET", "internal/ui/privileges/types", "", 200, []string{`"storeApi" : "coreui_Selector.readReferences"`}},
		{admin, "GET", "internal/proprietary-content", "", 200, []string{"[ ]"}},
		{"", "GET", "wonderland/status", "", 200, []string{"<status>"}},
	})
}

// TestNegotiation looks at what is accepted before anything else is.
func TestNegotiation(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		path, accept, user string
		status             int
	}{
		{"v1/status", "bogus", "", 400},
		{"v1/nope", "bogus", "", 400},
		{"v1/nope", "text/html", "", 404},
		{"v1/status", "text/html", "", 406},
		{"v1/security/users", "text/html", "", 406}, // before permissions
		{"v1/security/users", "application/json;q=0.1, text/html", admin, 200},
		{"v1/security/users", "application/json;q=0", admin, 406},
		{"v1/status;x=y", "*/*", "", 200},
		{"v1;a=b/status;x=y", "", "", 200},
		{"v1/%73tatus", "", "", 404},
		{"v1/assets/%3Bx", "", admin, 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+prefix+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", tt.accept)
		if status, text := r.send(t, tt.user, req); status != tt.status {
			t.Errorf("%s accepting %q: %d %s, want %d", tt.path, tt.accept, status, text, tt.status)
		}
	}
}
