package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
)

func (a *API) settingsOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/repositorySettings", access: server.Content(), run: a.listSettings},
		{method: http.MethodPost, path: "v1/repositories/{format}/{type}", access: server.Content(), consumes: mediaJSON, status: http.StatusCreated, run: a.createSettings},
		{method: http.MethodGet, path: "v1/repositories/{format}/{type}/{name}", access: server.Content(), run: a.getSettings},
		{method: http.MethodPut, path: "v1/repositories/{format}/{type}/{name}", access: server.Content(), consumes: mediaJSON, run: a.updateSettings},
	}
}

// settingsOf reads and checks a body.
func (a *API) settingsOf(c *call, format string, kind formats.Kind) (*settingsBody, error) {
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	b := &settingsBody{}
	if err := decode(data, b); err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, &errUnparsable{err}
	}
	v := b.check(kind)
	b.sections = readSections(format, kind, members, &v)
	if len(v) > 0 {
		return nil, v
	}
	return b, nil
}

func (a *API) createSettings(c *call) (any, error) {
	format, kind, ok := formatOf(c)
	if !ok || !a.engine.Served(format) {
		return nil, statusOnly(http.StatusNotFound)
	}
	b, err := a.settingsOf(c, format, kind)
	if err != nil {
		return nil, err
	}
	if err := c.administers(format, *b.Name, permission.Add); err != nil {
		return nil, err
	}
	d := a.withKnownRule(b.definition(format, kind, nil))
	return nil, wordDefinition(a.engine.Create(c.Context(), d, c.subject.UserID()))
}

// withKnownRule drops the name of a routing rule that does not exist, as the old server does.
func (a *API) withKnownRule(d repository.Definition) repository.Definition {
	if _, err := a.engine.RoutingRule(d.RoutingRule); err != nil {
		d.RoutingRule = ""
	}
	return d
}

var errNoRepository = quotedf(http.StatusNotFound, "Repository not found")

func (a *API) getSettings(c *call) (any, error) {
	format, kind, ok := formatOf(c)
	d, found := a.engine.Lookup(c.Param("name"))
	if !ok || !found || d.Format != format || d.Kind != kind || c.administers(d.Format, d.Name, permission.Read) != nil {
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

func (a *API) updateSettings(c *call) (any, error) {
	format, kind, ok := formatOf(c)
	if !ok || !a.engine.Served(format) {
		return nil, statusOnly(http.StatusNotFound)
	}
	b, err := a.settingsOf(c, format, kind)
	if err != nil {
		return nil, err
	}
	if *b.Name != c.Param("name") {
		return nil, quotedf(http.StatusBadRequest, "Renaming a repository is not supported")
	}
	before, found := a.engine.Lookup(*b.Name)
	if !found {
		return nil, statusOnly(http.StatusNotFound)
	}
	if err := c.administers(before.Format, before.Name, permission.Edit); err != nil {
		return nil, err
	}
	d := a.withKnownRule(b.definition(format, kind, &before))
	return nil, wordDefinition(a.engine.Update(c.Context(), d, c.subject.UserID()))
}

// wordDefinition gives the engine's refusal of a definition in the words that clients know.
func wordDefinition(err error) error {
	var fields formats.FieldErrors
	switch {
	case errors.Is(err, repository.ErrExists):
		return quotedf(http.StatusBadRequest, "Duplicate key")
	case errors.As(err, &fields):
		var v violations
		for _, f := range fields {
			if f.Field == "upstream.connection.useTrustStore" {
				return quotedf(http.StatusBadRequest, "%s", f.Message)
			}
			v.add(fieldID(f.Field), f.Message)
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
	case "upstream.authentication.username", "upstream.authentication.bearerToken":
		return "UsernameAuthenticationConfiguration.attributes[httpclient].authentication." + field[len("upstream.authentication."):]
	}
	return "PARAMETER " + field
}

// settings is a repository with all that may be shown of its settings.
func settings(c *call, d repository.Definition) object {
	storage := object{{"blobStoreName", d.BlobStore}, {"strictContentTypeValidation", d.Strict}}
	head := object{{"name", d.Name}, {"url", repositoryURL(c, d.Name)}, {"online", d.Online}}
	tail := object{{"format", d.Format}, {"type", names.Type(d.Kind)}}
	own := writeSections(d.Format, d.Kind, d.Settings)
	if len(own) == 0 { // the formats without settings of their own show the format earlier
		head = slices.Insert(head, 1, member{"format", d.Format})
		tail = tail[1:]
	}
	switch d.Kind {
	case formats.Hosted:
		storage = append(storage, member{"writePolicy", d.Write})
		head = append(head, member{"storage", storage}, member{"cleanup", cleanupOf(d)})
		tail = append(object{{"component", object{{"proprietaryComponents", d.Proprietary}}}}, tail...)
	case formats.Cache:
		if len(own) > 0 {
			storage = append(storage, member{"writePolicy", repository.WriteAllow})
		}
		head = append(head, member{"storage", storage}, member{"cleanup", cleanupOf(d)})
		head = append(head, cacheSettings(d)...)
		if d.Format != "raw" {
			tail = append(object{{"replication", replicationOf(d)}}, tail...)
		}
	case formats.Proxy:
		head = append(head, member{"storage", storage}, member{"group", object{{"memberNames", append([]string{}, d.Members...)}}})
	}
	return append(append(head, own...), tail...)
}

func cleanupOf(d repository.Definition) any {
	if len(d.Cleanup) == 0 {
		return nil
	}
	return object{{"policyNames", d.Cleanup}}
}

func replicationOf(d repository.Definition) any {
	if d.Replication == nil {
		return nil
	}
	return object{{"preemptivePullEnabled", d.Replication.PreemptivePull}, {"assetPathRegex", emptyAsNull(d.Replication.AssetPathRegex)}}
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
			{"blocked", u.Blocked}, {"autoBlock", u.AutoBlock}, {"connection", connectionOf(u.Connection)}, {"authentication", authenticationOf(u.Authentication)},
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
		{"retries", retries}, {"userAgentSuffix", emptyAsNull(c.UserAgentSuffix)}, {"timeout", timeout},
		{"enableCircularRedirects", c.CircularRedirects}, {"enableCookies", c.Cookies}, {"useTrustStore", c.UseTrustStore},
	}
}

// authenticationOf never shows a secret.
func authenticationOf(a *repository.Credentials) any {
	if a == nil {
		return nil
	}
	out := object{{"type", a.Type}, {"username", emptyAsNull(a.Username)}, {"ntlmHost", emptyAsNull(a.NTLMHost)}, {"ntlmDomain", emptyAsNull(a.NTLMDomain)}}
	if a.Preemptive {
		out = append(out, member{"preemptive", true})
	}
	return out
}

func inMinutes(d time.Duration) int { return int(d / time.Minute) }
