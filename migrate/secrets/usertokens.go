package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"entrepot/app/access/password"
	"entrepot/migrate/h2"
	"entrepot/migrate/members"
)

// UserToken is a row of a table of user tokens: pairs of codes that clients show as user and password. How the old server lays that table
// out was never published, so what a row says is found by the names of its columns and of the members of its documents.
type UserToken struct {
	Table    string // as in a Place
	Number   int64  // of the row, as in a Place
	NameCode string
	PassCode Plain     // empty when only Hash is known
	Hash     string    // of the pass code
	User     string    // id of the owner
	Realm    string    // that knows the owner; "" when the row does not tell
	Created  time.Time // zero, as the next, when the row does not tell
	Expires  time.Time
	Unknown  string // why it cannot be used, "" when it can
}

// String names the token for people.
func (t *UserToken) String() string {
	switch {
	case t.NameCode != "" && t.User != "":
		return t.NameCode + " of " + t.User
	case t.NameCode != "" || t.User != "":
		return t.NameCode + t.User
	}
	return fmt.Sprintf("row %d", t.Number)
}

// Parts of the names of columns with codes, and of tables.
const (
	partNameCode   = "namecode"
	partPassCode   = "passcode"
	partUserTokens = "usertoken"
)

// Names of other members, as members.Name makes them. The first two are those of codes in a table that is named after user tokens.
var (
	nameCodeNames = []string{"accesskey", "tokenname"}
	passCodeNames = []string{"secret", "secretid"}
	settingNames  = []string{"protectcontent", "expirationenabled", "expirationdays"}
	userNames     = []string{"userid", "username", "user", "owner", "primaryprincipal", "principal"}
	realmNames    = []string{"realm", "realmname", "userrealm", "source", "usersource"}
	createdNames  = []string{"created", "createdat", "createdon", "createddate", "createdtime", "creationdate", "creationtime"}
	expiresNames  = []string{"expires", "expiresat", "expireson", "expiration", "expirationdate", "expirationtime", "expiry", "expirydate"}
)

// HoldsUserTokens tells a table of user tokens, or of their settings, by its name or by its columns.
func HoldsUserTokens(t *h2.Table) bool {
	if strings.Contains(members.Name(t.Name), partUserTokens) {
		return true
	}
	name, pass, settings := false, false, 0
	for _, c := range t.Columns {
		plain := members.Name(c.Name)
		name, pass = name || strings.Contains(plain, partNameCode), pass || strings.Contains(plain, partPassCode)
		if slices.Contains(settingNames, plain) {
			settings++
		}
	}
	return name && pass || settings > 1
}

// userToken reads a row of a table of user tokens, and looks through it like any other, because one that cannot be used is kept.
func (s *surveyor) userToken(row h2.Row, number int64) error {
	m := rowMembers(row)
	name, pass := column(m, partNameCode, nameCodeNames), column(m, partPassCode, passCodeNames)
	if name == "" && pass == "" && slices.ContainsFunc(settingNames, func(n string) bool { return m.Text(n) != "" }) {
		if s.survey.UserTokenSettings == nil {
			s.survey.UserTokenSettings = make(members.Set)
		}
		s.survey.UserTokenSettings.Gather(m)
		s.survey.SettingsAt = append(s.survey.SettingsAt, Place{Table: TableName(row.Table), Number: number})
		return nil
	}
	t := UserToken{Table: TableName(row.Table), Number: number, Created: date(m, createdNames), Expires: date(m, expiresNames)}
	t.NameCode = s.opened(s.codeText(m, name))
	t.Unknown = s.tokenOwner(&t, m)
	lost, err := s.passCode(&t, pass, s.codeText(m, pass))
	if err != nil && lost {
		s.lose(Place{Table: t.Table, Row: t.String(), Number: number, Member: pass}, err)
		return nil
	}
	switch {
	case t.NameCode == "":
		t.Unknown = "it has no name code that can be read"
	case strings.Contains(t.NameCode, ":"):
		t.Unknown = "its name code has a colon"
	case err != nil:
		t.Unknown = reason(err)
	}
	s.survey.UserTokens = append(s.survey.UserTokens, t)
	return s.row(row, number)
}

