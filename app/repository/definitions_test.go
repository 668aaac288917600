package repository

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/formats"
	"entrepot/storage/kv"
)

// wrong gives what is wrong with a definition: "field: message" of each problem, or the message of a refusal.
func wrong(err error) []string {
	var fields formats.FieldErrors
	var refused *formats.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fields):
		var list []string
		for _, f := range fields {
			list = append(list, f.Field+": "+f.Message)
		}
		return list
	case errors.As(err, &refused):
		return []string{refused.Message}
	}
	return []string{"failed: " + err.Error()}
}

func TestDefinitionsAreChecked(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), mavenHosted("maven"), rawProxy("inner", "files"))
	must(t, b.CreateRoutingRule(t.Context(), RoutingRule{Name: "rule", Mode: RuleBlock, Matchers: []string{"x"}}))
	many, negative := 11, -1
	cache := func(change func(*Definition)) Definition {
		d := rawCache("x", "http://upstream.example/")
		change(&d)
		return d
	}
	tests := []struct {
		name string
		def  Definition
		want []string
	}{
		{"fine", rawHosted("x-1_.Y"), nil},
		{"no name", rawHosted(""), []string{"name: must not be empty"}},
		{"blank in name", rawHosted("a b"), []string{"name: " + nameRule}},
		{"underscore first", rawHosted("_a"), []string{"name: " + nameRule}},
		{"dot first", rawHosted(".a"), []string{"name: " + nameRule}},
		{"dash first", rawHosted("-a"), nil},
		{"long name", rawHosted(strings.Repeat("n", 201)), []string{"name: must not be longer than 200 characters"}},
		{"taken", rawHosted("files"), []string{"Name is already used, must be unique (ignoring case)"}},
		{"taken ignoring case", rawHosted("FILES"), []string{"Name is already used, must be unique (ignoring case)"}},
		{"no format", Definition{Name: "x", Kind: formats.Hosted, Write: WriteAllow, BlobStore: "default"}, []string{"format: must not be empty"}},
		{"no kind", Definition{Name: "x", Format: "raw", BlobStore: "default"}, []string{"kind: must be one of hosted, cache, proxy"}},
		{"no blob store", Definition{Name: "x", Format: "raw", Kind: formats.Hosted, Write: WriteAllow, BlobStore: "none"}, []string{"Blob store not found"}},
		{"no policy", Definition{Name: "x", Format: "raw", Kind: formats.Hosted, BlobStore: "default"}, []string{"writePolicy: must not be null"}},
		{"bad policy", Definition{Name: "x", Format: "raw", Kind: formats.Hosted, Write: "MAYBE", BlobStore: "default"},
			[]string{"writePolicy: must be one of ALLOW, ALLOW_ONCE, DENY"}},
		{"bad setting", func() Definition {
			d := mavenHosted("x")
			d.Settings = map[string]string{"versionPolicy": "nope"}
			return d
		}(), nil},
		{"unknown format", Definition{Name: "x", Format: "cobol", Kind: formats.Hosted, Write: WriteAllow, BlobStore: "default"},
			[]string{"format: There are no hosted repositories of format cobol"}},
		{"kind that a format lacks", Definition{Name: "x", Format: "apt", Kind: formats.Proxy, BlobStore: "default"},
			[]string{"format: There are no proxy repositories of format apt"}},
		{"format that is not served", Definition{Name: "x", Format: "nuget", Kind: formats.Hosted, Write: WriteAllow, BlobStore: "default"}, nil},
		{"no upstream", cache(func(d *Definition) { d.Upstream = nil }), []string{"upstream.url: must not be null"}},
		{"upstream later", cache(func(d *Definition) { d.Upstream.URL = "" }), nil},
		{"ftp", cache(func(d *Definition) { d.Upstream.URL = "ftp://x/" }), []string{"upstream.url: URL should be in the format 'http://www.example.com'"}},
		{"no host", cache(func(d *Definition) { d.Upstream.URL = "zzz" }), []string{"upstream.url: URL should be in the format 'http://www.example.com'"}},
		{"retries", cache(func(d *Definition) { d.Upstream.Connection = &Connection{Retries: &many} }),
			[]string{"upstream.connection.retries: must be less than or equal to 10"}},
		{"negative retries", cache(func(d *Definition) { d.Upstream.Connection = &Connection{Retries: &negative} }),
			[]string{"upstream.connection.retries: must be greater than or equal to 0"}},
		{"timeout", cache(func(d *Definition) { d.Upstream.Connection = &Connection{Timeout: 2 * time.Hour} }),
			[]string{"upstream.connection.timeout: must be less than or equal to 3600"}},
		{"trust store", cache(func(d *Definition) { d.Upstream.Connection = &Connection{UseTrustStore: true} }),
			[]string{"upstream.connection.useTrustStore: TrustStore is available only with HTTPS remote URLs"}},
		{"user", cache(func(d *Definition) { d.Upstream.Authentication = &Credentials{Type: "username"} }),
			[]string{"upstream.authentication.username: must not be blank"}},
		{"token", cache(func(d *Definition) { d.Upstream.Authentication = &Credentials{Type: "bearerToken"} }),
			[]string{"upstream.authentication.bearerToken: must not be null"}},
		{"pre-emptive", cache(func(d *Definition) {
			d.Upstream.Authentication = &Credentials{Type: "username", Username: "u", Preemptive: new(true)}
		}), []string{"upstream.authentication.preemptive: Pre-emptive authentication is allowed only when using HTTPS remote URL"}},
		{"routing rule", cache(func(d *Definition) { d.RoutingRule = "none" }), []string{"routingRule: Did not find a routing rule with the name 'none'"}},
		{"members", rawProxy("x", "none", "files", "nowhere"),
			[]string{"members: Member repository does not exist: none", "members: Member repository does not exist: nowhere"}},
		{"member of another format", rawProxy("x", "maven"),
			[]string{"members: Member repository format does not match group repository format: maven"}},
		{"itself", rawProxy("x", "files", "X"), []string{"members: Group 'X' has a member repository 'x' and cannot be added to this list."}},
		{"writes go to a cache", func() Definition { d := rawProxy("x", "files"); d.WriteMember = "inner"; return d }(),
			[]string{"writeMember: must be a hosted repository of the same format"}},
	}
	for _, test := range tests {
		err := b.Create(t.Context(), test.def, "admin")
		got := wrong(err)
		if test.name == "bad setting" {
			if len(got) == 0 {
				t.Errorf("%s: accepted", test.name)
			}
			continue
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
		if err == nil {
			must(t, b.Delete(t.Context(), test.def.Name, "admin"))
		}
	}
}

