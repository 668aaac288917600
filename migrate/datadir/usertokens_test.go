package datadir

import (
	"testing"

	"entrepot/app/access"
	"entrepot/migrate/inventory"
	"entrepot/migrate/secrets"
)

func TestOwnerOfUserToken(t *testing.T) {
	a := &inventory.Access{}
	for _, u := range [][2]string{{access.SourceLocal, "admin"}, {access.SourceLDAP, "lea"}, {access.SourceLocal, "ann"}, {access.SourceLDAP, "ann"}} {
		var one access.ImportedUser
		one.Source, one.ID = u[0], u[1]
		a.Users = append(a.Users, one)
	}
	for _, c := range []struct{ user, realm, want string }{
		{"admin", "", access.SourceLocal}, {"lea", "", access.SourceLDAP}, {"ann", "", ""}, {"bob", "", ""},
		{"ann", "LdapRealm", access.SourceLDAP}, {"ann", "NexusAuthenticatingRealm", access.SourceLocal},
	} {
		source, why := ownerOf(&secrets.UserToken{User: c.user, Realm: c.realm}, a)
		if source != c.want || (why == "") != (c.want != "") {
			t.Errorf("%s of %q: %q, %q", c.user, c.realm, source, why)
		}
	}
}
