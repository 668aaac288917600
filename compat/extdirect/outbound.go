package extdirect

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"entrepot/app/outbound"
	"entrepot/app/trust"
	"entrepot/formats"
)

func (c *Calls) outboundMethods() []method {
	return []method{
		{"coreui_HttpSettings.read", "nexus:settings:read", 0, c.readHTTP},
		{"coreui_HttpSettings.update", "nexus:settings:update", 1, c.updateHTTP},
		{"ssl_TrustStore.read", "nexus:ssl-truststore:read", 0, c.readCertificates},
		{"ssl_TrustStore.create", "nexus:ssl-truststore:create", 1, c.createCertificate},
		{"ssl_TrustStore.remove", "nexus:ssl-truststore:delete", 1, c.removeCertificate},
		{"ssl_Certificate.retrieveFromHost", "nexus:ssl-truststore:read", 3, c.retrieveCertificate},
	}
}

// httpHop is one proxy of httpSettings, its members prefixed there.
type httpHop struct {
	Enabled      *bool
	Host         *string
	Port         *int
	AuthEnabled  *bool
	AuthUsername *string
	AuthPassword *string
	NTLMHost     *string
	NTLMDomain   *string
}

// httpSettings are the settings of outgoing requests as the old user interface knows them. What is not set is null.
type httpSettings struct {
	UserAgent         *string  `json:"userAgentSuffix"`
	Timeout           *int     `json:"timeout"` // seconds
	Retries           *int     `json:"retries"`
	HTTPEnabled       *bool    `json:"httpEnabled"`
	HTTPHost          *string  `json:"httpHost"`
	HTTPPort          *int     `json:"httpPort"`
	HTTPAuthEnabled   *bool    `json:"httpAuthEnabled"`
	HTTPAuthUsername  *string  `json:"httpAuthUsername"`
	HTTPAuthPassword  *string  `json:"httpAuthPassword"`
	HTTPAuthHost      *string  `json:"httpAuthNtlmHost"`
	HTTPAuthDomain    *string  `json:"httpAuthNtlmDomain"`
	HTTPSEnabled      *bool    `json:"httpsEnabled"`
	HTTPSHost         *string  `json:"httpsHost"`
	HTTPSPort         *int     `json:"httpsPort"`
	HTTPSAuthEnabled  *bool    `json:"httpsAuthEnabled"`
	HTTPSAuthUsername *string  `json:"httpsAuthUsername"`
	HTTPSAuthPassword *string  `json:"httpsAuthPassword"`
	HTTPSAuthHost     *string  `json:"httpsAuthNtlmHost"`
	HTTPSAuthDomain   *string  `json:"httpsAuthNtlmDomain"`
	Direct            []string `json:"nonProxyHosts"`
}

func (s *httpSettings) hops() (http, https httpHop) {
	return httpHop{s.HTTPEnabled, s.HTTPHost, s.HTTPPort, s.HTTPAuthEnabled, s.HTTPAuthUsername, s.HTTPAuthPassword, s.HTTPAuthHost, s.HTTPAuthDomain},
		httpHop{s.HTTPSEnabled, s.HTTPSHost, s.HTTPSPort, s.HTTPSAuthEnabled, s.HTTPSAuthUsername, s.HTTPSAuthPassword, s.HTTPSAuthHost, s.HTTPSAuthDomain}
}

func (c *Calls) readHTTP(*request) (any, error) {
	s := c.Outbound.InForce()
	http, https := showHop(s.HTTP), showHop(s.HTTPS)
	out := httpSettings{
		UserAgent: some(s.UserAgentSuffix), Retries: s.Retries, Direct: s.Direct,
		HTTPEnabled: http.Enabled, HTTPHost: http.Host, HTTPPort: http.Port, HTTPAuthEnabled: http.AuthEnabled, HTTPAuthUsername: http.AuthUsername,
		HTTPAuthPassword: http.AuthPassword, HTTPAuthHost: http.NTLMHost, HTTPAuthDomain: http.NTLMDomain,
		HTTPSEnabled: https.Enabled, HTTPSHost: https.Host, HTTPSPort: https.Port, HTTPSAuthEnabled: https.AuthEnabled, HTTPSAuthUsername: https.AuthUsername,
		HTTPSAuthPassword: https.AuthPassword, HTTPSAuthHost: https.NTLMHost, HTTPSAuthDomain: https.NTLMDomain,
	}
	if s.Timeout > 0 {
		seconds := int(s.Timeout / time.Second)
		out.Timeout = &seconds
	}
	return out, nil
}

func showHop(p *outbound.Proxy) httpHop {
	if p == nil {
		return httpHop{}
	}
	h := httpHop{Enabled: &p.Enabled, Host: &p.Host, Port: &p.Port}
	if a := p.Auth; a != nil {
		h.AuthEnabled, h.AuthUsername, h.NTLMHost, h.NTLMDomain = &a.Enabled, &a.Username, some(a.NTLMHost), some(a.NTLMDomain)
		if a.Password != "" {
			h.AuthPassword = some(hidden)
		}
	}
	return h
}

