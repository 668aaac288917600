package repository

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"entrepot/app/access/permission"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

const (
	png       = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
	helloSHA1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
	startDate = "Sat, 21 Nov 2026 12:00:00 GMT"
)

func TestHostedLifeOfAFile(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	b.want(b.do("GET", "files", "/dir/a.txt", ""), 404, "/dir/a.txt")
	b.want(b.do("PUT", "files", "/dir/a.txt", "hello"), 201, "")
	got := b.do("GET", "FILES", "/dir/a.txt", "")
	b.want(got, 200, "hello")
	for name, want := range map[string]string{
		"ETag": `"` + helloSHA1 + `"`, "Last-Modified": startDate, "Content-Type": "text/plain", "Content-Disposition": "attachment",
	} {
		if have := got.header.Get(name); have != want {
			t.Errorf("%s: %q; want %q", name, have, want)
		}
	}
	b.clock.forward(time.Hour)
	b.want(b.do("PUT", "files", "/dir/a.txt", "hello"), 201, "")
	if have := b.do("GET", "files", "/dir/a.txt", "").header.Get("Last-Modified"); have != "Sat, 21 Nov 2026 13:00:00 GMT" {
		t.Errorf("Last-Modified after the same bytes were stored again: %q", have)
	}
	head := b.do("HEAD", "files", "/dir/a.txt", "")
	if b.want(head, 200, ""); head.header.Get("Content-Disposition") != "" || head.header.Get("ETag") == "" {
		t.Errorf("HEAD: headers %v", head.header)
	}
	b.want(b.do("DELETE", "files", "/dir/a.txt", ""), 204, "")
	b.want(b.do("DELETE", "files", "/dir/a.txt", ""), 404, "/dir/a.txt")
	missing := b.do("GET", "files", "/dir/a.txt", "")
	if b.want(missing, 404, "/dir/a.txt"); missing.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("404 of GET: headers %v; want the disposition", missing.header)
	}
	if head := b.do("HEAD", "files", "/dir/a.txt", ""); len(head.header) != 0 {
		t.Errorf("404 of HEAD: headers %v; want none", head.header)
	}
}

// step is a request and what is wanted of it.
type step struct {
	method, repository, path, body string
	status                         int
	message                        string
}

func (b *bench) steps(steps []step) {
	b.t.Helper()
	for _, s := range steps {
		if got := b.do(s.method, s.repository, s.path, s.body); got.status != s.status || got.body != s.message {
			b.t.Errorf("%s %s%s: got %s; want %d %q", s.method, s.repository, s.path, got, s.status, s.message)
		}
	}
}

