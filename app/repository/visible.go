package repository

import (
	"entrepot/app/access/permission"
	"entrepot/formats"
)

// Visible gives the repositories that a subject may browse, by name.
func (e *Engine) Visible(s Subject) []Definition {
	var visible []Definition
	for _, r := range e.state.Load().ordered {
		if s.MayEnter(r.def.Format, r.def.Name, permission.Browse) {
			visible = append(visible, r.def)
		}
	}
	return visible
}

// See gives the definition of a repository that a subject may know of: it may browse or read some path of it, or of a proxy that has
// it as a member. Its refusals are of kind NotFound for an unknown repository, whoever asks, and Forbidden or Unauthenticated.
func (e *Engine) See(s Subject, name string) (Definition, error) {
	st := e.state.Load()
	r := st.find(name)
	if r == nil {
		return Definition{}, errRepositoryNotFound()
	}
	if enters(s, r) {
		return r.def, nil
	}
	for _, p := range st.ordered {
		if p != r && p.def.Kind == formats.Proxy && enters(s, p) && st.holds(p, r, nil) {
			return r.def, nil
		}
	}
	return Definition{}, refuse(s)
}

func enters(s Subject, r *repo) bool {
	return s.MayEnter(r.def.Format, r.def.Name, permission.Browse|permission.Read)
}

// view is a repository's content as one subject sees it.
type view struct {
	*repo
	subject Subject
}

// view opens a repository's content to a subject that may browse or read some path of it. Rights on a proxy do not open its members.
func (e *Engine) view(s Subject, name string) (*view, error) {
	r := e.state.Load().find(name)
	if r == nil {
		return nil, errRepositoryNotFound()
	}
	if !enters(s, r) {
		return nil, refuse(s)
	}
	return &view{r, s}, nil
}

// sees reports whether a path of the repository may be shown.
func (v *view) sees(path string) bool {
	return v.may(permission.Browse, path) || v.may(permission.Read, path)
}

func (v *view) may(action permission.Action, path string) bool {
	return v.subject.MayView(v.def.Format, v.def.Name, action, path)
}

// holders gives where the content of a repository is kept: in itself, or in what is behind a proxy, in order.
func (r *repo) holders() []*repo {
	if r.def.Kind == formats.Proxy {
		return append([]*repo{r}, r.leaves...)
	}
	return []*repo{r}
}
