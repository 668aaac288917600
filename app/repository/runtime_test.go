package repository

import (
	"crypto/x509"
	"net/http/httptest"
	"testing"

	"entrepot/app/repository/upstream"
)

// TestSharedUpstreamOptionsChange has a cache ask an upstream whose certificate nobody signed, before and after it is trusted.
func TestSharedUpstreamOptionsChange(t *testing.T) {
	o := httptest.NewTLSServer(text("hello"))
	t.Cleanup(o.Close)
	b := newBench(t)
	trusting := rawCache("trusting", o.URL)
	trusting.Upstream.Connection = &Connection{UseTrustStore: true}
	trusting.NegativeCache.Enabled = false
	careful := rawCache("careful", o.URL)
	careful.NegativeCache.Enabled = false
	b.create(trusting, careful)
	b.want(b.do("GET", "trusting", "/a.txt", ""), 502, "")
	b.want(b.do("GET", "careful", "/a.txt", ""), 502, "")
	pool := x509.NewCertPool()
	pool.AddCert(o.Certificate())
	b.SetUpstream(&upstream.Options{Roots: func() *x509.CertPool { return pool }})
	b.want(b.do("GET", "trusting", "/a.txt", ""), 200, "hello")
	b.want(b.do("GET", "careful", "/a.txt", ""), 502, "")
}