// hop translates a proxy; one that is not enabled is none. The placeholder keeps the password that is stored.
func (h httpHop) hop(before *outbound.Proxy) *outbound.Proxy {
	if h.Enabled == nil || !*h.Enabled {
		return nil
	}
	p := &outbound.Proxy{Enabled: true, Host: value(h.Host), Port: value(h.Port)}
	if !value(h.AuthEnabled) {
		return p
	}
	p.Auth = &outbound.ProxyAuth{
		Enabled: true, Username: value(h.AuthUsername), Password: outbound.Secret(value(h.AuthPassword)), NTLMHost: value(h.NTLMHost), NTLMDomain: value(h.NTLMDomain),
	}
	if p.Auth.Password == hidden {
		p.Auth.Password = ""
		if before != nil && before.Auth != nil {
			p.Auth.Password = before.Auth.Password
		}
	}
	return p
}

// value is what a pointer points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c *Calls) updateHTTP(q *request) (any, error) {
	var in httpSettings
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	before, _ := c.Outbound.Settings()
	http, https := in.hops()
	s := outbound.Settings{
		UserAgentSuffix: value(in.UserAgent), Timeout: time.Duration(value(in.Timeout)) * time.Second, Retries: in.Retries,
		HTTP: http.hop(before.HTTP), HTTPS: https.hop(before.HTTPS), Direct: in.Direct,
	}
	if err := c.Outbound.Set(q.Context(), s); err != nil {
		return nil, err
	}
	return c.readHTTP(q)
}

// certificate is a certificate as the old user interface knows it.
type certificate struct {
	ID           string  `json:"id"`
	Fingerprint  string  `json:"fingerprint"`
	PEM          string  `json:"pem"`
	Serial       string  `json:"serialNumber"`
	Subject      string  `json:"subjectCommonName"`
	SubjectOrg   *string `json:"subjectOrganization"`
	SubjectUnit  *string `json:"subjectOrganizationalUnit"`
	Issuer       string  `json:"issuerCommonName"`
	IssuerOrg    *string `json:"issuerOrganization"`
	IssuerUnit   *string `json:"issuerOrganizationalUnit"`
	IssuedOn     int64   `json:"issuedOn"` // milliseconds
	ExpiresOn    int64   `json:"expiresOn"`
	InTrustStore bool    `json:"inTrustStore"`
}

func showCertificate(c trust.Certificate, trusted bool) certificate {
	x := c.X509
	first := func(list []string) *string {
		if len(list) == 0 {
			return nil
		}
		return &list[0]
	}
	return certificate{
		ID: c.Fingerprint(), Fingerprint: c.Fingerprint(), PEM: c.PEM(), Serial: x.SerialNumber.String(),
		Subject: x.Subject.CommonName, SubjectOrg: first(x.Subject.Organization), SubjectUnit: first(x.Subject.OrganizationalUnit),
		Issuer: x.Issuer.CommonName, IssuerOrg: first(x.Issuer.Organization), IssuerUnit: first(x.Issuer.OrganizationalUnit),
		IssuedOn: x.NotBefore.UnixMilli(), ExpiresOn: x.NotAfter.UnixMilli(), InTrustStore: trusted,
	}
}

func (c *Calls) readCertificates(q *request) (any, error) {
	all, err := c.Trust.List(q.Context())
	if err != nil {
		return nil, err
	}
	out := []certificate{}
	for _, one := range all {
		out = append(out, showCertificate(one, true))
	}
	return out, nil
}

func (c *Calls) createCertificate(q *request) (any, error) {
	var in struct {
		PEM string `json:"pem"`
	}
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	added, err := c.Trust.Add(q.Context(), in.PEM)
	if err != nil {
		return nil, wordTrust(err)
	}
	return showCertificate(added, true), nil
}

func (c *Calls) removeCertificate(q *request) (any, error) {
	var id string
	if err := q.argument(&id); err != nil {
		return nil, err
	}
	return nil, wordTrust(c.Trust.Delete(q.Context(), id))
}

// retrieveCertificate looks at the certificate that a server shows. The port comes as a number or as text.
func (c *Calls) retrieveCertificate(q *request) (any, error) {
	var host, hint string
	var port any
	if err := q.arguments(&host, &port, &hint); err != nil {
		return nil, err
	}
	number := 443
	switch p := port.(type) {
	case float64:
		number = int(p)
	case string:
		var err error
		if number, err = strconv.Atoi(p); err != nil {
			return nil, formats.Errorf(formats.Invalid, "The port is no number")
		}
	}
	found, err := c.Trust.Retrieve(q.Context(), host, number, hint)
	if err != nil {
		if q.Context().Err() != nil {
			return nil, err
		}
		return nil, &formats.Error{Kind: formats.Invalid, Message: "Could not retrieve a certificate from " + host, Err: err}
	}
	_, err = c.Trust.Get(q.Context(), found.Fingerprint())
	return showCertificate(found, err == nil), nil
}

// wordTrust gives the errors of the trust store their words.
func wordTrust(err error) error {
	for _, known := range []error{trust.ErrNotFound, trust.ErrExists, trust.ErrInvalid} {
		if errors.Is(err, known) {
			return &formats.Error{Kind: formats.Invalid, Message: strings.TrimPrefix(known.Error(), "trust: "), Err: err}
		}
	}
	return err
}
