package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/app/access/ldap"
	"entrepot/app/cleanup"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// old is a server that answers with what it is given, by path and query.
type old struct {
	replies map[string]string
	busy    map[string]int // how often a path is answered 429 first
	asked   []string
}

func (o *old) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Nexus/3.77.1-01 (CORE)")
	o.asked = append(o.asked, r.Method+" "+r.URL.RequestURI())
	if user, password, _ := r.BasicAuth(); user != "admin" || password != "right" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	key := strings.TrimPrefix(r.URL.RequestURI(), "/service/rest/v1/")
	if o.busy[key] > 0 {
		o.busy[key]--
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	reply, ok := o.replies[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, reply)
}

func newOld() *old {
	return &old{busy: make(map[string]int), replies: map[string]string{
		"status":      "",
		"system/node": `{"nodeId":"N-1"}`,
		"/service/rest/internal/cleanup-policies": `[{"name":"old","format":"*","notes":null,"criteriaLastBlobUpdated":null,"criteriaLastDownloaded":30,"retain":null,
			"sortBy":null,"criteriaReleaseType":"PRERELEASES","criteriaAssetRegex":null,"inUseCount":1}]`,
		"routing-rules": `[{"name":"no-x","description":"","mode":"BLOCK","matchers":["/x/.*"]}]`,
		"blobstores": `[{"name":"default","type":"File","softQuota":null},
			{"name":"bucket","type":"S3","softQuota":{"type":"spaceUsedQuota","limit":1000000}}]`,
		"repositorySettings": `[
			{"name":"all","format":"raw","type":"group","online":true,"storage":{"blobStoreName":"default"},"group":{"memberNames":["files","mirror"],"writableMember":null}},
			{"name":"files","format":"raw","type":"hosted","online":true,"storage":{"blobStoreName":"bucket","writePolicy":"ALLOW_ONCE"},"cleanup":null,"raw":{"contentDisposition":"INLINE"}},
			{"name":"off","format":"raw","type":"hosted","online":false,"storage":{"blobStoreName":"default","writePolicy":"ALLOW"}},
			{"name":"debs","format":"apt","type":"hosted","online":true,"storage":{"blobStoreName":"default","writePolicy":"ALLOW"},"apt":{"distribution":"stable"},"aptSigning":{"keypair":"KEY","passphrase":null}},
			{"name":"mirror","format":"raw","type":"proxy","online":true,"storage":{"blobStoreName":"default"},"routingRuleName":"no-x",
			 "proxy":{"remoteUrl":"https://up.example/","contentMaxAge":-1,"metadataMaxAge":60},"negativeCache":{"enabled":true,"timeToLive":5},
			 "httpClient":{"blocked":false,"autoBlock":true,"connection":null,"authentication":{"type":"username","username":"u","preemptive":null}}}]`,
		"security/content-selectors": `[{"name":"s","type":"csel","description":"","expression":"format == \"raw\""}]`,
		"security/privileges": `[{"type":"wildcard","name":"nx-all","readOnly":true,"pattern":"nexus:*"},
			{"type":"repository-view","name":"p","description":"d","readOnly":false,"format":"raw","repository":"*","actions":["READ","BROWSE"]}]`,
		"security/roles?source=default": `[{"id":"nx-admin","readOnly":true},{"id":"r","name":"r","readOnly":false,"privileges":["p"],"roles":[]}]`,
		"security/users?source=default": `[{"userId":"admin","source":"default","status":"active","roles":["nx-admin"]}]`,
		"security/realms/active":        `["NexusAuthenticatingRealm"]`,
		"security/ldap": `[{"name":"b","order":2,"protocol":"LDAP","host":"two","port":389,"searchBase":"dc=x","authScheme":"NONE"},
			{"name":"a","order":1,"protocol":"LDAPS","host":"one","port":636,"searchBase":"dc=x","authScheme":"SIMPLE","authUsername":"cn=r"}]`,
		"security/anonymous": `{"enabled":true,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}`,
		"assets?repository=files": `{"items":[{"path":"/a b.txt","contentType":"text/plain","fileSize":5,"checksum":{"sha1":"aa"},
			"lastModified":"2024-01-02T03:04:05.678+00:00","blobCreated":"2024-01-02T03:04:05.700+00:00","lastDownloaded":null,"uploader":"ann","uploaderIp":"10.0.0.1"}],"continuationToken":"2"}`,
		"assets?continuationToken=2&repository=files": `{"items":[{"path":"/c.txt","fileSize":1,"checksum":{},"lastModified":"2024-01-02T03:04:05.678+0000"}],"continuationToken":null}`,
		"assets?repository=mirror":                    `{"items":[],"continuationToken":null}`,
		"components?repository=debs":                  `{"items":[{"group":"amd64","name":"core","version":"1","assets":[{"path":"pool/core.deb","fileSize":9,"checksum":{"sha1":"bb"}}]}],"continuationToken":null}`,
		"/repository/files/a%20b.txt":                 "hello",
	}}
}

