package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/app/kept"
	"entrepot/app/repository"
	"entrepot/migrate/inventory"
)

// settings compares everything but the assets.
func (c *comparison) settings(inv *inventory.Inventory) error {
	for _, compare := range []struct {
		name string
		run  func(*inventory.Inventory) (int, error)
	}{
		{"blob stores", c.blobStores}, {"routing rules", c.rules}, {"repositories", c.repositories}, {"content selectors", c.selectors},
		{"privileges", c.privileges}, {"roles", c.roles}, {"users", c.users}, {"tokens", c.tokens}, {"security settings", c.security},
		{"system settings", c.system}, {"LDAP servers", c.directories}, {"single sign-on", c.signOns}, {"certificates", c.certificates}, {"capabilities", c.capabilities}, {"scripts", c.scripts},
		{"cleanup policies", c.policies}, {"tasks", c.tasks}, {"kept settings", c.records},
	} {
		count, err := compare.run(inv)
		if err != nil {
			return fmt.Errorf("%s: %w", compare.name, err)
		}
		c.report.Compared = append(c.report.Compared, Count{compare.name, int64(count)})
	}
	return nil
}

// same compares two values of one type by their members, and reports what differs.
func (c *comparison) same(what, name string, there, here any) {
	a, errA := members(there)
	b, errB := members(here)
	if err := errors.Join(errA, errB); err != nil {
		c.differ(what, name, err.Error())
		return
	}
	var differing []string
	for key := range a {
		if !bytes.Equal(a[key], b[key]) {
			differing = append(differing, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			differing = append(differing, key)
		}
	}
	if len(differing) > 0 {
		slices.Sort(differing)
		c.differ(what, name, "differs in "+strings.Join(differing, ", "))
	}
}

func members(v any) (map[string]json.RawMessage, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	return all, json.Unmarshal(encoded, &all)
}

func (c *comparison) blobStores(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.BlobStores {
		here, err := c.target.Engine.BlobStore(there.Name)
		if err != nil {
			c.differ("blob store", there.Name, "is not here")
			continue
		}
		here.Path, here.Label = there.Path, there.Label // its folder is this server's own affair
		c.same("blob store", there.Name, there.BlobStore, here)
	}
	return len(inv.BlobStores), nil
}

func (c *comparison) rules(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.RoutingRules {
		here, err := c.target.Engine.RoutingRule(there.Name)
		if err != nil {
			c.differ("routing rule", there.Name, "is not here")
			continue
		}
		c.same("routing rule", there.Name, there, here)
	}
	return len(inv.RoutingRules), nil
}

func (c *comparison) repositories(inv *inventory.Inventory) (int, error) {
	for _, r := range inv.Repositories {
		there := r.Definition
		here, ok := c.target.Engine.Lookup(there.Name)
		if !ok {
			c.differ("repository", there.Name, "is not here")
			continue
		}
		if a, b := secretsOf(there), secretsOf(here); a != b {
			c.differ("repository", there.Name, "has other credentials for its upstream")
		}
		if !maps.Equal(there.Secrets, here.Secrets) {
			c.differ("repository", there.Name, "has other keys among the settings of its format")
		}
		there.Content, there.Token = here.Content, here.Token
		here.Settings = only(here.Settings, there.Settings)
		if len(there.Settings) == 0 {
			there.Settings = here.Settings
		}
		c.same("repository", there.Name, there, here)
	}
	return len(inv.Repositories), nil
}

// only leaves out defaults that this server filled in.
func only(here, there map[string]string) map[string]string {
	known := make(map[string]string, len(there))
	for key := range there {
		if value, ok := here[key]; ok {
			known[key] = value
		}
	}
	if len(known) == 0 {
		return nil
	}
	return known
}

func secretsOf(d repository.Definition) [2]repository.Secret {
	if d.Upstream == nil || d.Upstream.Authentication == nil {
		return [2]repository.Secret{}
	}
	return [2]repository.Secret{d.Upstream.Authentication.Password, d.Upstream.Authentication.Bearer}
}

func (c *comparison) selectors(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Access.Selectors {
		here, err := c.target.Access.Selector(c.ctx, there.Name)
		gone, err := c.gone("content selector", there.Name, err)
		if err != nil {
			return 0, err
		}
		if !gone {
			c.same("content selector", there.Name, there, here)
		}
	}
	return len(inv.Access.Selectors), nil
}

// gone reports what is not here. An error that says something else comes back.
func (c *comparison) gone(what, name string, err error) (bool, error) {
	if access.KindOf(err) == access.NotFound {
		c.differ(what, name, "is not here")
		return true, nil
	}
	return false, err
}

func (c *comparison) privileges(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Access.Privileges {
		here, err := c.target.Access.Privilege(c.ctx, there.Name)
		gone, err := c.gone("privilege", there.Name, err)
		if err != nil {
			return 0, err
		}
		if !gone {
			c.same("privilege", there.Name, there, here)
		}
	}
	return len(inv.Access.Privileges), nil
}

func (c *comparison) roles(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Access.Roles {
		here, err := c.target.Access.Role(c.ctx, access.SourceLocal, there.ID)
		gone, err := c.gone("role", there.ID, err)
		if err != nil {
			return 0, err
		}
		if gone || here.ReadOnly {
			continue
		}
		if here.Name != there.Name || there.Description != nil && here.Description != *there.Description {
			c.differ("role", there.ID, "has another name or description")
		}
		if !sameSet(there.Privileges, here.Privileges) || !sameSet(there.Roles, here.Roles) {
			c.differ("role", there.ID, "holds other privileges or roles")
		}
	}
	return len(inv.Access.Roles), nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

func (c *comparison) users(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Access.Users {
		name := there.Source + "/" + there.ID
		here, err := c.target.Access.ExportUser(c.ctx, there.Source, there.ID)
		gone, err := c.gone("user", name, err)
		if err != nil {
			return 0, err
		}
		if gone {
			continue
		}
		if there.PasswordHash != "" && here.PasswordHash != there.PasswordHash && !strings.HasPrefix(here.PasswordHash, "$argon2id$") {
			c.differ("user", name, "has another password")
		}
		if !sameSet(here.Roles, there.Roles) {
			c.differ("user", name, "has other roles")
		}
		here.Roles = there.Roles
		c.same("user", name, there.User, here.User)
	}
	return len(inv.Access.Users), nil
}

func (c *comparison) tokens(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Access.Tokens {
		name := there.Domain + " of " + there.Source + "/" + there.User
		if there.Domain == access.RealmUserToken {
			if err := c.userToken(name, there); err != nil {
				return 0, err
			}
			continue
		}
		here, err := c.target.Access.TokenOwner(c.ctx, there.Domain, string(there.Text))
		gone, err := c.gone("token", name, err)
		if err != nil {
			return 0, err
		}
		if !gone && (here.User != there.User || here.Source != there.Source || !here.Created.Equal(there.Created)) {
			c.differ("token", name, "has another owner or date")
		}
	}
	return len(inv.Access.Tokens), nil
}

// userToken compares a token that may be here, or there, with the hash of its pass code alone.
func (c *comparison) userToken(name string, there inventory.Token) error {
	here, hash, err := c.target.Access.ImportedUserToken(c.ctx, there.Source, there.User, there.Name)
	gone, err := c.gone("token", name, err)
	if err != nil || gone {
		return err
	}
	if !here.Created.Equal(there.Created) || !here.Expires.Equal(there.Expires) {
		c.differ("token", name, "has another date")
	}
	if there.Hash == "" && !here.Is(string(there.Text)) || hash != "" && hash != string(there.Hash) {
		c.differ("token", name, "has another pass code")
	}
	return nil
}

func (c *comparison) security(inv *inventory.Inventory) (int, error) {
	count := 0
	if there := inv.Access.Anonymous; there != nil {
		count++
		here, err := c.target.Access.Anonymous(c.ctx)
		if err != nil {
			return 0, err
		}
		c.same("setting", "anonymous access", *there, here)
	}
	if inv.Access.Realms != nil {
		count++
		here, err := c.target.Access.ConfiguredRealms(c.ctx)
		if err != nil {
			return 0, err
		}
		if there := inv.Access.Realms; !slices.Equal(there, here) && !slices.Equal(append(slices.Clone(there), access.RealmLocal), here) {
			c.differ("setting", "realms", fmt.Sprintf("are %v here, and %v there", here, there))
		}
	}
	if there := inv.Access.UserTokens; there != nil {
		count++
		here, err := c.target.Access.UserTokenSettings(c.ctx)
		if err != nil {
			return 0, err
		}
		c.same("setting", "user tokens", *there, here)
	}
	if there := inv.Access.DefaultRole; there != "" {
		count++
		here, err := c.target.Access.DefaultRole(c.ctx)
		if err != nil {
			return 0, err
		}
		if here != there {
			c.differ("setting", "default role", fmt.Sprintf("is %q here, and %q there", here, there))
		}
	}
	return count, nil
}

func (c *comparison) records(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Records {
		name := there.Section + "/" + there.Name
		here, err := c.target.Records.Get(c.ctx, there.Section, there.Name)
		switch {
		case errors.Is(err, kept.ErrNotFound):
			c.differ("kept setting", name, "is not here")
			continue
		case err != nil:
			return 0, err
		case !bytes.Equal(compact(here.Value), compact(there.Value)):
			c.differ("kept setting", name, "differs")
		}
		for path, secret := range there.Secrets {
			if here.Secrets[path] != string(secret) {
				c.differ("kept setting", name, "has another "+path)
			}
		}
	}
	return len(inv.Records), nil
}

// compact leaves out blanks between the members of a JSON value.
func compact(value json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return value
	}
	return b.Bytes()
}
