package importer_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/access"
	"entrepot/app/mail"
	"entrepot/app/outbound"
	"entrepot/app/repository"
	"entrepot/app/scripts"
	"entrepot/app/settings"
	"entrepot/app/trust"
	"entrepot/formats"
	"entrepot/migrate/importer"
	"entrepot/migrate/inventory"
)

// forget takes everything of one repository from the old server.
func (o *old) forget(repo string) {
	o.Repositories = slices.DeleteFunc(o.Repositories, func(r inventory.Repository) bool { return r.Name == repo })
	o.assets = slices.DeleteFunc(o.assets, func(a *inventory.Asset) bool { return a.Repository == repo })
}

func (o *old) delete(repo, path string) {
	o.assets = slices.DeleteFunc(o.assets, func(a *inventory.Asset) bool { return a.Repository == repo && a.Path == path })
}

// store puts a body here as a user of this server does.
func (s *server) store(t *testing.T, repo, path, body string) {
	t.Helper()
	in := repository.Restored{Path: path, Size: int64(len(body)), BlobCreated: day.AddDate(0, 0, 9), ContentType: "text/plain"}
	_, err := s.Engine.Restore(t.Context(), repo, in, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil })
	must(t, err)
}

func lines(removals []importer.Removal) []string {
	all := []string{}
	for _, r := range removals {
		line := r.Section + " " + r.Name
		if r.Kept != "" {
			line += ": " + r.Kept
		}
		all = append(all, line)
	}
	return all
}

// TestDeletions deletes one thing of each kind there, and wants it planned, and gone here.
func TestDeletions(t *testing.T) {
	for want, change := range map[string]func(*old){
		"assets files/a.txt":    func(o *old) { o.delete("files", "/a.txt") },
		"assets cache/c.txt":    func(o *old) { o.delete("cache", "/c.txt") },
		"repositories all":      func(o *old) { o.forget("all") },
		"repositories cache":    func(o *old) { o.forget("cache") },
		"repositories images":   func(o *old) { o.forget("images") },
		"users default/ann":     func(o *old) { o.Access.Users = o.Access.Users[1:] },
		"users LDAP/bob":        func(o *old) { o.Access.Users = o.Access.Users[:1] },
		"roles dev":             func(o *old) { o.Access.Roles = nil },
		"privileges priv":       func(o *old) { o.Access.Privileges = nil },
		"content-selectors sel": func(o *old) { o.Access.Selectors = nil },
		"security default-role": func(o *old) { o.Access.DefaultRole = "" },
		"table-other 1":         func(o *old) { o.Records = nil },
		"blob-stores bucket":    func(o *old) { o.BlobStores = o.BlobStores[:1]; o.forget("far") },
		"routing-rules block":   func(o *old) { o.RoutingRules = nil; o.Repositories[3].RoutingRule = "" },
		"tokens NpmToken/default/ann/" + fmt.Sprint(day): func(o *old) { o.Access.Tokens = nil },
	} {
		t.Run(want, func(t *testing.T) {
			s, from := newServer(t), newOld()
			s.bring(t, from)
			change(from)
			plan, report := s.bring(t, from)
			planned := lines(plan.Removals)
			if !slices.Contains(planned, want) || len(report.Stayed) != 0 || report.Failed != 0 || report.Removed+report.RemovedAssets != int64(len(planned)) {
				t.Errorf("planned %q, report %+v", planned, report)
			}
			plan, report = s.bring(t, from)
			if len(plan.Removals) != 0 || report.Removed+report.RemovedAssets+report.New+report.Settings != 0 {
				t.Errorf("again: planned %q, report %+v", lines(plan.Removals), report)
			}
		})
	}
}

