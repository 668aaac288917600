package datadir

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/compat/names"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// commonSections are those of a repository's attributes that have a place in a definition; the others are the format's own.
var commonSections = []string{"storage", "proxy", "httpclient", "negativeCache", "group", "cleanup", "component", "replication", "internal"}

func (d *Directory) readRoutingRules(ctx context.Context, inv *inventory.Inventory) (map[string]string, error) {
	byID := make(map[string]string)
	for r, err := range d.rows(ctx, "repository_routing_rule") {
		if err != nil {
			return nil, err
		}
		rule := repository.RoutingRule{
			Name: r.text("name"), Description: r.text("description"), Mode: repository.RuleMode(r.text("mode")), Matchers: r.list("matchers"),
		}
		byID[r.uuid("id")] = rule.Name
		inv.RoutingRules = append(inv.RoutingRules, rule)
		if r.err != nil {
			return nil, r.err
		}
	}
	return byID, nil
}

// readRepositories reads all repositories, members before those that have them.
func (d *Directory) readRepositories(ctx context.Context, inv *inventory.Inventory) error {
	rules, err := d.readRoutingRules(ctx, inv)
	if err != nil {
		return err
	}
	d.repos = make(map[string]string)
	for r, err := range d.rows(ctx, "repository") {
		if err != nil {
			return err
		}
		found := d.repository(r)
		found.RoutingRule = rules[r.uuid("routing_rule_id")]
		if r.err != nil {
			return r.err
		}
		if found.Kind != formats.Proxy && found.Skip == "" {
			d.repos[r.uuid("id")] = found.Name
		}
		inv.Repositories = append(inv.Repositories, found)
	}
	inv.OrderRepositories()
	return nil
}

// repository translates one definition.
func (d *Directory) repository(r *row) inventory.Repository {
	found := inventory.Repository{Definition: repository.Definition{Name: r.text("name"), Online: r.flag("online")}}
	recipe, attributes := r.text("recipe_name"), r.object("attributes")
	format, kind, ok := names.ParseRecipe(recipe)
	if !ok {
		found.Skip = fmt.Sprintf("its type %q is unknown", recipe)
		return found
	}
	def := &found.Definition
	def.Format, def.Kind = format, kind
	storage := attributes.object("storage")
	def.BlobStore, def.Strict = storage.text("blobStoreName"), storage.flag("strictContentTypeValidation")
	if s, ok := d.stores[def.BlobStore]; !ok {
		found.Note = fmt.Sprintf("its blob store %s does not exist", def.BlobStore)
	} else if s.here != def.BlobStore && s.here != "" {
		found.Note = fmt.Sprintf("moves from the group of blob stores %s to its member %s", def.BlobStore, s.here)
		def.BlobStore = s.here
	}
	def.LatestTag = storage.flag("latestPolicy")
	def.Proprietary = attributes.object("component").flag("proprietaryComponents")
	def.Cleanup = attributes.object("cleanup").list("policyName")
	switch kind {
	case formats.Hosted:
		def.Write = inventory.WritePolicy(storage.text("writePolicy"))
	case formats.Cache:
		d.cache(def, attributes, r.at("attributes"))
	case formats.Proxy:
		group := attributes.object("group")
		def.Members, def.WriteMember = group.list("memberNames"), group.text("groupWriteMember")
	}
	def.Settings, def.Secrets = d.formatSettings(r.at("attributes"), attributes)
	return found
}

// cache translates what a repository with an upstream has beyond others.
func (d *Directory) cache(def *repository.Definition, attributes object, at place) {
	proxy, client := attributes.object("proxy"), attributes.object("httpclient")
	def.Upstream = &repository.Upstream{
		URL: proxy.text("remoteUrl"), ContentMaxAge: minutes(proxy, "contentMaxAge"), MetadataMaxAge: minutes(proxy, "metadataMaxAge"),
		Blocked: client.flag("blocked"), AutoBlock: client.flag("autoBlock"),
	}
	if c := client.object("connection"); len(c) > 0 {
		def.Upstream.Connection = connection(c)
	}
	if a := client.object("authentication"); len(a) > 0 {
		def.Upstream.Authentication = d.credentials(a, at)
	}
	negative := attributes.object("negativeCache")
	def.NegativeCache = repository.NegativeCache{Enabled: negative.flag("enabled"), TTL: minutes(negative, "timeToLive")}
	if r := attributes.object("replication"); len(r) > 0 {
		def.Replication = &repository.Replication{PreemptivePull: r.flag("preemptivePullEnabled"), AssetPathRegex: r.text("assetPathRegex")}
	}
}

func minutes(o object, key string) time.Duration {
	n, ok := o.number(key)
	if !ok {
		return inventory.DefaultAge
	}
	return time.Duration(n) * time.Minute
}

func connection(o object) *repository.Connection {
	c := &repository.Connection{
		UserAgentSuffix: o.optional("userAgentSuffix"), CircularRedirects: o.flag("enableCircularRedirects"),
		Cookies: o.flag("enableCookies"), UseTrustStore: o.flag("useTrustStore"),
	}
	if n, ok := o.number("retries"); ok {
		retries := int(n)
		c.Retries = &retries
	}
	if n, ok := o.number("timeout"); ok {
		c.Timeout = time.Duration(n) * time.Second
	}
	return c
}

func (d *Directory) credentials(o object, at place) *repository.Credentials {
	c := &repository.Credentials{
		Type: o.text("type"), Username: o.text("username"), NTLMHost: o.text("ntlmHost"), NTLMDomain: o.text("ntlmDomain"),
	}
	if o["preemptive"] != nil {
		preemptive := o.flag("preemptive")
		c.Preemptive = &preemptive
	}
	c.Password, _ = d.secret(at, "httpclient.authentication.password")
	c.Bearer, _ = d.secret(at, "httpclient.authentication.bearerToken")
	return c
}

// formatSettings gives the settings that belong to the repository's format, by the names of their members alone, and apart from them
// those that are secret.
func (d *Directory) formatSettings(at place, attributes object) (map[string]string, map[string]repository.Secret) {
	settings, keys := make(map[string]string), make(map[string]repository.Secret)
	for section, value := range attributes {
		members, ok := value.(map[string]any)
		if !ok || slices.Contains(commonSections, section) {
			continue
		}
		for member := range members {
			key, text := settingName(member), object(members).text(member)
			if text == "" {
				text = strings.Join(object(members).list(member), "\n")
			}
			secret, sealed := d.secret(at, section+"."+member)
			switch {
			case sealed && secret != "":
				keys[key] = secret
			case text == "":
			case inventory.Signs(section):
				keys[key] = repository.Secret(text)
			default:
				settings[key] = text
			}
		}
	}
	if len(keys) == 0 {
		keys = nil
	}
	return settings, keys
}

// settingName gives the name of a format's setting for that of an attribute, which is another one only here.
func settingName(attribute string) string {
	if attribute == "removeQuarantinedVersions" {
		return "removeQuarantined"
	}
	return attribute
}
