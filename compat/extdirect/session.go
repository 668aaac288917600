package extdirect

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"entrepot/app/access"
	"entrepot/app/server"
	"entrepot/formats"
)

func (c *Calls) sessionMethods() []method {
	return []method{
		{"rapture_Security.getUser", "", 0, func(q *request) (any, error) { return caller(q.subject), nil }},
		{"rapture_Security.getPermissions", "", 0, permissions},
	}
}

// user is who is signed in.
type user struct {
	ID            string   `json:"id"`
	Authenticated bool     `json:"authenticated"`
	Administrator bool     `json:"administrator"`
	Realms        []string `json:"authenticatedRealms"`
}

// caller gives who is signed in, nil when nobody is.
func caller(s *access.Subject) *user {
	if s.Anonymous() {
		return nil
	}
	return &user{ID: s.UserID(), Authenticated: true, Administrator: permitted(s, "nexus:*"), Realms: []string{s.Realm()}}
}

// permissions gives the text of everything that the caller may do.
func permissions(q *request) (any, error) {
	type named struct {
		ID string `json:"id"`
	}
	out := []named{}
	granted := slices.Clone(q.subject.Granted())
	slices.Sort(granted)
	for _, text := range slices.Compact(granted) {
		out = append(out, named{text})
	}
	return out, nil
}

// state is a value with its digest, so that a user interface sees what changed between two questions.
type state struct {
	Hash  string `json:"hash"`
	Value any    `json:"value"`
}

// poll answers what a user interface asks again and again: who is signed in, what the server is, which capabilities are active.
func (c *Calls) poll(r *server.Request) (*formats.Response, error) {
	subject, ok := r.Caller.(*access.Subject)
	if !ok {
		return nil, errors.New("extdirect: the authenticator gives no subject")
	}
	anonymous, err := c.Access.Anonymous(r.Context())
	if err != nil {
		return nil, err
	}
	capabilities, err := c.Settings.Capabilities(r.Context())
	if err != nil {
		return nil, err
	}
	active := []string{}
	for _, one := range capabilities {
		if one.Enabled {
			active = append(active, one.Type)
		}
	}
	values := map[string]any{
		"status":                 map[string]string{"version": c.Version, "edition": c.Edition},
		"license":                map[string]bool{"required": false, "installed": false, "valid": false},
		"baseUrl":                r.BaseURL(),
		"capabilityActiveTypes":  active,
		"capabilityCreatedTypes": active,
		"browseableformats":      c.browseable(subject),
	}
	if anonymous.Enabled {
		values["anonymousUsername"] = anonymous.UserID
	}
	if u := caller(subject); u != nil {
		values["user"] = u
	}
	data := make(map[string]state, len(values))
	for name, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("extdirect: state %s: %w", name, err)
		}
		sum := sha1.Sum(text)
		data[name] = state{hex.EncodeToString(sum[:]), value}
	}
	return jsonResponse(struct {
		Data success `json:"data"`
		Name string  `json:"name"`
		Type string  `json:"type"`
	}{success{true, data}, "rapture_State_get", "event"})
}
