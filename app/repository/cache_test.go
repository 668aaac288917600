package repository

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"entrepot/app/repository/upstream"
)

func TestCacheFreshness(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/u/a.txt", tagged(`"v1"`, "one"))
	b.create(rawCache("copy", o.URL+"/u"))
	got := b.do("GET", "copy", "/a.txt", "")
	if b.want(got, 200, "one"); got.header.Get("ETag") != `"v1"` || got.header.Get("Last-Modified") != startDate {
		t.Errorf("cold: headers %v", got.header)
	}
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	b.want(b.do("GET", "copy", "/a.txt", "", "If-None-Match", `"v1"`), 304, "")
	o.wantLog(t, "GET /u/a.txt")

	b.clock.forward(25 * time.Hour)
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	o.wantLog(t, `GET /u/a.txt "v1"`) // confirmed, then fresh again

	b.clock.forward(25 * time.Hour)
	o.on("/u/a.txt", tagged(`"v2"`, "two"))
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "two")
	o.wantLog(t, `GET /u/a.txt "v1"`)

	must(t, b.InvalidateCache(t.Context(), "copy"))
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "two")
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "two")
	o.wantLog(t, `GET /u/a.txt "v2"`)
}

func TestCacheMaxAges(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/a.txt", tagged(`"v1"`, "one"))
	never, always := rawCache("never", o.URL), rawCache("always", o.URL)
	never.Upstream.ContentMaxAge = -1
	always.Upstream.ContentMaxAge = 0
	b.create(never, always)
	for range 2 {
		b.want(b.do("GET", "never", "/a.txt", ""), 200, "one")
		b.want(b.do("GET", "always", "/a.txt", ""), 200, "one")
		b.clock.forward(1000 * time.Hour)
	}
	o.wantLog(t, "GET /a.txt", "GET /a.txt", `GET /a.txt "v1"`)
	must(t, b.InvalidateCache(t.Context(), "never"))
	b.want(b.do("HEAD", "never", "/a.txt", ""), 200, "")
	o.wantLog(t, `GET /a.txt "v1"`)
}

func TestCacheStatuses(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	always := rawCache("stale", o.URL+"/s")
	always.Upstream.ContentMaxAge = 0
	b.create(rawCache("cold", o.URL+"/c"), always)
	tests := map[int]int{ // upstream's status to the client's when there is no copy
		201: 404, 204: 404, 206: 404, 300: 404, 400: 404, 403: 404, 404: 404, 405: 404, 408: 404, 410: 404, 416: 404, 418: 404, 429: 404, 451: 404,
		401: 503, 402: 503, 407: 503, 500: 503, 501: 503, 502: 503, 503: 503, 504: 503, 599: 503,
		304: 500,
	}
	for code, want := range tests {
		path := fmt.Sprintf("/%d.txt", code)
		o.on("/c"+path, status(code))
		got := b.do("GET", "cold", path, "")
		if got.status != want || want != 500 && (got.body != "" || got.header.Get("Content-Disposition") == "") {
			t.Errorf("upstream %d, no copy: %s %v; want %d in its own words", code, got, got.header, want)
		}
		o.log()
		again := b.do("GET", "cold", path, "")
		if asked := len(o.log()) > 0; again.status != want || asked != (want != 404) {
			t.Errorf("upstream %d, again: %s, asked: %v; want %d, 404 from memory", code, again, asked, want)
		}
		o.on("/s"+path, tagged(`"v1"`, "good"))
		b.want(b.do("GET", "stale", path, ""), 200, "good")
		o.on("/s"+path, status(code))
		b.want(b.do("GET", "stale", path, ""), 200, "good")
	}
}

func TestCacheTransportFailures(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	none := 0
	def := rawCache("copy", o.URL)
	def.Upstream.ContentMaxAge = 0
	def.Upstream.Connection = &Connection{Retries: &none, Timeout: time.Second}
	refused := rawCache("refused", "http://127.0.0.1:1/")
	refused.Upstream.Connection = def.Upstream.Connection
	b.create(def, refused)
	o.on("/hang", hangUp)
	o.on("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	o.on("/gone", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/nowhere", http.StatusFound) })
	o.on("/scheme", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "gopher://x/", http.StatusFound) })
	o.on("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "0123")
	})
	o.on("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	o.on("/stalls", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "0123")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	o.on("/encoding", text("no gzip", "Content-Encoding", "gzip"))
	for path, want := range map[string]int{
		"/hang": 502, "/loop": 502, "/gone": 404, "/scheme": 502, "/short": 500, "/silent": 502, "/stalls": 500, "/encoding": 500,
	} {
		if got := b.do("GET", "copy", path, ""); got.status != want {
			t.Errorf("%s without a copy: %s; want %d", path, got, want)
		}
	}
	b.want(b.do("GET", "refused", "/a", ""), 502, "")
	o.on("/a.txt", tagged(`"v1"`, "good"))
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "good")
	for _, path := range []string{"/hang", "/loop", "/silent"} {
		o.on("/a.txt", o.paths[path])
		b.want(b.do("GET", "copy", "/a.txt", ""), 200, "good")
	}
	o.on("/a.txt", o.paths["/short"])
	if got := b.do("GET", "copy", "/a.txt", ""); got.status != 500 {
		t.Errorf("connection lost in the body, with a copy: %s; want 500", got)
	}
	o.on("/a.txt", hangUp)
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "good")
}

