package oidc

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"entrepot/app/access"
)

// Secret is a string that prints as ***.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// Settings say how the provider is asked and what its tokens mean. Algorithm and Claims.Username are required; people can sign in when
// ClientID, AuthorizationURL and TokenURL are there too.
type Settings struct {
	ClientID         string `json:"clientId,omitempty"`
	ClientSecret     Secret `json:"-"` // "" for a public client
	AuthorizationURL string `json:"authorizationUrl,omitempty"`
	TokenURL         string `json:"tokenUrl,omitempty"`
	LogoutURL        string `json:"logoutUrl,omitempty"`
	JWKSURL          string `json:"jwksUrl,omitempty"`
	JWKS             string `json:"jwks,omitempty"` // a key set that takes the place of JWKSURL
	Algorithm        string `json:"algorithm"`      // of all signatures, such as RS256
	TrustStore       bool   `json:"trustStore,omitempty"`

	Claims Claims `json:"claims"`
	// ExactMatch are claims that every token must have, with their values.
	ExactMatch map[string]string `json:"exactMatch,omitempty"`
	// AuthorizationParams and TokenParams are added to the requests of a sign-in. A scope among the former takes the place of ours.
	AuthorizationParams map[string]string `json:"authorizationParams,omitempty"`
	TokenParams         map[string]string `json:"tokenParams,omitempty"`
}

// Claims name the claims that tell about a user. A name that is no claim by itself may be a path: realm_access.roles is the member roles
// of the claim realm_access.
type Claims struct {
	Username  string `json:"username"`
	Groups    string `json:"groups,omitempty"` // a list of strings, or one string
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
	Email     string `json:"email,omitempty"`
}

// The names of members as clients write them.
const (
	fieldClientID            = "clientId"
	fieldClientSecret        = "clientSecret"
	fieldAuthorizationURL    = "idpAuthorizationUrl"
	fieldTokenURL            = "idpTokenUrl"
	fieldLogoutURL           = "idpLogoutUrl"
	fieldJWKSURL             = "idpJwksUrl"
	fieldJWKS                = "idpJwks"
	fieldAlgorithm           = "idpJwsAlgorithm"
	fieldUsername            = "usernameClaim"
	fieldExactMatch          = "exactMatchClaims"
	fieldAuthorizationParams = "authorizationCustomParams"
	fieldTokenParams         = "tokenRequestCustomParams"
)

const (
	mustNotBeBlank = "must not be blank"
	maxText        = 2000 // characters
	maxParams      = 100
)

// The parameters that are ours to set.
var (
	ownAuthorizationParams = []string{
		"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "request", "request_uri", "response_mode", "response_type", "state",
	}
	ownTokenParams = []string{"client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri"}
)

// faults gathers what is wrong with members, under the names that clients give them.
type faults []access.FieldError

func (f *faults) add(broken bool, field, message string) {
	if broken {
		*f = append(*f, access.FieldError{Field: field, Message: message, Shape: true})
	}
}

// Validate finds the faults that settings have by themselves. A secret that is kept is not one of them.
func (s *Settings) Validate() error {
	var f faults
	texts := s.texts()
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		f.add(!plain(texts[field]), field, "must be a text of at most 2000 characters, without line ends")
	}
	f.add(blank(s.Algorithm), fieldAlgorithm, mustNotBeBlank)
	f.add(!blank(s.Algorithm) && !known(s.Algorithm), fieldAlgorithm, "must be one of "+strings.Join(algorithms(), ", ")+
		": an algorithm with a shared secret, or none, proves nothing here")
	f.add(blank(s.Claims.Username), fieldUsername, mustNotBeBlank)
	s.checkURLs(&f)
	s.checkKeys(&f)
	s.checkParams(&f)
	if len(f) == 0 {
		return nil
	}
	return &access.Error{Kind: access.Invalid, Fields: f}
}

// texts gives the members that are short texts.
func (s *Settings) texts() map[string]string {
	return map[string]string{
		fieldClientID: s.ClientID, fieldClientSecret: string(s.ClientSecret), fieldUsername: s.Claims.Username, "groupsClaim": s.Claims.Groups,
		"firstNameClaim": s.Claims.FirstName, "lastNameClaim": s.Claims.LastName, "emailClaim": s.Claims.Email,
	}
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// plain tells whether a text is short, well-formed and on one line.
func plain(text string) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxText && !strings.ContainsFunc(text, unicode.IsControl)
}

func (s *Settings) checkURLs(f *faults) {
	for _, m := range []struct{ field, text string }{
		{fieldAuthorizationURL, s.AuthorizationURL}, {fieldTokenURL, s.TokenURL}, {fieldLogoutURL, s.LogoutURL}, {fieldJWKSURL, s.JWKSURL},
	} {
		if m.text == "" {
			continue
		}
		u, err := url.Parse(m.text)
		f.add(!plain(m.text) || err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "", m.field,
			"must be a URL with https:// or http:// and a host, without user and fragment")
	}
	begun := s.AuthorizationURL != "" || s.TokenURL != ""
	f.add(begun && s.AuthorizationURL == "", fieldAuthorizationURL, "must be given with "+fieldTokenURL+": people sign in at both")
	f.add(begun && s.TokenURL == "", fieldTokenURL, "must be given with "+fieldAuthorizationURL+": people sign in at both")
	f.add(begun && blank(s.ClientID), fieldClientID, "must be given with "+fieldAuthorizationURL+": the provider wants to know who asks")
}

func (s *Settings) checkKeys(f *faults) {
	if s.JWKS == "" {
		return
	}
	if len(s.JWKS) > maxKeySet {
		f.add(true, fieldJWKS, fmt.Sprintf("must be at most %d bytes long", maxKeySet))
		return
	}
	set, err := parseKeys([]byte(s.JWKS), s.Algorithm)
	switch {
	case err != nil:
		f.add(true, fieldJWKS, "must be a JSON Web Key Set as the provider shows it at its "+fieldJWKSURL)
	case set.private:
		f.add(true, fieldJWKS, "must hold public keys only: take out the members d, p, q, dp, dq, qi, oth and k")
	case known(s.Algorithm) && len(set.keys) == 0:
		f.add(true, fieldJWKS, "must hold a key for "+s.Algorithm+", of at least 2048 bits if it is one of RSA")
	}
}

func (s *Settings) checkParams(f *faults) {
	for _, m := range []struct {
		field  string
		params map[string]string
		own    []string
	}{
		{fieldExactMatch, s.ExactMatch, nil},
		{fieldAuthorizationParams, s.AuthorizationParams, ownAuthorizationParams},
		{fieldTokenParams, s.TokenParams, ownTokenParams},
	} {
		f.add(len(m.params) > maxParams, m.field, "must have at most 100 members")
		for _, name := range slices.Sorted(maps.Keys(m.params)) {
			f.add(blank(name) || !plain(name) || !plain(m.params[name]), m.field, "must have names that are not blank, and texts of at most 2000 characters")
			f.add(slices.Contains(m.own, name), m.field, "must not have "+name+", which the server sets itself")
		}
	}
	scope, named := s.AuthorizationParams["scope"]
	f.add(named && !slices.Contains(strings.Fields(scope), "openid"), fieldAuthorizationParams, "must have openid in its scope, or no scope at all")
}

// signsIn tells whether people can sign in with the settings.
func (s *Settings) signsIn() bool {
	return s.ClientID != "" && s.AuthorizationURL != "" && s.TokenURL != ""
}