func TestCirclesAndDepthsAreRefused(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"), rawProxy("p0", "files"))
	for i := 1; i < maxDepth; i++ {
		b.create(rawProxy(fmt.Sprint("p", i), fmt.Sprint("p", i-1)))
	}
	deep := rawProxy("deep", fmt.Sprint("p", maxDepth-1))
	if got := wrong(b.Create(t.Context(), deep, "admin")); !slices.Equal(got, []string{"members: Repositories are nested too deeply"}) {
		t.Errorf("too deep: %q", got)
	}
	b.create(rawProxy("short", "files"))
	if got := wrong(b.Update(t.Context(), rawProxy("p0", "short"), "admin")); !slices.Equal(got, []string{"members: Repositories are nested too deeply"}) {
		t.Errorf("made too deep from below: %q", got)
	}
	circle := []string{"members: Group 'p3' has a member repository 'p1' and cannot be added to this list."}
	if got := wrong(b.Update(t.Context(), rawProxy("p1", "files", "p3"), "admin")); !slices.Equal(got, circle) {
		t.Errorf("circle: %q", got)
	}
	b.want(b.do("PUT", "files", "/a.txt", "x"), 201, "")
	b.want(b.do("GET", fmt.Sprint("p", maxDepth-1), "/a.txt", ""), 200, "x")
}

// TestCircleInRecords serves from records that no check would have let through, such as imported ones.
func TestCircleInRecords(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	const chain = 500
	for i := range chain {
		d := rawProxy(fmt.Sprint("p", i), fmt.Sprint("p", (i+1)%chain), "files")
		d.Content = d.Name
		value, err := json.Marshal(d)
		must(t, err)
		must(t, b.kv.Apply(t.Context(), kv.Put(repositoryKey(d.Name), value)))
	}
	must(t, b.Reload(t.Context()))
	b.want(b.do("PUT", "files", "/a.txt", "x"), 201, "")
	b.want(b.do("GET", "p7", "/a.txt", ""), 200, "x")
	if n := len(b.Holders("files")); n != chain {
		t.Errorf("%d holders; want %d", n, chain)
	}
}

