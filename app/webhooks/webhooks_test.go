package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"entrepot/app/audit"
	"entrepot/app/repository"
	"entrepot/app/settings"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receiver is a server that is told of events.
type receiver struct {
	*httptest.Server
	t      *testing.T
	secret string

	mu      sync.Mutex
	status  func(attempt int) int // of answers; nil for 200
	all     int                   // attempts
	taken   []map[string]any      // bodies that were answered with 200
	headers []http.Header
}

func newReceiver(t *testing.T, secret string) *receiver {
	r := &receiver{t: t, secret: secret}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	mac := hmac.New(sha1.New, []byte(r.secret))
	mac.Write(body)
	if got := q.Header.Get("X-Nexus-Webhook-Signature"); err != nil || r.secret != "" && got != hex.EncodeToString(mac.Sum(nil)) || r.secret == "" && got != "" {
		r.t.Errorf("signature %q, %v", got, err)
	}
	if r.all++; r.status != nil {
		if status := r.status(r.all); status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
	}
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil {
		r.t.Error(err)
	}
	r.taken, r.headers = append(r.taken, document), append(r.headers, q.Header)
}

// told words what was taken.
func (r *receiver) told() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, body := range r.taken {
		text := strings.TrimPrefix(r.headers[i].Get("X-Nexus-Webhook-Id"), "rm:")
		for _, name := range []string{"action", "asset", "component", "repository", "audit"} {
			switch v := body[name].(type) {
			case string:
				text += " " + v
			case map[string]any:
				for _, member := range []string{"domain", "type", "context", "group", "name", "version"} {
					if s, ok := v[member].(string); ok {
						text += " " + s
					}
				}
			}
		}
		all = append(all, text)
	}
	return all
}

// house has hooks over a catalog.
type house struct {
	t       *testing.T
	store   *kv.Store
	trees   *catalog.Catalog
	caps    []settings.Capability
	repos   []repository.Definition
	reposMu sync.Mutex
	now     time.Time
	change  func(*Options)
	log     strings.Builder
	logMu   sync.Mutex
	*Service
	stop func()
}

func (h *house) Write(p []byte) (int, error) {
	h.logMu.Lock()
	defer h.logMu.Unlock()
	return h.log.Write(p)
}

func newHouse(t *testing.T, caps ...settings.Capability) *house {
	h := &house{t: t, store: kv.New(memory.New()), caps: caps, now: time.Now()}
	h.trees = catalog.New(h.store, &catalog.Options{Actor: func(context.Context) string { return "jane/192.0.2.1" }})
	t.Cleanup(func() { must(t, h.trees.Close()) })
	for _, name := range []string{"libs", "files"} {
		h.repos = append(h.repos, repository.Definition{Name: name, Format: "raw", Kind: formats.Hosted, Content: "c-" + name})
	}
	h.open()
	return h
}

func (h *house) open() {
	h.t.Helper()
	ids := func(kind string) func(string, uint64) (string, string) {
		return func(repository string, id uint64) (string, string) {
			return fmt.Sprint(kind, id > 0), fmt.Sprint(repository, ":", kind, id > 0)
		}
	}
	o := Options{
		Capabilities: func(context.Context) ([]settings.Capability, error) { return slices.Clone(h.caps), nil },
		Repositories: func() []repository.Definition {
			h.reposMu.Lock()
			defer h.reposMu.Unlock()
			return slices.Clone(h.repos)
		},
		Content: func(name string) *catalog.Content { return h.trees.Content("c-" + name) },
		NodeID:  func() string { return "node" }, KindName: strings.ToUpper, AssetID: ids("a"), ComponentID: ids("c"), UserAgent: "Nexus/3.77",
		Backoff: func(int) time.Duration { return time.Millisecond }, Poll: 2 * time.Millisecond, Now: func() time.Time { return h.now },
		Log: slog.New(slog.NewTextHandler(h, nil)),
	}
	if h.change != nil {
		h.change(&o)
	}
	var err error
	h.Service, err = Open(h.t.Context(), h.store, o)
	must(h.t, err)
}

// serve sends until stop.
func (h *house) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	h.stop = func() { cancel(); <-done }
}