func TestWritePolicies(t *testing.T) {
	b := newBench(t)
	once, deny := rawHosted("once"), rawHosted("deny")
	once.Write, deny.Write = WriteOnce, WriteDeny
	once.Strict, deny.Strict = true, true
	maven := rawHosted("releases")
	maven.Format, maven.Write = "maven2", WriteOnce
	maven.Settings = map[string]string{"versionPolicy": "RELEASE", "layoutPolicy": "STRICT"}
	b.create(once, deny, maven)
	b.steps([]step{
		{"PUT", "once", "/p.txt", "1", 201, ""},
		{"PUT", "once", "/p.txt", "1", 400, "once/p.txt cannot be updated"},
		{"PUT", "once", "/p.txt", "2", 400, "once/p.txt cannot be updated"},
		{"GET", "once", "/p.txt", "", 200, "1"},
		{"DELETE", "once", "/p.txt", "", 204, ""},
		{"PUT", "once", "/p.txt", "3", 201, ""},
		{"PUT", "once", "/fake.png", "text", 400, "Detected content type [text/plain], but expected [image/png]: /fake.png"},
		{"PUT", "deny", "/p.txt", "1", 400, "deny/p.txt is read-only"},
		{"PUT", "deny", "/fake.png", "text", 400, "deny/fake.png is read-only"},
		{"DELETE", "deny", "/p.txt", "", 404, "/p.txt"},
		{"PUT", "releases", "/g/a/1/a-1.jar", "jar", 201, ""},
		{"PUT", "releases", "/g/a/1/a-1.jar", "jar", 400, "releases/g/a/1/a-1.jar cannot be updated"},
		{"PUT", "releases", "/g/a/1/a-1.jar.sha1", helloSHA1, 201, ""},
		{"PUT", "releases", "/g/a/1/a-1.jar.sha1", helloSHA1, 201, ""},
		{"PUT", "releases", "/g/a/1-SNAPSHOT/a-1-SNAPSHOT.jar", "jar", 400, "Repository version policy: RELEASE does not allow version: 1-SNAPSHOT"},
		{"GET", "releases", "/g/a/1-SNAPSHOT/a-1-SNAPSHOT.jar", "", 404, "Repository version policy: RELEASE does not allow version: 1-SNAPSHOT"},
		{"PUT", "releases", "/readme.txt", "x", 400, " Invalid mavenPath for a Maven 2 repository"},
		{"GET", "releases", "/readme.txt", "", 404, "readme.txt"},
		{"GET", "releases", "/g/a/", "", 200, "landing page"},
		{"HEAD", "releases", "/g/a/", "", 404, "g/a/"},
		{"PUT", "releases", "/archetype-catalog.xml", "<a/>", 405, "PUT"},
	})
	once.Write = WriteDeny
	must(t, b.Update(t.Context(), once, "admin"))
	b.steps([]step{
		{"PUT", "once", "/p.txt", "4", 400, "once/p.txt cannot be updated"},
		{"PUT", "once", "/q.txt", "4", 400, "once/q.txt is read-only"},
		{"DELETE", "once", "/p.txt", "", 400, "once/p.txt cannot be deleted"},
		{"DELETE", "once", "/none.txt", "", 404, "/none.txt"},
		{"GET", "once", "/p.txt", "", 200, "3"},
	})
}

func TestStrictContentTypeValidation(t *testing.T) {
	b := newBench(t)
	strict := rawHosted("strict")
	strict.Strict = true
	b.create(strict, rawHosted("lax"))
	b.steps([]step{
		{"PUT", "strict", "/a.png", png, 201, ""},
		{"PUT", "strict", "/a.txt", png, 400, "Detected content type [image/png], but expected [text/plain]: /a.txt"},
		{"PUT", "strict", "/a.unknown", "\x00\x01\x02", 400, "Content type could not be determined: /a.unknown"},
		{"GET", "strict", "/a.unknown", "", 404, "/a.unknown"},
		{"PUT", "lax", "/a.txt", png, 201, ""},
		{"PUT", "lax", "/a.unknown", "\x00\x01\x02", 201, ""},
	})
	if got := b.do("GET", "lax", "/a.txt", "").header.Get("Content-Type"); got != "text/plain" {
		t.Errorf("type by name: %q", got)
	}
	b.want(b.do("PUT", "lax", "/noext", "\x00\x01", "Content-Type", "application/x-custom"), 201, "")
	if got := b.do("GET", "lax", "/noext", "").header.Get("Content-Type"); got != "application/x-custom" {
		t.Errorf("type as declared: %q", got)
	}
}

func TestFolders(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawProxy("all", "files"))
	b.steps([]step{
		{"GET", "files", "/site/", "", 404, "You can’t browse this way"},
		{"PUT", "files", "/site/index.htm", "htm", 201, ""},
		{"GET", "files", "/site/", "", 200, "htm"},
		{"PUT", "files", "/site/index.html", "html", 201, ""},
		{"GET", "files", "/site/", "", 200, "html"},
		{"HEAD", "files", "/site/", "", 404, "/site/"},
		{"GET", "files", "/site", "", 404, "/site"},
		{"PUT", "files", "/site/", "folder body", 201, ""},
		{"GET", "files", "/site/", "", 200, "html"},
		{"DELETE", "files", "/site/", "", 204, ""},
		{"GET", "all", "/site/", "", 200, "html"},
		{"GET", "all", "/", "", 400, ""},
		{"PUT", "files", "/", "x", 400, ""},
		{"POST", "files", "/", "x", 400, ""},
		{"OPTIONS", "files", "/", "", 400, ""},
		{"HEAD", "files", "/", "", 400, ""},
		{"GET", "files", "/", "", 404, "You can’t browse this way"},
	})
	if got := b.do("GET", "files", "/", ""); got.header.Get("Content-Disposition") != "" {
		t.Errorf("folder without index: headers %v; want none", got.header)
	}
}

