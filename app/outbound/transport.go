package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"entrepot/app/repository/upstream"
)

// Transport carries single requests to other servers as the settings say when they are sent: through their proxy, and not past the guard.
// Of a server's certificate it believes what roots holds, nil for the authorities of the system. Connections are not kept.
func (s *Service) Transport(roots *x509.CertPool) http.RoundTripper {
	return transport{&http.Transport{
		Proxy: s.Proxy, DialContext: s.Dial, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, TLSHandshakeTimeout: tunnelTimeout, MaxResponseHeaderBytes: maxRefusal,
	}}
}

// transport tells Dial which scheme a connection is for.
type transport struct{ http *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.http.RoundTrip(r.WithContext(upstream.WithScheme(r.Context(), r.URL.Scheme)))
}
