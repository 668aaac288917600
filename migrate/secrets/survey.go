package secrets

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"entrepot/migrate/h2"
	"entrepot/migrate/members"
)

// Reference is a secret where it is used.
type Reference struct {
	Place Place
	Form  Form
	Plain Plain
}

// Survey is everything secret that a database holds, except password hashes, which stay as they are.
type Survey struct {
	References []Reference
	APIKeys    []APIKey
	UserTokens []UserToken
	// UserTokenSettings are the members that say how user tokens were treated, by their names; nil when no table has them.
	UserTokenSettings members.Set
	SettingsAt        []Place // rows with such members
	// Keystore has the certificates that the server trusts for upstreams, and its own TLS identity. Its private key opens with
	// IdentityKeyPassword.
	Keystore Keystore
	// Keystores are others that closed parts keep beside it, as bytes by name.
	Keystores map[string][]byte
	// Unused lists rows of the table of secrets that nothing found here refers to.
	Unused []int64
}

// Survey looks through the tables of settings for secrets, and through the tables of API keys and keystores. When some cannot be opened it returns
// what it has together with a *LostError.
func (v *Vault) Survey(ctx context.Context) (*Survey, error) {
	s := surveyor{vault: v, used: map[int64]bool{}}
	for _, table := range v.db.Tables() {
		if err := s.table(ctx, table); err != nil {
			return nil, err
		}
	}
	s.distrustPhrase()
	if err := s.apiKeys(ctx); err != nil {
		return nil, err
	}
	if err := s.keystores(ctx); err != nil {
		return nil, err
	}
	for _, stored := range v.Stored() {
		if !s.used[stored.ID] {
			s.survey.Unused = append(s.survey.Unused, stored.ID)
		}
	}
	if len(s.lost) > 0 {
		return &s.survey, &LostError{Lost: s.lost}
	}
	return &s.survey, nil
}

// table looks through one table, if it can hold secrets. One with a type that cannot be read holds none of the known ones.
func (s *surveyor) table(ctx context.Context, table *h2.Table) error {
	if !holdsSettings(table) {
		return nil
	}
	look := s.row
	if HoldsUserTokens(table) {
		look = s.userToken
	}
	number := int64(0)
	for row, err := range s.vault.db.Rows(ctx, table.Schema+"."+table.Name) {
		if errors.Is(err, h2.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("secrets: %w", err)
		}
		number++
		if err := look(row, number); err != nil {
			return fmt.Errorf("secrets: table %s: %w", table.Name, err)
		}
	}
	return nil
}

// TableName gives the name of a table as a Place has it.
func TableName(t *h2.Table) string {
	if t.Schema != "PUBLIC" {
		return strings.ToLower(t.Schema + "." + t.Name)
	}
	return strings.ToLower(t.Name)
}

// holdsSettings tells tables that can hold secrets from those of content, of tasks, of the secrets themselves, of password hashes and
// of the key that signs sessions, which is not taken along. Tables of closed plugins are not known here and are looked through.
func holdsSettings(t *h2.Table) bool {
	table := TableName(t)
	switch table {
	case "secrets", "api_key", "api_key_v2", "security_user", "jwt_secret", "key_store_data", "soft_deleted_blobs", "nexus_key_value":
		return false
	}
	for _, prefix := range []string{"qrtz_", "flyway_", "search_"} {
		if strings.HasPrefix(table, prefix) {
			return false
		}
	}
	for _, suffix := range []string{"_asset", "_asset_blob", "_component", "_browse_node", "_content_repository", "_key_value", "_tag"} {
		if strings.HasSuffix(table, suffix) {
			return false
		}
	}
	return true
}

// surveyor collects what Survey finds.
type surveyor struct {
	vault  *Vault
	survey Survey
	lost   []Lost
	used   map[int64]bool // rows of the table of secrets that are referred to
}

// keystores reads the table key_store_data. A keystore in another format than JKS, as strict installations have, is lost.
func (s *surveyor) keystores(ctx context.Context) error {
	if _, ok := s.vault.db.Table("key_store_data"); !ok {
		return nil
	}
	for row, err := range s.vault.db.Rows(ctx, "key_store_data") {
		if err != nil {
			return fmt.Errorf("secrets: %w", err)
		}
		var name string
		var data []byte
		if err := errors.Join(field(row, "name", &name), field(row, "bytes", &data)); err != nil {
			return fmt.Errorf("secrets: table key_store_data: %w", err)
		}
		password := IdentityStorePassword
		if name == "trusted.ks" {
			password = TrustStorePassword
		}
		ks, err := ParseKeystore(data, password)
		if err != nil && name != "trusted.ks" && name != "private.ks" {
			if s.survey.Keystores == nil {
				s.survey.Keystores = make(map[string][]byte)
			}
			s.survey.Keystores[name] = data
			continue
		}
		if err != nil {
			s.lose(Place{Table: "key_store_data", Row: name}, err)
			continue
		}
		s.survey.Keystore.Trusted = append(s.survey.Keystore.Trusted, ks.Trusted...)
		s.survey.Keystore.Keys = append(s.survey.Keystore.Keys, ks.Keys...)
	}
	return nil
}

