package datadir

import (
	"context"
	"fmt"
	"slices"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/app/settings"
	"entrepot/migrate/inventory"
	"entrepot/migrate/members"
	"entrepot/migrate/secrets"
)

// capabilityUserTokens is the type of the capability that switches user tokens on.
const capabilityUserTokens = "usertoken"

// defaultTokenDays is after how many days user tokens end when they do and nothing else is said.
const defaultTokenDays = 30

// maxTokensTold is how many user tokens that stay behind a plan names one by one.
const maxTokensTold = 100

// readUserTokens translates user tokens, which were opened with the other secrets, and how they were treated.
func (d *Directory) readUserTokens(_ context.Context, inv *inventory.Inventory) error {
	unknown, found := 0, 0
	for _, at := range d.survey.SettingsAt {
		d.taken[place{table: at.Table, number: at.Number}] = true
	}
	for i := range d.survey.UserTokens {
		t := &d.survey.UserTokens[i]
		source, why := ownerOf(t, &inv.Access)
		if why == "" {
			found++
			d.taken[place{table: t.Table, number: t.Number}] = true
			inv.Access.Tokens = append(inv.Access.Tokens, userToken(t, source))
			continue
		}
		if unknown++; unknown <= maxTokensTold {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The user token %s in table %s lets nobody in here: %s. Its row is kept.", t, t.Table, why))
		}
	}
	if unknown > maxTokensTold {
		inv.Notes = append(inv.Notes, fmt.Sprintf("%d more user tokens let nobody in here for such reasons.", unknown-maxTokensTold))
	}
	d.readUserTokenSettings(inv, found > 0)
	return nil
}

// ownerOf gives the source of a token's owner, or why it lets nobody in. It guesses nothing between users of one name: the other one may be
// an administrator.
func ownerOf(t *secrets.UserToken, a *inventory.Access) (source, why string) {
	if t.Unknown != "" || t.Realm != "" {
		return sourceOf(t.Realm), t.Unknown
	}
	for _, u := range a.Users {
		switch {
		case u.ID != t.User:
		case source != "" && source != u.Source:
			return "", "users of several realms have the name of its owner"
		default:
			source = u.Source
		}
	}
	if source == "" {
		return "", "nothing says of which realm its owner is"
	}
	return source, ""
}

func userToken(t *secrets.UserToken, source string) inventory.Token {
	token := inventory.Token{Token: access.Token{
		Domain: access.RealmUserToken, Source: source, User: t.User, Name: t.NameCode, Created: t.Created, Expires: t.Expires,
	}}
	if t.Hash != "" {
		token.Hash = repository.Secret(t.Hash)
	} else {
		token.Text = repository.Secret(t.NameCode + ":" + t.PassCode.Reveal())
	}
	return token
}

// readUserTokenSettings reads how user tokens were treated from their capability, which then is none here, and from tables.
func (d *Directory) readUserTokenSettings(inv *inventory.Inventory, tokens bool) {
	m, u := make(members.Set), &access.UserTokenSettings{Enabled: true, Days: defaultTokenDays}
	said := d.survey.UserTokenSettings != nil
	inv.System.Capabilities = slices.DeleteFunc(inv.System.Capabilities, func(c settings.Capability) bool {
		if c.Type != capabilityUserTokens {
			return false
		}
		for name, value := range c.Properties {
			m.Gather(map[string]any{name: value})
		}
		u.Enabled, said = c.Enabled, true
		return true
	})
	m.Gather(d.survey.UserTokenSettings)
	if m.Text("enabled") != "" {
		u.Enabled = u.Enabled && m.Flag("enabled")
	}
	u.ProtectContent, u.Expire = m.Flag("protectcontent"), m.Flag("expirationenabled")
	if days := m.Number(u.Days, "expirationdays"); days > 0 {
		u.Days = days
	}
	if !said && !tokens {
		return
	}
	inv.Access.UserTokens = u
	if !said {
		inv.Notes = append(inv.Notes, "User tokens come over and nothing says how they were treated: they are enabled, never end and protect no content.")
	}
	if tokens && u.Enabled && !slices.Contains(inv.Access.Realms, access.RealmUserToken) {
		inv.Notes = append(inv.Notes, fmt.Sprintf("User tokens come over, but %s is not active there: they let nobody in until it is active here.", access.RealmUserToken))
	}
}
