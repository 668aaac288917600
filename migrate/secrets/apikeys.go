package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrepot/migrate/h2"
)

// APIKey is a token that a client sends instead of a password.
type APIKey struct {
	Domain  string // "NpmToken", "NuGetApiKey", "DockerToken", …: also the name of the realm that takes the token
	Token   Plain  // whole, without the prefix that clients put before it
	User    string // id of the owner
	Realm   string // realm that knows the owner; decides the source of the user
	Created time.Time
	// Principals are all names of the owner, of which User and Realm are the first.
	Principals []Principal
}

// apiKeys reads both tables of API keys. Releases from 3.73 on move keys from the old one to the new one in the background, so that a
// key can be in both; then the new one counts.
func (s *surveyor) apiKeys(ctx context.Context) error {
	type owner struct{ user, realm, domain string }
	moved := map[owner]bool{}
	for _, table := range []string{"api_key_v2", "api_key"} {
		if _, ok := s.vault.db.Table(table); !ok {
			continue
		}
		for row, err := range s.vault.db.Rows(ctx, table) {
			if err != nil {
				return fmt.Errorf("secrets: %w", err)
			}
			read := s.apiKey
			if table == "api_key" {
				read = s.oldAPIKey
			}
			key, err := read(row)
			if err != nil {
				return fmt.Errorf("secrets: table %s: %w", table, err)
			}
			id := owner{key.User, key.Realm, key.Domain}
			if key.Token.Reveal() == "" || table == "api_key" && moved[id] {
				continue
			}
			if table == "api_key_v2" {
				moved[id] = true
			}
			s.survey.APIKeys = append(s.survey.APIKeys, key)
		}
	}
	return nil
}

// apiKey reads a row of api_key_v2: half of the token in the clear, and a reference to the other half. A key that is lost comes back
// without a token.
func (s *surveyor) apiKey(row h2.Row) (APIKey, error) {
	var k APIKey
	var half, reference string
	err := errors.Join(
		field(row, "domain", &k.Domain), field(row, "username", &k.User), field(row, "created", &k.Created),
		field(row, "access_key", &half), field(row, "secret", &reference),
	)
	if err != nil {
		return k, err
	}
	place := Place{Table: "api_key_v2", Row: k.Domain + " of " + k.User}
	if id, ok := parseReference(reference); ok {
		s.used[id] = true
	}
	rest, _, err := s.vault.Reveal(reference)
	if err != nil {
		s.lose(place, err)
		return k, nil
	}
	if err := s.owner(row, &k); err != nil {
		s.lose(place, err)
		return k, nil
	}
	k.Token = NewPlain(half + rest.Reveal())
	return k, nil
}

// oldAPIKey reads a row of api_key, where the fixed cipher seals token and owner.
func (s *surveyor) oldAPIKey(row h2.Row) (APIKey, error) {
	var k APIKey
	var user, token string
	err := errors.Join(
		field(row, "domain", &k.Domain), field(row, "created", &k.Created),
		field(row, "primary_principal", &user), field(row, "token", &token),
	)
	if err != nil {
		return k, err
	}
	k.User = user // still sealed: the best name that a lost key has
	if name, err := s.vault.revealFixed(user); err == nil {
		k.User = name.Reveal()
	}
	place := Place{Table: "api_key", Row: k.Domain + " of " + k.User}
	plain, err := s.vault.revealFixed(token)
	if err == nil {
		err = s.owner(row, &k)
	}
	if err != nil {
		s.lose(place, err)
		return k, nil
	}
	k.Token = plain
	return k, nil
}

// owner opens the column with the owner's names. It is known by its first bytes, so that a wrong fixed cipher is noticed here.
func (s *surveyor) owner(row h2.Row, k *APIKey) error {
	var sealed []byte
	if err := field(row, "principals", &sealed); err != nil {
		return err
	}
	principals, err := s.vault.principals(sealed)
	if err != nil {
		return err
	}
	k.Principals, k.Realm = principals, principals[0].Realm
	if name := principals[0].Name; name != "" {
		k.User = name
	}
	return nil
}

// principals opens the names of an owner with the fixed cipher that fits.
func (v *Vault) principals(sealed []byte) ([]Principal, error) {
	for _, c := range v.fixed {
		data, err := c.Decrypt(sealed)
		if err != nil {
			continue
		}
		if principals, err := ParsePrincipals(data); err == nil {
			return principals, nil
		}
	}
	return nil, fmt.Errorf("%w: the fixed cipher (%s, .salt, .iv) does not open its owner", ErrKey, propertyPassword)
}

// field reads a column into a variable; NULL leaves it as it is.
func field[T any](row h2.Row, column string, to *T) error {
	v, ok, err := h2.Get[T](row, column)
	if ok {
		*to = v
	}
	return err
}
