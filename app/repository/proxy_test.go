package repository

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestProxyOrderAndFailures(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/p.txt", tagged(`"p"`, "from cache"))
	o.on("/fail.txt", status(500))
	b.create(rawHosted("one"), rawHosted("two"), rawCache("copy", o.URL))
	b.create(rawProxy("all", "one", "copy", "two"), rawProxy("rev", "two", "copy", "one"), rawProxy("nest", "all", "rev"))
	b.steps([]step{
		{"PUT", "one", "/both.txt", "from one", 201, ""},
		{"PUT", "two", "/both.txt", "from two", 201, ""},
		{"PUT", "two", "/fail.txt", "two has it", 201, ""},
		{"GET", "all", "/both.txt", "", 200, "from one"},
		{"GET", "rev", "/both.txt", "", 200, "from two"},
		{"GET", "nest", "/both.txt", "", 200, "from one"},
		{"GET", "all", "/p.txt", "", 200, "from cache"},
		{"GET", "all", "/fail.txt", "", 200, "two has it"},
		{"HEAD", "all", "/fail.txt", "", 200, ""},
		{"GET", "all", "/none.txt", "", 404, ""},
		{"GET", "nest", "/none.txt", "", 404, ""},
		{"PUT", "all", "/both.txt", "x", 405, "PUT"},
	})
	o.log()
	b.want(b.do("GET", "nest", "/other.txt", ""), 404, "")
	o.wantLog(t, "GET /other.txt") // a member that is there twice is asked once
	if got := b.do("GET", "all", "/none.txt", ""); got.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("404 of a proxy: headers %v", got.header)
	}
	inline := rawProxy("all", "two", "one")
	inline.Settings = map[string]string{"contentDisposition": "INLINE"}
	must(t, b.Update(t.Context(), inline, "admin"))
	got := b.do("GET", "all", "/both.txt", "")
	if b.want(got, 200, "from two"); got.header.Get("Content-Disposition") != "inline" {
		t.Errorf("headers %v; want the proxy's own disposition", got.header)
	}
	b.want(b.do("GET", "all", "/p.txt", ""), 404, "")
}

func TestMemberRoutingRule(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	o.on("/secret/a.txt", text("leaked"))
	must(t, b.CreateRoutingRule(t.Context(), RoutingRule{Name: "rule", Mode: RuleBlock, Matchers: []string{"/secret/.*"}}))
	def := rawCache("copy", o.URL)
	def.RoutingRule = "rule"
	b.create(def, rawHosted("own"), rawProxy("all", "copy", "own"))
	b.want(b.do("PUT", "own", "/secret/a.txt", "own"), 201, "")
	b.want(b.do("GET", "all", "/secret/a.txt", ""), 200, "own")
	o.wantLog(t)
}

func TestRoutingRules(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	for _, path := range []string{"/open/a.txt", "/one.txt", "/one_txt", "/x/secret", "/secret", "/SECRET/a.txt", "/q.txt"} {
		o.on(path, text("up"))
	}
	rules := []RoutingRule{
		{Name: "block", Mode: RuleBlock, Matchers: []string{"/secret/.*", `.*\.exe`}},
		{Name: "allow", Mode: RuleAllow, Matchers: []string{"/open/.*", "/one.txt"}},
		{Name: "part", Mode: RuleBlock, Matchers: []string{"secret"}},
		{Name: "query", Mode: RuleBlock, Matchers: []string{".*k=v.*"}},
		{Name: "ahead", Mode: RuleBlock, Matchers: []string{"/(?!open/).*"}},
	}
	for _, rule := range rules {
		must(t, b.CreateRoutingRule(t.Context(), rule))
		def := rawCache(rule.Name, o.URL)
		def.RoutingRule = rule.Name
		b.create(def)
	}
	const blocked = "Routing rules block the requested item from this repository"
	for _, test := range []struct {
		repository, path string
		blocked          bool
	}{
		{"block", "/secret/a.txt", true}, {"block", "/secret", false}, {"block", "/SECRET/a.txt", false}, {"block", "/a.exe", true},
		{"allow", "/open/a.txt", false}, {"allow", "/one_txt", false}, {"allow", "/q.txt", true},
		{"part", "/secret", false}, {"part", "/x/secret", false},
		{"query", "/q.txt?k=v", true}, {"query", "/q.txt", false},
		{"ahead", "/open/a.txt", false}, {"ahead", "/one.txt", true},
	} {
		got := b.do("GET", test.repository, test.path, "")
		if (got.status == 403 && got.body == blocked) != test.blocked || !test.blocked && got.status != 200 {
			t.Errorf("GET %s%s: %s; want blocked: %v", test.repository, test.path, got, test.blocked)
		}
	}
	got := b.do("GET", "block", "/secret/a.txt", "")
	if got.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("403: headers %v", got.header)
	}
	b.want(b.do("PUT", "block", "/secret/a.txt", "x"), 403, blocked) // before the method is looked at
	b.want(b.do("PUT", "block", "/other.txt", "x"), 405, "PUT")
	b.want(b.as(nobody, "GET", "block", "/secret/a.txt", ""), 401, "") // after authorisation
	must(t, b.UpdateRoutingRule(t.Context(), "block", RoutingRule{Name: "block", Mode: RuleBlock, Matchers: []string{"/nothing"}}))
	if got := b.do("GET", "block", "/secret", ""); got.status != 200 {
		t.Errorf("after the rule was changed: %s", got)
	}
}