func open(t *testing.T, o *old, password string) (*Server, error) {
	t.Helper()
	peer := httptest.NewServer(o)
	t.Cleanup(peer.Close)
	s, err := Open(t.Context(), peer.URL+"/", Options{
		User: "admin", Password: "right", Rate: 1e6, TempDir: t.TempDir(), Wait: func(context.Context, time.Duration) error { return nil },
	})
	if password != "right" {
		s, err = Open(t.Context(), peer.URL, Options{User: "admin", Password: "wrong", Rate: 1e6})
	}
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func TestDescribe(t *testing.T) {
	o := newOld()
	o.busy["blobstores"], o.busy["assets?continuationToken=2&repository=files"] = 2, 1
	s, err := open(t, o, "right")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := s.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := inv.Upkeep.Policies; len(p) != 1 || p[0].Release != cleanup.Prereleases || *p[0].DownloadedDays != 30 || p[0].UpdatedDays != nil || p[0].Notes != nil {
		t.Errorf("cleanup policies %+v", p)
	}
	if l := inv.System.LDAP; len(l) != 2 || l[0].Host != "one" || l[1].Scheme != ldap.SchemeNone {
		t.Errorf("LDAP servers %+v", l)
	}
	byName := make(map[string]inventory.Repository)
	var order []string
	for _, r := range inv.Repositories {
		byName[r.Name] = r
		order = append(order, r.Name)
	}
	if want := []string{"debs", "files", "off", "mirror", "all"}; !slices.Equal(order, want) {
		t.Errorf("repositories %q, want %q", order, want)
	}
	mirror, files := byName["mirror"], byName["files"]
	if up := mirror.Upstream; mirror.Kind != formats.Cache || up.ContentMaxAge != -time.Minute || up.Authentication.Username != "u" || mirror.Note == "" {
		t.Errorf("cache: %+v, %+v", mirror, up)
	}
	if files.Write != "ALLOW_ONCE" || files.Settings["contentDisposition"] != "INLINE" || files.Assets != 2 || files.Bytes != 6 || byName["off"].Note == "" {
		t.Errorf("hosted: %+v, %+v", files, byName["off"])
	}
	if debs := byName["debs"]; debs.Secrets["keypair"] != "KEY" || debs.Settings["keypair"] != "" || debs.Settings["distribution"] != "stable" {
		t.Errorf("signing: %+v", debs)
	}
	if b := inv.BlobStores[1]; b.Type != "file" || b.Quota.Limit != 1000000 || b.Note == "" || b.Bytes != 6 {
		t.Errorf("blob store: %+v", b)
	}
	a := inv.Access
	if len(a.Privileges) != 1 || !slices.Equal(a.Privileges[0].Actions, []string{"read", "browse"}) || len(a.Roles) != 1 || a.Users[0].PasswordHash != "" {
		t.Errorf("access: %+v", a)
	}
	if inv.SystemID != "rest:N-1" || inv.Assets != 3 || len(inv.Notes) == 0 {
		t.Errorf("inventory: %q, %d assets, %q", inv.SystemID, inv.Assets, inv.Notes)
	}
	for _, request := range o.asked {
		if !strings.HasPrefix(request, "GET ") {
			t.Errorf("the old server was asked %s", request)
		}
	}
}

func TestAssets(t *testing.T) {
	s, err := open(t, newOld(), "right")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	byPath := make(map[string]*inventory.Asset)
	for a, err := range s.Assets(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		byPath[a.Path] = a
	}
	first := byPath["/a b.txt"]
	if first.BlobCreated != time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC) || first.Uploader != "ann" || first.Digests.SHA1 != "aa" || first.Component != nil {
		t.Errorf("%+v", first)
	}
	if byPath["/c.txt"].BlobCreated.IsZero() {
		t.Error("the date of older releases was not read")
	}
	if deb := byPath["/pool/core.deb"]; deb.Component == nil || deb.Component.Group != "amd64" {
		t.Errorf("%+v", deb)
	}
	body, err := s.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "hello" {
		t.Errorf("body %q, %v", text, err)
	}
	if _, err := s.Open(t.Context(), byPath["/c.txt"]); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("missing body: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, address := range []string{"", "nexus.example.com", "ftp://x", "http://u:p@x"} {
		if _, err := Open(t.Context(), address, Options{}); err == nil {
			t.Errorf("%q was taken as an address", address)
		}
	}
	if _, err := open(t, newOld(), "wrong"); !errors.Is(err, ErrDenied) {
		t.Errorf("wrong password: %v", err)
	}
	for name, change := range map[string]func(*old){
		"no list of blob stores": func(o *old) { delete(o.replies, "blobstores") },
		"no settings":            func(o *old) { delete(o.replies, "repositorySettings") },
		"half a reply":           func(o *old) { o.replies["blobstores"] = `[{"name":` },
		"another shape":          func(o *old) { o.replies["security/users?source=default"] = `{"users":[]}` },
		"unknown action": func(o *old) {
			o.replies["security/privileges"] = `[{"type":"repository-view","name":"p","actions":["JUGGLE"]}]`
		},
		"a circle of pages": func(o *old) {
			o.replies["assets?continuationToken=2&repository=files"] = `{"items":[],"continuationToken":"2"}`
		},
		"no path":     func(o *old) { o.replies["assets?repository=mirror"] = `{"items":[{}]}` },
		"never ready": func(o *old) { o.busy["blobstores"] = 100 },
	} {
		o := newOld()
		change(o)
		s, err := open(t, o, "right")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Describe(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add([]byte(`{"name":"r","format":"raw","type":"proxy","proxy":{"remoteUrl":1},"httpClient":{"authentication":{"type":"x"}},"raw":{"a":[1]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := translate(json.RawMessage(raw)); err == nil && r.Skip == "" && r.Kind == "" {
			t.Errorf("%s became a repository without a kind", raw)
		}
	})
}
