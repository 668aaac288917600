package verify

import (
	"errors"
	"maps"
	"slices"

	"entrepot/app/access/ldap"
	"entrepot/app/scripts"
	"entrepot/app/settings"
	"entrepot/app/trust"
	"entrepot/migrate/inventory"
)

// system compares what is set for the whole server.
func (c *comparison) system(inv *inventory.Inventory) (int, error) {
	there, count := &inv.System, 0
	if there.NodeID != "" {
		count++
		if next, err := c.target.System.Node.NextID(c.ctx); err != nil || next != there.NodeID {
			c.differ("setting", "node", "is "+next+" here, and "+there.NodeID+" there")
		}
	}
	here := inventory.System{}
	if there.HTTP != nil {
		count++
		if s, stored := c.target.System.Outbound.Settings(); stored {
			here.HTTP = &s
			c.same("setting", "outgoing HTTP", there.HTTP, here.HTTP)
		} else {
			c.differ("setting", "outgoing HTTP", "is not here")
		}
	}
	if there.Mail != nil {
		count++
		m, stored, err := c.target.System.Mail.Settings(c.ctx)
		if err != nil {
			return 0, err
		}
		if here.Mail = &m; stored {
			c.same("setting", "mail", there.Mail, here.Mail)
		} else {
			c.differ("setting", "mail", "is not here")
		}
	}
	secrets := here.Secrets()
	for name, secret := range there.Secrets() {
		if h, ok := secrets[name]; ok && h.Get() != secret.Get() {
			c.differ("setting", "password of "+name, "is another")
		}
	}
	return count, nil
}

func (c *comparison) directories(inv *inventory.Inventory) (int, error) {
	here, err := c.target.System.LDAP.Servers(c.ctx)
	if err != nil {
		return 0, err
	}
	last := -1
	for _, there := range inv.System.LDAP {
		i := slices.IndexFunc(here, func(s ldap.Server) bool { return s.Name == there.Name })
		if i < 0 {
			c.differ("LDAP server", there.Name, "is not here")
			continue
		}
		if i < last {
			c.differ("LDAP server", there.Name, "has another place in the order")
		}
		if there.Password != "" && here[i].Password != there.Password {
			c.differ("LDAP server", there.Name, "has another password")
		}
		last, there.ID = i, here[i].ID
		c.same("LDAP server", there.Name, there, here[i])
	}
	return len(inv.System.LDAP), nil
}

func (c *comparison) certificates(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.System.Certificates {
		parsed, err := trust.Parse(there.PEM)
		if err != nil {
			c.differ("certificate", there.Name, err.Error())
			continue
		}
		here, err := c.target.System.Trust.Get(c.ctx, parsed.Fingerprint())
		switch {
		case errors.Is(err, trust.ErrNotFound):
			c.differ("certificate", there.Name, "is not here")
		case err != nil:
			return 0, err
		case !there.Added.IsZero() && !here.Added.Equal(there.Added):
			c.differ("certificate", there.Name, "has another date")
		}
	}
	return len(inv.System.Certificates), nil
}

func (c *comparison) capabilities(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.System.Capabilities {
		name := there.Type + " " + there.ID
		here, err := c.target.System.Settings.Capability(c.ctx, there.ID)
		if errors.Is(err, settings.ErrNotFound) {
			c.differ("capability", name, "is not here")
			continue
		}
		if err != nil {
			return 0, err
		}
		c.same("capability", name, there, here)
		if !maps.Equal(there.Secrets, here.Secrets) {
			c.differ("capability", name, "has other secrets")
		}
	}
	return len(inv.System.Capabilities), nil
}

func (c *comparison) scripts(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.System.Scripts {
		here, err := c.target.System.Scripts.Get(c.ctx, there.Name)
		if errors.Is(err, scripts.ErrNotFound) {
			c.differ("script", there.Name, "is not here")
			continue
		}
		if err != nil {
			return 0, err
		}
		c.same("script", there.Name, there, here)
	}
	return len(inv.System.Scripts), nil
}
