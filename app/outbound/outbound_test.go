package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

// reverse is a sealer that one can see through.
type reverse struct{}

func (reverse) Seal(s string) (string, error) { return "sealed:" + s, nil }

func (reverse) Unseal(s string) (string, error) { return strings.TrimPrefix(s, "sealed:"), nil }

func open(t *testing.T, store *kv.Store, opts Options) *Service {
	t.Helper()
	opts.Sealer = reverse{}
	s, err := Open(t.Context(), store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func example() Settings {
	retries := 3
	return Settings{
		UserAgentSuffix: "x", Timeout: 33 * time.Second, Retries: &retries, Direct: []string{"localhost", "*.intern.example.org"},
		HTTP:  &Proxy{Enabled: true, Host: "proxy.example.org", Port: 3128, Auth: &ProxyAuth{Enabled: true, Username: "u", Password: "geheim"}},
		HTTPS: &Proxy{Enabled: true, Host: "secure.example.org", Port: 3129},
	}
}

func TestSettingsAreKeptWithTheirPasswordsSealed(t *testing.T) {
	store, changes := kv.New(memory.New()), 0
	s := open(t, store, Options{Changed: func() { changes++ }})
	if _, stored := s.Settings(); stored {
		t.Error("a new server has settings")
	}
	if err := s.Set(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	got, stored := open(t, store, Options{}).Settings()
	if !stored || got.HTTP.Auth.Password != Secret("geheim") || got.Timeout != 33*time.Second || *got.Retries != 3 {
		t.Errorf("read back %+v", got)
	}
	e, err := store.Get(t.Context(), key())
	if err != nil || strings.Contains(strings.ReplaceAll(string(e.Value), "sealed:geheim", ""), "geheim") {
		t.Errorf("the record shows the password: %s, %v", e.Value, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", got.HTTP.Auth, *got.HTTP.Auth, *got.HTTP.Auth); strings.Contains(text, "geheim") {
		t.Errorf("settings print their password: %s", text)
	}
	if err := s.Clear(t.Context()); err != nil || changes != 2 {
		t.Errorf("Clear: %v; told of %d changes, want 2", err, changes)
	}
}

func TestProxyOfARequest(t *testing.T) {
	s := open(t, kv.New(memory.New()), Options{Defaults: Settings{HTTP: &Proxy{Enabled: true, Host: "default", Port: 8080}, Direct: []string{"*.local"}}})
	ask := func(url string) string {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.Proxy(r)
		if err != nil || u == nil {
			return fmt.Sprint(err)
		}
		return u.String()
	}
	expect := func(want map[string]string) {
		t.Helper()
		for url, proxy := range want {
			if got := ask(url); got != proxy {
				t.Errorf("%s: %s, want %s", url, got, proxy)
			}
		}
	}
	expect(map[string]string{"http://a.example": "http://default:8080", "https://a.example": "http://default:8080", "http://a.local": "<nil>"})
	if err := s.Set(t.Context(), example()); err != nil {
		t.Fatal(err)
	}
	expect(map[string]string{
		"http://a.example/x": "http://u:geheim@proxy.example.org:3128", "https://a.example": "http://secure.example.org:3129",
		"http://localhost:99": "<nil>", "https://A.Intern.example.org": "<nil>", "http://intern.example.org": "http://u:geheim@proxy.example.org:3128",
	})
	n := example()
	n.HTTPS.Enabled = false
	n.HTTP.Auth.NTLMDomain = "D"
	if err := s.Set(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	expect(map[string]string{"http://a.example": "<nil>"}) // Dial goes through it
	if err := s.Set(t.Context(), Settings{Timeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	expect(map[string]string{"http://a.example": "http://default:8080"})
}

func TestValidate(t *testing.T) {
	eleven := 11
	tests := []struct {
		settings Settings
		want     string
	}{
		{example(), ""},
		{Settings{}, ""},
		{Settings{Timeout: time.Millisecond}, "timeout"},
		{Settings{Timeout: 2 * time.Hour}, "timeout"},
		{Settings{Retries: &eleven}, "retries"},
		{Settings{UserAgentSuffix: "a\r\nB: c"}, "userAgent"},
		{Settings{HTTP: &Proxy{Port: 1}}, "httpProxy.host"},
		{Settings{HTTPS: &Proxy{Host: "h"}}, "httpsProxy.port"},
		{Settings{HTTPS: &Proxy{Host: "h", Port: 1, Auth: &ProxyAuth{Enabled: true}}}, "httpsProxy.authInfo.username"},
		{Settings{Direct: []string{"http://x"}}, "nonProxyHosts"},
	}
	for _, tt := range tests {
		wrong := tt.settings.Validate()
		if got := fmt.Sprint(len(wrong) > 0); tt.want == "" && got != "false" || tt.want != "" && (len(wrong) != 1 || wrong[0].Field != tt.want) {
			t.Errorf("%+v: %v, want %q", tt.settings, wrong, tt.want)
		}
	}
}

func TestGuardRefusesPrivateAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	store := kv.New(memory.New())
	s := open(t, store, Options{})
	port := l.Addr().(*net.TCPAddr).Port
	dial := func() error {
		conn, err := s.Dial(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	for _, tt := range []struct {
		guard   Guard
		proxied bool
		want    bool
	}{
		{Guard{}, false, true},
		{Guard{Enabled: true}, false, false},
		{Guard{Enabled: true, AllowedIPs: []string{"127.0.0.0/8"}}, false, true},
		{Guard{Enabled: true, AllowedDomains: []string{"127.*"}}, false, true},
		{Guard{Enabled: true, AllowedIPs: []string{"10.0.0.1"}}, false, false},
		{Guard{Enabled: true}, true, true}, // the proxy is the administrator's own choice
	} {
		if err := s.SetGuard(t.Context(), tt.guard); err != nil {
			t.Fatal(err)
		}
		if tt.proxied {
			if err := s.Set(t.Context(), Settings{HTTP: &Proxy{Enabled: true, Host: "127.0.0.1", Port: port}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := dial(); (err == nil) != tt.want {
			t.Errorf("%+v: %v", tt.guard, err)
		}
	}
	if again := open(t, store, Options{}).Guard(); !again.Enabled {
		t.Error("the guard is forgotten")
	}
	if err := s.SetGuard(t.Context(), Guard{AllowedIPs: []string{"x"}}); err == nil {
		t.Error("an address that is none is taken")
	}
}

func TestNothingChangesWhileFrozen(t *testing.T) {
	frozen := errors.New("frozen")
	s := open(t, kv.New(memory.New()), Options{Writable: func() error { return frozen }})
	for name, change := range map[string]func(context.Context) error{
		"Set":      func(ctx context.Context) error { return s.Set(ctx, example()) },
		"Clear":    s.Clear,
		"SetGuard": func(ctx context.Context) error { return s.SetGuard(ctx, Guard{}) },
	} {
		if err := change(t.Context()); !errors.Is(err, frozen) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
