package access

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrepot/app/access/permission"
)

// fixture is a data directory's account of itself and of what its server answered to whom.
const fixture = "../../../shared/fixtures/datadirs/nexus-3.77-small.expected"

func readFixture(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixture, name))
	if err != nil {
		t.Skip("the fixture is not here: ", err)
	}
	must(t, json.Unmarshal(data, into))
}

// importFixture fills a service with the users, roles, privileges and selectors of the fixture.
func importFixture(t *testing.T) *Service {
	w := newWorld()
	w.repos = nil
	w.opts.Realms = []Realm{{ID: "LdapRealm", Name: "LDAP", Source: "LDAP", Authenticator: &realm{}}}
	var repositories []RepositoryRef
	readFixture(t, "rest/repositories.json", &repositories)
	w.repos = repositories
	s := w.open(t)
	var selectors []Selector
	readFixture(t, "rest/content-selectors.json", &selectors)
	for _, sel := range selectors {
		must(t, s.ImportSelector(t.Context(), System(), sel))
	}
	var privileges []wirePrivilege
	readFixture(t, "rest/privileges.json", &privileges)
	for _, p := range privileges {
		if !p.ReadOnly {
			must(t, s.ImportPrivilege(t.Context(), System(), unwire(p)))
		}
	}
	var roles []RoleInput
	readFixture(t, "rest/roles.json", &roles)
	for _, r := range roles {
		must(t, s.ImportRole(t.Context(), System(), r))
	}
	var users []struct {
		UserID, Status string
		Roles          []string
	}
	readFixture(t, "rest/users.json", &users)
	hashes := fixtureHashes(t)
	for _, u := range users {
		must(t, s.ImportUser(t.Context(), System(), ImportedUser{PasswordHash: hashes[u.UserID],
			User: User{ID: u.UserID, Source: SourceLocal, Status: Status(u.Status), Roles: u.Roles}}))
	}
	var realms []string
	readFixture(t, "rest/realms-active.json", &realms)
	must(t, s.ImportRealms(t.Context(), System(), append(realms, "LdapRealm", "NpmToken", "NexusAuthorizingRealm")))
	must(t, s.SetDefaultRole(t.Context(), System(), "everyone"))
	must(t, s.SetAnonymous(t.Context(), System(), Anonymous{Enabled: true, UserID: "anon-reader", Realm: RealmAuthorizing}))
	return s
}

func unwire(p wirePrivilege) Privilege {
	out := Privilege{Name: p.Name, Type: PrivilegeType(p.Type), Pattern: p.Pattern, Domain: p.Domain, Format: p.Format, Repository: p.Repository,
		Selector: p.ContentSelector, Script: p.ScriptName, Description: text(p.Description)}
	for _, label := range p.Actions {
		action, _ := ParseAction(out.Type, label)
		out.Actions = append(out.Actions, action)
	}
	return out
}

func fixtureHashes(t *testing.T) map[string]string {
	file, err := os.Open(filepath.Join(fixture, "tables.jsonl.gz"))
	must(t, err)
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	must(t, err)
	hashes := map[string]string{}
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var line struct {
			Table string
			Row   struct{ ID, PASSWORD any }
		}
		must(t, json.Unmarshal(lines.Bytes(), &line))
		if line.Table == "SECURITY_USER" {
			id, _ := line.Row.ID.(string)
			hashes[id], _ = line.Row.PASSWORD.(string)
		}
	}
	must(t, lines.Err())
	return hashes
}

// recordedLogin is one recorded answer.
type recordedLogin struct {
	User, Password, Token, Header, Method, URL string
	Status                                     int
	Names                                      []string
}

func (r recordedLogin) credentials() Credentials {
	switch {
	case r.Header == "Authorization":
		return ParseAuthorization("Bearer " + r.Token)
	case r.Header != "":
		return Credentials{Kind: APIKey, Domain: "NuGetApiKey", Secret: r.Token}
	case r.User == "":
		return Credentials{}
	}
	return ParseAuthorization(header(r.User, r.Password))
}

