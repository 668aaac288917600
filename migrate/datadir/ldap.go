package datadir

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"entrepot/app/access/ldap"
	"entrepot/migrate/inventory"
)

// readLDAP reads LDAP servers, in the order in which the old server asked them. How it lays their table out was never published, so members
// are looked for by their names, in columns and in documents alike. A row without what it takes to connect is kept as it is.
func (d *Directory) readLDAP(ctx context.Context, inv *inventory.Inventory) error {
	type placed struct {
		server ldap.Server
		order  int
	}
	var all []placed
	for r, err := range d.rows(ctx, "ldap_configuration") {
		if err != nil {
			return err
		}
		kept := d.rowRecord(r, "ldap", "id")
		server, order, backup := inventory.ReadLDAP(kept)
		if backup {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The LDAP server %s has a backup host, which stays behind: add it as a server of its own.", server.Name))
		}
		if server.Host == "" || server.SearchBase == "" {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The LDAP server in row %s is not laid out as this program knows it: it is kept, and has to be set up by hand.", kept.Name))
			inv.Records = append(inv.Records, kept)
			continue
		}
		all = append(all, placed{server, order})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.order, b.order) })
	for _, p := range all {
		inv.System.LDAP = append(inv.System.LDAP, p.server)
	}
	return nil
}
