package repository

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"strings"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// pageSize is how many records a page is made of before those that the subject may not see are left out.
const pageSize = 100

// FoundAsset is an asset with the repository that was asked and the one that keeps it; they differ behind a proxy.
type FoundAsset struct {
	Repository Definition
	Holder     Definition
	*catalog.Asset
}

// FoundComponent is a component with its assets that the subject may see.
type FoundComponent struct {
	Repository Definition
	Holder     Definition
	*catalog.Component
	Assets []FoundAsset
}

// Page is a part of a listing. Next asks for what follows; "" at the end. A page may be empty and yet have a next one.
type Page[T any] struct {
	Items []T
	Next  string
}

// cursor is where a page ended: the repository that keeps the last record, and the record's number.
type cursor struct {
	Holder string `json:"h"`
	ID     uint64 `json:"i"`
}

// ErrBadToken is the cause of a refusal of a continuation token that this server did not give out.
var ErrBadToken = errors.New("repository: bad continuation token")

// token is the number alone where the repository keeps its records itself, as clients know it.
func (c cursor) token(repository string) (string, error) {
	if c.Holder == repository {
		return strconv.FormatUint(c.ID, 10), nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// parseCursor reads a token. Numbers that are no record's mean the next greater one.
func parseCursor(repository, token string) (cursor, error) {
	if token == "" {
		return cursor{}, nil
	}
	if number, err := strconv.ParseInt(token, 10, 64); err == nil {
		return cursor{repository, uint64(max(number, 0))}, nil
	}
	var c cursor
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil || c.Holder == "" {
		return c, &formats.Error{Kind: formats.Invalid, Message: "Invalid continuation token", Err: ErrBadToken}
	}
	return c, nil
}

// Assets lists the assets of a repository, of a proxy those of its members, that a subject may see. token is "" for the first page.
func (e *Engine) Assets(ctx context.Context, s Subject, repository, token string) (Page[FoundAsset], error) {
	v, from, err := e.startPage(ctx, s, repository, token)
	if err != nil {
		return Page[FoundAsset]{}, err
	}
	scan := func(holder *repo, from cursor) iter.Seq2[*catalog.Asset, error] {
		return holder.content.AssetsAfterID(ctx, from.ID)
	}
	end := func(a *catalog.Asset) uint64 { return a.ID }
	return collect(v, from, scan, end, func(holder *repo, a *catalog.Asset) (FoundAsset, bool, error) {
		return FoundAsset{v.def, holder.def, a}, v.sees(a.Path), nil
	})
}

// Components lists the components of a repository, of a proxy those of its members, that a subject may see. Whether a component is
// seen depends on its name, as if that were a path.
func (e *Engine) Components(ctx context.Context, s Subject, repository, token string) (Page[FoundComponent], error) {
	v, from, err := e.startPage(ctx, s, repository, token)
	if err != nil {
		return Page[FoundComponent]{}, err
	}
	scan := func(holder *repo, from cursor) iter.Seq2[*catalog.Component, error] {
		return holder.content.ComponentsAfterID(ctx, from.ID)
	}
	end := func(c *catalog.Component) uint64 { return c.ID }
	return collect(v, from, scan, end, func(holder *repo, c *catalog.Component) (FoundComponent, bool, error) {
		if !v.sees(c.Name) {
			return FoundComponent{}, false, nil
		}
		found, err := v.component(ctx, holder, c)
		return found, true, err
	})
}

func (e *Engine) startPage(ctx context.Context, s Subject, repository, token string) (*view, cursor, error) {
	v, err := e.view(s, repository)
	if err != nil {
		return nil, cursor{}, err
	}
	e.settleDownloads(ctx)
	from, err := parseCursor(v.def.Name, token)
	return v, from, err
}

// settleDownloads writes down the downloads so far, so that what is listed tells of them.
func (e *Engine) settleDownloads(ctx context.Context) {
	if err := e.opts.Catalog.Flush(ctx); err != nil && ctx.Err() == nil {
		e.log.Warn("downloads are not written down yet", "error", err)
	}
}

// collect reads one page of records over all holders of a repository. show makes an item of a record, or leaves it out.
func collect[R, T any](
	v *view, from cursor, scan func(*repo, cursor) iter.Seq2[R, error], end func(R) uint64, show func(*repo, R) (T, bool, error),
) (Page[T], error) {
	var page Page[T]
	read := 0
	skipping := from.Holder != ""
	for _, holder := range v.holders() {
		at := cursor{}
		if skipping {
			if holder.def.Name != from.Holder {
				continue
			}
			skipping, at = false, from
		}
		for record, err := range scan(holder, at) {
			if err != nil {
				return Page[T]{}, err
			}
			item, visible, err := show(holder, record)
			if err != nil {
				return Page[T]{}, err
			}
			if visible {
				page.Items = append(page.Items, item)
			}
			if read++; read == pageSize {
				page.Next, err = cursor{holder.def.Name, end(record)}.token(v.def.Name)
				return page, err
			}
		}
	}
	return page, nil
}

// component gathers the assets of a component that may be seen.
func (v *view) component(ctx context.Context, holder *repo, c *catalog.Component) (FoundComponent, error) {
	found := FoundComponent{Repository: v.def, Holder: holder.def, Component: c}
	for a, err := range holder.content.ComponentAssets(ctx, c.Coordinates) {
		if err != nil {
			return FoundComponent{}, err
		}
		if v.sees(a.Path) {
			found.Assets = append(found.Assets, FoundAsset{v.def, holder.def, a})
		}
	}
	return found, nil
}

// Locator names an asset or a component by its number.
type Locator struct {
	Repository string // in which it is looked for: the one that has it, or a proxy that shows it
	Holder     string // the one that has it; "" means whichever has the number
	ID         uint64
}

// Asset gives an asset that a subject may see.
func (e *Engine) Asset(ctx context.Context, s Subject, at Locator) (FoundAsset, error) {
	v, err := e.view(s, at.Repository)
	if err != nil {
		return FoundAsset{}, err
	}
	e.settleDownloads(ctx)
	holder, a, err := v.assetByID(ctx, at)
	if err != nil {
		return FoundAsset{}, err
	}
	if !v.sees(a.Path) {
		return FoundAsset{}, &formats.Error{Kind: formats.NotFound}
	}
	return FoundAsset{v.def, holder.def, a}, nil
}

// Component gives a component that a subject may see.
func (e *Engine) Component(ctx context.Context, s Subject, at Locator) (FoundComponent, error) {
	v, err := e.view(s, at.Repository)
	if err != nil {
		return FoundComponent{}, err
	}
	e.settleDownloads(ctx)
	holder, c, err := v.componentByID(ctx, at)
	if err != nil {
		return FoundComponent{}, err
	}
	if !v.sees(c.Name) {
		return FoundComponent{}, &formats.Error{Kind: formats.NotFound}
	}
	return v.component(ctx, holder, c)
}

func (r *repo) assetByID(ctx context.Context, at Locator) (*repo, *catalog.Asset, error) {
	for _, holder := range r.holders() {
		if at.Holder != "" && !strings.EqualFold(at.Holder, holder.def.Name) {
			continue
		}
		a, err := holder.content.AssetByID(ctx, at.ID)
		if err == nil || !errors.Is(err, catalog.ErrNotFound) {
			return holder, a, err
		}
	}
	return nil, nil, &formats.Error{Kind: formats.NotFound}
}

func (r *repo) componentByID(ctx context.Context, at Locator) (*repo, *catalog.Component, error) {
	for _, holder := range r.holders() {
		if at.Holder != "" && !strings.EqualFold(at.Holder, holder.def.Name) {
			continue
		}
		c, err := holder.content.ComponentByID(ctx, at.ID)
		if err == nil || !errors.Is(err, catalog.ErrNotFound) {
			return holder, c, err
		}
	}
	return nil, nil, &formats.Error{Kind: formats.NotFound}
}