func (h *house) put(repository, path string) {
	h.t.Helper()
	sum := blob.Hash{1}
	must(h.t, h.trees.Content("c-"+repository).Put(h.t.Context(), &catalog.Asset{
		Path: path, Component: &catalog.Coordinates{Group: "g", Name: path, Version: "1"}, Blob: catalog.BlobRef{Store: "s", Hash: sum}, Size: 1,
		Uploader: "ann", UploaderIP: "192.0.2.7",
	}, catalog.PutOptions{}))
}

func (h *house) remove(repository, path string) {
	h.t.Helper()
	must(h.t, h.trees.Content("c-"+repository).Delete(h.t.Context(), path))
}

func repositoryHook(url, names string) settings.Capability {
	return settings.Capability{
		ID: "hook", Type: settings.TypeRepositoryHook, Enabled: true, Properties: map[string]string{"repository": "libs", "names": names, "url": url},
		Secrets: map[string]settings.Secret{"secret": "geheim"},
	}
}

func globalHook(url, names string) settings.Capability {
	return settings.Capability{ID: "global", Type: settings.TypeGlobalHook, Enabled: true, Properties: map[string]string{"names": names, "url": url}}
}

// await wants some texts to come.
func (r *receiver) await(want ...string) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(r.told()) < len(want) && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	if d := cmp.Diff(want, r.told()); d != "" {
		r.t.Error(d)
	}
}

func TestContent(t *testing.T) {
	r := newReceiver(t, "geheim")
	h := newHouse(t)
	h.put("libs", "/before")
	h.caps = []settings.Capability{repositoryHook(r.URL, "asset, component")}
	must(t, h.Refresh(t.Context()))
	h.put("libs", "/a") // nothing is sent yet
	h.serve()
	h.put("files", "/of another repository")
	h.put("libs", "/b")
	h.remove("libs", "/a")
	r.await("repository:component CREATED g /a 1", "repository:asset CREATED /a", "repository:component CREATED g /b 1", "repository:asset CREATED /b",
		"repository:asset DELETED /a", "repository:component DELETED g /a 1")
	h.stop()
	want := map[string]any{
		"nodeId": "node", "initiator": "jane/192.0.2.1", "repositoryName": "libs", "action": "DELETED",
		"asset": map[string]any{"id": "atrue", "assetId": "libs:atrue", "format": "raw", "name": "/a"},
	}
	stamp := r.taken[4]["timestamp"].(string)
	delete(r.taken[4], "timestamp")
	if _, err := time.Parse("2006-01-02T15:04:05.000-07:00", stamp); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(want, r.taken[4]); d != "" {
		t.Error(d)
	}
	if r.taken[0]["initiator"] != "ann/192.0.2.7" || r.headers[0].Get("Content-Type") != "application/json; charset=UTF-8" || r.headers[0].Get("User-Agent") != "Nexus/3.77" {
		t.Errorf("%v %v", r.taken[0], r.headers[0])
	}
	if st, _ := h.Status("hook"); st.Delivered != 6 || st.Dead != 0 || st.Failing != "" {
		t.Errorf("%+v", st)
	}
	h.open()
	h.serve()
	h.put("libs", "/c")
	h.stop()
	h.open()
	h.serve()
	defer h.stop()
	r.await(append(r.told()[:6:6], "repository:component CREATED g /c 1", "repository:asset CREATED /c")...)
}

// TestReceiverIsDown has attempts fail in several ways; everything arrives in order, once it is up.
func TestReceiverIsDown(t *testing.T) {
	r := newReceiver(t, "geheim")
	r.status = func(attempt int) int {
		return []int{http.StatusInternalServerError, http.StatusFound, http.StatusTooManyRequests, http.StatusNotFound, http.StatusOK}[min(attempt, 5)-1]
	}
	h := newHouse(t, repositoryHook(r.URL, "asset"))
	h.serve()
	defer h.stop()
	h.put("libs", "/a")
	h.put("libs", "/b")
	r.await("repository:asset CREATED /a", "repository:asset CREATED /b")
	for st := (Status{}); st.Delivered < 2; st, _ = h.Status("hook") { // the second answer is on its way
		if st.Dead != 0 {
			t.Fatalf("%+v", st)
		}
	}
	if h.Describe("hook") != "2 delivered, 0 given up" || h.Describe("nobody") != "" {
		t.Error(h.Describe("hook"))
	}
}

