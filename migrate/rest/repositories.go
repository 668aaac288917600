package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/compat/names"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// commonMembers are those of a repository's settings that have a place in a definition, or none; the others are the format's own.
var commonMembers = []string{
	"name", "url", "online", "format", "type", "storage", "proxy", "httpClient", "negativeCache", "group", "cleanup", "component", "replication",
	"routingRuleName", "routingRule",
}

// settings are those of a repository as the API gives them.
type settings struct {
	Name, Format, Type string
	Online             bool
	RoutingRuleName    string
	Storage            struct {
		BlobStoreName               string
		StrictContentTypeValidation bool
		WritePolicy                 string
		LatestPolicy                bool
	}
	Cleanup       struct{ PolicyNames []string }
	Component     struct{ ProprietaryComponents bool }
	Group         struct{ MemberNames, WritableMember json.RawMessage }
	Proxy         struct{ RemoteURL, ContentMaxAge, MetadataMaxAge json.RawMessage }
	NegativeCache struct {
		Enabled    bool
		TimeToLive json.RawMessage
	}
	HTTPClient struct {
		Blocked, AutoBlock bool
		Connection         *connection
		Authentication     *authentication
	}
	Replication *struct {
		PreemptivePullEnabled bool
		AssetPathRegex        string
	}
}

type connection struct {
	Retries, Timeout                                      *int
	UserAgentSuffix                                       *string
	EnableCircularRedirects, EnableCookies, UseTrustStore bool
}

type authentication struct {
	Type, Username, NTLMHost, NTLMDomain string
	Preemptive                           *bool
}

// readRepositories reads all repositories, members before those that have them.
func (s *Server) readRepositories(ctx context.Context, inv *inventory.Inventory) error {
	var all []json.RawMessage
	found, err := s.read(ctx, &all, "repositorySettings", nil)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("rest: %s has no list of repository settings: its release is too old to be imported alive", s.base)
	}
	s.kinds = make(map[string]held)
	for _, raw := range all {
		r, err := translate(raw)
		if err != nil {
			return fmt.Errorf("rest: settings of repositories: %w", err)
		}
		switch {
		case r.Skip != "" || r.Kind == formats.Proxy:
		case !r.Online:
			r.Note = strings.TrimPrefix(r.Note+"; it is offline there and cannot be downloaded: put it online for its content", "; ")
		default:
			s.kinds[r.Name] = held{r.Format, r.Kind}
		}
		inv.Repositories = append(inv.Repositories, r)
	}
	inv.OrderRepositories()
	return nil
}

func translate(raw json.RawMessage) (inventory.Repository, error) {
	var from settings
	var r inventory.Repository
	if err := json.Unmarshal(raw, &from); err != nil {
		return r, err
	}
	kind, ok := names.Kind(from.Type)
	r.Definition = repository.Definition{
		Name: from.Name, Format: from.Format, Kind: kind, Online: from.Online, BlobStore: from.Storage.BlobStoreName,
		Strict: from.Storage.StrictContentTypeValidation, LatestTag: from.Storage.LatestPolicy, RoutingRule: from.RoutingRuleName,
		Proprietary: from.Component.ProprietaryComponents, Cleanup: from.Cleanup.PolicyNames,
	}
	if !ok {
		r.Skip = fmt.Sprintf("its type %q is unknown", from.Type)
		return r, nil
	}
	d := &r.Definition
	switch kind {
	case formats.Hosted:
		d.Write = inventory.WritePolicy(from.Storage.WritePolicy)
	case formats.Cache:
		from.cache(d)
		if a := d.Upstream.Authentication; a != nil {
			r.Note = "what it shows its upstream (" + a.Type + " " + a.Username + ") is given away without its secret, which has to be set again"
		}
	case formats.Proxy:
		if err := unmarshal(from.Group.MemberNames, &d.Members); err != nil {
			return r, err
		}
		if err := unmarshal(from.Group.WritableMember, &d.WriteMember); err != nil {
			return r, err
		}
	}
	var err error
	d.Settings, d.Secrets, err = formatSettings(raw)
	return r, err
}

func unmarshal(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// cache translates what a repository with an upstream has beyond others.
func (from *settings) cache(d *repository.Definition) {
	d.Upstream = &repository.Upstream{
		ContentMaxAge: minutes(from.Proxy.ContentMaxAge), MetadataMaxAge: minutes(from.Proxy.MetadataMaxAge),
		Blocked: from.HTTPClient.Blocked, AutoBlock: from.HTTPClient.AutoBlock,
	}
	if err := unmarshal(from.Proxy.RemoteURL, &d.Upstream.URL); err != nil {
		d.Upstream.URL = "" // a cache without one says so when asked
	}
	d.NegativeCache = repository.NegativeCache{Enabled: from.NegativeCache.Enabled, TTL: minutes(from.NegativeCache.TimeToLive)}
	if c := from.HTTPClient.Connection; c != nil {
		d.Upstream.Connection = &repository.Connection{
			Retries: c.Retries, UserAgentSuffix: c.UserAgentSuffix, CircularRedirects: c.EnableCircularRedirects, Cookies: c.EnableCookies,
			UseTrustStore: c.UseTrustStore,
		}
		if c.Timeout != nil {
			d.Upstream.Connection.Timeout = time.Duration(*c.Timeout) * time.Second
		}
	}
	if a := from.HTTPClient.Authentication; a != nil {
		d.Upstream.Authentication = &repository.Credentials{
			Type: a.Type, Username: a.Username, NTLMHost: a.NTLMHost, NTLMDomain: a.NTLMDomain, Preemptive: a.Preemptive,
		}
	}
	if r := from.Replication; r != nil {
		d.Replication = &repository.Replication{PreemptivePull: r.PreemptivePullEnabled, AssetPathRegex: r.AssetPathRegex}
	}
}

func minutes(raw json.RawMessage) time.Duration {
	var n float64
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil {
		return inventory.DefaultAge
	}
	return time.Duration(n * float64(time.Minute))
}

// formatSettings gives the settings that belong to the repository's format, by the names of their members alone, and apart from them
// those that are secret.
func formatSettings(raw json.RawMessage) (map[string]string, map[string]repository.Secret, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, nil, err
	}
	plain, secret := make(map[string]string), make(map[string]repository.Secret)
	for name, value := range members {
		var section map[string]json.RawMessage
		if slices.Contains(commonMembers, name) || json.Unmarshal(value, &section) != nil {
			continue
		}
		for key, value := range section {
			text := textOf(value)
			switch {
			case text == "":
			case inventory.Signs(name):
				secret[key] = repository.Secret(text)
			default:
				plain[key] = text
			}
		}
	}
	if len(secret) == 0 {
		secret = nil
	}
	return plain, secret, nil
}

// textOf gives a single value as text, and a list of texts as lines.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, "\n")
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}
