package rest

import (
	"net/http"
	"time"

	"entrepot/app/outbound"
	"entrepot/app/server"
)

func (a *API) httpOperations() []operation {
	read, update := "nexus:settings:read", "nexus:settings:update"
	return []operation{
		{method: http.MethodGet, path: "v1/http", access: server.Permission(read), run: a.getHTTP},
		{method: http.MethodPut, path: "v1/http", access: server.PermissionAfterBody(update), consumes: mediaJSON, run: a.setHTTP},
		{method: http.MethodDelete, path: "v1/http", access: server.Permission(update), run: a.clearHTTP},
		{method: http.MethodGet, path: "v1/security/ssrf-protection", access: server.Permission(read), run: a.getGuard},
		{method: http.MethodPut, path: "v1/security/ssrf-protection", access: server.PermissionAfterBody(update), consumes: mediaJSON, run: a.setGuard},
	}
}

type httpBody struct {
	Timeout   *int64    `json:"timeout"` // seconds
	Retries   *int      `json:"retries"`
	UserAgent *string   `json:"userAgent" alias:"userAgentSuffix"`
	HTTP      *httpHop  `json:"httpProxy"`
	HTTPS     *httpHop  `json:"httpsProxy"`
	Direct    *[]string `json:"nonProxyHosts"`
}

type httpHop struct {
	Enabled *bool         `json:"enabled"`
	Host    string        `json:"host"`
	Port    int           `json:"port"`
	Auth    *httpAuthInfo `json:"authInfo"`
}

type httpAuthInfo struct {
	Enabled    *bool   `json:"enabled"`
	Username   string  `json:"username"`
	Password   *string `json:"password"`
	NTLMHost   string  `json:"ntlmHost"`
	NTLMDomain string  `json:"ntlmDomain"`
}

// hop translates a proxy. A password that is absent, or the placeholder, keeps the one that is stored for the same user.
func (b *httpHop) hop(before *outbound.Proxy) *outbound.Proxy {
	if b == nil {
		return nil
	}
	p := &outbound.Proxy{Enabled: b.Enabled == nil || *b.Enabled, Host: b.Host, Port: b.Port}
	if b.Auth == nil {
		return p
	}
	p.Auth = &outbound.ProxyAuth{
		Enabled: b.Auth.Enabled == nil || *b.Auth.Enabled, Username: b.Auth.Username, NTLMHost: b.Auth.NTLMHost, NTLMDomain: b.Auth.NTLMDomain,
	}
	switch {
	case b.Auth.Password != nil && *b.Auth.Password != placeholder:
		p.Auth.Password = outbound.Secret(*b.Auth.Password)
	case before != nil && before.Auth != nil && before.Auth.Username == b.Auth.Username:
		p.Auth.Password = before.Auth.Password
	}
	return p
}

func showHop(p *outbound.Proxy) any {
	if p == nil {
		return nil
	}
	var auth any
	if p.Auth != nil {
		auth = object{
			{"enabled", p.Auth.Enabled}, {"username", p.Auth.Username}, {"password", nil}, {"ntlmHost", orNull(p.Auth.NTLMHost)}, {"ntlmDomain", orNull(p.Auth.NTLMDomain)},
		}
	}
	return object{{"enabled", p.Enabled}, {"host", p.Host}, {"port", p.Port}, {"authInfo", auth}}
}

// orNull is a text; nothing for the empty one.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// getHTTP shows what is in force, which is what the server's configuration says where nothing is stored.
func (a *API) getHTTP(*call) (any, error) {
	s := a.Outbound.InForce()
	var timeout any
	if s.Timeout > 0 {
		timeout = int64(s.Timeout / time.Second)
	}
	direct := s.Direct
	if direct == nil {
		direct = []string{}
	}
	return object{
		{"timeout", timeout}, {"retries", s.Retries}, {"userAgent", orNull(s.UserAgentSuffix)},
		{"httpProxy", showHop(s.HTTP)}, {"httpsProxy", showHop(s.HTTPS)}, {"nonProxyHosts", direct},
	}, nil
}

func (a *API) setHTTP(c *call) (any, error) {
	var b httpBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	before, _ := a.Outbound.Settings()
	s := outbound.Settings{
		UserAgentSuffix: deref(b.UserAgent), Retries: b.Retries, HTTP: b.HTTP.hop(before.HTTP), HTTPS: b.HTTPS.hop(before.HTTPS), Direct: deref(b.Direct),
	}
	var v violations
	if b.Timeout != nil {
		if *b.Timeout < 1 || *b.Timeout > int64(outbound.MaxTimeout/time.Second) {
			v.parameter("timeout", "must be between 1 and 3600")
		}
		s.Timeout = time.Duration(*b.Timeout) * time.Second
	}
	for _, f := range s.Validate() {
		if f.Field != "timeout" {
			v.parameter(f.Field, f.Message)
		}
	}
	if len(v) > 0 {
		return nil, v
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return nil, a.Outbound.Set(c.Context(), s)
}

func (a *API) clearHTTP(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.Outbound.Clear(c.Context())
}

type guardBody struct {
	Enabled        bool     `json:"enabled"`
	AllowedIPs     []string `json:"allowedIPs"`
	AllowedDomains []string `json:"allowedDomains"`
}

func (a *API) getGuard(*call) (any, error) { return showGuard(a.Outbound.Guard()), nil }

func showGuard(g outbound.Guard) object {
	return object{{"enabled", g.Enabled}, {"allowedIPs", append([]string{}, g.AllowedIPs...)}, {"allowedDomains", append([]string{}, g.AllowedDomains...)}}
}

func (a *API) setGuard(c *call) (any, error) {
	var b guardBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	g := outbound.Guard(b)
	if err := a.Outbound.SetGuard(c.Context(), g); err != nil {
		return nil, err
	}
	return showGuard(g), nil
}
