package datadir

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/migrate/h2"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets"
)

// keptTables become records, under the section that is given, named by the column that is given.
var keptTables = []struct{ table, section, name string }{
	{"logging_overrides", "logging", "name"},
}

// translatedTables have their place in the inventory, and need no record.
var translatedTables = []string{
	"repository", "repository_routing_rule", "blob_store_configuration", "security_user", "user_role_mapping", "role", "privilege",
	"selector_configuration", "realm_configuration", "anonymous_configuration", "api_key", "api_key_v2", "secrets", "key_store_data",
	"qrtz_job_details", "qrtz_triggers", "capability_storage_item", "email_configuration", "http_client_configuration", "script", "deployment_id",
	"ldap_configuration",
	"cleanup_policy",
}

// transientTables say how the old server ran, not how it was set up: counters, locks, the progress of its own updates, the key of its
// sessions, and what follows from other tables.
var transientTables = []string{
	"blob_store_metrics", "soft_deleted_blobs", "flyway_schema_history", "upgrade_tasks", "nexus_key_value", "node_id", "jwt_secret",
	"node_heartbeat", "search_components", "search_assets", "distributed_events", "repository_metrics", "aggregated_metrics",
}

// maxUnknownRows is how many rows of a table that is not known are kept.
const maxUnknownRows = 10_000

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
	return d.readUnknown(ctx, inv)
}

// rowRecord keeps a row as it is: members are called as the columns, in lower case.
func (d *Directory) rowRecord(r *row, section, name string) inventory.Record {
	value, held := make(object, len(r.Values)), make(map[string]repository.Secret)
	for i, c := range r.Table.Columns {
		column := strings.ToLower(c.Name)
		at := place{strings.ToLower(r.Table.Name), r.label("id", "name", "type"), column}
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

// readUnknown keeps the rows of tables that this program does not know, such as those of plugins.
func (d *Directory) readUnknown(ctx context.Context, inv *inventory.Inventory) error {
	for _, t := range d.db.Tables() {
		name := strings.ToLower(t.Name)
		if !d.unknown(name) || t.Entries == 0 {
			continue
		}
		if t.Entries > maxUnknownRows {
			inv.Notes = append(inv.Notes, fmt.Sprintf("Table %s is not known and has about %d rows: they stay behind.", name, t.Entries))
			continue
		}
		count := 0
		for r, err := range d.rows(ctx, t.Schema+"."+t.Name) {
			if errors.Is(err, h2.ErrUnsupported) {
				inv.Notes = append(inv.Notes, fmt.Sprintf("Table %s is not known and cannot be read: %v.", name, err))
				break
			}
			if err != nil {
				return err
			}
			count++
			kept := d.rowRecord(r, "table-"+name, "")
			kept.Name = fmt.Sprintf("%012d", count)
			inv.Records = append(inv.Records, kept)
		}
	}
	return nil
}

func (d *Directory) unknown(table string) bool {
	for _, k := range keptTables {
		if k.table == table {
			return false
		}
	}
	if slices.Contains(translatedTables, table) || slices.Contains(transientTables, table) || strings.HasPrefix(table, "qrtz_") {
		return false
	}
	for _, c := range d.content {
		if rest, ok := strings.CutPrefix(table, c.format+"_"); ok &&
			slices.Contains([]string{"content_repository", "asset", "asset_blob", "component", "browse_node", "key_value"}, rest) {
			return false
		}
	}
	return true
}
