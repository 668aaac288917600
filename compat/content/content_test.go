package content

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"entrepot/app/access"
	"entrepot/app/apptest"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // the clock of the Date header
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")) // looks for its end every ten seconds
}

// site is a whole server in memory.
type site struct {
	t      *testing.T
	addr   string
	engine *repository.Engine
	access *access.Service
}

func open(t *testing.T, change func(*Options)) *site {
	t.Helper()
	d := apptest.New(t, func(o *domains.Options) { o.Access.InitialPassword = "secret" })
	s := &site{t: t, engine: d.Engine, access: d.Access}
	opts := Options{Engine: s.engine, Trees: d.Catalog, Access: s.access, Version: "3.77.0-08"}
	if change != nil {
		change(&opts)
	}
	srv := server.New(server.Options{Name: "Nexus/3.77.0-08 (OSS)", Blobs: s.engine})
	if err := New(opts).Mount(srv); err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen(server.Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr.String()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		apptest.Must(t, srv.Shutdown(ctx))
	})
	s.create(repository.Definition{Name: "files", Format: "raw", Kind: formats.Hosted, Write: repository.WriteAllow, Settings: map[string]string{"contentDisposition": "ATTACHMENT"}})
	s.create(repository.Definition{Name: "mvn", Format: "maven2", Kind: formats.Hosted, Write: repository.WriteAllow, Settings: map[string]string{"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}})
	return s
}

func (s *site) create(d repository.Definition) {
	s.t.Helper()
	if _, err := s.engine.BlobStore("default"); err != nil {
		if err := s.engine.CreateBlobStore(context.Background(), repository.BlobStore{Name: "default", Type: "file", Path: "default"}); err != nil {
			s.t.Fatal(err)
		}
	}
	d.Online, d.BlobStore = true, "default"
	if err := s.engine.Create(context.Background(), d, "test"); err != nil {
		s.t.Fatal(err)
	}
}

// reply is an answer as it came over the wire.
type reply struct {
	line   string // status and reason phrase
	header http.Header
	body   string
}

const asNobody = "Authorization: Basic bm9ib2R5Ong="

const asAdmin = "Authorization: Basic YWRtaW46c2VjcmV0"

// ask sends a request on a connection of its own.
func (s *site) ask(method, target, body string, header ...string) reply {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	head := append([]string{method + " " + target + " HTTP/1.1", "Host: repo.example.org", "Connection: close"}, header...)
	if body != "" {
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	if _, err := io.WriteString(c, strings.Join(head, "\r\n")+"\r\n\r\n"+body); err != nil {
		s.t.Fatal(err)
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{line: resp.Status, header: resp.Header, body: string(text)}
}

func (s *site) put(path, body string) {
	s.t.Helper()
	if r := s.ask("PUT", path, body, asAdmin); r.line != "201 Created" {
		s.t.Fatalf("PUT %s: %s", path, r.line)
	}
}

// has reports the headers of a list like "A=x, B, -C": A is x, B is there, C is not.
func (r reply) has(t *testing.T, what, list string) {
	t.Helper()
	for item := range strings.SplitSeq(list, "; ") {
		name, value, exact := strings.Cut(item, "=")
		absent := strings.HasPrefix(name, "-")
		got := strings.Join(r.header.Values(strings.TrimPrefix(name, "-")), " | ")
		switch {
		case absent && got != "":
			t.Errorf("%s: %s is %q", what, name[1:], got)
		case !absent && got == "", exact && got != value:
			t.Errorf("%s: %s is %q; want %q", what, name, got, value)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := open(t, nil)
	s.put("/repository/files/d/a.txt", "hello")
	const (
		sandboxed = "Server=Nexus/3.77.0-08 (OSS); X-Content-Type-Options=nosniff; Content-Security-Policy; X-Xss-Protection; -Cache-Control; -X-Frame-Options"
		paged     = "Cache-Control; Pragma=no-cache; Expires=0; X-Frame-Options=DENY; Content-Type=text/html"
		unpaged   = "-Cache-Control; -Pragma; -Expires; -X-Frame-Options; -Content-Type"
		open      = "X-Content-Type-Options=nosniff; -Content-Security-Policy; -X-Xss-Protection"
	)
	tests := []struct {
		method, target string
		header         []string
		line           string
		headers        []string
		body           string // part of it; "-" for none
	}{
		{"GET", "/repository/files/d/a.txt", nil, "200 OK", []string{sandboxed, `Etag="aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"; Content-Disposition=attachment; Content-Type=text/plain; Last-Modified`}, "hello"},
		{"GET", "/Repository/files/d/a.txt", nil, "404 Not Found", []string{open, paged}, "Error 404"},
		{"GET", "/repository/FILES/d%2Fa.txt", nil, "200 OK", nil, "hello"},
		{"GET", `/repository//files/d\.\a.txt`, nil, "200 OK", nil, "hello"},
		{"GET", "/repository/files/none", nil, "404 /none", []string{paged, "Content-Disposition=attachment"}, "404 - Entrepot"},
		{"GET", "/repository/files/%3Cscript%3E", nil, "404 /<script>", []string{paged}, "&lt;script&gt;"},
		{"GET", "/repository/files/", nil, "404 You can?t browse this way", []string{paged, "-Content-Disposition"}, "You can’t browse this way"},
		{"HEAD", "/repository/files/none", nil, "404 /none", []string{paged}, "-"},
		{"DELETE", "/repository/files/none", []string{asAdmin}, "404 /none", []string{unpaged}, "-"},
		{"POST", "/repository/files/x", []string{asAdmin}, "405 POST", []string{paged, "Allow=GET,HEAD,PUT,DELETE"}, "Method Not Allowed"},
		{"PATCH", "/repository/files/x", []string{asAdmin}, "405 PATCH", []string{unpaged, "Allow=GET,HEAD,PUT,DELETE"}, "-"},
		{"FOO", "/repository/files/x", []string{asAdmin}, "500 Server Error", []string{"X-Frame-Options=DENY; -Content-Type"}, "-"},
		{"GET", "/repository/files", nil, "400 " + noRepositoryPath, []string{paged}, "Bad Request"},
		{"PUT", "/repository/files", []string{asAdmin}, "400 " + noRepositoryPath, []string{unpaged}, "-"},
		{"GET", "/repository/files/../x", nil, "400 " + relativePath, []string{paged}, ""},
		{"GET", "/repository/files/a%0D%0Ab", nil, "400 Bad Request", []string{paged, "Content-Security-Policy"}, "Bad Request"},
		{"GET", "/repository/none/x", nil, "404 Repository not found", []string{paged}, ""},
		{"GET", "/repository/none/x", []string{"Authorization: Basic YWRtaW46d3Jvbmc="}, "401 Unauthorized", []string{open, unpaged, `Www-Authenticate=BASIC realm="Sonatype Nexus Repository Manager"`}, "-"},
		{"PUT", "/repository/files/x", nil, "401 Unauthorized", []string{unpaged, "Www-Authenticate; Content-Security-Policy"}, "-"},
		{"GET", "/repository", nil, "404 Not Found", []string{open, paged}, `href="."`},
		{"GET", "/nothing/at/all", nil, "404 Not Found", []string{open, paged}, `href="../.."`},
		{"PUT", "/nothing", nil, "405 Method Not Allowed", []string{open, unpaged}, "-"},
		{"POST", "/", nil, "405 HTTP method POST is not supported by this URL", []string{open, paged, "-Allow"}, ""},
		{"OPTIONS", "/", nil, "200 OK", []string{"Allow=GET, HEAD, TRACE, OPTIONS"}, "-"},
		{"GET", "/", nil, "200 OK", []string{"X-Frame-Options=DENY; Content-Type=text/html; Pragma=no-cache"}, "<title>Entrepot</title>"},
		{"HEAD", "/", nil, "200 OK", nil, "-"},
		{"GET", "/index.html", nil, "302 Found", []string{"Location=http://repo.example.org/"}, "-"},
		{"GET", "/robots.txt", nil, "200 OK", []string{"Cache-Control=max-age=2592000; Content-Type=text/plain"}, "Disallow: /repository/"},
		{"GET", "/favicon.ico", nil, "200 OK", []string{"Content-Type=image/vnd.microsoft.icon"}, "PNG"},
		{"GET", "/service/metrics/ping", nil, "401 Unauthorized", []string{paged, "-Www-Authenticate"}, "Error 401"},
		{"GET", "/service/metrics/ping", []string{asNobody}, "401 Unauthorized", []string{"Www-Authenticate", "-X-Frame-Options"}, ""},
		{"GET", "/service/metrics/ping", []string{asAdmin}, "200 OK", nil, "pong"},
		{"GET", "/content/repositories/files/d/a.txt", nil, "404 Not Found", []string{open, paged}, ""},
		{"GET", "/service/local/status", nil, "404 Not Found", []string{open, paged}, ""},
	}
	for _, tt := range tests {
		what := tt.method + " " + tt.target
		r := s.ask(tt.method, tt.target, "", tt.header...)
		if r.line != tt.line {
			t.Errorf("%s: %q; want %q", what, r.line, tt.line)
		}
		for _, list := range tt.headers {
			r.has(t, what, list)
		}
		if tt.body == "-" && r.body != "" || tt.body != "-" && !strings.Contains(r.body, tt.body) {
			t.Errorf("%s: body %q; want %q in it", what, r.body, tt.body)
		}
	}
}

func TestOfflineAndFrozen(t *testing.T) {
	s := open(t, nil)
	s.put("/repository/files/a.txt", "hello")
	if _, err := s.engine.Freeze(t.Context(), repository.Freeze{Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	if r := s.ask("PUT", "/repository/files/a.txt", "x", asAdmin); r.line != "503 Nexus Repository Manager is in read-only mode" || r.body != "" {
		t.Errorf("frozen: %s %q", r.line, r.body)
	}
	if r := s.ask("GET", "/repository/files/a.txt", ""); r.line != "200 OK" {
		t.Errorf("frozen: %s", r.line)
	}
	if _, err := s.engine.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, _ := s.engine.Lookup("files")
	d.Online = false
	if err := s.engine.Update(t.Context(), d, "admin"); err != nil {
		t.Fatal(err)
	}
	for method, page := range map[string]bool{"GET": true, "POST": true, "PUT": false, "DELETE": false} {
		if r := s.ask(method, "/repository/files/a.txt", "", asAdmin); r.line != "503 Repository offline" || strings.Contains(r.body, "Error 503") != page {
			t.Errorf("offline: %s %s %q", method, r.line, r.body)
		}
	}
}

func TestLanding(t *testing.T) {
	s := open(t, nil)
	r := s.ask("GET", "/repository/MVN/org/x/", "")
	for _, part := range []string{
		"<title>Repository - Entrepot</title>", "<small>mvn</small>", "This maven2 hosted repository is not directly browseable at this URL.",
		`<a href="../../../../#browse/browse:mvn">browse</a>`, `<a href="../../../../service/rest/repository/browse/mvn/">HTML index</a>`,
	} {
		if !strings.Contains(r.body, part) {
			t.Errorf("%s: no %q in\n%s", r.line, part, r.body)
		}
	}
	r.has(t, "landing", "Content-Type=text/html; Content-Security-Policy; -Cache-Control")
}

func TestDescribe(t *testing.T) {
	s := open(t, nil)
	s.put("/repository/files/a.txt", "hello")
	r := s.ask("GET", "/repository/files/a.txt?describe&x=%3Cb%3E", "", asAdmin, "Cookie: NX=1")
	for _, part := range []string{"Describe", "<th>Code</th><td>200</td>", "<th>Size</th><td>5</td>", "&lt;b&gt;", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"} {
		if r.line != "200 OK" || !strings.Contains(r.body, part) {
			t.Errorf("%s: no %q in\n%s", r.line, part, r.body)
		}
	}
	if strings.Contains(r.body, "YWRtaW46") || strings.Contains(r.body, "NX=1") {
		t.Error("the description tells secrets")
	}
	r = s.ask("GET", "/repository/files/none?describe=json", "")
	r.has(t, "describe=json", "Content-Type=application/json")
	if !strings.Contains(r.body, `"Code": "404"`) || !strings.Contains(r.body, `"Message": "/none"`) {
		t.Errorf("%s\n%s", r.line, r.body)
	}
	if r := s.ask("PUT", "/repository/files/a.txt?describe", "x"); r.line != "401 Unauthorized" {
		t.Errorf("a description of a write: %s", r.line)
	}
	if r := s.ask("GET", "/repository/files/a.txt?describe", "", "Authorization: Basic YWRtaW46d3Jvbmc="); r.line != "401 Unauthorized" {
		t.Errorf("a description for nobody: %s", r.line)
	}
}

func TestSessions(t *testing.T) {
	s := open(t, nil)
	const form = "Content-Type: application/x-www-form-urlencoded"
	login := func(user, password string, header ...string) reply {
		body := url.Values{"username": {user}, "password": {password}}.Encode()
		return s.ask("POST", sessionPath, body, append(header, form)...)
	}
	const admin, secret = "YWRtaW4=", "c2VjcmV0"
	for what, r := range map[string]reply{
		"wrong password": login(admin, "d3Jvbmc="), "no password": login(admin, ""), "unknown user": login("bm9ib2R5", "eA=="),
		"reading": s.ask("GET", sessionPath, ""), "writing": s.ask("PUT", sessionPath, "x"),
	} {
		if r.line != "403 Forbidden" || r.body != "" {
			t.Errorf("%s: %s %q", what, r.line, r.body)
		}
		r.has(t, what, "-Www-Authenticate; -Set-Cookie")
	}
	for what, r := range map[string]reply{
		"not base64": login("admin", "secret"), "empty": login("", ""), "no form": s.ask("POST", sessionPath, "username="+admin), "nothing": s.ask("POST", sessionPath, "", form),
		"endless": s.ask("POST", sessionPath, strings.Repeat("x", maxLogin+1), form),
	} {
		if !strings.HasPrefix(r.line, "4") {
			t.Errorf("%s: %s", what, r.line)
		}
	}
	r := login(admin, secret)
	cookie := r.header.Get("Set-Cookie")
	session, rest, _ := strings.Cut(cookie, ";")
	if r.line != "204 No Content" || !strings.HasPrefix(session, sessionCookie+"=") || rest != " Path=/; HttpOnly; SameSite=lax" {
		t.Fatalf("sign-in: %s, cookie %q", r.line, cookie)
	}
	r.has(t, "sign-in", "X-Frame-Options=DENY")
	if got := login(admin, secret, "X-Forwarded-Proto: https").header.Get("Set-Cookie"); !strings.HasSuffix(got, "; Secure") {
		t.Errorf("cookie over https: %q", got)
	}
	token := "; " + forgeryToken + "=tok"
	for _, tt := range []struct {
		method string
		header []string
		line   string
	}{
		{"PUT", []string{"Cookie: " + session + token, forgeryToken + ": tok"}, "201 Created"},
		{"PUT", []string{"Cookie: " + session}, "401 Unauthorized"},
		{"PUT", []string{"Cookie: " + session + token}, "401 Unauthorized"},
		{"PUT", []string{"Cookie: " + session, forgeryToken + ": tok"}, "401 Unauthorized"},
		{"PUT", []string{"Cookie: " + session + token, forgeryToken + ": other"}, "401 Unauthorized"},
		{"PUT", []string{"Cookie: " + session, asAdmin}, "401 Unauthorized"},
		{"PUT", []string{"Cookie: " + token[2:], asAdmin}, "201 Created"},
		{"PUT", []string{"Cookie: NXSESSIONID=rubbish"}, "401 Unauthorized"},
		{"GET", []string{"Cookie: " + session, "Authorization: Basic YWRtaW46d3Jvbmc="}, "200 OK"},
		{"GET", []string{"Cookie: NXSESSIONID=rubbish"}, "200 OK"},
	} {
		if r := s.ask(tt.method, "/repository/files/a.txt", "", tt.header...); r.line != tt.line {
			t.Errorf("%s %v: %s; want %s", tt.method, tt.header, r.line, tt.line)
		}
	}
	forged := s.ask("DELETE", "/repository/files/a.txt", "", "Cookie: "+session)
	if forged.body != "Anti cross-site request forgery token mismatch" {
		t.Errorf("forged: %s %q", forged.line, forged.body)
	}
	forged.has(t, "forged", "Content-Type=text/plain;charset=iso-8859-1; -Www-Authenticate; -Content-Security-Policy")
	if r := s.ask("DELETE", sessionPath, "", "Cookie: "+session); r.line != "401 Unauthorized" {
		t.Errorf("a forged sign-out: %s", r.line)
	}
	r = s.ask("DELETE", sessionPath, "", "Cookie: "+session+token, forgeryToken+": tok")
	if r.line != "204 No Content" || !strings.HasPrefix(r.header.Get("Set-Cookie"), "NXSESSIONID=deleteMe; Path=/; Max-Age=0; Expires=") {
		t.Errorf("sign-out: %s, %v", r.line, r.header)
	}
	if r := s.ask("PUT", "/repository/files/b.txt", "", "Cookie: "+session+token, forgeryToken+": tok"); r.line != "401 Unauthorized" {
		t.Errorf("after the sign-out: %s", r.line)
	}
	if r := s.ask("DELETE", sessionPath, ""); r.line != "204 No Content" {
		t.Errorf("sign-out without a session: %s", r.line)
	}
}

func TestLegacyURLs(t *testing.T) {
	on := true
	s := open(t, func(o *Options) { o.LegacyURLs = func() bool { return on } })
	s.put("/content/repositories/files/d/a.txt", "hello")
	for target, line := range map[string]string{
		"/content/repositories/files/d/a.txt":                "200 OK",
		"/content/groups/files/d/a.txt":                      "200 OK",
		"/content/sites/files/d/a.txt":                       "200 OK",
		"/service/local/repositories/files/content/d/a.txt":  "200 OK",
		"/service/local/repo_groups/files/content/d/a.txt":   "200 OK",
		"/content/groups/files":                              "400 " + noRepositoryPath,
		"/content/groups/none/x":                             "404 Repository not found",
		"/content/other/files/d/a.txt":                       "404 Not Found",
		"/service/local/repositories/files/other/d/a.txt":    "404 Not Found",
		"/service/local/repositories/files/contents/d/a.txt": "404 Not Found",
		"/service/local/status":                              "200 OK",
	} {
		r := s.ask("GET", target, "")
		if r.line != line {
			t.Errorf("%s: %s; want %s", target, r.line, line)
		}
		if line == "200 OK" && strings.HasSuffix(target, "a.txt") && r.body != "hello" {
			t.Errorf("%s: %q", target, r.body)
		}
	}
	s.ask("GET", "/content/groups/files/none", "").has(t, "legacy", "Content-Security-Policy; X-Xss-Protection")
	on = false
	other := s.ask("GET", "/other", "")
	for _, target := range []string{"/content/repositories/files/d/a.txt", "/content/other", "/service/local/status", "/service/local/x"} {
		if r := s.ask("GET", target, ""); r.line != other.line || r.header.Get("X-Frame-Options") != other.header.Get("X-Frame-Options") {
			t.Errorf("switched off, %s: %s", target, r.line)
		}
	}
}
