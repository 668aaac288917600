package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"entrepot/app/access"
)

const (
	maxToken = 64 << 10         // bytes
	leeway   = 30 * time.Second // by which clocks may differ
)

// refusal is what is wrong with a token, for the log.
type refusal struct{ reason string }

func (r *refusal) Error() string { return "oidc: " + r.reason }

func refuse(format string, args ...any) error { return &refusal{short(fmt.Sprintf(format, args...))} }

// short cuts what others wrote for the log.
func short(text string) string {
	const longest = 500 // bytes
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// refused tells whether an error is about a token, not about a provider that cannot be asked.
func refused(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

// token is a token whose signature and times are right.
type token struct {
	claims jwt.MapClaims
	kind   string // the member typ of its header, in lower case and without application/
}

// verify checks signature, times and the claims that have to match. What the token is for is left to its caller.
func (p *provider) verify(ctx context.Context, text string) (*token, error) {
	if len(text) > maxToken {
		return nil, refuse("the token is longer than %d bytes", maxToken)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{p.settings.Algorithm}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(p.now), jwt.WithJSONNumber(), jwt.WithStrictDecoding(),
	)
	claims := jwt.MapClaims{}
	var unavailable error
	parsed, err := parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) {
		if _, named := t.Header["crit"]; named {
			return nil, errors.New("the token has critical extensions, of which none is known here")
		}
		id, ok := t.Header["kid"].(string)
		if _, named := t.Header["kid"]; named && !ok {
			return nil, errors.New("the kid of the token is no string")
		}
		key, err := p.key(ctx, id)
		if err != nil && !errors.Is(err, errUnknownKey) {
			unavailable = err
		}
		return key, err
	})
	switch {
	case unavailable != nil:
		return nil, unavailable
	case err != nil:
		return nil, refuse("%v", err)
	}
	kind, _ := parsed.Header["typ"].(string)
	t := &token{claims: claims, kind: strings.TrimPrefix(strings.ToLower(kind), "application/")}
	return t, t.match(p.settings.ExactMatch)
}

// match compares the claims that have to have a certain value.
func (t *token) match(wanted map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !t.is(name, wanted[name]) {
			return refuse("the claim %s is not %q", name, wanted[name])
		}
	}
	return nil
}

// is tells whether a claim has a value: a string or another simple value spelled so, a list of nothing but it, or an audience among which
// it is.
func (t *token) is(name, wanted string) bool {
	value, ok := find(t.claims, name)
	if !ok {
		return false
	}
	list, several := value.([]any)
	if !several {
		return spelled(value, wanted)
	}
	if name == "aud" {
		return slices.ContainsFunc(list, func(item any) bool { return spelled(item, wanted) })
	}
	return len(list) == 1 && spelled(list[0], wanted)
}

func spelled(value any, wanted string) bool {
	switch value := value.(type) {
	case string:
		return value == wanted
	case json.Number:
		return value.String() == wanted
	case bool:
		return fmt.Sprint(value) == wanted
	}
	return false
}

// text gives a claim that is a string, "" without.
func (t *token) text(name string) string {
	text, _ := t.claims[name].(string)
	return text
}

// checkIdentity makes sure that a token is the ID token of a sign-in (OpenID Connect Core 3.1.3.7).
func (t *token) checkIdentity(clientID, nonce string) error {
	audiences, err := t.claims.GetAudience()
	party, named := t.claims["azp"]
	switch {
	case t.kind != "" && t.kind != "jwt":
		return refuse("the token is of the type %q and no ID token", t.kind)
	case err != nil || !slices.Contains(audiences, clientID):
		return refuse("the token is not for the client %q", clientID)
	case named && party != clientID:
		return refuse("the token was given to another party, as its azp says")
	case !named && len(audiences) > 1:
		return refuse("the token has several audiences and no azp")
	case t.text("iss") == "" || t.text("sub") == "" || t.claims["iat"] == nil:
		return refuse("the token lacks iss, sub or iat")
	case subtle.ConstantTimeCompare([]byte(t.text("nonce")), []byte(nonce)) != 1:
		return refuse("the token has not the nonce of this sign-in")
	}
	return nil
}

// checkBearer makes sure that a token may be shown to this server: it is for its client, or has the audience or client that the settings
// name.
func (t *token) checkBearer(s *Settings) error {
	if t.kind != "" && t.kind != "jwt" && t.kind != "at+jwt" {
		return refuse("the token is of the type %q, neither an access token nor an ID token", t.kind)
	}
	if _, logout := t.claims["events"]; logout {
		return refuse("the token is about an event and lets nobody in")
	}
	for _, name := range []string{"aud", "azp", "client_id"} {
		if s.ExactMatch[name] != "" {
			return nil // it was compared
		}
	}
	audiences, err := t.claims.GetAudience()
	if s.ClientID == "" {
		return refuse("the settings name no audience: set %s, or aud among %s", fieldClientID, fieldExactMatch)
	}
	if err != nil || !slices.Contains(audiences, s.ClientID) {
		return refuse("the token is not for %q; set aud among %s if it is for another name of this server", s.ClientID, fieldExactMatch)
	}
	return nil
}

// until gives when the token ends.
func (t *token) until() time.Time {
	end, err := t.claims.GetExpirationTime()
	if err != nil || end == nil {
		return time.Time{}
	}
	return end.Time
}

// compact tells whether a text has the form of a signed token (RFC 7515), which tokens of other kinds have not.
func compact(text string) bool {
	if len(text) > maxToken || strings.Count(text, ".") != 2 {
		return false
	}
	first, _, _ := strings.Cut(text, ".")
	header, err := base64.RawURLEncoding.DecodeString(first)
	var members struct {
		Algorithm string `json:"alg"`
	}
	return err == nil && json.Unmarshal(header, &members) == nil && members.Algorithm != ""
}

// Authenticate implements access.Authenticator for Bearer tokens that the provider signed.
func (s *Service) Authenticate(ctx context.Context, c access.Credentials) (access.Identity, error) {
	if c.Kind != access.Bearer || !compact(c.Secret) {
		return access.Identity{}, access.ErrNotMine
	}
	p, err := s.current(ctx)
	if err != nil {
		return access.Identity{}, err
	}
	if p == nil {
		return access.Identity{}, access.ErrNotMine
	}
	t, err := p.verify(ctx, c.Secret)
	if err == nil {
		err = t.checkBearer(p.settings)
	}
	var user access.DirectoryUser
	if err == nil {
		user, err = p.settings.Claims.user(t.claims)
	}
	if refused(err) {
		s.opts.Log.InfoContext(ctx, "bearer token refused", "address", c.Address, "reason", err)
		return access.Identity{}, access.ErrBadCredentials
	}
	if err != nil {
		return access.Identity{}, err
	}
	return access.Identity{UserID: user.ID, Source: access.SourceOAuth2, Groups: user.Groups, Until: t.until()}, nil
}