func TestMethods(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawCache("copy", "http://127.0.0.1:1/"), rawProxy("all", "files"))
	tests := []struct {
		repository string
		methods    []string
		allow      string
	}{
		{"files", []string{"OPTIONS", "POST", "PATCH", "TRACE", "MKCOL"}, "GET,HEAD,PUT,DELETE"},
		{"copy", []string{"OPTIONS", "POST", "PUT", "PATCH", "DELETE", "MKCOL"}, "GET,HEAD"},
		{"all", []string{"OPTIONS", "POST", "PUT", "PATCH", "DELETE", "MKCOL"}, "GET,HEAD"},
	}
	for _, test := range tests {
		for _, method := range test.methods {
			req := &formats.Request{Method: method, Path: "/a.txt", Header: http.Header{}}
			_, err := b.Serve(t.Context(), Call{Repository: test.repository, Subject: admin, Request: req})
			var refused *formats.Error
			if !errors.As(err, &refused) || refused.Kind != formats.MethodNotAllowed || refused.Message != method ||
				strings.Join(refused.Allow, ",") != test.allow {
				t.Errorf("%s %s: %v; want 405 with Allow: %s", method, test.repository, err, test.allow)
			}
		}
		for _, method := range []string{"PROPFIND", "get", "FOO"} {
			if got := b.as(nobody, method, test.repository, "/a.txt", ""); got.status != 500 {
				t.Errorf("%s %s: %s; want 500 for anybody", method, test.repository, got)
			}
		}
	}
	b.want(b.do("FOO", "none", "/x", ""), 404, "Repository not found")
}

func TestAuthorisationComesFirst(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawProxy("all", "files"))
	b.want(b.do("PUT", "files", "/a.txt", "x"), 201, "")
	limited := &user{id: "ann", may: func(_, repository string, actions permission.Action, path string) bool {
		return repository == "all" && actions == permission.Read && strings.HasPrefix(path, "/a")
	}}
	for _, test := range []struct {
		subject                  Subject
		method, repository, path string
		status                   int
	}{
		{nobody, "GET", "files", "/a.txt", 401},
		{nobody, "PUT", "files", "/a.txt", 401},
		{nobody, "GET", "files", "/", 401},
		{nobody, "GET", "none", "/a.txt", 404},
		{limited, "GET", "all", "/a.txt", 200}, // what the proxy opens, the member need not
		{limited, "GET", "files", "/a.txt", 403},
		{limited, "GET", "all", "/b.txt", 403},
		{limited, "OPTIONS", "all", "/a.txt", 405},
		{limited, "PUT", "all", "/a.txt", 403},
		{limited, "DELETE", "files", "/a.txt", 403},
	} {
		if got := b.as(test.subject, test.method, test.repository, test.path, ""); got.status != test.status {
			t.Errorf("%s %s %s%s: %s; want %d", test.subject.UserID(), test.method, test.repository, test.path, got, test.status)
		}
	}
}

func TestTraitsAndNoSubject(t *testing.T) {
	b := newBench(t)
	b.create(mavenHosted("releases"))
	var traits Traits
	req := &formats.Request{Method: "GET", Path: "/g/a/maven-metadata.xml", Header: http.Header{}}
	if _, err := b.Serve(t.Context(), Call{Repository: "releases", Subject: admin, Request: req, Traits: &traits}); err == nil {
		t.Error("found what is not there")
	}
	if traits.Format != "maven2" || traits.Class == "" {
		t.Errorf("traits: %+v", traits)
	}
	_, err := b.Serve(t.Context(), Call{Repository: "releases", Request: req})
	if formats.KindOf(err) != formats.Unauthenticated {
		t.Errorf("without a subject: %v", err)
	}
}