// The permissions that decide answers outside of content.
var decisive = map[string]permission.Permission{
	"GET /service/rest/v1/status/check":                       permission.Application("metrics", "read"),
	"GET /service/rest/v1/security/users":                     permission.Application("users", "read"),
	"GET /service/rest/v1/security/roles":                     permission.Application("roles", "read"),
	"GET /service/rest/v1/security/privileges":                permission.Application("privileges", "read"),
	"GET /service/rest/v1/blobstores":                         permission.Application("blobstores", "read"),
	"GET /service/rest/v1/tasks":                              permission.Application("tasks", "read"),
	"GET /service/rest/v1/email":                              permission.Application("settings", "read"),
	"GET /service/rest/v1/script":                             permission.Script("*", "read"),
	"GET /service/rest/v1/script/fixture-hello":               permission.Script("fixture-hello", "read"),
	"POST /service/rest/v1/script/fixture-hello/run":          permission.Script("fixture-hello", "run"),
	"GET /service/rest/v1/repositories/raw/hosted/raw-docs":   permission.RepositoryAdmin("raw", "raw-docs", "read"),
	"GET /service/rest/v1/repositories/raw/hosted/raw-hosted": permission.RepositoryAdmin("raw", "raw-hosted", "read"),
}

var verbs = map[string]permission.Action{"GET": permission.Read, "HEAD": permission.Read, "PUT": permission.Edit, "DELETE": permission.Delete}

// Every caller of a real server gets here what it got there.
func TestLoginsAsRecorded(t *testing.T) {
	s := importFixture(t)
	var rows []recordedLogin
	readFixture(t, "logins.json", &rows)
	judged := 0
	for _, row := range rows {
		subject, err := s.Authenticate(t.Context(), row.credentials())
		if errors.Is(err, ErrBadCredentials) {
			if judged++; row.Status != 401 {
				t.Errorf("%s %s by %s: refused, was %d", row.Method, row.URL, row.User, row.Status)
			}
			continue
		}
		must(t, err)
		if !subject.Anonymous() && row.Status == 401 && !strings.HasPrefix(row.URL, "/service/metrics") {
			t.Errorf("%s by %s: let in", row.URL, row.User)
		}
		judged += judge(t, s, subject, row)
	}
	if judged < 600 {
		t.Errorf("only %d of %d rows were judged", judged, len(rows))
	}
}

// judge compares what a subject may do with one answer; 0 when the answer depends on other things.
func judge(t *testing.T, s *Service, subject *Subject, row recordedLogin) int {
	if want, ok := decisive[row.Method+" "+row.URL]; ok {
		if allowed := subject.Permits(want); allowed != (row.Status < 400) {
			t.Errorf("%s %s by %q: %d, but permitted: %v", row.Method, row.URL, row.User, row.Status, allowed)
		}
		return 1
	}
	if row.URL == "/service/rest/v1/repositories" && row.Names != nil {
		var names []string
		for _, ref := range s.opts.Repositories() {
			if subject.MayEnter(ref.Format, ref.Name, permission.Browse) {
				names = append(names, ref.Name)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, row.Names) {
			t.Errorf("repositories of %q: %v, were %v", row.User, names, row.Names)
		}
		return 1
	}
	inside, isContent := strings.CutPrefix(row.URL, "/repository/")
	name, path, _ := strings.Cut(inside, "/")
	at := slices.IndexFunc(s.opts.Repositories(), func(ref RepositoryRef) bool { return ref.Name == name })
	if !isContent || at < 0 || row.Status == 503 {
		return 0
	}
	decoded, err := url.PathUnescape(path)
	must(t, err)
	allowed := subject.MayView(s.opts.Repositories()[at].Format, name, verbs[row.Method], "/"+decoded)
	if allowed != (row.Status != 401 && row.Status != 403) {
		t.Errorf("%s %s by %q: %d, but allowed: %v", row.Method, row.URL, row.User, row.Status, allowed)
	}
	return 1
}
