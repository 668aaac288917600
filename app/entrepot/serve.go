package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/app/config"
	"entrepot/app/server"
	"entrepot/app/swaggerui"
	"entrepot/app/telemetry"
	"entrepot/compat/content"
	"entrepot/compat/extdirect"
	"entrepot/compat/rest"
	"entrepot/formats"
)

// ballast is memory that is never touched, so it costs none. The collector of garbage runs when the heap has doubled, which a small
// heap does many times a second under load; with the ballast counted in, it runs when this much more has come together.
const ballast = 32 << 20

type serveCmd struct {
	shared
	CopyRate                int    `help:"Bytes a second at which adopted blobs are copied behind (default: no limit)." placeholder:"BYTES"`
	Listen                  string `help:"Address and port (default: 127.0.0.1:8081)." placeholder:"ADDR:PORT"`
	SkipDefaultRepositories bool   `help:"Do not make the repositories that a fresh Nexus has."`
}

// Help gives an example.
func (serveCmd) Help() string {
	return `Serves until SIGTERM or SIGINT, then lets requests in flight finish. The first password of user admin is that of the variable
ENTREPOT_ADMIN_PASSWORD, else a random one in the file admin.password of the data folder.

Example:

  entrepot serve --data /var/lib/entrepot --listen 0.0.0.0:8081`
}

// Run serves until the context ends.
func (c *serveCmd) Run(env *environment) (err error) {
	cfg, err := c.load(func(cfg *config.Config) {
		if c.Listen != "" {
			cfg.Listen = c.Listen
		}
		if c.CopyRate > 0 {
			cfg.Adoption.BytesPerSecond = c.CopyRate
		}
		cfg.SkipDefaultRepositories = cfg.SkipDefaultRepositories || c.SkipDefaultRepositories
	})
	if err != nil {
		return err
	}
	logs, err := newLogs(cfg, env.stderr)
	if err != nil {
		return err
	}
	defer logs.Close()
	defer runtime.KeepAlive(make([]byte, ballast))
	a, err := openAppliance(env.ctx, cfg, logs.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	defer a.followChanges(env.ctx)()
	defer a.runTasks(env.ctx)()
	defer a.runWebhooks(env.ctx)()
	tracing, err := telemetry.NewTracing(env.ctx, cfg.Tracing.Endpoint, version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tracing.Close(context.WithoutCancel(env.ctx))) }()
	s, err := newServer(a, logs, tracing)
	if err != nil {
		return err
	}
	if err := listen(s, a, logs); err != nil {
		return err
	}
	defer a.copyBehind(env.ctx)()
	<-env.ctx.Done()
	logs.Logger.Info("stopping", "connections", s.Connections())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(env.ctx), cfg.Limits.DrainTimeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		logs.Logger.Warn("requests were cut off", "error", err)
	}
	logs.Logger.Info("stopped")
	return nil
}

func newLogs(cfg config.Config, f *os.File) (*telemetry.Logs, error) {
	return telemetry.NewLogs(f, telemetry.LogOptions{Level: cfg.Log.Level, Format: cfg.Log.Format, Access: cfg.Log.Access})
}

// newServer puts every URL on the edge.
func newServer(a *appliance, logs *telemetry.Logs, tracing *telemetry.Tracing) (*server.Server, error) {
	cfg := a.cfg
	trusted, err := cfg.TrustedNetworks()
	if err != nil {
		return nil, err
	}
	registry := telemetry.NewRegistry(version)
	a.observe(registry)
	s := server.New(server.Options{
		Name:   fmt.Sprintf("Nexus/%s (%s)", cfg.Claim.Version, cfg.Claim.Edition),
		Acting: acting, Blobs: a.Engine, Log: logs.Logger, AccessLog: logs.Access, Metrics: telemetry.NewRequests(registry), Tracer: tracing.Tracer,
		BaseURL: cfg.BaseURL, TrustedProxies: trusted, MaxConnections: cfg.Limits.Connections, HeaderTimeout: cfg.Limits.HeaderTimeout,
		BodyTimeout: cfg.Limits.BodyTimeout, WriteTimeout: cfg.Limits.BodyTimeout, IdleTimeout: cfg.Limits.IdleTimeout,
	})
	metrics := func(*server.Request) (*formats.Response, error) {
		text, contentType, err := telemetry.Exposition(registry)
		if err != nil {
			return nil, err
		}
		header := http.Header{"Content-Type": {contentType}}
		return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: text, Size: int64(len(text))}}, nil
	}
	checks := a.diagnose(registry)
	pages := content.New(content.Options{
		Engine: a.Engine, Trees: a.Catalog, Access: a.Access, SAML: a.SAML, OpenID: a.OAuth2, Version: cfg.Claim.Version, LegacyURLs: a.legacyURLs, Metrics: checks,
	})
	if err := pages.Mount(s); err != nil {
		return nil, err
	}
	err = s.Mount(server.Surface{Prefix: "/", Face: pages.Face()}, server.Route{
		Methods: []string{http.MethodGet}, Pattern: "/metrics", Access: server.Public(), Class: "metrics", Handler: metrics,
	})
	if err != nil {
		return nil, err
	}
	calls := extdirect.New(extdirect.Options{Domains: a.Domains, Version: cfg.Claim.Version, Edition: cfg.Claim.Edition})
	if err := calls.Mount(s, pages.Face(), pages.Authenticator()); err != nil {
		return nil, err
	}
	api := rest.New(rest.Options{
		Domains: a.Domains, Diagnostics: checks, Reseal: a.reseal,
		Pages: pages.Face(), Version: cfg.Claim.Version, Edition: cfg.Claim.Edition, Health: a.records.Health, Log: logs.Logger,
		Level: logs.Level, FirstLevel: logs.Level.Level(),
	})
	if err := api.Mount(s, pages.Authenticator()); err != nil {
		return nil, err
	}
	if err := a.mountNative(s, pages.Authenticator()); err != nil {
		return nil, err
	}
	return s, swaggerui.Mount(s, pages.Face(),
		swaggerui.Document{Name: "As clients of Nexus know it (/service/rest)", URL: "../service/rest/swagger.json"},
		swaggerui.Document{Name: "Entrepot (/api/v1)", URL: "../api/v1/swagger.json"},
	)
}

// observe adds the figures of the storage to what is measured.
func (a *appliance) observe(r prometheus.Registerer) {
	a.figures.register(r)
	a.observeAdoption(r)
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "entrepot_records_healthy", Help: "1 when records can be read and written.",
	}, func() float64 {
		if a.records.Health() != nil {
			return 0
		}
		return 1
	}))
}

func listen(s *server.Server, a *appliance, logs *telemetry.Logs) error {
	listeners := []server.Listener{}
	if a.cfg.Listen != "" {
		listeners = append(listeners, server.Listener{Address: a.cfg.Listen})
	}
	if t := a.cfg.TLS; t.Listen != "" {
		certificate, err := server.LoadCertificate(t.Certificate, t.Key, logs.Logger, nil)
		if err != nil {
			return err
		}
		listeners = append(listeners, server.Listener{Address: t.Listen, TLS: certificate})
	}
	for _, l := range listeners {
		addr, err := s.Listen(l)
		if err != nil {
			var refused *net.OpError
			if errors.As(err, &refused) {
				return fmt.Errorf("cannot listen on %s (choose another address with --listen): %w", l.Address, err)
			}
			return err
		}
		scheme := "http"
		if l.TLS != nil {
			scheme = "https"
		}
		logs.Logger.Info("listening", "url", scheme+"://"+addr.String(), "data", a.cfg.Data, "version", version)
	}
	return nil
}
