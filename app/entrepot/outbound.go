package main

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"

	"entrepot/app/config"
	"entrepot/app/outbound"
	"entrepot/app/repository/upstream"
	"entrepot/app/trust"
)

// openOutbound opens what the server's connections to others depend on, and has the caches follow it.
func (a *appliance) openOutbound(ctx context.Context) (err error) {
	refresh := func() { a.engine.SetUpstream(a.upstream()) }
	a.out, err = outbound.Open(ctx, a.store, outbound.Options{
		Sealer: a.sealer, Defaults: proxyDefaults(a.cfg.Proxy), Writable: a.engine.Writable, Audit: a.audit, Changed: refresh,
	})
	if err != nil {
		return err
	}
	a.trust, err = trust.Open(ctx, a.store, trust.Options{Writable: a.engine.Writable, Audit: a.audit, Changed: refresh, Dial: a.out.Tunnel})
	if err != nil {
		return err
	}
	refresh()
	return nil
}

// proxyDefaults gives the proxy of the configuration, which Check has looked at.
func proxyDefaults(p config.Proxy) outbound.Settings {
	u, err := url.Parse(p.URL)
	if err != nil || p.URL == "" {
		return outbound.Settings{}
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	hop := &outbound.Proxy{Enabled: true, TLS: u.Scheme == "https", Host: u.Hostname(), Port: port}
	if u.User != nil {
		password, _ := u.User.Password()
		hop.Auth = &outbound.ProxyAuth{Enabled: true, Username: u.User.Username(), Password: outbound.Secret(password)}
	}
	s := outbound.Settings{HTTP: hop}
	for _, name := range p.NoProxy {
		if strings.HasPrefix(name, ".") { // a suffix
			name = "*" + name
		}
		s.Direct = append(s.Direct, name)
	}
	return s
}

// upstream gives what all caches' HTTP clients share.
func (a *appliance) upstream() *upstream.Options {
	claim, s := a.cfg.Claim, a.out.InForce()
	return &upstream.Options{
		UserAgent: fmt.Sprintf("Nexus/%s (%s; %s; %s)", claim.Version, claim.Edition, runtime.GOOS, runtime.GOARCH),
		Suffix:    s.UserAgentSuffix, Timeout: s.Timeout, Retries: s.Retries, Proxy: a.out.Proxy, Dial: a.out.Dial, Roots: a.trust.Roots,
	}
}