// TestSystemDeletions deletes settings of the whole server there.
func TestSystemDeletions(t *testing.T) {
	s, from := newServer(t), newOld()
	from.System.Scripts = []scripts.Script{{Name: "one", Type: "groovy", Content: "1"}, {Name: "two", Type: "groovy", Content: "2"}}
	from.System.Capabilities = []settings.Capability{{ID: "cap-1", Type: "baseurl", Enabled: true, Properties: map[string]string{"url": "http://old.example.org/"}}}
	s.bring(t, from)
	must(t, s.System.Scripts.Import(t.Context(), scripts.Script{Name: "two", Type: "groovy", Content: "changed here"}))
	from.System.Scripts, from.System.Capabilities = nil, nil
	plan, report := s.bring(t, from)
	want := []string{"scripts one", "scripts two: was changed here since", "capabilities cap-1"}
	if d := cmp.Diff(want, lines(plan.Removals)); d != "" || report.Removed != 2 || len(report.Stayed) != 1 {
		t.Errorf("%s\n%+v", d, report)
	}
	if all, err := s.System.Scripts.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("scripts left: %v, %v", all, err)
	}
}

// certificate is one that nobody made for anything else.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBNDCB56ADAgECAhQFw/0FddB9S2aqj968B6ZlTMHcHTAFBgMrZXAwDzENMAsG
A1UEAwwEdGVzdDAgFw0yNjExMjEyMzI1MjFaGA8yMTI2MTAyODIzMjUyMVowDzEN
MAsGA1UEAwwEdGVzdDAqMAUGAytlcAMhAGxEtgI2RsB3tB4o2FW0PeDf8PqJFTwg
uqleNVo0ICn4o1MwUTAdBgNVHQ4EFgQUQ7cnqvs8eESxio0g7lCReXZPLgIwHwYD
VR0jBBgwFoAUQ7cnqvs8eESxio0g7lCReXZPLgIwDwYDVR0TAQH/BAUwAwEB/zAF
BgMrZXADQQB51hlxpcZyKg8QGOQa8PmQ2/wKf4//t1gJUm4yxRur1oIjGCSWYT/m
u720UE3p5d7aYVe6GW0RYjYp9i5LgEQE
-----END CERTIFICATE-----
`

// TestDeletionsOfServerSettings deletes what a server has one of, and a certificate, there; and again after they were changed here.
func TestDeletionsOfServerSettings(t *testing.T) {
	parsed, err := trust.Parse(certificate)
	must(t, err)
	proxy := &outbound.Proxy{Enabled: true, Host: "proxy.example.org", Port: 3128, Auth: &outbound.ProxyAuth{Enabled: true, Username: "u", Password: "p"}}
	from := newOld()
	from.System.HTTP = &outbound.Settings{UserAgentSuffix: "old", HTTP: proxy}
	from.System.Mail = &mail.Settings{Enabled: true, Host: "mail.example.org", Port: 25, From: "old@example.org", Password: "geheim"}
	from.System.Certificates = []inventory.Certificate{{Name: "alias", PEM: certificate, Added: day}}
	gone := newOld()
	for what, tt := range map[string]struct {
		change func(s *server) // here, between the imports
		want   []string
	}{
		"nothing": {func(*server) {}, []string{"email settings", "http settings", "certificates " + parsed.Fingerprint()}},
		"passwords": {func(s *server) {
			other, auth := *proxy, *proxy.Auth
			auth.Password, other.Auth = "p2", &auth
			must(t, s.System.Outbound.Set(t.Context(), outbound.Settings{UserAgentSuffix: "old", HTTP: &other}))
			m := *from.System.Mail
			m.Password = "other"
			must(t, s.System.Mail.Set(t.Context(), m))
			must(t, s.System.Trust.Delete(t.Context(), parsed.Fingerprint()))
			_, err := s.System.Trust.Add(t.Context(), certificate)
			must(t, err)
		}, []string{"email settings: was changed here since", "http settings: was changed here since", "certificates " + parsed.Fingerprint() + ": was changed here since"}},
	} {
		t.Run(what, func(t *testing.T) {
			s := newServer(t)
			s.bring(t, from)
			tt.change(s)
			plan, report := s.bring(t, gone)
			if d := cmp.Diff(tt.want, lines(plan.Removals)); d != "" || report.Removed+int64(len(report.Stayed)) != 3 {
				t.Errorf("%s\n%+v", d, report)
			}
			_, web := s.System.Outbound.Settings()
			_, post, err := s.System.Mail.Settings(t.Context())
			must(t, err)
			trusted, err := s.System.Trust.List(t.Context())
			must(t, err)
			if stay := len(report.Stayed) == 3; web != stay || post != stay || len(trusted) == 1 != stay {
				t.Errorf("here are HTTP settings %v, mail %v, certificates %d", web, post, len(trusted))
			}
		})
	}
}

// TestDeletionOfMany deletes things there that name each other: that one went is no change of another by somebody here.
func TestDeletionOfMany(t *testing.T) {
	s, from := newServer(t), newOld()
	s.bring(t, from)
	from.Access.Privileges = nil
	s.bring(t, from) // changes the role here, that still names the privilege there
	from.Access.Roles, from.Access.DefaultRole = nil, ""
	plan, report := s.bring(t, from)
	if d := cmp.Diff([]string{"security default-role", "roles dev"}, lines(plan.Removals)); d != "" || report.Removed != 2 {
		t.Errorf("%s\n%+v", d, report)
	}
}

// TestDeletionsThatStay changes here what is deleted there, and wants it kept with the reason.
func TestDeletionsThatStay(t *testing.T) {
	s, from := newServer(t), newOld()
	must(t, s.Access.ImportRole(t.Context(), access.System(), access.RoleInput{ID: "dev", Name: "before"}))
	s.bring(t, from)

	must(t, s.Access.ImportUser(t.Context(), access.System(), access.ImportedUser{User: access.User{ID: "bob", Source: "LDAP", Status: access.StatusActive}}))
	must(t, s.Engine.CreateRoutingRule(t.Context(), repository.RoutingRule{Name: "mine", Mode: repository.RuleAllow, Matchers: []string{"x"}}))
	mine := repository.Definition{Name: "mine", Format: "raw", Kind: formats.Hosted, BlobStore: "bucket", RoutingRule: "block", Write: repository.WriteAllow}
	must(t, s.Engine.Import(t.Context(), mine, "test"))
	s.store(t, "files", "/mine.txt", "mine")
	s.store(t, "files", "/a.txt", "mine now")
	s.store(t, "cache", "/fetched.txt", "fetched here")

	from.delete("files", "/a.txt")
	from.delete("files", "/same.txt")
	from.forget("cache")
	from.forget("far")
	from.Access.Users, from.Access.Roles = from.Access.Users[:1], nil
	from.RoutingRules, from.BlobStores = nil, from.BlobStores[:1]
	plan, report := s.bring(t, from)
	if plan.RemovedAssets != 1 || plan.OwnAssets != 2 || report.RemovedAssets != 1 || report.Removed != 1 {
		t.Errorf("plan %+v\nreport %+v", plan, report)
	}
	want := []string{
		"repositories cache: holds 1 assets that were stored or changed here", "users LDAP/bob: was changed here since",
		"roles dev: was here before the import", "routing-rules block: Routing rule is still in use by 2 repositories.",
		"blob-stores bucket: BlobStore bucket is in use and cannot be deleted",
		"assets files/a.txt: was stored or changed here", "assets files/mine.txt: was stored or changed here",
	}
	if d := cmp.Diff(want, lines(report.Stayed)); d != "" {
		t.Error(d)
	}
	var text bytes.Buffer
	must(t, plan.Print(&text))
	for _, line := range []string{"files/same.txt  remove: was deleted there", "remove 1, keep 2"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("the plan does not say %q:\n%s", line, text.String())
		}
	}
	for path, there := range map[string]bool{"/a.txt": true, "/mine.txt": true, "/same.txt": false} {
		if a, err := s.Engine.Held(t.Context(), "files", path); err != nil || (a != nil) != there {
			t.Errorf("%s: %v, %v", path, a, err)
		}
	}
}

// TestPartsAreNoDeletions wants nothing removed for a source that does not have everything, or for another old server.
func TestPartsAreNoDeletions(t *testing.T) {
	s := newServer(t)
	s.bring(t, newOld())
	for name, change := range map[string]func(*old){
		"in part":        func(o *old) { o.Complete = false },
		"another server": func(o *old) { o.SystemID = "system-2" },
		"of no name":     func(o *old) { o.SystemID = "" },
	} {
		from := newOld()
		change(from)
		from.delete("files", "/a.txt")
		from.Access.Users = nil
		if plan, report := s.bring(t, from); plan.RemovedAssets != 0 || report.Removed+report.RemovedAssets != 0 {
			t.Errorf("%s: %+v", name, report)
		}
	}
}