func TestNegativeCache(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	def, off := rawCache("copy", o.URL), rawCache("off", o.URL)
	off.NegativeCache.Enabled = false
	b.create(def, off)
	for range 2 {
		b.want(b.do("GET", "copy", "/a.txt", ""), 404, "")
		b.want(b.do("HEAD", "copy", "/a.txt", ""), 404, "")
	}
	o.wantLog(t, "GET /a.txt")
	for range 2 {
		b.want(b.do("GET", "off", "/a.txt", ""), 404, "")
	}
	o.wantLog(t, "GET /a.txt", "GET /a.txt")
	o.on("/a.txt", text("late"))
	b.clock.forward(59 * time.Minute)
	b.want(b.do("GET", "copy", "/a.txt", ""), 404, "")
	b.clock.forward(2 * time.Minute)
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "late")

	b.want(b.do("GET", "copy", "/b.txt", ""), 404, "")
	o.on("/b.txt", text("b"))
	must(t, b.InvalidateCache(t.Context(), "copy"))
	b.want(b.do("GET", "copy", "/b.txt", ""), 200, "b")

	b.want(b.do("GET", "copy", "/c.txt", ""), 404, "")
	o.on("/other/c.txt", text("c"))
	def.Upstream.URL = o.URL + "/other/"
	must(t, b.Update(t.Context(), def, "admin"))
	b.want(b.do("GET", "copy", "/c.txt", ""), 200, "c")
	b.want(b.do("GET", "copy", "/b.txt", ""), 200, "b") // what is cached stays
}

func TestBlockedUpstream(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/a.txt", text("one"))
	def, auto := rawCache("copy", o.URL), rawCache("auto", o.URL)
	def.Upstream.ContentMaxAge = 0
	auto.Upstream.AutoBlock = true
	b.create(def, auto)
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	def.Upstream.Blocked = true
	blocked := def
	must(t, b.Update(t.Context(), blocked, "admin"))
	o.log()
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	b.want(b.do("GET", "copy", "/b.txt", ""), 404, "Remote Manually Blocked")
	o.wantLog(t)
	o.on("/b.txt", text("two"))
	free := rawCache("copy", o.URL)
	must(t, b.Update(t.Context(), free, "admin"))
	b.want(b.do("GET", "copy", "/b.txt", ""), 200, "two") // the refusal was not remembered

	o.on("/fail", status(500))
	b.want(b.do("GET", "auto", "/fail", ""), 503, "")
	got := b.do("GET", "auto", "/a.txt", "")
	b.want(got, 404, "Remote Auto Blocked until 2026-11-21T12:00:40.000Z")
}

func TestCacheWithoutUpstream(t *testing.T) {
	b := newBench(t)
	b.create(rawCache("copy", ""), rawProxy("all", "copy"))
	got := b.do("GET", "copy", "/a.txt", "")
	if got.status != 502 || !strings.Contains(got.body, "copy has no remote URL yet: set one") {
		t.Errorf("got %s; want 502 that says what to do", got)
	}
	b.want(b.do("GET", "all", "/a.txt", ""), 404, "")
}

func TestCacheFolders(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/d/", text("<html>listing</html>", "Content-Type", "text/html"))
	o.on("/e/index.htm", text("<html>index</html>", "Content-Type", "text/html"))
	b.create(rawCache("copy", o.URL))
	b.want(b.do("GET", "copy", "/d/", ""), 200, "<html>listing</html>")
	o.wantLog(t, "GET /d/")
	b.want(b.do("GET", "copy", "/e/", ""), 200, "<html>index</html>")
	o.wantLog(t, "GET /e/", "GET /e/index.html", "GET /e/index.htm")
	b.want(b.do("GET", "copy", "/f/", ""), 404, "You can’t browse this way")
}