// rowMembers gives what a row says, by name. Documents that are none stay as they are: they are told when the row is kept.
func rowMembers(row h2.Row) members.Set {
	document := make(map[string]any, len(row.Values))
	for i, c := range row.Table.Columns {
		document[c.Name] = row.Values[i]
		raw, ok := row.Values[i].(json.RawMessage)
		if !ok {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var decoded any
		if d.Decode(&decoded) == nil {
			document[c.Name] = decoded
		}
	}
	m := make(members.Set)
	m.Gather(document)
	return m
}

// column finds a member whose name has a part, or else is one of others; "" when there is none.
func column(m members.Set, part string, others []string) string {
	found := ""
	for name := range m {
		if strings.Contains(name, part) && (found == "" || name < found) {
			found = name
		}
	}
	for _, name := range others {
		if _, ok := m[name]; ok && found == "" {
			found = name
		}
	}
	return found
}

// codeText gives a code as text. Bytes are text, or sealed by the fixed cipher; "" when they are neither.
func (s *surveyor) codeText(m members.Set, name string) string {
	raw, ok := m[name].([]byte)
	if !ok {
		return m.Text(name)
	}
	for _, c := range s.vault.fixed {
		if plain, err := c.Decrypt(raw); err == nil && readable(plain) {
			return string(plain)
		}
	}
	if readable(raw) {
		return string(raw)
	}
	return ""
}

func readable(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, unicode.IsControl)
}

// opened gives what the fixed cipher sealed, and other text as it is.
func (s *surveyor) opened(text string) string {
	if plain, err := s.vault.revealFixed(text); err == nil {
		return plain.Reveal()
	}
	return text
}

// tokenOwner finds whose token a row is, and else gives the reason.
func (s *surveyor) tokenOwner(t *UserToken, m members.Set) (unknown string) {
	t.User, t.Realm = s.opened(m.Text(userNames...)), m.Text(realmNames...)
	principals, err := s.tokenPrincipals(m[column(m, "principals", []string{"principalcollection"})])
	if err == nil && len(principals) > 0 {
		t.Realm = principals[0].Realm
		if name := principals[0].Name; name != "" {
			t.User = name
		}
	}
	switch {
	case t.User != "":
		return ""
	case err != nil:
		return "its owner cannot be read: " + reason(err)
	}
	return "it has no owner that can be read"
}

// tokenPrincipals reads an owner that is serialized, sealed or not, as bytes or in Base64.
func (s *surveyor) tokenPrincipals(v any) ([]Principal, error) {
	data, _ := v.([]byte)
	if text, ok := v.(string); ok {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: not Base64", ErrForm)
		}
		data = decoded
	}
	if len(data) == 0 {
		return nil, nil
	}
	if principals, err := ParsePrincipals(data); err == nil {
		return principals, nil
	}
	return s.vault.principals(data)
}

// minSealed is from how many letters on a pass code in Base64 is taken for one that is sealed, and not for a code by itself.
const minSealed = 64

// passCode finds the pass code of a token, or a hash of it. lost tells that it is sealed in a known way and its key is missing or wrong.
func (s *surveyor) passCode(t *UserToken, name, text string) (lost bool, err error) {
	if id, ok := parseReference(text); ok {
		s.used[id] = true
		lost = true
	}
	if lost = lost || IsMaven(text) || IsCipherString(text); lost {
		plain, _, err := s.vault.Reveal(text)
		if err != nil {
			return true, err
		}
		t.PassCode, text = plain, plain.Reveal()
	} else if plain, err := s.vault.revealFixed(text); err == nil {
		t.PassCode, text = plain, plain.Reveal()
	} else if looksFixed(text) && len(text) >= minSealed {
		return false, fmt.Errorf("%w: its pass code looks sealed, and the fixed cipher (%s, .salt, .iv) does not open it", ErrKey, propertyPassword)
	}
	switch {
	case text == "":
		return false, fmt.Errorf("%w: it has no pass code that can be read", ErrForm)
	case !strings.HasPrefix(text, "$") && !strings.Contains(name, "hash") && !strings.Contains(name, "digest"):
		t.PassCode = NewPlain(text)
		return false, nil
	case !password.Known(text):
		return false, fmt.Errorf("%w: its pass code is hashed in a form that is not known", ErrForm)
	}
	t.PassCode, t.Hash = Plain{}, text
	return false, nil
}

// date gives the first of the members that is a point in time; zero when none is.
func date(m members.Set, names []string) time.Time {
	for _, name := range names {
		if at, ok := m[name].(time.Time); ok {
			return at.UTC()
		}
		text := m.Text(name)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.UnixMilli(n).UTC()
		}
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