func TestDefinitionsLastAndSecretsAreSealed(t *testing.T) {
	b := newBench(t)
	retries := 3
	def := rawCache("copy", "https://upstream.example/x")
	def.Cleanup = []string{"old"}
	def.Upstream.Connection = &Connection{Retries: &retries, UserAgentSuffix: new("site")}
	def.Upstream.Authentication = &Credentials{Type: "username", Username: "up", Password: "secret"}
	bearer := rawCache("other", "https://upstream.example/y")
	bearer.Upstream.Authentication = &Credentials{Type: "bearerToken", Bearer: "token"}
	debs := Definition{
		Name: "debs", Format: "apt", Kind: formats.Hosted, BlobStore: "default", Write: WriteAllow, Settings: map[string]string{"distribution": "trixie"},
		Secrets: map[string]Secret{"keypair": "private secret", "passphrase": "token"},
	}
	b.create(def, bearer, debs)
	for _, name := range []string{"copy", "other", "debs"} {
		entry, err := b.kv.Get(t.Context(), repositoryKey(name))
		must(t, err)
		if text := string(entry.Value); strings.Contains(text, "secret") && !strings.Contains(text, "secrets") || strings.Contains(text, `"token"`) ||
			!strings.Contains(text, "sealed:") {
			t.Errorf("record of %s: %s", name, text)
		}
	}
	before, _ := b.Lookup("copy")
	b.open()
	after, ok := b.Lookup("COPY")
	if diff := cmp.Diff(before, after); !ok || diff != "" {
		t.Errorf("after a restart: %v\n%s", ok, diff)
	}
	if after.Upstream.Authentication.Password != "secret" {
		t.Error("the password is gone")
	}
	if text := fmt.Sprintf("%v %+v %#v", after.Upstream.Authentication, *after.Upstream.Authentication, *after.Upstream.Authentication); strings.Contains(text, "secret") {
		t.Errorf("the password shows: %s", text)
	}
	if text, err := json.Marshal(after); err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("the password shows: %s, %v", text, err)
	}
	if kept, _ := b.Lookup("debs"); !maps.Equal(kept.Secrets, debs.Secrets) || !maps.Equal(kept.Settings, debs.Settings) {
		t.Error("the signing key is another, or gone")
	}
}

