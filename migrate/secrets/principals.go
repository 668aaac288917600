package secrets

import (
	"fmt"

	"entrepot/migrate/secrets/javastream"
)

// Principal is a name under which a realm knows a user.
type Principal struct {
	Realm string // "NexusAuthenticatingRealm", "LdapRealm", …
	// Name is the user's id. It is empty when the realm keeps an object of a class of its own, which Class then names.
	Name  string
	Class string
}

// principalClass is the class of the stored object, with its only field.
const (
	principalClass = "org.apache.shiro.subject.SimplePrincipalCollection"
	principalField = "realmPrincipals"
)

// ParsePrincipals reads the serialized owner of an API key, after decryption. There is at least one.
func ParsePrincipals(data []byte) ([]Principal, error) {
	v, err := javastream.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: owner of an API key: %v", ErrForm, err)
	}
	o, ok := v.(*javastream.Object)
	if !ok || o.Class != principalClass {
		return nil, fmt.Errorf("%w: the owner of an API key is no collection of principals", ErrForm)
	}
	realms, ok := o.Field(principalField)
	if !ok || realms == nil {
		realms = written(o) // the field is transient in newer versions of the class, and written by hand
	}
	var principals []Principal
	for realm, names := range javastream.Entries(realms) {
		name, ok := realm.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a realm without a name", ErrForm)
		}
		for _, v := range javastream.Elements(names) {
			p := Principal{Realm: name}
			switch v := v.(type) {
			case string:
				p.Name = v
			case *javastream.Object:
				p.Class = v.Class
			}
			principals = append(principals, p)
		}
	}
	if len(principals) == 0 {
		return nil, fmt.Errorf("%w: the owner of an API key has no name", ErrForm)
	}
	return principals, nil
}

// written gives the map that the class wrote beyond its fields.
func written(o *javastream.Object) any {
	level, _ := o.Level(principalClass)
	for _, v := range level.Custom {
		if m, ok := v.(*javastream.Object); ok {
			return m
		}
	}
	return nil
}
