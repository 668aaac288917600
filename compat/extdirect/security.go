package extdirect

import (
	"entrepot/app/access"
	"entrepot/compat/forms"
)

// hidden stands for a password in what clients see, and keeps it when it comes back.
const hidden = "#~NXRM~PLACEHOLDER~PASSWORD~#"

// version is the revision of users and roles: it counts nothing here, because changes are not checked against it.
const version = "0"

func (c *Calls) securityMethods() []method {
	return []method{
		{"coreui_User.read", "nexus:users:read", 1, c.users},
		{"coreui_User.readSources", "nexus:users:read", 0, c.userSources},
		{"coreui_Role.read", "nexus:roles:read", 0, c.roles},
		{"coreui_Role.readReferences", "nexus:roles:read", 0, c.roleReferences},
		{"coreui_Privilege.read", "nexus:privileges:read", 0, c.privileges},
		{"coreui_Privilege.readReferences", "nexus:privileges:read", 0, c.privilegeReferences},
		{"coreui_Privilege.readTypes", "nexus:privileges:read", 0, privilegeTypes},
		{"coreui_Selector.read", "nexus:selectors:read", 0, c.selectors},
		{"coreui_Selector.readReferences", "nexus:selectors:read", 0, c.selectorReferences},
		{"coreui_RealmSettings.read", "nexus:settings:read", 0, c.realms},
		{"coreui_RealmSettings.update", "nexus:settings:update", 1, c.setRealms},
		{"coreui_AnonymousSettings.read", "nexus:settings:read", 0, c.anonymous},
		{"coreui_AnonymousSettings.update", "nexus:settings:update", 1, c.setAnonymous},
	}
}

// reference is something that a form may choose.
type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (c *Calls) users(q *request) (any, error) {
	type shown struct {
		ID        string        `json:"userId"`
		Version   string        `json:"version"`
		Realm     string        `json:"realm"`
		FirstName string        `json:"firstName"`
		LastName  string        `json:"lastName"`
		Email     string        `json:"email"`
		Status    access.Status `json:"status"`
		Password  string        `json:"password"`
		Roles     []string      `json:"roles"`
		External  bool          `json:"external"`
		Granted   []string      `json:"externalRoles"` // roles of its source; nil for local users
	}
	users, err := c.Access.Users(q.Context(), access.UserFilter{})
	if err != nil {
		return nil, err
	}
	out := []shown{}
	for _, u := range users {
		out = append(out, shown{
			ID: u.ID, Version: version, Realm: u.Source, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Status: u.Status,
			Password: hidden, Roles: append([]string{}, u.Roles...), External: u.Source != access.SourceLocal,
		})
	}
	return out, nil
}

func (c *Calls) userSources(*request) (any, error) {
	out := []reference{}
	for _, s := range c.Access.Sources() {
		out = append(out, reference{s.ID, s.Name})
	}
	return out, nil
}

func (c *Calls) roles(q *request) (any, error) {
	type shown struct {
		ID          string   `json:"id"`
		Version     string   `json:"version"`
		Source      string   `json:"source"`
		Name        string   `json:"name"`
		Description string   `json:"description"`
		ReadOnly    bool     `json:"readOnly"`
		Privileges  []string `json:"privileges"`
		Roles       []string `json:"roles"`
	}
	roles, err := c.Access.Roles(q.Context(), access.SourceLocal)
	if err != nil {
		return nil, err
	}
	out := []shown{}
	for _, r := range roles {
		out = append(out, shown{
			r.ID, version, "Nexus", r.Name, r.Description, r.ReadOnly, append([]string{}, r.Privileges...), append([]string{}, r.Roles...),
		})
	}
	return out, nil
}

func (c *Calls) roleReferences(q *request) (any, error) {
	roles, err := c.Access.Roles(q.Context(), access.SourceLocal)
	if err != nil {
		return nil, err
	}
	out := []reference{}
	for _, r := range roles {
		out = append(out, reference{r.ID, r.Name})
	}
	return out, nil
}

