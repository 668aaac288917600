package datadir

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/migrate/h2"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets"
)

// keptTables become records, under the section that is given, named by the column that is given.
var keptTables = []keptTable{{"logging_overrides", "logging", "name"}}

type keptTable struct{ table, section, name string }

// readRecords reads the settings that have no place in the server yet.
func (d *Directory) readRecords(ctx context.Context, inv *inventory.Inventory) error {
	for _, k := range keptTables {
		for r, err := range d.rows(ctx, k.table) {
			if err != nil {
				return err
			}
			inv.Records = append(inv.Records, d.rowRecord(r, k.section, k.name))
		}
	}
	d.readIdentity(inv)
	d.readKeystores(inv)
	return d.readTables(ctx, inv)
}

// rowRecord keeps a row as it is: members are called as the columns, in lower case.
func (d *Directory) rowRecord(r *row, section, name string) inventory.Record {
	value, held := make(object, len(r.Values)), make(map[string]repository.Secret)
	for i, c := range r.Table.Columns {
		column, at := strings.ToLower(c.Name), r.at(c.Name)
		member := plainValue(r.Values[i])
		if secret, ok := d.secret(at, ""); ok {
			held[column] = secret
			continue
		}
		for path, secret := range d.takeSecrets(at, member) {
			held[column+"."+path] = secret
		}
		value[column] = member
	}
	return record(section, r.label(name), value, held)
}

// label gives the first of the columns that has a value, as text.
func (r *row) label(columns ...string) string {
	for _, name := range columns {
		if i, ok := r.Table.Column(name); ok && r.Values[i] != nil {
			return fmt.Sprint(r.Values[i])
		}
	}
	return fmt.Sprintf("%012d", r.ID)
}

// plainValue makes a column's value one that encodes as JSON.
func plainValue(v any) any {
	switch v := v.(type) {
	case json.RawMessage:
		var decoded any
		d := json.NewDecoder(strings.NewReader(string(v)))
		d.UseNumber()
		if d.Decode(&decoded) != nil {
			return string(v)
		}
		return decoded
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case h2.UUID:
		return v.String()
	case h2.Decimal:
		return v.String()
	case time.Time:
		return v.UTC()
	}
	return v
}

// readIdentity keeps the server's own TLS identity.
func (d *Directory) readIdentity(inv *inventory.Inventory) {
	for _, k := range d.survey.Keystore.Keys {
		der, err := k.Open(secrets.IdentityKeyPassword)
		if err != nil {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The private key %s of the old server's own TLS identity cannot be opened and stays behind: %v.", k.Alias, err))
			continue
		}
		var chain strings.Builder
		for _, c := range k.Chain {
			chain.WriteString(encodePEM("CERTIFICATE", c.DER))
		}
		held := map[string]repository.Secret{"key": repository.Secret(encodePEM("PRIVATE KEY", der))}
		inv.Records = append(inv.Records, record("tls-identity", k.Alias, object{"created": k.Created.UTC(), "chain": chain.String()}, held))
	}
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
