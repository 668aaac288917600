// Package config reads the server's settings: a YAML file, then ENTREPOT_* variables, then flags, each over the one before, into one
// checked struct. An unknown key in the file is an error that names it.
//
// A variable is named after the path of its key: log.level is ENTREPOT_LOG_LEVEL, trusted_proxies is ENTREPOT_TRUSTED_PROXIES (a
// list separated by commas).
//
//	data: /var/lib/entrepot
//	listen: 0.0.0.0:8081
//	base_url: https://repo.example.org
//	log:
//	  level: info
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config are the settings of one server. Durations are written like 30s or 5m.
type Config struct {
	// Data is the folder that holds everything: records, blobs, keys. It is made when absent.
	Data string `yaml:"data"`
	// Listen is the address and port of the HTTP listener; "" for none.
	Listen string `yaml:"listen"`
	// BaseURL is the external URL of the server; "" takes it from each request.
	BaseURL string `yaml:"base_url"`
	// TrustedProxies are the addresses or networks whose X-Forwarded-* and Forwarded headers count. Empty trusts every caller, as
	// the old server does.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// SkipDefaultRepositories leaves a new server without the repositories that a fresh Nexus has.
	SkipDefaultRepositories bool `yaml:"skip_default_repositories"`
	// ScriptCreation lets clients store scripts. They are never run.
	ScriptCreation bool `yaml:"script_creation"`
	// Anonymous is whether callers without credentials may read on a new server.
	Anonymous bool `yaml:"anonymous"`
	// LegacyURLs switches the URLs of Nexus 2 on: /content/repositories/… and their kin.
	LegacyURLs bool `yaml:"legacy_urls"`

	TLS     TLS     `yaml:"tls"`
	Log     Log     `yaml:"log"`
	Claim   Claim   `yaml:"claim"`
	Limits  Limits  `yaml:"limits"`
	Tracing Tracing `yaml:"tracing"`
	Proxy   Proxy   `yaml:"http_proxy"`
	// Adoption bounds the copying of blobs that are served from an old server's folders.
	Adoption Adoption `yaml:"adoption"`
	Records  Records  `yaml:"records"`
}

// Records says how the database of all records is used.
type Records struct {
	// CacheBytes is the memory for pieces of it that are in use. A database of less than 768 MiB takes less.
	CacheBytes int `yaml:"cache_bytes"`
}

// Adoption says how fast adopted blobs are copied behind. Zero means as fast as it goes.
type Adoption struct {
	BytesPerSecond int `yaml:"bytes_per_second"`
	BlobsPerSecond int `yaml:"blobs_per_second"`
}

// TLS is the HTTPS listener. The files are read again when they change.
type TLS struct {
	Listen      string `yaml:"listen"` // "" for no HTTPS
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json, or auto: text on a terminal
	Access bool   `yaml:"access"` // one line a request
}

// Claim is the Nexus that the server says it is, because clients look at it.
type Claim struct {
	Version string `yaml:"version"` // for example 3.77.0-08
	Edition string `yaml:"edition"` // OSS, COMMUNITY or PRO
}

// Limits bound what callers can use up.
type Limits struct {
	Connections   int           `yaml:"connections"`
	IdleTimeout   time.Duration `yaml:"idle_timeout"`   // of a connection between two requests
	HeaderTimeout time.Duration `yaml:"header_timeout"` // for a request's head
	BodyTimeout   time.Duration `yaml:"body_timeout"`   // of silence in a body, and for half a MiB of an answer to leave
	DrainTimeout  time.Duration `yaml:"drain_timeout"`  // for requests in flight when the server stops
}

// Tracing sends OpenTelemetry spans.
type Tracing struct {
	Endpoint string `yaml:"endpoint"` // OTLP over HTTP, for example http://127.0.0.1:4318; "" for none
}

// Proxy is the outbound HTTP proxy for caches.
type Proxy struct {
	URL     string   `yaml:"url"`
	NoProxy []string `yaml:"no_proxy"` // host names, or suffixes that begin with a dot
}

// minRecordsCache keeps the database from reading everything twice.
const minRecordsCache = 1 << 20

// Default gives the settings of a server that was told nothing.
func Default() Config {
	return Config{
		Data:      "data",
		Listen:    "127.0.0.1:8081",
		Anonymous: true,
		Log:       Log{Level: "info", Format: "auto", Access: true},
		Claim:     Claim{Version: "3.77.0-08", Edition: "OSS"},
		Limits: Limits{
			Connections: 16384, IdleTimeout: 75 * time.Second, HeaderTimeout: 30 * time.Second,
			BodyTimeout: 60 * time.Second, DrainTimeout: 30 * time.Second,
		},
		Records: Records{CacheBytes: 48 << 20},
	}
}

