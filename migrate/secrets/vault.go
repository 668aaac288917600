package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"entrepot/migrate/h2"
)

// Form is how a secret was stored.
type Form string

// Forms of secrets.
const (
	FormReference    Form = "reference"     // "_7": a row of the table of secrets
	FormMaven        Form = "maven"         // "{…}"
	FormOwnMaven     Form = "maven, own"    // "~{…}~": with the operator's phrase
	FormCipherString Form = "cipher string" // "$…$…"
	FormFixed        Form = "fixed cipher"  // Base64
	FormClear        Form = "clear"
)

// Stored is a row of the table of secrets.
type Stored struct {
	ID      int64
	Purpose string
	KeyID   string // of the secrets file; "" for the default key
	User    string // who saved it
	Plain   Plain
	Err     error // why it cannot be opened; matches ErrKey when the key is missing or wrong
}

// Vault opens the secrets of one database.
type Vault struct {
	db     *h2.Database
	keys   *Keys
	fixed  []*FixedCipher
	stored map[int64]*Stored
}

// Open reads the table of secrets, which releases before 3.73 lack, and opens all of it: only then can a wrong key be told.
func Open(ctx context.Context, db *h2.Database, keys *Keys) (*Vault, error) {
	v := &Vault{db: db, keys: keys, stored: map[int64]*Stored{}}
	parameters := keys.Fixed
	if len(parameters) == 0 {
		parameters = []FixedParameters{{}}
	}
	for _, p := range parameters {
		c, err := NewFixedCipher(p)
		if err != nil {
			return nil, err
		}
		v.fixed = append(v.fixed, c)
	}
	if _, ok := db.Table("secrets"); !ok {
		return v, nil
	}
	for row, err := range db.Rows(ctx, "secrets") {
		if err != nil {
			return nil, fmt.Errorf("secrets: %w", err)
		}
		s, err := v.open(row)
		if err != nil {
			return nil, fmt.Errorf("secrets: %w", err)
		}
		v.stored[s.ID] = s
	}
	v.distrust()
	return v, nil
}

// open opens one row. A secret that cannot be opened keeps its reason.
func (v *Vault) open(row h2.Row) (*Stored, error) {
	s := &Stored{}
	var err1, err2, err3, err4, err5 error
	var sealed string
	s.ID, _, err1 = h2.Get[int64](row, "id")
	s.Purpose, _, err2 = h2.Get[string](row, "purpose")
	s.KeyID, _, err3 = h2.Get[string](row, "key_id")
	s.User, _, err4 = h2.Get[string](row, "user_id")
	sealed, _, err5 = h2.Get[string](row, "secret")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	key, err := v.keys.named(s.KeyID)
	if err != nil {
		s.Err = err
		return s, nil
	}
	s.Plain, s.Err = DecryptString(sealed, key)
	return s, nil
}

// distrust takes back what was opened with a key that failed elsewhere: without an authentication code, a wrong key seems to fit now
// and then.
func (v *Vault) distrust() {
	wrong := map[string]bool{}
	for _, s := range v.stored {
		if errors.Is(s.Err, ErrKey) {
			wrong[s.KeyID] = true
		}
	}
	for _, s := range v.stored {
		if !wrong[s.KeyID] || errors.Is(s.Err, ErrForm) {
			continue
		}
		if _, missing := v.keys.named(s.KeyID); missing == nil {
			s.Plain, s.Err = Plain{}, fmt.Errorf("%w: %s does not open it", ErrKey, keyName(s.KeyID))
		}
	}
}

// keyName names a key for people.
func keyName(id string) string {
	if id == "" {
		return "the default key (" + propertyPassword + ")"
	}
	return fmt.Sprintf("the key %q of the secrets file", id)
}

// Stored gives the rows of the table of secrets by id.
func (v *Vault) Stored() []Stored {
	list := make([]Stored, 0, len(v.stored))
	for _, id := range slices.Sorted(maps.Keys(v.stored)) {
		list = append(list, *v.stored[id])
	}
	return list
}

// Reveal opens a stored text whatever form it has; what has none of the forms is clear text. An error matches ErrKey when a key is
// missing or wrong.
func (v *Vault) Reveal(text string) (Plain, Form, error) {
	if id, ok := parseReference(text); ok {
		s, ok := v.stored[id]
		if !ok {
			return Plain{}, FormReference, fmt.Errorf("%w: it refers to secret %d, which is not stored", ErrForm, id)
		}
		return s.Plain, FormReference, s.Err
	}
	switch {
	case IsMaven(text):
		return v.revealMaven(text)
	case IsCipherString(text):
		key, err := v.keys.named("")
		if err != nil {
			return Plain{}, FormCipherString, err
		}
		p, err := DecryptString(text, key)
		return p, FormCipherString, err
	}
	if p, err := v.revealFixed(text); err == nil {
		return p, FormFixed, nil
	}
	return NewPlain(text), FormClear, nil
}

// revealMaven opens a "{…}" string with the phrase that its mark asks for.
func (v *Vault) revealMaven(text string) (Plain, Form, error) {
	form, phrase := FormMaven, v.keys.Phrase.Reveal()
	if strings.HasPrefix(text, "~") {
		form, phrase = FormOwnMaven, v.keys.OwnPhrase.Reveal()
		if phrase == "" {
			return Plain{}, form, fmt.Errorf("%w: it needs the operator's master phrase%s", ErrKey, v.keys.because())
		}
	} else if phrase == "" {
		phrase = DefaultPhrase
	}
	p, err := DecryptMaven(text, phrase)
	if errors.Is(err, ErrKey) {
		err = fmt.Errorf("%w: %s", ErrKey, wrongPhrase)
	}
	return p, form, err
}

// wrongPhrase is the reason for a secret that the phrase does not fit.
const wrongPhrase = "the master phrase does not open it"

// revealFixed opens Base64 with the first fixed cipher that fits.
func (v *Vault) revealFixed(text string) (Plain, error) {
	if !looksFixed(text) {
		return Plain{}, ErrForm
	}
	for _, c := range v.fixed {
		if p, err := c.DecryptText(text); err == nil {
			return p, nil
		}
	}
	return Plain{}, fmt.Errorf("%w: the fixed cipher (%s, .salt, .iv) does not open it", ErrKey, propertyPassword)
}

// parseReference parses "_7".
func parseReference(text string) (int64, bool) {
	digits, ok := strings.CutPrefix(text, "_")
	if !ok || digits == "" || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil
}
