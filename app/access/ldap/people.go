package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"entrepot/app/access"
)

const (
	// maxGroups is how many groups of one person are read.
	maxGroups = 1000
	// maxAlike is how many entries are read to find the one that is spelled as asked for.
	maxAlike = 10
)

// person is an entry of the directory.
type person struct {
	dn       string
	id       string
	realName string
	email    string
	memberOf []string
	hashes   [][]byte // of the password attribute
}

// find looks a person up. Exactly one must have the id; access.ErrNoUser when none has.
func (c *client) find(ctx context.Context, id string) (*person, error) {
	entries, err := c.search(ctx, c.userSearch(ldap.EscapeFilter(id), maxAlike))
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e *ldap.Entry) bool {
		// Directories pass over blanks and more; the bounds on guessing tell names apart by their spelling.
		return e.DN == "" || !slices.ContainsFunc(e.GetEqualFoldAttributeValues(c.server.Users.idAttribute()), func(have string) bool {
			return strings.EqualFold(have, id)
		})
	})
	switch len(entries) {
	case 0:
		return nil, access.ErrNoUser
	case 1:
		return c.person(entries[0], id), nil
	}
	return nil, fmt.Errorf("%w: %s and %s", errAmbiguous, entries[0].DN, entries[1].DN)
}

// userSearch is a search for people whose id is, in the language of filters, value.
func (c *client) userSearch(value string, limit int) *ldap.SearchRequest {
	u := &c.server.Users
	var filter strings.Builder
	filter.WriteString("(&")
	if u.ObjectClass != "" {
		fmt.Fprintf(&filter, "(objectClass=%s)", ldap.EscapeFilter(u.ObjectClass))
	}
	fmt.Fprintf(&filter, "(%s=%s)%s)", u.idAttribute(), value, inBrackets(u.Filter))
	attributes := []string{u.idAttribute()}
	for _, name := range []string{u.RealName, u.Email, u.Password, c.server.Groups.memberOf()} {
		if name != "" {
			attributes = append(attributes, name)
		}
	}
	return c.searchRequest(u.BaseDN, u.Subtree, limit, filter.String(), attributes)
}

func (c *client) searchRequest(base string, subtree bool, limit int, filter string, attributes []string) *ldap.SearchRequest {
	scope := ldap.ScopeSingleLevel
	if subtree {
		scope = ldap.ScopeWholeSubtree
	}
	r := ldap.NewSearchRequest(c.server.below(base), scope, ldap.NeverDerefAliases, limit, c.server.Timeout, false, filter, attributes, nil)
	r.EnforceSizeLimit = true
	return r
}

// person reads an entry. typed is what was asked for, "" when it was not for one person.
func (c *client) person(e *ldap.Entry, typed string) *person {
	u := &c.server.Users
	ids := e.GetEqualFoldAttributeValues(u.idAttribute())
	p := &person{dn: e.DN}
	for _, id := range ids {
		if p.id == "" || strings.EqualFold(id, typed) {
			p.id = id
		}
	}
	if u.RealName != "" {
		p.realName = e.GetEqualFoldAttributeValue(u.RealName)
	}
	if u.Email != "" {
		p.email = e.GetEqualFoldAttributeValue(u.Email)
	}
	if name := c.server.Groups.memberOf(); name != "" {
		p.memberOf = e.GetEqualFoldAttributeValues(name)
	}
	if u.Password != "" {
		p.hashes = e.GetEqualFoldRawAttributeValues(u.Password)
	}
	return p
}

// memberOf gives the attribute of people that holds their groups, "" when it is not there that they are found.
func (g *Groups) memberOf() string {
	if !g.AsRoles || g.Type != DynamicGroups {
		return ""
	}
	return g.MemberOf
}

