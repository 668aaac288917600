package access

import (
	"encoding/base64"
	"log/slog"
	"strings"
)

// CredentialKind says what a caller showed.
type CredentialKind uint8

// The kinds of credentials.
const (
	NoCredentials CredentialKind = iota // nothing, or something that counts as nothing
	Malformed                           // an attempt that cannot be right
	Basic                               // User and Secret
	Bearer                              // Secret is the token, with or without its realm and a dot before it
	APIKey                              // Secret is a key of the realm Domain
)

// Credentials are what a caller showed. They print without their secrets.
type Credentials struct {
	Kind    CredentialKind
	User    string
	Secret  string
	Domain  string
	Session string // id of the session cookie, "" without; a live session goes before everything else
	Address string // of the client, to slow down guessing
}

// String tells the kind and user only.
func (c Credentials) String() string {
	kind := [...]string{"none", "malformed", "basic", "bearer", "api-key"}[min(c.Kind, APIKey)]
	return strings.TrimSpace(kind + " " + c.User)
}

// GoString hides the secrets from %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue hides the secrets from logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// ParseAuthorization reads the value of the first Authorization header, "" without one. Basic, in any letter case, must be followed
// by one blank and the Base64 form of USER:PASSWORD with both parts filled, or the attempt is malformed; an empty user and password
// together count as nothing, and so do schemes that are neither Basic nor Bearer.
func ParseAuthorization(header string) Credentials {
	scheme, value, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "basic"):
		return parseBasic(value)
	case strings.EqualFold(scheme, "bearer"):
		if token := strings.TrimSpace(value); token != "" {
			return Credentials{Kind: Bearer, Secret: token}
		}
	}
	return Credentials{}
}

func parseBasic(value string) Credentials {
	encoding := base64.StdEncoding
	if !strings.HasSuffix(value, "=") && len(value)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	if strings.ContainsAny(value, "\r\n") { // which the decoder would skip
		return Credentials{Kind: Malformed}
	}
	decoded, err := encoding.DecodeString(value)
	if err != nil {
		return Credentials{Kind: Malformed}
	}
	user, password, found := strings.Cut(string(decoded), ":")
	switch {
	case found && user == "" && password == "":
		return Credentials{}
	case !found || user == "" || password == "":
		return Credentials{Kind: Malformed}
	}
	return Credentials{Kind: Basic, User: user, Secret: password}
}
