package rest

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (a *API) settingsOperations() []operation {
	ops := []operation{{method: http.MethodGet, path: "v1/repositorySettings", access: server.Content(), run: a.listSettings}}
	for _, kind := range []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy} {
		path := "v1/repositories/{format}/" + names.Type(kind)
		of := func(run func(*call, formats.Kind) (any, error)) func(*call) (any, error) {
			return func(c *call) (any, error) { return run(c, kind) }
		}
		ops = append(ops,
			operation{method: http.MethodPost, path: path, access: server.Content(), consumes: mediaJSON, status: http.StatusCreated, run: of(a.createSettings)},
			operation{method: http.MethodGet, path: path + "/{name}", access: server.Content(), run: of(a.getSettings)},
			operation{method: http.MethodPut, path: path + "/{name}", access: server.Content(), consumes: mediaJSON, run: of(a.updateSettings)},
		)
	}
	return ops
}

// settingsOf reads and checks a body.
func settingsOf(c *call, kind formats.Kind) (*settingsBody, error) {
	format, ok := formatOf(c, kind)
	if !ok {
		return nil, statusOnly(http.StatusNotFound)
	}
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	parsed, err := parse(data)
	if err != nil {
		return nil, err
	}
	return readSettings(format, kind, parsed, c.Method == http.MethodPut)
}

// readSettings reads and checks a body that was parsed. update is whether it replaces settings.
func readSettings(format string, kind formats.Kind, parsed any, update bool) (*settingsBody, error) {
	b := &settingsBody{format: format, kind: kind}
	if err := bind(reflect.ValueOf(b).Elem(), parsed, nil); err != nil {
		return nil, err
	}
	members, _ := parsed.(map[string]any) // else it did not bind
	v := b.check()
	var err error
	if b.own, err = readSections(format, kind, members, update, &v); err != nil {
		return nil, err
	}
	if len(v) > 0 {
		return nil, v
	}
	return b, b.refusal()
}

func (a *API) createSettings(c *call, kind formats.Kind) (any, error) {
	b, err := settingsOf(c, kind)
	if err != nil {
		return nil, err
	}
	if err := c.administers(b.format, *b.Name, permission.Add); err != nil {
		return nil, err
	}
	d := a.withKnownRule(b.definition(nil))
	return nil, wordDefinition(a.engine.Create(c.Context(), d, c.subject.UserID()), d, nil)
}

// withKnownRule drops the name of a routing rule that does not exist, as the old server does.
func (a *API) withKnownRule(d repository.Definition) repository.Definition {
	if _, err := a.engine.RoutingRule(d.RoutingRule); err != nil {
		d.RoutingRule = ""
	}
	return d
}

var errNoRepository = quotedf(http.StatusNotFound, "Repository not found")

func (a *API) getSettings(c *call, kind formats.Kind) (any, error) {
	format, ok := formatOf(c, kind)
	if !ok {
		return nil, statusOnly(http.StatusNotFound)
	}
	d, found := a.engine.Lookup(c.Param("name"))
	if !found || d.Format != format || d.Kind != kind || c.administers(d.Format, d.Name, permission.Read) != nil {
		return nil, errNoRepository
	}
	return settings(c, d), nil
}

// listSettings shows the settings that the caller may read.
func (a *API) listSettings(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	list := []object{}
	for _, d := range a.engine.List() {
		if c.administers(d.Format, d.Name, permission.Read) == nil {
			list = append(list, settings(c, d))
		}
	}
	return list, nil
}

func (a *API) updateSettings(c *call, kind formats.Kind) (any, error) {
	b, err := settingsOf(c, kind)
	if err != nil {
		return nil, err
	}
	if *b.Name != c.Param("name") {
		return nil, quotedf(http.StatusBadRequest, "Renaming a repository is not supported")
	}
	before, found := a.engine.Lookup(*b.Name)
	if !found {
		return absent(), nil
	}
	b.Name = &before.Name // whatever letter case was asked for
	if err := c.administers(before.Format, before.Name, permission.Edit); err != nil {
		return nil, err
	}
	d := a.withKnownRule(b.definition(&before))
	return nil, wordDefinition(a.engine.Update(c.Context(), d, c.subject.UserID()), d, &before)
}

// wordDefinition gives the engine's refusal of a definition in the words that clients know. before is what it was to replace.
func wordDefinition(err error, d repository.Definition, before *repository.Definition) error {
	var fields formats.FieldErrors
	switch {
	case errors.Is(err, repository.ErrExists):
		return quotedf(http.StatusBadRequest, "Duplicate key")
	case errors.Is(err, repository.ErrReadOnly):
		verb := "INSERT"
		if before != nil {
			verb = "UPDATE"
		}
		return quotedf(http.StatusBadRequest, "%s is not allowed while the application is frozen", verb)
	case errors.As(err, &fields):
		var v violations
		for _, f := range fields {
			switch {
			case f.Field == "upstream.connection.useTrustStore":
				return quotedf(http.StatusBadRequest, "%s", f.Message)
			case f.Field == "members" && before == nil && slices.Contains(d.Members, d.Name): // it does not exist yet
				v.add("HelperBean.memberNames", "Member repository does not exist: "+d.Name)
			case f.Field == "members" && strings.HasPrefix(f.Message, "Group '"):
				v.add("HelperBean.group.memberNames", f.Message)
			default:
				v.add(fieldID(f.Field), f.Message)
			}
		}
		return v
	}
	return err
}