func TestPathsThatCannotBeStored(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	long := "/" + strings.Repeat("x", catalog.MaxPath)
	for _, path := range []string{long, "/a\x00b", "no-slash"} {
		if got := b.do("PUT", "files", path, "x"); got.status != 400 {
			t.Errorf("PUT %.20q: %s; want 400", path, got)
		}
		if got := b.do("GET", "files", path, ""); got.status != 404 && got.status != 400 {
			t.Errorf("GET %.20q: %s; want 404", path, got)
		}
	}
	for _, path := range []string{"/a+b", "/a;b=1", "/ä", "/" + strings.Repeat("y/", 5000) + "z"} {
		b.want(b.do("PUT", "files", path, "x"), 201, "")
		b.want(b.do("GET", "files", path, ""), 200, "x")
	}
}

func TestOfflineAndUnserved(t *testing.T) {
	b := newBench(t)
	offline, docker := rawHosted("offline"), rawHosted("images")
	docker.Format, docker.Settings = "docker", map[string]string{"v1Enabled": "false", "forceBasicAuth": "true"}
	gems := rawHosted("gems")
	gems.Format = "rubygems"
	b.create(offline, docker, gems, rawProxy("all", "offline"))
	b.want(b.do("PUT", "offline", "/a.txt", "x"), 201, "")
	offline.Online = false
	must(t, b.Update(t.Context(), offline, "admin"))
	b.steps([]step{
		{"GET", "offline", "/a.txt", "", 503, "Repository offline"},
		{"PUT", "offline", "/a.txt", "", 503, "Repository offline"},
		{"FOO", "offline", "/a.txt", "", 503, "Repository offline"},
		{"GET", "all", "/a.txt", "", 200, "x"},
		{"GET", "images", "/v2/", "", 503, `{"errors":[{"code":"UNAVAILABLE","message":"Repositories of format docker are kept but not served by this version"}]}`},
		{"GET", "gems", "/", "", 503, "Repositories of format rubygems are kept but not served by this version"},
	})
}

func TestConditionalWrites(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	put := func(path string, status int, headers ...string) {
		t.Helper()
		if got := b.do("PUT", "files", path, "x", headers...); got.status != status {
			t.Errorf("PUT %s with %v: %s; want %d", path, headers, got, status)
		}
	}
	put("/new1", 201, "If-None-Match", "*")
	put("/new2", 201, "If-Match", `"x"`)
	put("/new3", 201, "If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT")
	put("/new1", 412, "If-None-Match", "*")
	put("/new1", 412, "If-Match", `"x"`)
	put("/new1", 201, "If-Match", "*")
	put("/new1", 201, "If-None-Match", `"x"`)
	put("/new1", 412, "If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT")
	got := b.do("DELETE", "files", "/new1", "", "If-Match", `"x"`)
	if b.want(got, 412, ""); got.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("412 of DELETE: headers %v", got.header)
	}
	b.want(b.do("DELETE", "files", "/none", "", "If-Match", `"x"`), 404, "/none")
	b.want(b.do("DELETE", "files", "/new1", "", "If-Match", "*"), 204, "")
}

func TestRangesAndValidators(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawProxy("all", "files"))
	b.want(b.do("PUT", "files", "/r.bin", "0123456789"), 201, "")
	b.want(b.do("PUT", "files", "/empty.txt", ""), 201, "")
	got := b.do("GET", "files", "/r.bin", "", "Range", "bytes=2-4")
	if b.want(got, 206, "234"); got.header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("part: headers %v", got.header)
	}
	got = b.do("GET", "files", "/r.bin", "")
	if b.want(got, 200, "0123456789"); got.header["Content-Range"] != nil || got.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("after a part: %v", got.header)
	}
	got = b.do("HEAD", "files", "/r.bin", "")
	if b.want(got, 200, ""); got.header["Content-Disposition"] != nil || got.header.Get("Etag") == "" {
		t.Errorf("HEAD after GET: %v", got.header)
	}
	b.want(b.do("GET", "files", "/r.bin", "", "Range", "bytes=10-"), 416, "Range Not Satisfiable")
	b.want(b.do("GET", "files", "/r.bin", "", "Range", "bytes=0-1,3-4"), 200, "0123456789")
	b.want(b.do("GET", "files", "/empty.txt", "", "Range", "bytes=0-4"), 200, "")
	b.want(b.do("HEAD", "files", "/r.bin", "", "Range", "bytes=2-4"), 200, "")
	tag := got.header.Get("ETag")
	same := b.do("GET", "files", "/r.bin", "", "If-None-Match", tag)
	if b.want(same, 304, ""); same.header.Get("ETag") != tag || same.header.Get("Last-Modified") != "" {
		t.Errorf("304: headers %v; want the tag and no date", same.header)
	}
	b.want(b.do("GET", "files", "/r.bin", "", "If-Match", `"x"`), 412, "")
	b.want(b.do("GET", "all", "/r.bin", "", "If-None-Match", tag), 304, "")
	b.want(b.do("GET", "all", "/r.bin", "", "If-Match", `"x"`), 404, "") // a member's refusal counts as a miss
	b.want(b.do("GET", "all", "/r.bin", "", "Range", "bytes=-1"), 206, "9")
}

