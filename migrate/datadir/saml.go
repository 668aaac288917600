package datadir

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrepot/app/access/saml"
	"entrepot/app/repository"
	"entrepot/migrate/h2"
	"entrepot/migrate/inventory"
	"entrepot/migrate/members"
	"entrepot/migrate/secrets"
)

// readSAML reads the provider that people signed in at. How its table is laid out was never published: its members are looked for by their
// names, as those of LDAP servers are. A row that is not understood is kept.
func (d *Directory) readSAML(ctx context.Context, inv *inventory.Inventory) error {
	for _, t := range d.db.Tables() {
		if !holdsSAML(t) {
			continue
		}
		for r, err := range d.rows(ctx, t.Schema+"."+t.Name) {
			if errors.Is(err, h2.ErrUnsupported) {
				break
			}
			if err != nil {
				return err
			}
			found, err := d.samlOf(d.rowRecord(r, "saml", ""))
			if err == nil && inv.System.SAML != nil {
				err = errors.New("there is one already")
			}
			if err != nil {
				inv.Notes = append(inv.Notes, fmt.Sprintf("The SAML settings in row %d of table %s have to be set up by hand: %v. The row is kept.", r.nth, secrets.TableName(t), err))
				continue
			}
			if found.Pair == nil {
				inv.Notes = append(inv.Notes, "The key pair of SAML cannot be read: another one is made, and the provider has to be given the metadata of this server.")
			}
			inv.System.SAML = found
			d.taken[place{table: secrets.TableName(t), number: r.nth}] = true
		}
	}
	return nil
}

// holdsSAML tells a table of SAML settings by its name or its columns.
func holdsSAML(t *h2.Table) bool {
	name := members.Name(t.Name)
	return strings.Contains(name, "samlconfig") || slices.ContainsFunc(t.Columns, func(c h2.Column) bool {
		return strings.Contains(members.Name(c.Name), "idpmetadata")
	})
}

// samlOf translates a row.
func (d *Directory) samlOf(r inventory.Record) (*inventory.SAML, error) {
	var document map[string]any
	if err := json.Unmarshal(r.Value, &document); err != nil {
		return nil, errors.New("it is no document")
	}
	m := make(members.Set)
	m.Gather(document)
	s := &inventory.SAML{Settings: saml.Settings{
		EntityID: m.Text("entityid", "spentityid"), IDPMetadata: m.Text("idpmetadata", "idpmetadataxml", "metadata", "metadataxml"),
		Username: m.Text("usernameattribute", "username"), FirstName: m.Text("firstnameattribute", "firstname"), LastName: m.Text("lastnameattribute", "lastname"),
		Email: m.Text("emailattribute", "email"), Groups: m.Text("groupsattribute", "rolesattribute", "groups"),
	}}
	if raw, err := base64.StdEncoding.DecodeString(s.IDPMetadata); err == nil { // of a column of bytes
		s.IDPMetadata = string(raw)
	}
	for name, into := range map[string]**bool{"validateresponsesignature": &s.ValidateResponse, "validateassertionsignature": &s.ValidateAssertion} {
		if m.Text(name) != "" {
			flag := m.Flag(name)
			*into = &flag
		}
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("they are not laid out as this program knows them (%w)", err)
	}
	s.Pair = samlPair(r.Secrets, m.Text("certificate", "signingcertificate"))
	return s, nil
}

// samlPair finds a key pair among the secrets of a row: in a keystore that one of them opens, or as PEM. nil when there is none.
func samlPair(held map[string]repository.Secret, certificate string) *saml.KeyPair {
	passwords := []string{secrets.IdentityStorePassword, secrets.IdentityKeyPassword}
	for _, secret := range held {
		passwords = append(passwords, string(secret))
	}
	for _, path := range slices.Sorted(maps.Keys(held)) {
		secret := string(held[path])
		if pair := (&saml.KeyPair{Certificate: certificate, Key: saml.Secret(secret)}); pair.Validate() == nil {
			return pair
		}
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			continue
		}
		store, err := secrets.ParseKeystore(raw, "")
		if err != nil {
			continue
		}
		for _, key := range store.Keys {
			for _, password := range passwords {
				der, err := key.Open(password)
				if err != nil || len(key.Chain) == 0 {
					continue
				}
				pair := &saml.KeyPair{Certificate: encodePEM("CERTIFICATE", key.Chain[0].DER), Key: saml.Secret(encodePEM("PRIVATE KEY", der))}
				if pair.Validate() == nil {
					return pair
				}
			}
		}
	}
	return nil
}

// readKeystores keeps keystores of closed parts.
func (d *Directory) readKeystores(inv *inventory.Inventory) {
	for _, name := range slices.Sorted(maps.Keys(d.survey.Keystores)) {
		held := map[string]repository.Secret{"bytes": repository.Secret(base64.StdEncoding.EncodeToString(d.survey.Keystores[name]))}
		inv.Records = append(inv.Records, record("keystores", name, object{"name": name}, held))
		inv.Notes = append(inv.Notes, fmt.Sprintf("The keystore %s is none that this program can open: it is kept as it is.", name))
	}
}