func TestEventsAreGivenUp(t *testing.T) {
	r := newReceiver(t, "geheim")
	var mu sync.Mutex
	results := map[string]int{}
	refuse := true
	r.status = func(int) int {
		if refuse {
			return http.StatusBadRequest
		}
		return http.StatusOK
	}
	h := newHouse(t)
	h.change = func(o *Options) {
		o.Counted = func(_, result string) { mu.Lock(); defer mu.Unlock(); results[result]++ }
	}
	h.caps = []settings.Capability{repositoryHook(strings.Replace(r.URL, "http://", "http://user:pass@", 1)+"/token-x", "asset")}
	h.open()
	h.serve()
	h.put("libs", "/refused")
	for dead := int64(0); dead == 0; {
		st, _ := h.Status("hook")
		dead = st.Dead
	}
	r.mu.Lock()
	refuse = false
	r.mu.Unlock()
	h.put("libs", "/taken")
	r.await("repository:asset CREATED /taken")
	h.stop()
	if results["dead"] != 1 || results["failed"] != maxRefusals || results["delivered"] != 1 {
		t.Errorf("%v", results)
	}
	if text := h.log.String(); strings.Contains(text, "token-x") || strings.Contains(text, "pass") || strings.Contains(text, "geheim") || !strings.Contains(text, "given up") {
		t.Errorf("log: %s", text)
	}
	h.open()
	if st, _ := h.Status("hook"); st.Dead != 1 {
		t.Errorf("dead letters are forgotten: %+v", st)
	}
	r.Close() // nobody is there any more
	h.put("libs", "/late")
	h.now = h.now.Add(maxAge + time.Hour)
	h.serve()
	defer h.stop()
	for dead := int64(0); dead < 2; {
		st, _ := h.Status("hook")
		dead = st.Dead
	}
	if st, _ := h.Status("hook"); st.Failing == "" {
		t.Errorf("%+v", st)
	}
}

func entry(action, object string, before, after any) audit.Entry {
	return audit.Entry{
		ID: action + object, Time: time.Now(), Actor: audit.Actor{UserID: "admin", Address: "127.0.0.1"}, Action: action, Object: object, Before: before, After: after,
	}
}

func TestGlobal(t *testing.T) {
	r := newReceiver(t, "")
	h := newHouse(t, globalHook(r.URL, "audit,repository"))
	definition := map[string]any{"name": "libs", "format": "raw", "kind": "hosted"}
	h.Told(t.Context(), entry("user.create", "jane", nil, map[string]any{"id": "jane", "roles": []any{"dev"}, "active": true, "password": "***"}), true)
	h.Told(t.Context(), entry("repository.create", "libs", nil, definition), false) // the audit is off
	h.Told(t.Context(), entry("repository.delete", "libs", definition, nil), true)
	h.Told(t.Context(), entry(audit.ActionSignInFailed, "mallory", nil, nil), true)
	h.open() // as after a kill
	h.serve()
	defer h.stop()
	r.await("global:audit security.user created jane", "global:repository CREATED HOSTED libs", "global:audit repository deleted libs", "global:repository DELETED HOSTED libs")
	want := map[string]any{
		"domain": "security.user", "type": "created", "context": "jane",
		"attributes": map[string]any{"id": "jane", "roles": `["dev"]`, "active": "true", "password": "***"},
	}
	if d := cmp.Diff(want, r.taken[0]["audit"]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"format": "raw", "name": "libs", "type": "HOSTED"}, r.taken[1]["repository"]); d != "" {
		t.Error(d)
	}
	if r.taken[0]["initiator"] != "admin/127.0.0.1" {
		t.Error(r.taken[0])
	}
}

