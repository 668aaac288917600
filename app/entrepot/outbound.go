package main

import (
	"net/url"
	"strconv"
	"strings"

	"entrepot/app/config"
	"entrepot/app/outbound"
)

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
