package rest

import (
	"context"
	"net/http"
	"strings"

	"entrepot/app/access/csel"
	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/formats"
)

// Bounds of a preview of a content selector: how many assets it shows, and how many pages of assets it looks at.
const (
	previewShown = 10
	previewPages = 50
)

type previewBody struct {
	Expression *string `json:"expression"`
	Repository string  `json:"repository"` // a name, "*" for all, "*-FORMAT" for those of a format; "" is "*"
}

// previewSelector shows what a content selector would match before it is stored, to those who may make or change one. It looks at the
// first few thousand assets that the caller may see, and counts among those.
func (a *API) previewSelector(c *call) (any, error) {
	if !c.permits("nexus:selectors:create") && !c.permits("nexus:selectors:update") {
		return nil, forbidden()
	}
	var b previewBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if b.Expression == nil {
		return nil, violations{{"HelperBean.expression", "Invalid CSEL: null"}}
	}
	selector, err := csel.Compile(*b.Expression, nil)
	if err != nil {
		return nil, violations{{"HelperBean.expression", err.Error()}}
	}
	scope, err := a.previewScope(b.Repository)
	if err != nil {
		return nil, err
	}
	p := preview{call: c, selector: selector, pages: previewPages, shown: []object{}}
	for _, d := range scope {
		if err := p.look(c.Context(), d.Name); err != nil {
			return nil, err
		}
	}
	return object{{"total", p.total}, {"results", p.shown}}, nil
}

// previewScope gives the repositories that a preview looks at.
func (a *API) previewScope(name string) ([]repository.Definition, error) {
	if name != "" && !strings.HasPrefix(name, permission.Any) {
		d, ok := a.engine.Lookup(name)
		if !ok {
			return nil, quotedf(http.StatusBadRequest, "Repository not found")
		}
		return []repository.Definition{d}, nil
	}
	var scope []repository.Definition
	format := strings.TrimPrefix(strings.TrimPrefix(name, permission.Any), "-")
	for _, d := range a.engine.List() {
		if format == "" || d.Format == format {
			scope = append(scope, d)
		}
	}
	return scope, nil
}

// preview gathers what a selector matches.
type preview struct {
	*call
	selector *csel.Selector
	pages    int // that may still be read
	total    int
	shown    []object
}

// look reads pages of a repository's assets. One that the caller may not browse, or that is gone meanwhile, shows nothing.
func (p *preview) look(ctx context.Context, name string) error {
	for token := ""; p.pages > 0; p.pages-- {
		page, err := p.api.engine.Assets(ctx, p.subject, name, token)
		switch formats.KindOf(err) {
		case formats.NotFound, formats.Forbidden, formats.Unauthenticated:
			return nil
		}
		if err != nil {
			return err
		}
		for _, found := range page.Items {
			if !p.selector.Match(found.Repository.Format, found.Path) {
				continue
			}
			if p.total++; len(p.shown) < previewShown {
				p.shown = append(p.shown, object{{"id", reference(assetNumber, repository.Locator{Repository: name, Holder: found.Holder.Name, ID: found.ID})}, {"name", found.Path}, {"repositoryName", name}})
			}
		}
		if token = page.Next; token == "" {
			return nil
		}
	}
	return nil
}
