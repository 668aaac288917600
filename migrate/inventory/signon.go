package inventory

import (
	"entrepot/app/access/oidc"
	"entrepot/app/access/saml"
)

// SAML is the provider that people signed in at by SAML. It encodes with its private key in the clear.
type SAML struct {
	saml.Settings
	Pair *saml.KeyPair // nil when the source's own cannot be read
}

// OAuth2 is the provider that people signed in at with OpenID Connect. It encodes with its secret in the clear.
type OAuth2 struct {
	oidc.Settings
	Secret string
}
