package settings

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/audit"
	"entrepot/formats"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// reverse is a sealer that one can see through.
type reverse struct{}

func (reverse) Seal(s string) (string, error) { return "sealed:" + s, nil }

func (reverse) Unseal(s string) (string, error) { return strings.TrimPrefix(s, "sealed:"), nil }

func open(t *testing.T, store *kv.Store, opts Options) *Settings {
	t.Helper()
	opts.Sealer = reverse{}
	s, err := Open(t.Context(), store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLifeOfACapability(t *testing.T) {
	store := kv.New(memory.New())
	s := open(t, store, Options{})
	c, err := s.Create(t.Context(), Capability{Type: TypeBaseURL, Enabled: true, Properties: map[string]string{"url": "https://repo.example.org/x/"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), c); err == nil {
		t.Error("a second one was made")
	}
	if got := s.Effect().BaseURL; got != "https://repo.example.org/x" {
		t.Errorf("base URL %q", got)
	}
	c.Enabled = false
	if _, err := s.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	again := open(t, store, Options{})
	got, err := again.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Capability{c}, got); d != "" {
		t.Error(d)
	}
	if again.Effect() != (Effect{}) {
		t.Errorf("what is disabled has an effect: %+v", again.Effect())
	}
	if err := s.Delete(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), c.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, kv.New(memory.New()), Options{})
	for _, c := range []Capability{
		{Type: "nope"},
		{Type: "webhook.global"},
		{Type: "webhook.global", Properties: map[string]string{"names": "audit", "url": "x"}},
		{Type: TypeBaseURL},
		{Type: TypeBaseURL, Properties: map[string]string{"url": "repo.example.org"}},
		{Type: TypeBaseURL, Properties: map[string]string{"url": "ftp://repo.example.org"}},
		{Type: TypeStorage, Properties: map[string]string{"lastDownloadedInterval": "0"}},
		{Type: "healthcheck", Properties: map[string]string{"configuredForAll": "maybe"}},
	} {
		var fields formats.FieldErrors
		if _, err := s.Create(t.Context(), c); !errors.As(err, &fields) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	frozen := errors.New("frozen")
	s = open(t, kv.New(memory.New()), Options{Writable: func() error { return frozen }})
	if _, err := s.Create(t.Context(), Capability{Type: "audit"}); !errors.Is(err, frozen) {
		t.Errorf("frozen: %v", err)
	}
}

func TestSecretsAreSealedAndKept(t *testing.T) {
	store := kv.New(memory.New())
	s := open(t, store, Options{})
	c, err := s.Create(t.Context(), Capability{
		Type: "webhook.global", Properties: map[string]string{"names": "audit", "url": "https://hook.example.org", "secret": "geheim"},
	})
	if err != nil || c.Secrets["secret"] != "geheim" || c.Properties["secret"] != "" {
		t.Fatalf("%+v, %v", c, err)
	}
	e, err := store.Get(t.Context(), key(c.ID))
	if err != nil || strings.Contains(strings.ReplaceAll(string(e.Value), "sealed:geheim", ""), "geheim") {
		t.Errorf("the record shows the secret: %s, %v", e.Value, err)
	}
	c.Secrets, c.Notes = nil, "changed"
	if _, err := s.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got, err := s.Capability(t.Context(), c.ID)
	if err != nil || got.Secrets["secret"] != "geheim" || got.Notes != "changed" {
		t.Errorf("%+v, %v", got, err)
	}
}

// recorder keeps what the audit is told.
type recorder []audit.Event

func (r *recorder) Record(_ context.Context, e audit.Event) { *r = append(*r, e) }

func TestAddressesOfHooksAreNotTold(t *testing.T) {
	var told recorder
	s := open(t, kv.New(memory.New()), Options{Audit: &told})
	c, err := s.Create(t.Context(), Capability{
		Type: TypeGlobalHook, Properties: map[string]string{"names": "audit", "url": "https://u:word@hook.example.org:8443/T0/geheim?key=geheim"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = s.Update(t.Context(), c); err != nil || !strings.Contains(c.Properties["url"], "geheim") {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := s.Delete(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(told)
	if err != nil || len(told) != 3 || strings.Contains(string(text), "geheim") || strings.Contains(string(text), "word") || strings.Count(string(text), `"https://hook.example.org:8443/***"`) != 4 {
		t.Errorf("%s, %v", text, err)
	}
}

func TestEffectIsToldOnceItChanges(t *testing.T) {
	var told []Effect
	s := open(t, kv.New(memory.New()), Options{Changed: func(_ context.Context, _, now Effect) error {
		told = append(told, now)
		return nil
	}})
	for _, c := range []Capability{
		{Type: TypeDefaultRole, Enabled: true, Properties: map[string]string{"role": "readers"}},
		{Type: TypeLegacyURLs, Enabled: true},
		{Type: TypeStorage, Enabled: true, Properties: map[string]string{"lastDownloadedInterval": "1"}},
		{Type: "audit", Enabled: true},
	} {
		if _, err := s.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	want := []Effect{
		{DefaultRole: "readers"}, {DefaultRole: "readers", LegacyURLs: true}, {DefaultRole: "readers", LegacyURLs: true, DownloadInterval: time.Hour},
	}
	if d := cmp.Diff(want, told); d != "" {
		t.Error(d)
	}
}

func TestImportKeepsWhatIsNotKnown(t *testing.T) {
	s := open(t, kv.New(memory.New()), Options{})
	made, err := s.Create(t.Context(), Capability{Type: TypeBaseURL, Enabled: true, Properties: map[string]string{"url": "http://new.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // an import may run again
		for _, c := range []Capability{
			{ID: "1", Type: "something.else", Enabled: true, Secrets: map[string]Secret{"key": "geheim"}},
			{ID: "2", Type: TypeBaseURL, Enabled: true, Properties: map[string]string{"url": "http://old.example.org"}},
		} {
			if err := s.Import(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Capability(t.Context(), made.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("there are two base URLs: %v", err)
	}
	c, err := s.Capability(t.Context(), "1")
	if active, why := Standing(c); err != nil || active || why == "" || c.Secrets["key"] != "geheim" {
		t.Errorf("%+v: active %t because %q, %v", c, active, why, err)
	}
	c.Enabled = false
	if _, err := s.Update(t.Context(), c); err != nil {
		t.Errorf("what is not known cannot be switched off: %v", err)
	}
}