// TestHooksComeAndGo changes, disables and enables one. Others go on.
func TestHooksComeAndGo(t *testing.T) {
	first, second := newReceiver(t, "geheim"), newReceiver(t, "geheim")
	h := newHouse(t, repositoryHook(first.URL, "asset"))
	h.serve()
	defer h.stop()
	h.put("libs", "/1")
	first.await("repository:asset CREATED /1")
	h.caps = []settings.Capability{repositoryHook(second.URL, "asset")}
	must(t, h.Refresh(t.Context()))
	h.put("libs", "/2")
	second.await("repository:asset CREATED /2")
	h.caps = nil
	must(t, h.Refresh(t.Context()))
	h.put("libs", "/unheard")
	for _, partition := range []string{statePartition, positionPartition} {
		for e, err := range h.store.Scan(t.Context(), partition, kv.Range{}) {
			t.Errorf("left: %s %q %v", partition, e.Sort, err)
		}
	}
	everything := repositoryHook(second.URL, "asset")
	everything.Properties["repository"] = "*"
	h.caps = []settings.Capability{everything}
	must(t, h.Refresh(t.Context()))
	h.reposMu.Lock()
	h.repos = append(h.repos, repository.Definition{Name: "new", Format: "raw", Kind: formats.Hosted, Content: "c-new"})
	h.reposMu.Unlock()
	h.put("new", "/3")
	second.await("repository:asset CREATED /2", "repository:asset CREATED /3")
}

func TestQueueIsBounded(t *testing.T) {
	h := newHouse(t, globalHook("http://127.0.0.1:1/", "audit"))
	h.present("global").queue.count = maxQueued - 1
	for range 3 {
		h.Told(t.Context(), entry("user.create", "jane", nil, nil), true)
	}
	if st, _ := h.Status("global"); st.Dead != 2 {
		t.Errorf("%+v", st)
	}
}

func TestNothingIsSentWhileFrozen(t *testing.T) {
	r := newReceiver(t, "geheim")
	var mu sync.Mutex
	frozen := fmt.Errorf("frozen")
	h := newHouse(t)
	h.change = func(o *Options) { o.Writable = func() error { mu.Lock(); defer mu.Unlock(); return frozen } }
	h.caps = []settings.Capability{repositoryHook(r.URL, "asset")}
	h.open()
	h.serve()
	defer h.stop()
	h.put("libs", "/a")
	for deadline := time.Now().Add(30 * time.Millisecond); time.Now().Before(deadline); {
		if len(r.told()) > 0 {
			t.Fatal("sent")
		}
	}
	mu.Lock()
	frozen = nil
	mu.Unlock()
	r.await("repository:asset CREATED /a")
}

// TestWordsOfTheAudit has the words that the audit of a real server has for the same changes.
func TestWordsOfTheAudit(t *testing.T) {
	h := newHouse(t)
	for _, tt := range []struct {
		e    audit.Entry
		want string
	}{
		{entry("role.update", "dev", nil, nil), `"domain":"security.role","type":"updated","context":"dev","attributes":{}`},
		{entry("blob-store.create", "second", nil, nil), `"domain":"blobstore","type":"created","context":"second","attributes":{}`},
		{entry("routing-rule.create", "r", nil, nil), `"domain":"RoutingRule","type":"created","context":"r","attributes":{}`},
		{entry("repository.invalidate-cache", "r", nil, nil), `"domain":"repository","type":"cacheInvalidated","context":"r","attributes":{}`},
		{entry("email.update", "settings", nil, map[string]any{"host": "mail"}), `"domain":"email","type":"changed","context":"system","attributes":{"host":"mail"}`},
		{entry("asset.delete", "raw/gone/<a>.txt", nil, nil), `"domain":"repository.asset","type":"deleted","context":"/gone/<a>.txt","attributes":{"path":"/gone/<a>.txt","repository.name":"raw"}`},
		{
			entry("component.delete", "raw", map[string]any{"group": "/gone", "name": "/gone/a"}, nil),
			`"domain":"repository.component","type":"deleted","context":"/gone/a","attributes":{"name":"/gone/a","namespace":"/gone","repository.name":"raw"}`,
		},
	} {
		body, err := h.auditBody(tt.e)
		if err != nil || !strings.HasSuffix(string(body), `"nodeId":"node","initiator":"admin/127.0.0.1","audit":{`+tt.want+"}}") {
			t.Errorf("%s: %s, %v", tt.e.Action, body, err)
		}
	}
}
