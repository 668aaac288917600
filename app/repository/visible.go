package repository

import (
	"entrepot/app/access/permission"
	"entrepot/formats"
)

// A subject sees a repository when it may browse or read some path of it, or of a proxy that has it as a member.

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

// See gives a repository that a subject may see: browse or read, directly or through a proxy. Its refusals are of kind NotFound for
// an unknown repository, whoever asks, and Forbidden or Unauthenticated for one that is not to be seen.
func (e *Engine) See(s Subject, name string) (Definition, error) {
	v, err := e.view(s, name)
	if err != nil {
		return Definition{}, err
	}
	return v.def, nil
}

// view is a repository as one subject sees it.
type view struct {
	*repo
	subject Subject
	through []*repo // the repositories whose permissions open it: itself and proxies that hold it
}

func (e *Engine) view(s Subject, name string) (*view, error) {
	st := e.state.Load()
	r := st.find(name)
	if r == nil {
		return nil, errRepositoryNotFound()
	}
	v := &view{repo: r, subject: s}
	for _, p := range st.ordered {
		if p != r && (p.def.Kind != formats.Proxy || !st.holds(p, r, nil)) {
			continue
		}
		if s.MayEnter(p.def.Format, p.def.Name, permission.Browse|permission.Read) {
			v.through = append(v.through, p)
		}
	}
	if len(v.through) == 0 {
		return nil, refuse(s)
	}
	return v, nil
}

// sees reports whether a path of the repository may be shown.
func (v *view) sees(path string) bool {
	for _, p := range v.through {
		if v.subject.MayView(p.def.Format, p.def.Name, permission.Browse, path) || v.subject.MayView(p.def.Format, p.def.Name, permission.Read, path) {
			return true
		}
	}
	return false
}

// holders gives where the content of a repository is kept: in itself, or in what is behind a proxy, in order.
func (r *repo) holders() []*repo {
	if r.def.Kind == formats.Proxy {
		return append([]*repo{r}, r.leaves...)
	}
	return []*repo{r}
}
