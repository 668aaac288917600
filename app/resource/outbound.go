package resource

import (
	"context"
	"time"

	"entrepot/app/access"
	"entrepot/app/outbound"
)

// HTTP says how the server talks to others: the upstreams of caches above all. Members that are absent are not set.
type HTTP struct {
	UserAgentSuffix string     `json:"userAgentSuffix,omitempty"`
	Timeout         Duration   `json:"timeout,omitempty" swaggertype:"string" example:"30s"` // for connecting and for each silence
	Retries         *int       `json:"retries,omitempty" minimum:"0" maximum:"10"`
	HTTPProxy       *HTTPProxy `json:"httpProxy,omitempty"`     // for http:// and, unless there is another, for https://
	HTTPSProxy      *HTTPProxy `json:"httpsProxy,omitempty"`    // for https://
	NonProxyHosts   []string   `json:"nonProxyHosts,omitempty"` // hosts that are asked without a proxy; "*" stands for any characters
}

// HTTPProxy is a proxy for outgoing requests. Without a password the one that is stored for the same user stays.
type HTTPProxy struct {
	Enabled  bool           `json:"enabled"`
	TLS      bool           `json:"tls"` // the proxy itself is spoken to over TLS
	Host     string         `json:"host" example:"proxy.example.org"`
	Port     int            `json:"port" example:"3128"`
	AuthInfo *HTTPProxyAuth `json:"authInfo,omitempty"`
}

// HTTPProxyAuth are the credentials for a proxy: Basic, or NTLM when a domain or host is named.
type HTTPProxyAuth struct {
	Enabled    bool   `json:"enabled"`
	Username   string `json:"username"`
	Password   Secret `json:"password,omitempty" swaggertype:"string" format:"password"`
	NTLMHost   string `json:"ntlmHost,omitempty"`
	NTLMDomain string `json:"ntlmDomain,omitempty"`
}

// HTTP gives how the server talks to others, which is what its own configuration says where nothing is set.
func (r *Resources) HTTP() *Value[HTTP] {
	return &Value[HTTP]{
		Name:  "http",
		Blank: func() HTTP { return HTTP{} },
		Get:   func(context.Context) (HTTP, error) { return httpOf(r.Outbound.InForce()), nil },
		Row:   r.Outbound.Row,
		Put: func(ctx context.Context, _ access.Actor, doc HTTP) error {
			stored, _ := r.Outbound.Settings()
			return r.Outbound.Set(ctx, doc.settings(stored))
		},
		Clear: func(ctx context.Context, _ access.Actor) error { return r.Outbound.Clear(ctx) },
		Keep: func(context.Context) (Restore, error) {
			before, found := r.Outbound.Settings()
			return func(ctx context.Context, _ access.Actor) error {
				if !found {
					return r.Outbound.Clear(ctx)
				}
				return r.Outbound.Set(ctx, before)
			}, nil
		},
		Settle: func(_ context.Context, doc *HTTP) error {
			stored, _ := r.Outbound.Settings()
			doc.HTTPProxy.settle(stored.HTTP)
			doc.HTTPSProxy.settle(stored.HTTPS)
			return nil
		},
		Unset: func(*HTTP) bool {
			_, set := r.Outbound.Settings()
			return !set
		},
	}
}

// password gives the secret that is stored for a user of a proxy.
func password(p *outbound.Proxy, username string) string {
	if p == nil || p.Auth == nil || p.Auth.Username != username {
		return ""
	}
	return string(p.Auth.Password)
}

func (p *HTTPProxy) settle(stored *outbound.Proxy) {
	if p != nil && p.AuthInfo != nil {
		p.AuthInfo.Password = p.AuthInfo.Password.unlike(password(stored, p.AuthInfo.Username))
	}
}

func httpOf(s outbound.Settings) HTTP {
	return HTTP{
		UserAgentSuffix: s.UserAgentSuffix, Timeout: Duration(s.Timeout), Retries: s.Retries, HTTPProxy: proxyOf(s.HTTP), HTTPSProxy: proxyOf(s.HTTPS),
		NonProxyHosts: s.Direct,
	}
}

func proxyOf(p *outbound.Proxy) *HTTPProxy {
	if p == nil {
		return nil
	}
	doc := &HTTPProxy{Enabled: p.Enabled, TLS: p.TLS, Host: p.Host, Port: p.Port}
	if a := p.Auth; a != nil {
		doc.AuthInfo = &HTTPProxyAuth{Enabled: a.Enabled, Username: a.Username, NTLMHost: a.NTLMHost, NTLMDomain: a.NTLMDomain}
	}
	return doc
}

func (d *HTTP) settings(stored outbound.Settings) outbound.Settings {
	return outbound.Settings{
		UserAgentSuffix: d.UserAgentSuffix, Timeout: time.Duration(d.Timeout), Retries: d.Retries, HTTP: d.HTTPProxy.proxy(stored.HTTP),
		HTTPS: d.HTTPSProxy.proxy(stored.HTTPS), Direct: d.NonProxyHosts,
	}
}

func (p *HTTPProxy) proxy(stored *outbound.Proxy) *outbound.Proxy {
	if p == nil {
		return nil
	}
	hop := &outbound.Proxy{Enabled: p.Enabled, TLS: p.TLS, Host: p.Host, Port: p.Port}
	if a := p.AuthInfo; a != nil {
		hop.Auth = &outbound.ProxyAuth{
			Enabled: a.Enabled, Username: a.Username, Password: outbound.Secret(a.Password.or(password(stored, a.Username))), NTLMHost: a.NTLMHost, NTLMDomain: a.NTLMDomain,
		}
	}
	return hop
}

// OutboundGuard keeps the server from being sent to machines that only it can reach.
type OutboundGuard struct {
	Enabled        bool     `json:"enabled"`
	AllowedIPs     []string `json:"allowedIPs"`     // addresses or networks that may be asked though they are private
	AllowedDomains []string `json:"allowedDomains"` // host names, "*" stands for any characters
}

// OutboundGuard gives whom the server may ask.
func (r *Resources) OutboundGuard() *Value[OutboundGuard] {
	return &Value[OutboundGuard]{
		Name:  "outbound-guard",
		Blank: func() OutboundGuard { return OutboundGuard{AllowedIPs: []string{}, AllowedDomains: []string{}} },
		Get: func(context.Context) (OutboundGuard, error) {
			g := r.Outbound.Guard()
			return OutboundGuard{g.Enabled, listed(g.AllowedIPs), listed(g.AllowedDomains)}, nil
		},
		Row: r.Outbound.Row,
		Put: func(ctx context.Context, _ access.Actor, doc OutboundGuard) error {
			return r.Outbound.SetGuard(ctx, outbound.Guard(doc))
		},
	}
}
