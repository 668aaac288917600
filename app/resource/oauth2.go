package resource

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/access/oidc"
)

// OAuth2 is the OpenID Connect provider whom people sign in with while the realm OAuth2Realm is active, and whose tokens machines show.
// People can sign in when clientId, idpAuthorizationUrl and idpTokenUrl are set.
type OAuth2 struct {
	ClientID         string `json:"clientId,omitempty" example:"entrepot"`
	ClientSecret     Secret `json:"clientSecret,omitempty" swaggertype:"string" format:"password"`
	AuthorizationURL string `json:"idpAuthorizationUrl,omitempty" example:"https://id.example.org/authorize"`
	TokenURL         string `json:"idpTokenUrl,omitempty" example:"https://id.example.org/token"`
	JWKSURL          string `json:"idpJwksUrl,omitempty" example:"https://id.example.org/jwks"`
	JWKS             string `json:"idpJwks,omitempty"` // a key set that takes the place of idpJwksUrl
	LogoutURL        string `json:"idpLogoutUrl,omitempty"`
	Algorithm        string `json:"idpJwsAlgorithm" enums:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA" default:"RS256"`
	UseTrustStore    bool   `json:"useTrustStore"`

	// Claims that tell of users. What is no claim by itself is a path: realm_access.roles is a member of realm_access.
	UsernameClaim  string `json:"usernameClaim" default:"sub"`
	GroupsClaim    string `json:"groupsClaim,omitempty"` // a list of strings, or one string
	FirstNameClaim string `json:"firstNameClaim,omitempty"`
	LastNameClaim  string `json:"lastNameClaim,omitempty"`
	EmailClaim     string `json:"emailClaim,omitempty"`

	ExactMatchClaims    map[string]string `json:"exactMatchClaims,omitempty"`          // that every token must have, with their values
	AuthorizationParams map[string]string `json:"authorizationCustomParams,omitempty"` // added to what browsers are sent with
	TokenParams         map[string]string `json:"tokenRequestCustomParams,omitempty"`  // added to what tokens are asked for with
}

// OAuth2 gives the OpenID Connect provider.
func (r *Resources) OAuth2() *Value[OAuth2] {
	return &Value[OAuth2]{
		Name:  "oauth2",
		Blank: func() OAuth2 { return OAuth2{Algorithm: "RS256", UsernameClaim: "sub"} },
		Get: func(ctx context.Context) (OAuth2, error) {
			s, err := r.storedOAuth2(ctx)
			return oauth2Of(s), err
		},
		Row: r.Options.OAuth2.Row,
		Put: func(ctx context.Context, actor access.Actor, doc OAuth2) error {
			return r.Options.OAuth2.Set(ctx, actor, doc.settings())
		},
		Clear: func(ctx context.Context, actor access.Actor) error { return r.Options.OAuth2.Clear(ctx, actor) },
		Keep: func(ctx context.Context) (Restore, error) {
			before, err := r.Options.OAuth2.Settings(ctx)
			missing := access.KindOf(err) == access.NotFound
			if missing {
				err = nil
			}
			return func(ctx context.Context, actor access.Actor) error {
				if missing {
					return r.Options.OAuth2.Clear(ctx, actor)
				}
				return r.Options.OAuth2.Set(ctx, actor, before)
			}, err
		},
		Settle: func(ctx context.Context, doc *OAuth2) error {
			s, err := r.storedOAuth2(ctx)
			doc.ClientSecret = doc.ClientSecret.unlike(string(s.ClientSecret))
			return err
		},
		Unset: func(doc *OAuth2) bool { return doc.ClientID == "" && doc.JWKSURL == "" && doc.JWKS == "" },
	}
}

// storedOAuth2 gives the settings, the defaults when there are none.
func (r *Resources) storedOAuth2(ctx context.Context) (oidc.Settings, error) {
	s, err := r.Options.OAuth2.Settings(ctx)
	if access.KindOf(err) == access.NotFound {
		return oidc.Settings{Algorithm: "RS256", Claims: oidc.Claims{Username: "sub"}}, nil
	}
	return s, err
}

func oauth2Of(s oidc.Settings) OAuth2 {
	return OAuth2{
		ClientID: s.ClientID, AuthorizationURL: s.AuthorizationURL, TokenURL: s.TokenURL, JWKSURL: s.JWKSURL, JWKS: s.JWKS, LogoutURL: s.LogoutURL,
		Algorithm: s.Algorithm, UseTrustStore: s.TrustStore, UsernameClaim: s.Claims.Username, GroupsClaim: s.Claims.Groups,
		FirstNameClaim: s.Claims.FirstName, LastNameClaim: s.Claims.LastName, EmailClaim: s.Claims.Email,
		ExactMatchClaims: s.ExactMatch, AuthorizationParams: s.AuthorizationParams, TokenParams: s.TokenParams,
	}
}

func (d *OAuth2) settings() oidc.Settings {
	return oidc.Settings{
		ClientID: d.ClientID, ClientSecret: oidc.Secret(d.ClientSecret.or("")), AuthorizationURL: d.AuthorizationURL, TokenURL: d.TokenURL,
		JWKSURL: d.JWKSURL, JWKS: d.JWKS, LogoutURL: d.LogoutURL, Algorithm: d.Algorithm, TrustStore: d.UseTrustStore,
		Claims:     oidc.Claims{Username: d.UsernameClaim, Groups: d.GroupsClaim, FirstName: d.FirstNameClaim, LastName: d.LastNameClaim, Email: d.EmailClaim},
		ExactMatch: d.ExactMatchClaims, AuthorizationParams: d.AuthorizationParams, TokenParams: d.TokenParams,
	}
}
