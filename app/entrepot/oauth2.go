package main

import (
	"context"
	"crypto/x509"
	"net/http"
	"slices"

	"entrepot/app/access"
	"entrepot/app/access/federated"
	"entrepot/app/access/oidc"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// newOAuth2 gives the sign-in with an OpenID Connect provider, which is asked as upstreams are: through the proxy, not past the guard.
func (a *appliance) newOAuth2(change func(ctx context.Context, event audit.Event, plan func() ([]kv.Op, error)) error) *oidc.Service {
	return oidc.New(a.store, oidc.Options{
		Sealer: a.sealer, Change: change, Users: federated.NewPeople(a.store, access.SourceOAuth2, nil), Log: a.log,
		Active: func(ctx context.Context) (bool, error) {
			active, err := a.access.ActiveRealms(ctx)
			return slices.Contains(active, oidc.RealmID), err
		},
		Transport: func(trustStore bool) http.RoundTripper {
			return a.out.Transport(func() *x509.CertPool {
				if !trustStore {
					return nil
				}
				return a.trust.Roots()
			})
		},
	})
}