// fieldID gives the id under which the old server reports a member of a definition.
func fieldID(field string) string {
	switch field {
	case "members":
		return "HelperBean.memberNames"
	case "upstream.url":
		return "ProxyConfig.attributes[proxy].remoteUrl"
	case "cleanup":
		return "HelperBean.cleanup"
	case "upstream.authentication.preemptive":
		return "HelperBean.attributes.httpclient.authentication.preemptive"
	}
	return "PARAMETER " + field
}

// settings is a repository with all that may be shown of its settings.
func settings(c *call, d repository.Definition) object {
	storage := object{{"blobStoreName", d.BlobStore}, {"strictContentTypeValidation", d.Strict}}
	head := object{{"name", d.Name}, {"url", repositoryURL(c, d.Name)}, {"online", d.Online}}
	tail := object{{"format", d.Format}, {"type", names.Type(d.Kind)}}
	own, special := writeSections(d), special(d.Format, d.Kind)
	if !special { // the formats without settings of their own show the format earlier
		head = slices.Insert(head, 1, member{"format", d.Format})
		tail = tail[1:]
	}
	switch d.Kind {
	case formats.Hosted:
		storage = append(storage, member{"writePolicy", d.Write})
		if d.Format == "docker" {
			storage = append(storage, member{"latestPolicy", d.LatestTag})
		}
		head = append(head, member{"storage", storage}, member{"cleanup", cleanupOf(d)})
		tail = append(object{{"component", object{{"proprietaryComponents", d.Proprietary}}}}, tail...)
	case formats.Cache:
		if special {
			storage = append(storage, member{"writePolicy", repository.WriteAllow})
		}
		head = append(head, member{"storage", storage}, member{"cleanup", cleanupOf(d)})
		head = append(head, cacheSettings(d)...)
	case formats.Proxy:
		group := object{{"memberNames", append([]string{}, d.Members...)}}
		if slices.Contains(writableGroups, d.Format) {
			group = append(group, member{"writableMember", emptyAsNull(d.WriteMember)})
		}
		head = append(head, member{"storage", storage}, member{"group", group})
	}
	return append(append(head, own...), tail...)
}

// writableGroups are the formats whose groups show which member takes writes.
var writableGroups = []string{"docker", "npm"}

func cleanupOf(d repository.Definition) any {
	if d.Cleanup == nil {
		return nil
	}
	return object{{"policyNames", d.Cleanup}}
}

func cacheSettings(d repository.Definition) object {
	u := d.Upstream
	if u == nil {
		u = &repository.Upstream{}
	}
	return object{
		{"proxy", object{
			{"remoteUrl", emptyAsNull(u.URL)}, {"contentMaxAge", inMinutes(u.ContentMaxAge)}, {"metadataMaxAge", inMinutes(u.MetadataMaxAge)},
		}},
		{"negativeCache", object{{"enabled", d.NegativeCache.Enabled}, {"timeToLive", inMinutes(d.NegativeCache.TTL)}}},
		{"httpClient", object{
			{"blocked", u.Blocked}, {"autoBlock", u.AutoBlock}, {"connection", connectionOf(u.Connection)}, {"authentication", authenticationOf(d.Format, u.Authentication)},
		}},
		{"routingRuleName", emptyAsNull(d.RoutingRule)},
	}
}

func connectionOf(c *repository.Connection) any {
	if c == nil {
		c = &repository.Connection{}
	}
	var retries, timeout any
	if c.Retries != nil {
		retries = *c.Retries
	}
	if c.Timeout > 0 {
		timeout = int(c.Timeout / time.Second)
	}
	return object{
		{"retries", retries}, {"userAgentSuffix", c.UserAgentSuffix}, {"timeout", timeout},
		{"enableCircularRedirects", c.CircularRedirects}, {"enableCookies", c.Cookies}, {"useTrustStore", c.UseTrustStore},
	}
}

// authenticationOf never shows a secret.
func authenticationOf(format string, a *repository.Credentials) any {
	if a == nil {
		return nil
	}
	account := object{{"username", emptyAsNull(a.Username)}, {"ntlmHost", emptyAsNull(a.NTLMHost)}, {"ntlmDomain", emptyAsNull(a.NTLMDomain)}}
	if format != "maven2" {
		return append(object{{"type", a.Type}}, account...)
	}
	return append(append(object{{"type", a.Type}, {"preemptive", a.Preemptive}}, account...), member{"bearerToken", nil})
}

func inMinutes(d time.Duration) int { return int(d / time.Minute) }