func TestCacheVerifiesContent(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	strict, lax := rawCache("strict", o.URL), rawCache("lax", o.URL)
	strict.Strict, strict.Upstream.ContentMaxAge = true, 0
	b.create(strict, lax)
	o.on("/a.zip", text("<html>login</html>", "Content-Type", "text/html"))
	const message = "Detected content type [text/html], but expected [application/zip, application/x-zip-compressed]: /a.zip"
	for range 2 {
		b.want(b.do("GET", "strict", "/a.zip", ""), 404, message)
	}
	o.wantLog(t, "GET /a.zip", "GET /a.zip") // not remembered as missing
	b.want(b.do("GET", "lax", "/a.zip", ""), 200, "<html>login</html>")
	o.on("/b.txt", text("good"))
	b.want(b.do("GET", "strict", "/b.txt", ""), 200, "good")
	o.on("/b.txt", text(png))
	b.want(b.do("GET", "strict", "/b.txt", ""), 200, "good") // the copy, not the upstream's nonsense
}

func TestCacheKeepsItsUpstreamsValidators(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	b.create(rawCache("copy", o.URL))
	tests := []struct {
		name, etag, modified   string
		wantETag, wantModified string
	}{
		{"strong", `"abc"`, "", `"abc"`, startDate},
		{"weak", `W/"abc"`, "", `W/"abc"`, startDate},
		{"bare", `abc`, "", `"abc"`, startDate},
		{"none", "", "", `"` + helloSHA1 + `"`, startDate},
		{"date", "", "Wed, 01 Jan 2020 00:00:00 GMT", `"` + helloSHA1 + `"`, "Wed, 01 Jan 2020 00:00:00 GMT"},
		{"bad-date", "", "yesterday", `"` + helloSHA1 + `"`, startDate},
	}
	for _, test := range tests {
		o.on("/"+test.name, func(w http.ResponseWriter, r *http.Request) {
			if test.etag != "" {
				w.Header().Set("ETag", test.etag)
			}
			if test.modified != "" {
				w.Header().Set("Last-Modified", test.modified)
			}
			text("hello")(w, r)
		})
		for _, from := range []string{"upstream", "copy"} {
			got := b.do("GET", "copy", "/"+test.name, "")
			if got.header.Get("ETag") != test.wantETag || got.header.Get("Last-Modified") != test.wantModified {
				t.Errorf("%s from the %s: headers %v", test.name, from, got.header)
			}
		}
	}
}

func TestFrozenCacheServesWhatItHas(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/a.txt", text("one"))
	b.create(rawCache("copy", o.URL))
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	b.clock.forward(48 * time.Hour)
	if _, err := b.Freeze(t.Context(), Freeze{}); err != nil {
		t.Fatal(err)
	}
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "one")
	if got := b.do("GET", "copy", "/b.txt", ""); got.status != 503 {
		t.Errorf("what is not there: %s; want 503", got)
	}
}

func TestFinalAnswerOfAnUpstream(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	def := rawCache("copy", o.URL)
	def.Upstream.ContentMaxAge = 0
	b.create(def, rawHosted("own"), rawProxy("all", "copy", "own"))
	b.want(b.do("PUT", "own", "/a.txt", "own"), 201, "")
	o.on("/a.txt", text("good"))
	b.want(b.do("GET", "copy", "/a.txt", ""), 200, "good")
	o.on("/a.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("BYPASS_HTTP_ERRORS", "true")
		w.Header().Set("X-Quarantine", "yes")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusForbidden)
	})
	for _, repository := range []string{"copy", "all"} {
		resp, err := b.ask(t.Context(), repository, "/a.txt")
		if err != nil || resp.Status != 403 || resp.Reason != "Forbidden" || resp.Header.Get("X-Quarantine") != "yes" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %+v, %v; want the upstream's own refusal", repository, resp, err)
		}
	}
}

func TestUpstreamState(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/fail", status(500))
	def := rawCache("copy", o.URL)
	def.Upstream.AutoBlock = true
	b.create(def, rawHosted("own"), rawCache("unset", ""))
	if state, _, ok := b.UpstreamState("copy"); !ok || state != upstream.StateReady {
		t.Errorf("at first: %s, %v", state, ok)
	}
	b.want(b.do("GET", "copy", "/fail", ""), 503, "")
	if state, until, ok := b.UpstreamState("COPY"); !ok || state != upstream.StateAutoBlocked || !until.Equal(start.Add(40*time.Second)) {
		t.Errorf("after a failure: %s until %s, %v", state, until, ok)
	}
	for _, name := range []string{"own", "unset", "none"} {
		if _, _, ok := b.UpstreamState(name); ok {
			t.Errorf("%s has an upstream", name)
		}
	}
}
