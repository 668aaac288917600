package rest

import (
	"context"

	"entrepot/app/scripts"
	"entrepot/migrate/inventory"
)

// readServer reads what is set for the whole server and holds no secret: the certificates that are trusted, and scripts. The date of
// trust is not told; it is that of the import.
func (s *Server) readServer(ctx context.Context, inv *inventory.Inventory) error {
	var trusted []struct{ ID, PEM string }
	if _, err := s.read(ctx, &trusted, "security/ssl/truststore", nil); err != nil {
		return err
	}
	for _, c := range trusted {
		inv.System.Certificates = append(inv.System.Certificates, inventory.Certificate{Name: c.ID, PEM: c.PEM})
	}
	var kept []struct{ Name, Type, Content string }
	if _, err := s.read(ctx, &kept, "script", nil); err != nil {
		return err
	}
	for _, one := range kept {
		inv.System.Scripts = append(inv.System.Scripts, scripts.Script{Name: one.Name, Type: one.Type, Content: one.Content})
	}
	return nil
}
