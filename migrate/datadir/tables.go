package datadir

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entrepot/migrate/h2"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets"
)

// translatedTables have their place in the inventory.
var translatedTables = []string{
	"repository", "repository_routing_rule", "blob_store_configuration", "security_user", "user_role_mapping", "role", "privilege",
	"selector_configuration", "realm_configuration", "anonymous_configuration", "api_key", "api_key_v2", "secrets", "key_store_data",
	"qrtz_job_details", "qrtz_triggers", "capability_storage_item", "email_configuration", "http_client_configuration", "script", "deployment_id",
	"ldap_configuration",
	"cleanup_policy",
}

// Why rows stay behind.
const (
	whyDerived  = "follows from the content and is made anew"
	whyProgress = "says how far the old server's own updates are"
	whyOperated = "says how the old server ran, not how it was set up"
	whyIdentity = "the identity of the old server's process"
	whySchedule = "repeats what the tasks say"
)

// skippedTables say how the old server ran, or what follows from other tables.
var skippedTables = map[string]string{
	"blob_store_metrics": whyDerived, "search_components": whyDerived, "search_assets": whyDerived, "soft_deleted_blobs": "names deleted blobs, which stay behind",
	"flyway_schema_history": whyProgress, "upgrade_tasks": whyProgress, "nexus_key_value": whyProgress,
	"node_id": whyIdentity, "jwt_secret": "the key of sessions, which end", "node_heartbeat": whyOperated, "distributed_events": whyOperated,
	"repository_metrics": whyOperated, "aggregated_metrics": whyOperated,
}

// maxUnknownRows is how many rows of a table that is not known are kept.
const maxUnknownRows = 10_000

// readTables tells of every table that has rows and no place in the inventory, and keeps the rows of those that are not known, such as
// those of closed parts and of plugins.
func (d *Directory) readTables(ctx context.Context, inv *inventory.Inventory) error {
	for _, t := range d.db.Tables() {
		name := secrets.TableName(t)
		if t.Entries == 0 || slices.Contains(translatedTables, name) {
			continue
		}
		why, translated := d.skipped(name)
		if translated {
			continue
		}
		if why != "" {
			inv.Tables = append(inv.Tables, inventory.Table{Name: name, Rows: t.Entries, Action: inventory.TableSkip, Why: why})
			continue
		}
		if err := d.keepTable(ctx, inv, t, name); err != nil {
			return err
		}
	}
	return nil
}

// skipped says why the rows of a table stay behind, "" for one that is not known; or that they come over.
func (d *Directory) skipped(table string) (why string, translated bool) {
	if why, ok := skippedTables[table]; ok {
		return why, false
	}
	if strings.HasPrefix(table, "qrtz_") {
		return whySchedule, false
	}
	if slices.ContainsFunc(keptTables, func(k keptTable) bool { return k.table == table }) {
		return "", true
	}
	for _, c := range d.content {
		rest, ok := strings.CutPrefix(table, c.format+"_")
		switch {
		case ok && slices.Contains([]string{"content_repository", "asset", "asset_blob", "component"}, rest):
			return "", true
		case ok && slices.Contains([]string{"browse_node", "key_value"}, rest):
			return whyDerived, false
		}
	}
	return "", false
}

// keepTable keeps the rows of a table, but for those that were understood.
func (d *Directory) keepTable(ctx context.Context, inv *inventory.Inventory, t *h2.Table, name string) error {
	told := inventory.Table{Name: name, Action: inventory.TableKeep, Why: "is not known here: its rows are kept as they are"}
	taken := int64(0)
	for at := range d.taken {
		if at.table == name {
			taken++
		}
	}
	if taken > 0 {
		told.Why = "these of its rows are not understood: they are kept as they are"
	}
	if told.Rows = t.Entries - taken; told.Rows > maxUnknownRows {
		told.Action, told.Why = inventory.TableLeave, fmt.Sprintf("is not known here and has more than %d rows: they stay behind", maxUnknownRows)
		inv.Tables = append(inv.Tables, told)
		return nil
	}
	var all []inventory.Record
	for r, err := range d.rows(ctx, t.Schema+"."+t.Name) {
		if errors.Is(err, h2.ErrUnsupported) {
			told.Action, told.Why = inventory.TableLeave, fmt.Sprintf("cannot be read: %v", err)
			inv.Tables = append(inv.Tables, told)
			return nil
		}
		if err != nil {
			return err
		}
		if d.taken[place{table: name, number: r.nth}] {
			continue
		}
		kept := d.rowRecord(r, "table-"+name, "")
		kept.Name = fmt.Sprintf("%012d", len(all)+1)
		all = append(all, kept)
	}
	if told.Rows = int64(len(all)); told.Rows > 0 {
		inv.Tables, inv.Records = append(inv.Tables, told), append(inv.Records, all...)
	}
	return nil
}
