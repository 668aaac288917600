package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, file string, env map[string]string) (Config, error) {
	t.Helper()
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "entrepot.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(path, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func TestOrderOfSources(t *testing.T) {
	c, err := load(t, "listen: 1.2.3.4:1\nlog:\n  level: warn\nlimits:\n  idle_timeout: 3s\n", map[string]string{
		"ENTREPOT_LOG_LEVEL": "debug", "ENTREPOT_TRUSTED_PROXIES": "10.0.0.0/8, ::1", "ENTREPOT_LOG_ACCESS": "false",
		"ENTREPOT_LIMITS_CONNECTIONS": "7",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if c.Listen != "1.2.3.4:1" || c.Log.Level != "debug" || c.Log.Access || c.Limits.IdleTimeout != 3*time.Second ||
		c.Limits.Connections != 7 || c.Data != "data" {
		t.Errorf("got %+v", c)
	}
	if n, err := c.TrustedNetworks(); err != nil || len(n) != 2 || n[1].String() != "::1/128" {
		t.Errorf("networks %v, %v", n, err)
	}
}

func TestErrorsNameTheSetting(t *testing.T) {
	tests := []struct {
		file string
		env  map[string]string
		want string
	}{
		{"lisen: x\n", nil, "lisen"},
		{"log: 3\n", nil, "entrepot.yaml"},
		{"", map[string]string{"ENTREPOT_LOG_ACCESS": "maybe"}, "ENTREPOT_LOG_ACCESS"},
		{"", map[string]string{"ENTREPOT_LIMITS_IDLE_TIMEOUT": "5"}, "ENTREPOT_LIMITS_IDLE_TIMEOUT"},
		{"listen: nowhere\n", nil, "listen"},
		{"data: ''\n", nil, "data"},
		{"listen: ''\n", nil, "listen"},
		{"tls: {listen: ':1'}\n", nil, "certificate"},
		{"base_url: repo\n", nil, "base_url"},
		{"log: {level: loud}\n", nil, "log.level"},
		{"log: {format: xml}\n", nil, "log.format"},
		{"trusted_proxies: [moon]\n", nil, "trusted_proxies"},
		{"limits: {connections: 0}\n", nil, "limits.connections"},
		{"limits: {drain_timeout: -5s}\n", nil, "limits.drain_timeout"},
		{"claim: {version: \"3.77\\r\\nX: y\"}\n", nil, "claim.version"},
		{"claim: {edition: ''}\n", nil, "claim.edition"},
		{"records: {cache_bytes: 1024}\n", nil, "records.cache_bytes"},
	}
	for _, tt := range tests {
		c, err := load(t, tt.file, tt.env)
		if err == nil {
			err = c.Check()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q %v: got %v, want an error that names %s", tt.file, tt.env, err, tt.want)
		}
	}
}
