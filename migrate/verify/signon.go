package verify

import "entrepot/migrate/inventory"

// signOns compares the providers that people sign in at.
func (c *comparison) signOns(inv *inventory.Inventory) (int, error) {
	count := 0
	if there := inv.System.SAML; there != nil {
		count++
		here, pair, err := c.target.System.SAML.Export(c.ctx)
		gone, err := c.gone("single sign-on", "SAML", err)
		if err != nil {
			return 0, err
		}
		if !gone {
			c.same("single sign-on", "SAML", there.Settings, here)
		}
		if !gone && there.Pair != nil && *there.Pair != pair {
			c.differ("single sign-on", "SAML", "has another key pair")
		}
	}
	if there := inv.System.OAuth2; there != nil {
		count++
		here, err := c.target.System.OAuth2.Settings(c.ctx)
		gone, err := c.gone("single sign-on", "OAuth2", err)
		if err != nil {
			return 0, err
		}
		if !gone {
			c.same("single sign-on", "OAuth2", there.Settings, here)
		}
		if !gone && there.Secret != string(here.ClientSecret) {
			c.differ("single sign-on", "OAuth2", "has another secret")
		}
	}
	return count, nil
}