func (c *Calls) privileges(q *request) (any, error) {
	type shown struct {
		ID          string  `json:"id"`
		Version     string  `json:"version"`
		Name        string  `json:"name"`
		Description *string `json:"description"`
		Type        string  `json:"type"`
		ReadOnly    bool    `json:"readOnly"`
		Permission  string  `json:"permission"`
	}
	privileges, err := c.Access.Privileges(q.Context())
	if err != nil {
		return nil, err
	}
	out := []shown{}
	for _, p := range privileges {
		text := ""
		if held, ok := p.Permission(); ok {
			text = held.String()
		}
		out = append(out, shown{p.Name, version, p.Name, p.Description, string(p.Type), p.ReadOnly, text})
	}
	return out, nil
}

func (c *Calls) privilegeReferences(q *request) (any, error) {
	privileges, err := c.Access.Privileges(q.Context())
	if err != nil {
		return nil, err
	}
	out := []reference{}
	for _, p := range privileges {
		out = append(out, reference{p.Name, p.Name})
	}
	return out, nil
}

func privilegeTypes(*request) (any, error) {
	type shown struct {
		ID     string      `json:"id"`
		Name   string      `json:"name"`
		Fields []formField `json:"formFields"`
	}
	out := []shown{}
	for _, t := range forms.Privileges() {
		fields := []formField{}
		for _, f := range t.Fields {
			one := formField{ID: f.ID, Type: string(f.Kind), Label: f.Label, Help: f.Help, Required: true, Attributes: f.Attributes, Autocomplete: f.Free}
			if f.Choices != "" {
				one.Choices = &f.Choices
			}
			fields = append(fields, one)
		}
		out = append(out, shown{t.ID, t.Name, fields})
	}
	return out, nil
}

func (c *Calls) selectors(q *request) (any, error) {
	type shown struct {
		ID          string  `json:"id"`
		Name        string  `json:"name"`
		Type        string  `json:"type"`
		Expression  string  `json:"expression"`
		Description *string `json:"description"`
	}
	selectors, err := c.Access.Selectors(q.Context())
	if err != nil {
		return nil, err
	}
	out := []shown{}
	for _, s := range selectors {
		out = append(out, shown{s.Name, s.Name, s.Type, s.Expression, s.Description})
	}
	return out, nil
}

func (c *Calls) selectorReferences(q *request) (any, error) {
	selectors, err := c.Access.Selectors(q.Context())
	if err != nil {
		return nil, err
	}
	out := []reference{}
	for _, s := range selectors {
		out = append(out, reference{s.Name, s.Name})
	}
	return out, nil
}

// realmSettings are the realms that are asked, in order.
type realmSettings struct {
	Realms []string `json:"realms"`
}

func (c *Calls) realms(q *request) (any, error) {
	ids, err := c.Access.ActiveRealms(q.Context())
	return realmSettings{append([]string{}, ids...)}, err
}

func (c *Calls) setRealms(q *request) (any, error) {
	var in realmSettings
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	if err := c.Access.SetActiveRealms(q.Context(), q.subject.Actor(q.Remote), in.Realms); err != nil {
		return nil, err
	}
	return in, nil
}

// anonymousSettings say as whom callers without credentials come in.
type anonymousSettings struct {
	Enabled bool   `json:"enabled"`
	UserID  string `json:"userId"`
	Realm   string `json:"realmName"`
}

func (c *Calls) anonymous(q *request) (any, error) {
	a, err := c.Access.Anonymous(q.Context())
	return anonymousSettings(a), err
}

func (c *Calls) setAnonymous(q *request) (any, error) {
	var in anonymousSettings
	if err := q.argument(&in); err != nil {
		return nil, err
	}
	if err := c.Access.SetAnonymous(q.Context(), q.subject.Actor(q.Remote), access.Anonymous(in)); err != nil {
		return nil, err
	}
	return in, nil
}