// row looks at every text and JSON column of a row, and at bytes whose column says that they are secret.
func (s *surveyor) row(row h2.Row, number int64) error {
	place := Place{Table: TableName(row.Table), Row: label(row, "name", "type", "id"), Number: number}
	for i, c := range row.Table.Columns {
		place.Member = strings.ToLower(c.Name)
		switch v := row.Values[i].(type) {
		case string:
			s.value(place, c.Name, v)
		case []byte:
			if isSecretName(c.Name) && len(v) > 0 {
				s.survey.References = append(s.survey.References, Reference{place, FormClear, NewPlain(base64.StdEncoding.EncodeToString(v))})
			}
		case json.RawMessage:
			d := json.NewDecoder(bytes.NewReader(v))
			if err := s.json(d, place, c.Name, 0); err != nil {
				return fmt.Errorf("row %s, column %s: %w", place.Row, c.Name, err)
			}
		}
	}
	return nil
}

// label gives the first of the columns that the row has, as text.
func label(row h2.Row, columns ...string) string {
	for _, name := range columns {
		if i, ok := row.Table.Column(name); ok && row.Values[i] != nil {
			return fmt.Sprint(row.Values[i])
		}
	}
	return ""
}

// maxJSONDepth bounds the recursion into settings.
const maxJSONDepth = 100

// json looks at every text of a JSON value. Members that stand twice are both looked at.
func (s *surveyor) json(d *json.Decoder, place Place, name string, depth int) error {
	t, err := d.Token()
	if err == io.EOF && depth == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: not JSON", ErrForm)
	}
	if depth > maxJSONDepth {
		return fmt.Errorf("%w: nested more than %d deep", ErrForm, maxJSONDepth)
	}
	if text, ok := t.(string); ok {
		s.value(place, name, text)
		return nil
	}
	opening, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	for i := 0; d.More(); i++ {
		member, memberName := place, name
		if opening == '{' {
			key, err := d.Token()
			if err != nil {
				return fmt.Errorf("%w: not JSON", ErrForm)
			}
			memberName = key.(string) // the decoder gives nothing else before a colon
			member.Member += "." + memberName
		} else {
			member.Member += "[" + strconv.Itoa(i) + "]"
		}
		if err := s.json(d, member, memberName, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: not JSON", ErrForm)
	}
	return nil
}

// value looks at one text. A sealed form is a secret whatever its name; clear text, and Base64 of the fixed cipher, is one when its
// name says so.
func (s *surveyor) value(place Place, name, text string) {
	if text == "" {
		return
	}
	named := isSecretName(name)
	id, refers := parseReference(text)
	_, known := s.vault.stored[id]
	if !named && !(refers && known) && !IsMaven(text) && !IsCipherString(text) {
		return
	}
	plain, form, err := s.vault.Reveal(text)
	if err == nil && form == FormClear && alwaysSealed(place) && looksFixed(text) {
		_, err = s.vault.revealFixed(text)
	}
	if refers {
		s.used[id] = true
	}
	switch {
	case err == nil:
		s.survey.References = append(s.survey.References, Reference{Place: place, Form: form, Plain: plain})
	case named || refers:
		s.lose(place, err)
	}
}

// lose records a secret that cannot be opened.
func (s *surveyor) lose(place Place, err error) {
	s.lost = append(s.lost, Lost{Place: place, Reason: reason(err)})
}

// reason is the part of an error that follows this package's own words.
func reason(err error) string {
	text := err.Error()
	for _, known := range []error{ErrKey, ErrForm} {
		if rest, ok := strings.CutPrefix(text, known.Error()+": "); ok && errors.Is(err, known) {
			return rest
		}
	}
	return strings.TrimPrefix(text, "secrets: ")
}

// isSecretName reports whether a column or member holds a secret by its name. The old server goes by the first two of these.
func isSecretName(name string) bool {
	name = members.Name(name)
	for _, part := range []string{"password", "secret", "passphrase", "passcode", "token", "accountkey", "privatekey", "keypair", "keystore"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// alwaysSealed names the column that releases before 3.73 never left in the clear: there, Base64 that the fixed cipher does not open
// is not a password that happens to look like it.
func alwaysSealed(place Place) bool {
	return place.Table == "email_configuration" && place.Member == "password"
}

// distrustPhrase takes back what the operator's phrase seemed to open, when it failed elsewhere.
func (s *surveyor) distrustPhrase() {
	failed := slices.ContainsFunc(s.lost, func(l Lost) bool { return l.Reason == wrongPhrase })
	if !failed {
		return
	}
	s.survey.References = slices.DeleteFunc(s.survey.References, func(r Reference) bool {
		if r.Form == FormOwnMaven {
			s.lost = append(s.lost, Lost{Place: r.Place, Reason: wrongPhrase})
		}
		return r.Form == FormOwnMaven
	})
}
