package export

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/migrate/inventory"
)

// file is an inventory with its secrets, which otherwise encode as ***.
type file struct {
	*inventory.Inventory
	Credentials map[string][2]string         // password and bearer token by repository
	SettingKeys map[string]map[string]string // secrets among a format's settings by repository
	RecordKeys  map[string]map[string]string // secrets by section/name of the record
	SystemKeys  systemKeys
}

// describe gathers everything but the assets, which it counts.
func (w *writer) describe(ctx context.Context) (*inventory.Inventory, error) {
	inv := &inventory.Inventory{Origin: "export of an Entrepot", SystemID: "export", RoutingRules: w.from.Engine.RoutingRules()}
	for _, b := range w.from.Engine.BlobStores() {
		inv.BlobStores = append(inv.BlobStores, inventory.BlobStore{BlobStore: b})
	}
	for _, d := range w.from.Engine.List() {
		r := inventory.Repository{Definition: d}
		r.Content, r.Token = "", ""
		usage, err := w.from.Engine.HeldUsage(ctx, d.Name)
		if err != nil {
			return nil, err
		}
		r.Assets, r.Bytes = usage.Assets, usage.Bytes
		inv.Assets += r.Assets
		inv.Bytes += r.Bytes
		inv.Repositories = append(inv.Repositories, r)
	}
	if err := w.accounts(ctx, &inv.Access); err != nil {
		return nil, err
	}
	if err := w.system(ctx, &inv.System); err != nil {
		return nil, err
	}
	w.upkeep(&inv.Upkeep)
	return inv, w.records(ctx, inv)
}

func (w *writer) accounts(ctx context.Context, a *inventory.Access) error {
	service := w.from.Access
	selectors, err := service.Selectors(ctx)
	if err != nil {
		return err
	}
	a.Selectors = selectors
	privileges, err := service.Privileges(ctx)
	if err != nil {
		return err
	}
	for _, p := range privileges {
		if !p.ReadOnly {
			a.Privileges = append(a.Privileges, p)
		}
	}
	roles, err := service.Roles(ctx, "")
	if err != nil {
		return err
	}
	for _, r := range roles {
		if !r.ReadOnly {
			a.Roles = append(a.Roles, access.RoleInput{ID: r.ID, Name: r.Name, Description: &r.Description, Privileges: r.Privileges, Roles: r.Roles})
		}
	}
	users, err := service.Users(ctx, access.UserFilter{Stored: true})
	if err != nil {
		return err
	}
	tokens := 0
	for _, u := range users {
		exported, err := service.ExportUser(ctx, u.Source, u.ID)
		if err != nil {
			return err
		}
		a.Users = append(a.Users, exported)
		held, err := service.Tokens(ctx, access.TokenFilter{Source: u.Source, User: u.ID})
		if err != nil {
			return err
		}
		tokens += len(held)
	}
	if tokens > 0 {
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("%d tokens stay behind: only their digests are known here.", tokens))
	}
	return w.security(ctx, a)
}

func (w *writer) security(ctx context.Context, a *inventory.Access) error {
	anonymous, err := w.from.Access.Anonymous(ctx)
	if err != nil {
		return err
	}
	a.Anonymous = &anonymous
	if a.Realms, err = w.from.Access.ConfiguredRealms(ctx); err != nil {
		return err
	}
	userTokens, err := w.from.Access.UserTokenSettings(ctx)
	if err != nil {
		return err
	}
	a.UserTokens = &userTokens
	a.DefaultRole, err = w.from.Access.DefaultRole(ctx)
	return err
}

func (w *writer) records(ctx context.Context, inv *inventory.Inventory) error {
	sections, err := w.from.Records.Sections(ctx)
	if err != nil {
		return err
	}
	for _, section := range sections {
		for r, err := range w.from.Records.Section(ctx, section) {
			if err != nil {
				return err
			}
			out := inventory.Record{Section: r.Section, Name: r.Name, Value: r.Value}
			for path, secret := range r.Secrets {
				if out.Secrets == nil {
					out.Secrets = make(map[string]repository.Secret)
				}
				out.Secrets[path] = repository.Secret(secret)
			}
			inv.Records = append(inv.Records, out)
		}
	}
	return nil
}

// saveInventory writes the description, secrets in the clear, for the owner's eyes only.
func (w *writer) saveInventory(inv *inventory.Inventory) error {
	out := file{
		Inventory: inv, Credentials: make(map[string][2]string),
		SettingKeys: make(map[string]map[string]string), RecordKeys: make(map[string]map[string]string), SystemKeys: keysOf(&inv.System),
	}
	for _, r := range inv.Repositories {
		for name, secret := range r.Secrets {
			if out.SettingKeys[r.Name] == nil {
				out.SettingKeys[r.Name] = make(map[string]string)
			}
			out.SettingKeys[r.Name][name] = string(secret)
		}
		if r.Upstream != nil && r.Upstream.Authentication != nil {
			out.Credentials[r.Name] = [2]string{string(r.Upstream.Authentication.Password), string(r.Upstream.Authentication.Bearer)}
		}
	}
	for _, r := range inv.Records {
		for path, secret := range r.Secrets {
			key := r.Section + "/" + r.Name
			if out.RecordKeys[key] == nil {
				out.RecordKeys[key] = make(map[string]string)
			}
			out.RecordKeys[key][path] = string(secret)
		}
	}
	return writeWhole(filepath.Join(w.dir, inventoryFile), 0o600, func(f io.Writer) error {
		e := json.NewEncoder(f)
		e.SetIndent("", "  ")
		return e.Encode(out)
	})
}