// Load gives the defaults, the file over them when path is not "", and the variables over both. lookup is os.LookupEnv.
func Load(path string, lookup func(string) (string, bool)) (Config, error) {
	c := Default()
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("config: %w", err)
		}
		d := yaml.NewDecoder(bytes.NewReader(data))
		d.KnownFields(true)
		if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
			return Config{}, fmt.Errorf("config: %s: %w", path, err)
		}
	}
	if err := fromEnvironment(reflect.ValueOf(&c).Elem(), "ENTREPOT", lookup); err != nil {
		return Config{}, err
	}
	return c, nil
}

func fromEnvironment(v reflect.Value, prefix string, lookup func(string) (string, bool)) error {
	for i := range v.NumField() {
		field := v.Field(i)
		name := prefix + "_" + strings.ToUpper(v.Type().Field(i).Tag.Get("yaml"))
		if field.Kind() == reflect.Struct {
			if err := fromEnvironment(field, name, lookup); err != nil {
				return err
			}
			continue
		}
		text, ok := lookup(name)
		if !ok {
			continue
		}
		if err := set(field, text); err != nil {
			return fmt.Errorf("config: %s: %w", name, err)
		}
	}
	return nil
}

func set(field reflect.Value, text string) error {
	switch field.Interface().(type) {
	case string:
		field.SetString(text)
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(b)
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no number", text)
		}
		field.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration like 30s", text)
		}
		field.SetInt(int64(d))
	case []string:
		var list []string
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		field.Set(reflect.ValueOf(list))
	}
	return nil
}

// Check reports the first setting that cannot be, with what would be right.
func (c *Config) Check() error {
	if c.Data == "" {
		return errors.New("config: data: name the folder that holds the server's data")
	}
	if c.Listen == "" && c.TLS.Listen == "" {
		return errors.New("config: listen: give an address like 127.0.0.1:8081")
	}
	for key, addr := range map[string]string{"listen": c.Listen, "tls.listen": c.TLS.Listen} {
		if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
			return fmt.Errorf("config: %s: %q is no address and port like 127.0.0.1:8081", key, addr)
		}
	}
	if c.TLS.Listen != "" && (c.TLS.Certificate == "" || c.TLS.Key == "") {
		return errors.New("config: tls: certificate and key must name PEM files")
	}
	if err := checkURL("base_url", c.BaseURL); err != nil {
		return err
	}
	if err := checkURL("tracing.endpoint", c.Tracing.Endpoint); err != nil {
		return err
	}
	if err := checkURL("http_proxy.url", c.Proxy.URL); err != nil {
		return err
	}
	if _, err := c.Log.SlogLevel(); err != nil {
		return err
	}
	if c.Log.Format != "auto" && c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("config: log.format: %q is none of auto, text, json", c.Log.Format)
	}
	if err := c.Limits.check(); err != nil {
		return err
	}
	if c.Adoption.BytesPerSecond < 0 || c.Adoption.BlobsPerSecond < 0 {
		return errors.New("config: adoption: rates must not be negative; 0 means no limit")
	}
	if c.Records.CacheBytes < minRecordsCache {
		return fmt.Errorf("config: records.cache_bytes: %d is less than %d", c.Records.CacheBytes, minRecordsCache)
	}
	if err := c.Claim.check(); err != nil {
		return err
	}
	_, err := c.TrustedNetworks()
	return err
}

func (l *Limits) check() error {
	if l.Connections < 1 {
		return errors.New("config: limits.connections: must be 1 or more")
	}
	for key, d := range map[string]time.Duration{
		"idle_timeout": l.IdleTimeout, "header_timeout": l.HeaderTimeout, "body_timeout": l.BodyTimeout, "drain_timeout": l.DrainTimeout,
	} {
		if d <= 0 {
			return fmt.Errorf("config: limits.%s: must be more than nothing", key)
		}
	}
	return nil
}

// check keeps what breaks a header line out of it.
func (c *Claim) check() error {
	for key, text := range map[string]string{"version": c.Version, "edition": c.Edition} {
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("config: claim.%s: %q is no single word", key, text)
		}
	}
	return nil
}

func checkURL(key, raw string) error {
	if raw == "" {
		return nil
	}
	if u, err := url.Parse(raw); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("config: %s: want a URL like https://repo.example.org", key)
	}
	return nil
}

// SlogLevel is the level of the log.
func (l Log) SlogLevel() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("config: log.level: %q is none of debug, info, warn, error", l.Level)
	}
	return level, nil
}

// TrustedNetworks are the networks of TrustedProxies.
func (c *Config) TrustedNetworks() ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range c.TrustedProxies {
		if addr, err := netip.ParseAddr(text); err == nil {
			networks = append(networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("config: trusted_proxies: %q is no address or network like 10.0.0.0/8", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
