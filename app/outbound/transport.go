package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"entrepot/app/repository/upstream"
)

// Transport carries single requests to other servers as the settings say when they are sent: through their proxy, and not past the guard.
// Of a server's certificate it believes what roots holds then, nil for the authorities of the system. Connections are not kept.
func (s *Service) Transport(roots func() *x509.CertPool) http.RoundTripper {
	return transport{service: s, roots: roots}
}

type transport struct {
	service *Service
	roots   func() *x509.CertPool
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	once := &http.Transport{
		Proxy: t.service.Proxy, DialContext: t.service.Dial, TLSClientConfig: &tls.Config{RootCAs: t.roots(), MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, TLSHandshakeTimeout: tunnelTimeout, MaxResponseHeaderBytes: maxRefusal,
	}
	return once.RoundTrip(r.WithContext(upstream.WithScheme(r.Context(), r.URL.Scheme))) // which Dial wants to know
}
