package upstream

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"

	ntlmssp "github.com/Azure/go-ntlmssp"
)

// AuthType is how a cache proves itself to its upstream.
type AuthType string

// The ways of authentication.
const (
	AuthUsername AuthType = "username"    // Basic or Digest, as the upstream's challenge asks
	AuthNTLM     AuthType = "ntlm"        // NTLM over the connection
	AuthBearer   AuthType = "bearerToken" // a token, sent with every request
)

// Auth are the credentials for an upstream. They are sent to the configured host and port only.
type Auth struct {
	Type       AuthType
	Username   string
	Password   string
	Domain     string // NTLM
	Bearer     string
	Preemptive bool // Basic: do not wait for a challenge
}

// String hides the secrets.
func (a Auth) String() string { return fmt.Sprintf("%s ***", a.Type) }

// GoString hides the secrets.
func (a Auth) GoString() string { return a.String() }

// authenticator makes Authorization headers for one upstream.
type authenticator struct {
	auth *Auth
	base *url.URL
	rt   http.RoundTripper
}

func newAuthenticator(a *Auth, base *url.URL, rt http.RoundTripper) authenticator {
	if a != nil && a.Type == AuthNTLM {
		rt = ntlmssp.Negotiator{RoundTripper: rt}
	}
	return authenticator{auth: a, base: base, rt: rt}
}

func (a authenticator) transport() http.RoundTripper { return a.rt }

func (a authenticator) applies(target *url.URL) bool {
	return a.auth != nil && target.Scheme == a.base.Scheme && target.Host == a.base.Host
}

// first gives what is sent before any challenge; "" for nothing.
func (a authenticator) first(target *url.URL) string {
	if !a.applies(target) {
		return ""
	}
	switch {
	case a.auth.Type == AuthBearer:
		return "Bearer " + a.auth.Bearer
	case a.auth.Type == AuthNTLM: // the negotiator takes it from here
		return basic(a.auth.Domain+`\`+a.auth.Username, a.auth.Password)
	case a.auth.Preemptive:
		return basic(a.auth.Username, a.auth.Password)
	}
	return ""
}

// reply answers a challenge; "" when it cannot or has been tried already.
func (a authenticator) reply(target *url.URL, method string, challenges []string) string {
	if !a.applies(target) || a.auth.Type != AuthUsername {
		return ""
	}
	for _, challenge := range challenges {
		if scheme, rest, _ := strings.Cut(challenge, " "); strings.EqualFold(scheme, "Digest") {
			if reply := a.digest(target, method, parseChallenge(rest)); reply != "" {
				return reply
			}
		}
	}
	for _, challenge := range challenges {
		if scheme, _, _ := strings.Cut(challenge, " "); strings.EqualFold(scheme, "Basic") && !a.auth.Preemptive {
			return basic(a.auth.Username, a.auth.Password)
		}
	}
	return ""
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// parseChallenge reads the name=value pairs of a challenge (RFC 7235, section 2.1).
func parseChallenge(s string) map[string]string {
	params := make(map[string]string)
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		name = strings.ToLower(strings.Trim(name, " \t,"))
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
		} else {
			value, rest, _ = strings.Cut(rest, ",")
			value = strings.TrimSpace(value)
		}
		params[name], s = value, rest
	}
	return params
}

// digest answers a Digest challenge (RFC 7616) with quality "auth"; "" when the challenge asks for something else.
func (a authenticator) digest(target *url.URL, method string, p map[string]string) string {
	var sum func() hash.Hash
	switch strings.ToUpper(p["algorithm"]) {
	case "", "MD5":
		sum = md5.New
	case "SHA-256":
		sum = sha256.New
	default:
		return ""
	}
	h := func(s string) string {
		d := sum()
		_, _ = d.Write([]byte(s)) // a hash never fails
		return hex.EncodeToString(d.Sum(nil))
	}
	uri := target.RequestURI()
	ha1 := h(a.auth.Username + ":" + p["realm"] + ":" + a.auth.Password)
	ha2 := h(method + ":" + uri)
	fields := []string{
		quoted("username", a.auth.Username), quoted("realm", p["realm"]), quoted("nonce", p["nonce"]), quoted("uri", uri),
	}
	if p["qop"] == "" {
		fields = append(fields, quoted("response", h(ha1+":"+p["nonce"]+":"+ha2)))
	} else {
		if !offersAuth(p["qop"]) {
			return ""
		}
		cnonce := rand.Text()
		response := h(ha1 + ":" + p["nonce"] + ":00000001:" + cnonce + ":auth:" + ha2)
		fields = append(fields, quoted("response", response), "qop=auth", "nc=00000001", quoted("cnonce", cnonce))
	}
	if p["opaque"] != "" {
		fields = append(fields, quoted("opaque", p["opaque"]))
	}
	if p["algorithm"] != "" {
		fields = append(fields, "algorithm="+p["algorithm"])
	}
	return "Digest " + strings.Join(fields, ", ")
}

func offersAuth(qop string) bool {
	for _, q := range strings.Split(qop, ",") {
		if strings.TrimSpace(q) == "auth" {
			return true
		}
	}
	return false
}

func quoted(name, value string) string {
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
