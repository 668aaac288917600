package repository

import (
	"context"

	"entrepot/formats"
)

// Import stores a repository as another server kept it, replacing one with the same name, format and kind. What it refers to need
// not exist here: members, a blob store or a routing rule that are not there are as good as those that are deleted later. The
// content of a repository that is there stays.
func (e *Engine) Import(ctx context.Context, d Definition, actor string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state.Load()
	before := s.find(d.Name)
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

// checkImport refuses what no repository can be, and fills in the defaults of the format's settings.
func (e *Engine) checkImport(before *repo, d *Definition) error {
	var p problems
	p.checkName(d.Name)
	p.checkSettings(e.formats[d.Format], d)
	if d.Format == "" {
		p.add("format", "must not be empty")
	}
	switch d.Kind {
	case formats.Hosted:
		p.checkHosted(d.Write)
	case formats.Cache:
		if d.Upstream == nil {
			p.add("upstream.url", "must not be null")
		}
	case formats.Proxy:
	default:
		p.add("kind", "must be one of hosted, cache, proxy")
	}
	if len(p.list) > 0 {
		return p.list
	}
	if before != nil && (before.def.Name != d.Name || before.def.Format != d.Format || before.def.Kind != d.Kind) {
		return checkFixed(before, *d)
	}
	return nil
}
