package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"entrepot/app/access/ldap"
	"entrepot/migrate/inventory"
)

// readLDAP reads LDAP servers. The passwords of their service accounts stay behind.
func (s *Server) readLDAP(ctx context.Context, inv *inventory.Inventory) error {
	var documents []json.RawMessage
	if _, err := s.read(ctx, &documents, "security/ldap", nil); err != nil {
		return err
	}
	orders := make(map[string]int)
	for _, document := range documents {
		server, order, _ := inventory.ReadLDAP(inventory.Record{Value: document})
		if server.Host == "" || server.Name == "" {
			continue
		}
		orders[server.Name] = order
		inv.System.LDAP = append(inv.System.LDAP, server)
		if server.Scheme != ldap.SchemeNone {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The LDAP server %s comes without the password of its service account: nobody signs in through it until it is given again.", server.Name))
		}
	}
	slices.SortStableFunc(inv.System.LDAP, func(a, b ldap.Server) int { return cmp.Compare(orders[a.Name], orders[b.Name]) })
	return nil
}
