//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const hookSecret = "geheim-hook"

// listener is a server of webhooks that can go down and come back at its address.
type listener struct {
	t      testing.TB
	addr   string
	secret string
	server *http.Server

	mu         sync.Mutex
	told       []string // kind, action, name
	deliveries map[string]int
	last       map[string]string // the last body, by kind
}

func newListener(t testing.TB, secret string) *listener {
	l := &listener{t: t, addr: freeAddress(t), secret: secret, deliveries: make(map[string]int), last: make(map[string]string)}
	t.Cleanup(l.down)
	return l
}

func (l *listener) up() {
	l.t.Helper()
	socket, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.server = &http.Server{Handler: l}
	go func(s *http.Server) { _ = s.Serve(socket) }(l.server)
}

func (l *listener) down() {
	if l.server != nil {
		_ = l.server.Close()
	}
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	mac := hmac.New(sha1.New, []byte(l.secret))
	mac.Write(body)
	kind, signature := r.Header.Get("X-Nexus-Webhook-Id"), r.Header.Get("X-Nexus-Webhook-Signature")
	if r.Method != http.MethodPost || signature != hex.EncodeToString(mac.Sum(nil)) || !strings.HasPrefix(r.Header.Get("User-Agent"), "Nexus/") {
		l.t.Errorf("%s with signature %q by %q", r.Method, signature, r.Header.Get("User-Agent"))
	}
	type named struct{ Name, AssetID, ComponentID, Type, Domain, Context string }
	var event struct {
		Action, RepositoryName, Initiator, NodeID string
		Asset, Component, Repository, Audit       named
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Initiator != "admin/127.0.0.1" || event.NodeID == "" {
		l.t.Errorf("%v: %s", err, body)
	}
	text := strings.TrimPrefix(kind, "rm:") + " " + event.Action + event.Audit.Domain + " " + event.Asset.Name + event.Component.Name + event.Repository.Name + event.Audit.Type
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[kind] = string(body)
	delivery := r.Header.Get("X-Nexus-Webhook-Delivery")
	if l.deliveries[delivery]++; l.deliveries[delivery] == 1 {
		l.told = append(l.told, text)
	}
}

// await waits until an event was told.
func (l *listener) await(text string) {
	l.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; {
		l.mu.Lock()
		told := slices.Contains(l.told, text)
		list := strings.Join(l.told, "\n")
		l.mu.Unlock()
		if told {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("not told: %s\ntold:\n%s", text, list)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// hook makes a capability and gives its id.
func (s *server) hook(typ, properties string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"type":%q,"enabled":true,"notes":"","properties":%s}`, typ, properties)
	status, text := s.do(http.MethodPost, "/service/rest/v1/capabilities", strings.NewReader(body), "Content-Type", "application/json")
	m := regexp.MustCompile(`"id" : "([^"]+)"`).FindStringSubmatch(text)
	if status/100 != 2 || m == nil || strings.Contains(text, hookSecret) {
		s.t.Fatalf("%s: %d %s", typ, status, text)
	}
	return m[1]
}

// TestWebhooks tells a receiver that goes down and comes back of everything that was acknowledged, though the server is killed meanwhile.
func TestWebhooks(t *testing.T) {
	s := start(t)
	content, global := newListener(t, hookSecret), newListener(t, hookSecret)
	content.up()
	global.up()
	s.makeRaw()
	s.hook("webhook.global", fmt.Sprintf(`{"names":"audit,repository","url":"http://%s/global","secret":%q}`, global.addr, hookSecret))
	id := s.hook("webhook.repository", fmt.Sprintf(`{"repository":"files","names":"asset,component","url":"http://%s/hook?token=x","secret":%q}`, content.addr, hookSecret))
	put := func(path string) {
		t.Helper()
		if status, text := s.do(http.MethodPut, "/repository/files"+path, strings.NewReader(path)); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	put("/first")
	content.await("repository:asset CREATED /first")
	s.json(http.MethodPost, "/service/rest/v1/repositories/raw/hosted", strings.Replace(rawRepository, `"files"`, `"more"`, 1))
	global.await("global:repository CREATED more")
	global.await("global:audit repository created")
	assetID := regexp.MustCompile(`"assetId":"([^"]+)"`).FindStringSubmatch(content.last["rm:repository:asset"])
	if status, text := s.do(http.MethodGet, "/service/rest/v1/assets/"+assetID[1], nil); status != http.StatusOK || !strings.Contains(text, "/first") {
		t.Errorf("the id that was told: %d %s", status, text)
	}

	content.down()
	global.down()
	for i := range 20 {
		put(fmt.Sprintf("/down/%d", i))
	}
	s.do(http.MethodDelete, "/repository/files/first", nil)
	s.json(http.MethodPost, "/service/rest/v1/security/users", `{"userId":"jane","firstName":"J","lastName":"D","emailAddress":"j@example.org","status":"active","password":"secret-jane","roles":["nx-anonymous"]}`)
	s.kill()
	s.run()
	put("/after")
	content.up()
	global.up()
	content.await("repository:asset DELETED /first")
	content.await("repository:component DELETED /first")
	content.await("repository:asset CREATED /after")
	global.await("global:audit security.user created")
	checkOrder(t, content)
	if text := global.last["rm:global:audit"]; strings.Contains(text, "secret-jane") {
		t.Errorf("a password is told: %s", text)
	}

	for range 3 { // killed while it tells
		for i := range 10 {
			put(fmt.Sprintf("/kill/%d", i))
		}
		s.kill()
		s.run()
	}
	put("/last")
	content.await("repository:asset CREATED /last")
	for i := range 10 {
		content.await(fmt.Sprintf("repository:asset CREATED /kill/%d", i))
	}
	if _, metrics := s.do(http.MethodGet, "/metrics", nil); !strings.Contains(metrics, `entrepot_webhook_attempts_total{capability="`+id+`",result="delivered"}`) {
		t.Error("deliveries are not among the metrics")
	}
	if text := s.log.String(); strings.Contains(text, hookSecret) || strings.Contains(text, "token=x") {
		t.Errorf("log: %s", text)
	}
}

// checkOrder wants what was told while the receiver was down in the order in which it happened.
func checkOrder(t *testing.T, l *listener) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var want, got []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("repository:component CREATED /down/%d", i), fmt.Sprintf("repository:asset CREATED /down/%d", i))
	}
	for _, text := range l.told {
		if strings.Contains(text, "/down/") {
			got = append(got, text)
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("told %q", got)
	}
}