func TestUpdateKeepsWhatIsFixed(t *testing.T) {
	b := newBench(t)
	must(t, b.CreateBlobStore(t.Context(), BlobStore{Name: "other", Type: BlobStoreFile, Path: "other"}))
	b.create(rawHosted("files"))
	before, _ := b.Lookup("files")
	b.want(b.do("PUT", "files", "/a.txt", "x"), 201, "")
	changes := map[string]func(*Definition){
		"Renaming a repository is not supported":                               func(d *Definition) { d.Name = "Files" },
		"The format and the kind of a repository cannot be changed":            func(d *Definition) { d.Format = "maven2" },
		"You cannot change a repository’s blob store through the API":          func(d *Definition) { d.BlobStore = "other" },
		"Blob store not found":                                                 func(d *Definition) { d.BlobStore = "none" },
		"writePolicy: must be one of ALLOW, ALLOW_ONCE, DENY":                  func(d *Definition) { d.Write = "x" },
		"routingRule: Did not find a routing rule with the name 'nothing-set'": func(d *Definition) { d.RoutingRule = "nothing-set" },
	}
	for want, change := range changes {
		d := rawHosted("files")
		change(&d)
		if got := wrong(b.Update(t.Context(), d, "admin")); !slices.Equal(got, []string{want}) {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	if err := b.Update(t.Context(), rawHosted("none"), "admin"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	must(t, b.Update(t.Context(), rawHosted("files"), "admin"))
	if after, _ := b.Lookup("files"); after.Content != before.Content {
		t.Error("the content was exchanged")
	}
	b.want(b.do("GET", "files", "/a.txt", ""), 200, "x")
}

func TestDelete(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("one"), rawHosted("two"), rawProxy("all", "one", "two"))
	b.want(b.do("PUT", "one", "/a.txt", "x"), 201, "")
	one, _ := b.Lookup("one")
	must(t, b.Delete(t.Context(), "ONE", "admin"))
	if all, _ := b.Lookup("all"); !slices.Equal(all.Members, []string{"two"}) {
		t.Errorf("members left: %q", all.Members)
	}
	if err := b.Delete(t.Context(), "one", "admin"); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	b.create(rawHosted("one"))
	b.want(b.do("GET", "one", "/a.txt", ""), 404, "/a.txt")
	if again, _ := b.Lookup("one"); again.Content == one.Content {
		t.Error("a new repository got the content of a deleted one")
	}
	for unfinished := true; unfinished; { // the removal goes on in the background
		unfinished = false
		for _, err := range b.kv.Scan(t.Context(), dropPartition, kv.Range{}) {
			must(t, err)
			unfinished = true
		}
	}
	for _, err := range b.opts.Catalog.Content(one.Content).Assets(t.Context(), "") {
		t.Errorf("an asset is left: %v", err)
	}
}

func TestUnfinishedRemovalGoesOn(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("one"))
	b.want(b.do("PUT", "one", "/a.txt", "x"), 201, "")
	one, _ := b.Lookup("one")
	must(t, b.kv.Apply(t.Context(), kv.Delete(repositoryKey("one")), kv.Put(kv.Key{Partition: dropPartition, Sort: one.Content}, nil)))
	b.open()
	must(t, b.Engine.Close())
	b.open()
	for unfinished := true; unfinished; {
		_, err := b.kv.Get(t.Context(), kv.Key{Partition: dropPartition, Sort: one.Content})
		unfinished = !errors.Is(err, kv.ErrNotFound)
	}
}

func TestAnotherInstanceChangedTheDefinitions(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	first := b.Engine
	b.open()
	changed := rawHosted("files")
	changed.Online = false
	must(t, b.Update(t.Context(), changed, "admin"))
	if err := first.Update(t.Context(), rawHosted("files"), "admin"); !errors.Is(err, ErrChanged) {
		t.Errorf("update of what was changed elsewhere: %v; want ErrChanged", err)
	}
	if d, _ := first.Lookup("files"); d.Online {
		t.Error("the change of the other instance was not read")
	}
	must(t, first.Update(t.Context(), rawHosted("files"), "admin"))
	must(t, b.Reload(t.Context()))
	if d, _ := b.Lookup("files"); !d.Online {
		t.Error("Reload did not read the change")
	}
}

func TestDefaults(t *testing.T) {
	b := newBench(t)
	if len(b.List()) != 0 {
		t.Errorf("repositories without being asked for: %v", b.List())
	}
	fresh := newBench(t, func(o *Options) {})
	must(t, fresh.kv.Apply(t.Context(), kv.Delete(installedKey)))
	must(t, fresh.CreateDefaults(t.Context(), true))
	var names []string
	for _, d := range fresh.List() {
		names = append(names, d.Name)
	}
	if want := []string{"maven-central", "maven-public", "maven-releases", "maven-snapshots"}; !slices.Equal(names, want) {
		t.Errorf("repositories %q; want %q", names, want)
	}
	if got := fresh.do("GET", "maven-central", "/g/a/1/a-1.jar", ""); got.status != 502 {
		t.Errorf("cache without an upstream: %s", got)
	}
	fresh.steps([]step{
		{"PUT", "maven-releases", "/g/a/1/a-1.jar", "jar", 201, ""},
		{"PUT", "maven-releases", "/g/a/1/a-1.jar", "jar", 400, "maven-releases/g/a/1/a-1.jar cannot be updated"},
		{"GET", "maven-public", "/g/a/1/a-1.jar", "", 200, "jar"},
	})
	must(t, fresh.Delete(t.Context(), "maven-public", "admin"))
	must(t, fresh.CreateDefaults(t.Context(), true))
	if _, ok := fresh.Lookup("maven-public"); ok {
		t.Error("a deleted repository came back")
	}
}

func TestRoutingRuleDefinitions(t *testing.T) {
	b := newBench(t)
	good := RoutingRule{Name: "rr", Mode: RuleBlock, Matchers: []string{"/a/.*"}}
	must(t, b.CreateRoutingRule(t.Context(), good))
	tests := []struct {
		rule RoutingRule
		want []string
	}{
		{good, []string{"name: A rule with the same name already exists. Name must be unique."}},
		{RoutingRule{}, []string{"name: A non-empty value must be specified", "mode: A non-empty value must be specified", "matchers: At least one rule must be specified"}},
		{RoutingRule{Name: "x", Mode: RuleAllow, Matchers: []string{"a", "", "("}},
			[]string{"matchers[1]: Empty matchers are not allowed", "matchers[2]: Invalid regex: Unclosed group near index 1\n("}},
	}
	for _, test := range tests {
		if got := wrong(b.CreateRoutingRule(t.Context(), test.rule)); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q; want %q", test.rule, got, test.want)
		}
	}
	def := rawCache("copy", "http://upstream.example/")
	def.RoutingRule = "rr"
	b.create(def)
	if got := wrong(b.DeleteRoutingRule(t.Context(), "rr")); !slices.Equal(got, []string{"Routing rule is still in use by 1 repositories."}) {
		t.Errorf("delete of a used rule: %q", got)
	}
	renamed := good
	renamed.Name = "new"
	must(t, b.UpdateRoutingRule(t.Context(), "rr", renamed))
	if d, _ := b.Lookup("copy"); d.RoutingRule != "new" {
		t.Errorf("the repository still has the rule %q", d.RoutingRule)
	}
	if _, err := b.RoutingRule("rr"); !errors.Is(err, ErrNotFound) {
		t.Errorf("old name: %v", err)
	}
	if err := b.UpdateRoutingRule(t.Context(), "none", RoutingRule{Name: "none", Mode: RuleAllow, Matchers: []string{"x"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown rule: %v", err)
	}
	must(t, b.Delete(t.Context(), "copy", "admin"))
	must(t, b.DeleteRoutingRule(t.Context(), "new"))
	if rules := b.RoutingRules(); len(rules) != 0 {
		t.Errorf("rules left: %v", rules)
	}
}

func TestBlobStoreDefinitions(t *testing.T) {
	b := newBench(t)
	file := func(name, path string) BlobStore { return BlobStore{Name: name, Type: BlobStoreFile, Path: path} }
	quota := func(kind string, limit int64) BlobStore {
		s := file("q", "q")
		s.Quota = &SoftQuota{Type: kind, Limit: limit}
		return s
	}
	const inside = ": A file blob store must have a unique path, and may not be contained in a sub directory of another blob store. " +
		"Blob stores with violations: default"
	tests := []struct {
		store BlobStore
		want  []string
	}{
		{file("more", "more"), nil},
		{file("MORE", "more2"), []string{"name: Name is already used, must be unique (ignoring case)"}},
		{file("x", "default"), []string{inside}},
		{file("x", "default/sub"), []string{inside}},
		{file("", "x"), []string{"name: Name is required"}},
		{file("x", ""), []string{"path: Path is required"}},
		{file("x", "/bad/path"), []string{"Blob store could not be written because the path /bad/path could not be written to"}},
		{quota("nope", 1), []string{": To enable Soft Quota, you must select a Type of Quota"}},
		{quota(QuotaUsed, 0), []string{": Space Used quotas must have a Quota Limit greater than 0"}},
		{quota(QuotaUsed, 5), nil},
		{BlobStore{Name: "bucket", Type: "s3", Attributes: map[string]string{"bucket": "b"}}, nil},
	}
	for _, test := range tests {
		if got := wrong(b.CreateBlobStore(t.Context(), test.store)); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q; want %q", test.store, got, test.want)
		}
	}
	onBucket := rawHosted("on-bucket")
	onBucket.BlobStore = "bucket"
	b.create(onBucket)
	if got := b.do("PUT", "on-bucket", "/a.txt", "x"); got.status != 503 {
		t.Errorf("write to a store that is not served: %s", got)
	}
	if got := wrong(b.DeleteBlobStore(t.Context(), "bucket")); !slices.Equal(got, []string{"BlobStore bucket is in use and cannot be deleted"}) {
		t.Errorf("delete of a used store: %q", got)
	}
	must(t, b.Delete(t.Context(), "on-bucket", "admin"))
	must(t, b.DeleteBlobStore(t.Context(), "bucket"))
	if got := wrong(b.DeleteBlobStore(t.Context(), "bucket")); !slices.Equal(got, []string{"Unable to find  'bucket' blobstore"}) {
		t.Errorf("again: %q", got)
	}
	changed := file("more", "elsewhere")
	changed.Quota = &SoftQuota{Type: QuotaRemaining, Limit: 7}
	must(t, b.UpdateBlobStore(t.Context(), changed))
	b.open()
	if s, err := b.BlobStore("more"); err != nil || s.Path != "elsewhere" || s.Quota.Limit != 7 {
		t.Errorf("after a restart: %+v, %v", s, err)
	}
}
