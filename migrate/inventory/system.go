package inventory

import (
	"time"

	"entrepot/app/access/ldap"
	"entrepot/app/mail"
	"entrepot/app/outbound"
	"entrepot/app/scripts"
	"entrepot/app/settings"
)

// System is what administrators set for the whole server.
type System struct {
	NodeID       string // "" when the source does not tell
	Certificates []Certificate
	HTTP         *outbound.Settings // nil when nothing is set
	Mail         *mail.Settings     // nil when nothing is set
	Capabilities []settings.Capability
	Scripts      []scripts.Script
	LDAP         []ldap.Server // in the order in which they are asked
	SAML         *SAML         // nil when nothing is set, as the next
	OAuth2       *OAuth2
}

// Certificate is a certificate that is trusted.
type Certificate struct {
	Name  string // the source's own, for reports
	PEM   string
	Added time.Time
}

// Secrets gives where the secrets are, by names that are unique among them. They can be read and replaced.
func (s *System) Secrets() map[string]Hidden {
	held := make(map[string]Hidden)
	if s.Mail != nil {
		held["mail"] = Hidden{func() string { return string(s.Mail.Password) }, func(v string) { s.Mail.Password = mail.Secret(v) }}
	}
	if s.HTTP != nil {
		for name, p := range map[string]*outbound.Proxy{"http": s.HTTP.HTTP, "https": s.HTTP.HTTPS} {
			if p != nil && p.Auth != nil {
				held[name] = Hidden{func() string { return string(p.Auth.Password) }, func(v string) { p.Auth.Password = outbound.Secret(v) }}
			}
		}
	}
	for i := range s.LDAP {
		server := &s.LDAP[i]
		held["LDAP server "+server.Name] = Hidden{func() string { return string(server.Password) }, func(v string) { server.Password = ldap.Secret(v) }}
	}
	return held
}

// Hidden is one secret.
type Hidden struct {
	Get func() string
	Set func(string)
}
