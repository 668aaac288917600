package datadir

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"entrepot/app/repository"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets"
)

// place is where secrets of a row lie: a table, the number of the row, and the column, in lower case.
type place struct {
	table  string
	number int64
	column string
}

// at is where the secrets of a column lie.
func (r *row) at(column string) place {
	return place{secrets.TableName(r.Table), r.nth, strings.ToLower(column)}
}

// readSecrets opens all secrets. When some cannot be opened, the error names them.
func (d *Directory) readSecrets(ctx context.Context) (err error) {
	if d.survey, err = d.vault.Survey(ctx); err != nil {
		return fmt.Errorf("datadir: %w", err)
	}
	d.taken = make(map[place]bool)
	d.sealed = make(map[place]repository.Secret, len(d.survey.References))
	for _, r := range d.survey.References {
		d.sealed[place{r.Place.Table, r.Place.Number, r.Place.Member}] = repository.Secret(r.Plain.Reveal())
	}
	return nil
}

// secret gives the secret at a place and member, "" for none.
func (d *Directory) secret(p place, member string) (repository.Secret, bool) {
	switch {
	case strings.HasPrefix(member, "["):
		p.column += member
	case member != "":
		p.column += "." + member
	}
	secret, ok := d.sealed[p]
	return secret, ok
}

// takeSecrets removes the secrets from a JSON value and gives them by their path in it.
func (d *Directory) takeSecrets(p place, value any) map[string]repository.Secret {
	held := make(map[string]repository.Secret)
	d.walk(p, "", value, held)
	return held
}

func (d *Directory) walk(p place, path string, value any, held map[string]repository.Secret) {
	take := func(at string, v any, remove func()) {
		if _, ok := v.(string); !ok {
			d.walk(p, at, v, held)
			return
		}
		if secret, ok := d.secret(p, at); ok {
			held[at] = secret
			remove()
		}
	}
	switch v := value.(type) {
	case object:
		d.walk(p, path, map[string]any(v), held)
	case map[string]any:
		for key, member := range v {
			take(strings.TrimPrefix(path+"."+key, "."), member, func() { delete(v, key) })
		}
	case []any:
		for i, element := range v {
			take(path+"["+strconv.Itoa(i)+"]", element, func() { v[i] = nil })
		}
	}
}

// record makes a record of a setting. Values made here always encode.
func record(section, name string, value any, held map[string]repository.Secret) inventory.Record {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic("datadir: a setting that does not encode: " + err.Error())
	}
	return inventory.Record{Section: section, Name: name, Value: encoded, Secrets: held}
}