// failing is a body that breaks off.
type failing struct{ io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestBrokenBodyLeavesNothing(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	for name, body := range map[string]io.Reader{"breaks off": failing{strings.NewReader("0123")}, "is short": strings.NewReader("0123")} {
		req := &formats.Request{Method: "PUT", Path: "/a.txt", Header: http.Header{}, Body: body, Size: 10}
		if got := b.send(admin, "files", req); got.status != 400 {
			t.Errorf("body that %s: %s; want 400", name, got)
		}
	}
	b.want(b.do("GET", "files", "/a.txt", ""), 404, "/a.txt")
	for info, err := range b.stores[DefaultBlobStore].List(t.Context(), [32]byte{}) {
		t.Errorf("a blob is left: %v, %v", info, err)
	}
	refused := &formats.Error{Kind: formats.Unavailable, Message: "too slow"}
	req := &formats.Request{Method: "PUT", Path: "/a.txt", Header: http.Header{}, Body: io.MultiReader(strings.NewReader("x"), refusing{refused}), Size: -1}
	b.want(b.send(admin, "files", req), 503, "too slow")
}

type refusing struct{ err error }

func (r refusing) Read([]byte) (int, error) { return 0, r.err }

func TestOnlyOneOfManyCreates(t *testing.T) {
	b := newBench(t)
	once := rawHosted("once")
	once.Write = WriteOnce
	b.create(once)
	var group sync.WaitGroup
	statuses := make([]int, 16)
	for i := range statuses {
		group.Go(func() { statuses[i] = b.do("PUT", "once", "/a.txt", strings.Repeat("x", i+1)).status })
	}
	group.Wait()
	created := 0
	for _, status := range statuses {
		switch status {
		case 201:
			created++
		case 400:
		default:
			t.Errorf("status %d", status)
		}
	}
	if created != 1 {
		t.Errorf("%d of %d writers created the file; want 1", created, len(statuses))
	}
}

func TestReadOnlyServer(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	b.want(b.do("PUT", "files", "/a.txt", "x"), 201, "")
	if ok, err := b.Freeze(t.Context(), Freeze{Actor: "admin"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := b.Freeze(t.Context(), Freeze{Actor: "admin"}); ok || err != nil {
		t.Errorf("second freeze: %v, %v; want false", ok, err)
	}
	b.want(b.do("PUT", "files", "/a.txt", "y"), 503, "The server is in read-only mode")
	b.want(b.do("DELETE", "files", "/a.txt", ""), 503, "The server is in read-only mode")
	b.want(b.do("GET", "files", "/a.txt", ""), 200, "x")
	if err := b.Create(t.Context(), rawHosted("more"), "admin"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("create: %v; want ErrReadOnly", err)
	}
	b.open()
	if f := b.Frozen(); f == nil || f.Actor != "admin" || !f.Since.Equal(start) {
		t.Errorf("after a restart: %+v; want frozen by admin", f)
	}
	if ok, err := b.Release(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := b.Release(t.Context()); ok || err != nil {
		t.Errorf("second release: %v, %v; want false", ok, err)
	}
	b.want(b.do("PUT", "files", "/a.txt", "y"), 201, "")
}
