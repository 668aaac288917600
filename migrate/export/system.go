package export

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/settings"
	"entrepot/migrate/inventory"
)

// system gathers what is set for the whole server.
func (w *writer) system(ctx context.Context, s *inventory.System) error {
	from := w.from.System
	var err error
	if s.NodeID, err = from.Node.NextID(ctx); err != nil {
		return err
	}
	trusted, err := from.Trust.List(ctx)
	if err != nil {
		return err
	}
	for _, c := range trusted {
		s.Certificates = append(s.Certificates, inventory.Certificate{Name: c.Fingerprint(), PEM: c.PEM(), Added: c.Added})
	}
	if http, stored := from.Outbound.Settings(); stored {
		s.HTTP = &http
	}
	m, stored, err := from.Mail.Settings(ctx)
	if err != nil {
		return err
	}
	if stored {
		s.Mail = &m
	}
	if s.Capabilities, err = from.Settings.Capabilities(ctx); err != nil {
		return err
	}
	if s.LDAP, err = from.LDAP.Servers(ctx); err != nil {
		return err
	}
	if s.Scripts, err = from.Scripts.List(ctx); err != nil {
		return err
	}
	return w.signOns(ctx, s)
}

// signOns gathers the providers that people sign in at.
func (w *writer) signOns(ctx context.Context, s *inventory.System) error {
	settings, pair, err := w.from.System.SAML.Export(ctx)
	switch {
	case err == nil:
		s.SAML = &inventory.SAML{Settings: settings, Pair: &pair}
	case access.KindOf(err) != access.NotFound:
		return err
	}
	provider, err := w.from.System.OAuth2.Settings(ctx)
	switch {
	case err == nil:
		s.OAuth2 = &inventory.OAuth2{Settings: provider, Secret: string(provider.ClientSecret)}
	case access.KindOf(err) != access.NotFound:
		return err
	}
	return nil
}

// systemKeys are the secrets of the settings of the whole server, in the clear.
type systemKeys struct {
	Passwords    map[string]string
	Capabilities map[string]map[string]string // by id and property
}

func keysOf(s *inventory.System) systemKeys {
	keys := systemKeys{Passwords: make(map[string]string), Capabilities: make(map[string]map[string]string)}
	for name, secret := range s.Secrets() {
		keys.Passwords[name] = secret.Get()
	}
	for _, c := range s.Capabilities {
		for id, secret := range c.Secrets {
			if keys.Capabilities[c.ID] == nil {
				keys.Capabilities[c.ID] = make(map[string]string)
			}
			keys.Capabilities[c.ID][id] = string(secret)
		}
	}
	return keys
}

// restore puts the secrets back where they belong.
func (k systemKeys) restore(s *inventory.System) {
	for name, secret := range s.Secrets() {
		secret.Set(k.Passwords[name])
	}
	for i, c := range s.Capabilities {
		for id, secret := range k.Capabilities[c.ID] {
			if s.Capabilities[i].Secrets == nil {
				s.Capabilities[i].Secrets = make(map[string]settings.Secret)
			}
			s.Capabilities[i].Secrets[id] = settings.Secret(secret)
		}
	}
}