func mavenHosted(name string) Definition {
	d := rawHosted(name)
	d.Format, d.Settings = "maven2", map[string]string{"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}
	return d
}

func mavenProxy(name string, members ...string) Definition {
	d := rawProxy(name, members...)
	d.Format = "maven2"
	return d
}

func versions(list ...string) string {
	return "<metadata><groupId>g</groupId><artifactId>a</artifactId><versioning><versions><version>" +
		strings.Join(list, "</version><version>") + "</version></versions></versioning></metadata>"
}

func TestMergedMetadata(t *testing.T) {
	const path = "/g/a/maven-metadata.xml"
	b, o := newBench(t), newOrigin(t)
	o.on(path, tagged(`"m1"`, versions("3.0")))
	remote := mavenCache("remote", o.URL)
	remote.Upstream.MetadataMaxAge = 0
	b.create(mavenHosted("one"), mavenHosted("two"), remote, mavenProxy("all", "one", "two", "remote"), mavenProxy("none", "one"))
	b.want(b.do("GET", "none", path, ""), 404, "")
	b.want(b.do("PUT", "one", path, versions("1.0")), 201, "")
	b.want(b.do("PUT", "two", path, versions("2.0", "1.0")), 201, "")

	first := b.do("GET", "all", path, "")
	for _, v := range []string{"1.0", "2.0", "3.0"} {
		if strings.Count(first.body, "<version>"+v+"</version>") != 1 {
			t.Errorf("merged document lacks %s: %s", v, first.body)
		}
	}
	if tag := first.header.Get("ETag"); tag != `"{SHA1{`+digest(first.body)+`}}"` || first.header.Get("Last-Modified") != "" {
		t.Errorf("answer that merged: headers %v", first.header)
	}
	again := b.do("GET", "all", path, "", "If-None-Match", first.header.Get("ETag"))
	if b.want(again, 200, first.body); again.header.Get("ETag") != "" {
		t.Errorf("answer from memory: headers %v; want no tag", again.header)
	}
	b.want(b.do("GET", "all", path, "", "Range", "bytes=0-9"), 200, first.body)
	sum := b.do("GET", "all", path+".sha1", "")
	if b.want(sum, 200, digest(first.body)); len(sum.header["Etag"]) != 0 {
		t.Errorf("checksum: headers %v", sum.header)
	}

	b.want(b.do("PUT", "two", path, versions("2.2")), 201, "")
	changed := b.do("GET", "all", path, "")
	if !strings.Contains(changed.body, "2.2") || strings.Contains(changed.body, "2.0") || changed.header.Get("ETag") == "" {
		t.Errorf("after a member changed: %v %s", changed.header, changed.body)
	}
	o.on(path, status(500))
	b.want(b.do("GET", "all", path, ""), 200, changed.body) // the member's stale copy
	must(t, b.InvalidateCache(t.Context(), "all"))
	if got := b.do("GET", "all", path, ""); got.status != 200 || got.header.Get("ETag") == "" {
		t.Errorf("after invalidation: %s %v; want it merged again", got, got.header)
	}
	must(t, b.Update(t.Context(), mavenProxy("all", "one"), "admin"))
	if got := b.do("GET", "all", path, ""); strings.Contains(got.body, "2.2") {
		t.Errorf("after members were taken out: %s", got.body)
	}
}

func TestMergeNeedsNoHealthyMember(t *testing.T) {
	const path = "/g/a/maven-metadata.xml"
	b, o := newBench(t), newOrigin(t)
	o.on(path, hangUp)
	none := 0
	broken := mavenCache("broken", o.URL)
	broken.Upstream.Connection = &Connection{Retries: &none, Timeout: time.Second}
	b.create(broken, mavenHosted("own"), mavenProxy("all", "broken", "own"))
	b.want(b.do("GET", "all", path, ""), 404, "")
	b.want(b.do("PUT", "own", path, versions("1.0")), 201, "")
	if got := b.do("GET", "all", path, ""); got.status != 200 || !strings.Contains(got.body, "1.0") {
		t.Errorf("got %s", got)
	}
}

func TestGeneratedDocumentFollowsItsContent(t *testing.T) {
	const path = "/archetype-catalog.xml"
	b := newBench(t)
	b.create(mavenHosted("own"), mavenProxy("all", "own"))
	empty := b.do("GET", "own", path, "")
	if empty.status != 200 || empty.header.Get("ETag") != `"`+digest(empty.body)+`"` || empty.header.Get("Last-Modified") != startDate {
		t.Errorf("empty catalog: %s %v", empty, empty.header)
	}
	b.clock.forward(time.Hour)
	if again := b.do("GET", "own", path, ""); again.header.Get("Last-Modified") != startDate {
		t.Errorf("unchanged catalog: %v; want it kept", again.header)
	}
	b.want(b.do("GET", "own", path, "", "If-None-Match", empty.header.Get("ETag")), 304, "")
	pom := `<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>a</artifactId><version>1</version>` +
		`<packaging>maven-archetype</packaging></project>`
	b.want(b.do("PUT", "own", "/g/a/1/a-1.pom", pom), 201, "")
	b.want(b.do("PUT", "own", "/g/a/1/a-1.jar", "jar"), 201, "")
	for _, repository := range []string{"own", "all"} {
		if got := b.do("GET", repository, path, ""); !strings.Contains(got.body, "<artifactId>a</artifactId>") {
			t.Errorf("catalog of %s: %s", repository, got)
		}
	}
	must(t, b.RebuildIndex(t.Context(), "own"))
	b.want(b.do("GET", "own", path+".sha1", ""), 200, digest(b.do("GET", "own", path, "").body))
}

func TestMethodsOfGroupMembersAreNotAsked(t *testing.T) {
	b, o := newBench(t), newOrigin(t)
	b.create(rawCache("copy", o.URL), rawProxy("all", "copy"))
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPost} {
		b.want(b.do(method, "all", "/a.txt", "x"), 405, method)
	}
	o.wantLog(t)
}
