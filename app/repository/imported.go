package repository

import (
	"cmp"
	"context"
)

// Import stores a repository as another server kept it, replacing one with the same name, format and kind. What it refers to need
// not exist here: members, a blob store or a routing rule that are not there are as good as those that are deleted later. The
// content of a repository that is there stays, and so do its secrets where the other server did not give its own away.
func (e *Engine) Import(ctx context.Context, d Definition, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	before := s.find(d.Name)
	d.keepSecrets(before)
	if err := e.checkImport(before, &d); err != nil {
		return err
	}
	if err := e.writable(); err != nil {
		return err
	}
	if before != nil {
		d.Content, d.Token = before.def.Content, before.def.Token
		if err := e.replace(ctx, before, d); err != nil {
			return err
		}
	} else {
		d.Content = newContentID()
		if err := e.add(ctx, d); err != nil {
			return err
		}
	}
	e.log.Info("repository imported", "repository", d.Name, "format", d.Format, "kind", d.Kind, "user", actor)
	return nil
}

// checkImport refuses what no repository can be. What this server could not make itself, but keep, comes in.
func (e *Engine) checkImport(before *repo, d *Definition) error {
	if p := e.checkParts(d); len(p.list) > 0 {
		return p.list
	}
	if before != nil && (before.def.Name != d.Name || before.def.Format != d.Format || before.def.Kind != d.Kind) {
		return checkFixed(before, *d)
	}
	return nil
}

// keepSecrets fills in the secrets that are missing from those that are here. A token that is nowhere leaves its upstream without
// credentials.
func (d *Definition) keepSecrets(before *repo) {
	if before != nil {
		for name, secret := range before.def.Secrets {
			if d.Secrets[name] == "" {
				d.Secrets = merged(d.Secrets, map[string]Secret{name: secret})
			}
		}
	}
	if d.Upstream == nil || d.Upstream.Authentication == nil {
		return
	}
	upstream, have := *d.Upstream, *d.Upstream.Authentication
	if before != nil && before.def.Upstream != nil && before.def.Upstream.Authentication != nil {
		was := before.def.Upstream.Authentication
		if was.Type == have.Type && was.Username == have.Username {
			have.Password, have.Bearer = cmp.Or(have.Password, was.Password), cmp.Or(have.Bearer, was.Bearer)
		}
	}
	upstream.Authentication = &have
	if have.Type == "bearerToken" && have.Bearer == "" {
		upstream.Authentication = nil
	}
	d.Upstream = &upstream
}
