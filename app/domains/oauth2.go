package domains

import (
	"context"
	"crypto/x509"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/app/access/oidc"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// newOAuth2 gives the sign-in with an OpenID Connect provider, which is asked as upstreams are: through the proxy, not past the guard.
func (d *Domains) newOAuth2(change func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error) *oidc.Service {
	return oidc.New(d.opts.Store, oidc.Options{
		Sealer: d.opts.Sealer, Change: change, Users: federated.NewPeople(d.opts.Store, access.SourceOAuth2, nil), Log: d.opts.Log,
		Active: d.active(oidc.RealmID),
		Transport: func(trustStore bool) http.RoundTripper {
			return d.Outbound.Transport(func() *x509.CertPool {
				if !trustStore {
					return nil
				}
				return d.Trust.Roots()
			})
		},
	})
}