// groups gives the names of a person's groups, which are ids of roles.
func (c *client) groups(ctx context.Context, p *person) ([]string, error) {
	g := &c.server.Groups
	switch {
	case !g.AsRoles:
		return nil, nil
	case g.Type == DynamicGroups:
		names := make([]string, 0, len(p.memberOf))
		for _, group := range p.memberOf {
			names = append(names, groupName(group))
		}
		return names, nil
	}
	return c.groupNames(ctx, "("+g.Member+"="+g.memberValue(p)+")", maxGroups)
}

// memberValue gives what a group holds of a person, in the language of filters.
func (g *Groups) memberValue(p *person) string {
	username := p.id
	if strings.Contains(g.MemberFormat, "=") { // it is part of a DN
		username = ldap.EscapeDN(username)
	}
	return ldap.EscapeFilter(strings.NewReplacer(usernamePlace, username, dnPlace, p.dn).Replace(g.MemberFormat))
}

// groupName gives the name of a group that is told as a DN, or in plain.
func groupName(group string) string {
	dn, err := ldap.ParseDN(group)
	if err != nil || len(dn.RDNs) == 0 || len(dn.RDNs[0].Attributes) == 0 {
		return group
	}
	return dn.RDNs[0].Attributes[0].Value
}

// groupNames gives the names of static groups that a part of a filter selects.
func (c *client) groupNames(ctx context.Context, selects string, limit int) ([]string, error) {
	g := &c.server.Groups
	filter := fmt.Sprintf("(&(objectClass=%s)(%s=*)%s)", ldap.EscapeFilter(g.ObjectClass), g.ID, selects)
	entries, err := c.search(ctx, c.searchRequest(g.BaseDN, g.Subtree, limit, filter, []string{g.ID}))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.GetEqualFoldAttributeValues(g.ID)...)
	}
	return names, nil
}

// user gives a person as package access knows users. What people call themselves is one text here; its first word is the first name.
func (c *client) user(ctx context.Context, p *person) (access.DirectoryUser, error) {
	groups, err := c.groups(ctx, p)
	if err != nil {
		return access.DirectoryUser{}, err
	}
	first, last, _ := strings.Cut(p.realName, " ")
	return access.DirectoryUser{ID: p.id, FirstName: first, LastName: last, Email: p.email, Groups: groups}, nil
}

// signIn proves a password and gives whose it is.
func (c *client) signIn(ctx context.Context, id, secret string) (user access.DirectoryUser, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		p, err := c.find(ctx, id)
		if err != nil {
			return err
		}
		if c.server.Users.Password == "" {
			err = c.prove(ctx, p.dn, secret)
		} else if !slices.ContainsFunc(p.hashes, func(hash []byte) bool { return matches(hash, secret) }) {
			err = access.ErrBadCredentials
		}
		if err == nil {
			user, err = c.user(ctx, p)
		}
		return err
	})
	return user, err
}

// lookUp gives a person without a password.
func (c *client) lookUp(ctx context.Context, id string) (user access.DirectoryUser, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		p, err := c.find(ctx, id)
		if err == nil {
			user, err = c.user(ctx, p)
		}
		return err
	})
	return user, err
}

// list gives people whose id begins with prefix.
func (c *client) list(ctx context.Context, prefix string, limit int) (users []access.DirectoryUser, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		entries, err := c.search(ctx, c.userSearch(ldap.EscapeFilter(prefix)+"*", limit))
		if err != nil {
			return err
		}
		for _, e := range entries {
			p := c.person(e, "")
			if p.id == "" {
				continue
			}
			user, err := c.user(ctx, p)
			if err != nil {
				return err
			}
			users = append(users, user)
		}
		return nil
	})
	return users, err
}

// listGroups gives the names of the groups that are listed anywhere.
func (c *client) listGroups(ctx context.Context, limit int) (names []string, err error) {
	if g := &c.server.Groups; !g.AsRoles || g.Type != StaticGroups {
		return nil, nil
	}
	err = c.ask(ctx, func(ctx context.Context) error {
		names, err = c.groupNames(ctx, "", limit)
		return err
	})
	return names, err
}
