package rest

import (
	"net/http"

	"entrepot/app/access/oidc"
	"entrepot/app/server"
)

const oauth2Path = "v1/security/oauth2"

func (a *API) oauth2Operations() []operation {
	const all = "nexus:*" // who sets the provider decides who everybody is
	return []operation{
		{method: http.MethodGet, path: oauth2Path, access: server.Permission(all), run: a.getOAuth2},
		{method: http.MethodPut, path: oauth2Path, access: server.PermissionAfterBody(all), consumes: mediaJSON, run: a.setOAuth2},
		{method: http.MethodDelete, path: oauth2Path, access: server.Permission(all), run: a.clearOAuth2},
	}
}

type oauth2Body struct {
	ClientID            string            `json:"clientId"`
	ClientSecret        string            `json:"clientSecret"`
	AuthorizationURL    string            `json:"idpAuthorizationUrl"`
	TokenURL            string            `json:"idpTokenUrl"`
	JWKSURL             string            `json:"idpJwksUrl"`
	Algorithm           string            `json:"idpJwsAlgorithm"`
	Username            string            `json:"usernameClaim"`
	Groups              string            `json:"groupsClaim"`
	LogoutURL           string            `json:"idpLogoutUrl"`
	JWKS                string            `json:"idpJwks"`
	FirstName           string            `json:"firstNameClaim"`
	LastName            string            `json:"lastNameClaim"`
	Email               string            `json:"emailClaim"`
	TrustStore          bool              `json:"useTrustStore"`
	ExactMatch          map[string]string `json:"exactMatchClaims"`
	AuthorizationParams map[string]string `json:"authorizationCustomParams"`
	TokenParams         map[string]string `json:"tokenRequestCustomParams"`
}

func (b *oauth2Body) settings() oidc.Settings {
	secret := b.ClientSecret
	if secret == placeholder {
		secret = ""
	}
	return oidc.Settings{
		ClientID: b.ClientID, ClientSecret: oidc.Secret(secret), AuthorizationURL: b.AuthorizationURL, TokenURL: b.TokenURL, LogoutURL: b.LogoutURL,
		JWKSURL: b.JWKSURL, JWKS: b.JWKS, Algorithm: b.Algorithm, TrustStore: b.TrustStore,
		Claims:     oidc.Claims{Username: b.Username, Groups: b.Groups, FirstName: b.FirstName, LastName: b.LastName, Email: b.Email},
		ExactMatch: b.ExactMatch, AuthorizationParams: b.AuthorizationParams, TokenParams: b.TokenParams,
	}
}

// showOAuth2 are the settings as clients see them: what is not set is empty, not absent, and the placeholder stands for the secret.
func showOAuth2(s oidc.Settings) object {
	secret := ""
	if s.ClientSecret != "" {
		secret = placeholder
	}
	members := func(m map[string]string) map[string]string {
		if m == nil {
			return map[string]string{}
		}
		return m
	}
	return object{
		{"clientId", s.ClientID}, {"clientSecret", secret}, {"idpAuthorizationUrl", s.AuthorizationURL}, {"idpTokenUrl", s.TokenURL},
		{"idpJwksUrl", s.JWKSURL}, {"idpJwsAlgorithm", s.Algorithm}, {"usernameClaim", s.Claims.Username}, {"groupsClaim", s.Claims.Groups},
		{"idpLogoutUrl", s.LogoutURL}, {"idpJwks", s.JWKS}, {"firstNameClaim", s.Claims.FirstName}, {"lastNameClaim", s.Claims.LastName},
		{"emailClaim", s.Claims.Email}, {"useTrustStore", s.TrustStore}, {"exactMatchClaims", members(s.ExactMatch)},
		{"authorizationCustomParams", members(s.AuthorizationParams)}, {"tokenRequestCustomParams", members(s.TokenParams)},
	}
}

func (a *API) getOAuth2(c *call) (any, error) {
	s, err := a.OAuth2.Settings(c.Context())
	if err != nil {
		return nil, err
	}
	return showOAuth2(s), nil
}

func (a *API) setOAuth2(c *call) (any, error) {
	var b oauth2Body
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	s := b.settings()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	return nil, a.OAuth2.Set(c.Context(), c.actor(), s)
}

func (a *API) clearOAuth2(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.OAuth2.Clear(c.Context(), c.actor())
}

// describeOAuth2 adds what is about the provider of OpenID Connect.
func describeOAuth2(all map[string]description) {
	for key, d := range map[string]description{
		"GET " + oauth2Path:    {summary: "Read the settings of the OpenID Connect provider", reply: given("OAuth2OidcConfigurationXO", showOAuth2), refuses: []int{http.StatusNotFound}},
		"PUT " + oauth2Path:    {summary: "Set the OpenID Connect provider", body: taken[oauth2Body]("OAuth2OidcConfigurationRequest")},
		"DELETE " + oauth2Path: {summary: "Forget the OpenID Connect provider"},
	} {
		d.tag = tagOAuth2
		all[key] = d
	}
}