// TestImportedWebhook enables a webhook that an import brought: it signs with the secret of the old server, which no reply shows.
func TestImportedWebhook(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	plan := run(t, "", binary(t), "import", "nexus", "--data", data, source, "--plan")
	if strings.Contains(plan, "webhook") {
		t.Errorf("the plan has something to say of webhooks:\n%s", plan)
	}
	importNexus(t, data, source)
	password := dataDirectories["nexus-3.77-small"]
	s := startIn(t, data)
	l := newListener(t, "hook-secret-2")
	l.up()
	const id = "01a1feb0-9e28-b90c-64c4-f60afc53f75a"
	body := fmt.Sprintf(`{"id":%q,"type":"webhook.repository","notes":"","enabled":true,"properties":{"repository":"maven-releases","names":"component",`+
		`"url":"http://%s/repo-hook","secret":"#~NXRM~PLACEHOLDER~PASSWORD~#"}}`, id, l.addr)
	if status, reply := s.rest(http.MethodPut, "/v1/capabilities/"+id, password, body); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, reply)
	}
	req, err := http.NewRequest(http.MethodPut, contentURL(s, "maven-releases", "/org/hooked/lib/1.0/lib-1.0-notes.txt"), strings.NewReader("x"))
	must(t, err)
	req.SetBasicAuth("admin", password)
	resp, err := client().Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
	l.await("repository:component CREATED lib")
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, shown := get(t, client(), s.url("/api/v1/capabilities"), "admin", password)
		if strings.Contains(string(shown), `"1 delivered, 0 given up"`) {
			break
		}
		if strings.Contains(string(shown), "hook-secret") || time.Now().After(deadline) {
			t.Fatalf("shown: %s", shown)
		}
		<-time.After(20 * time.Millisecond)
	}
}
