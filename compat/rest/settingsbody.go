package rest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/compat/names"
	"entrepot/formats"
)

// settingsBody is a repository's settings as clients send them. Pointers tell what is absent.
type settingsBody struct {
	Name          *string          `json:"name"`
	Online        *bool            `json:"online"`
	Storage       *storageBody     `json:"storage"`
	Cleanup       *cleanupBody     `json:"cleanup"`
	Component     *componentBody   `json:"component"`
	Proxy         *proxyBody       `json:"proxy"`
	NegativeCache *negativeBody    `json:"negativeCache"`
	HTTPClient    *httpClientBody  `json:"httpClient"`
	RoutingRule   *string          `json:"routingRule" alias:"routingRuleName"`
	Replication   *replicationBody `json:"replication"`
	Group         *groupBody       `json:"group"`

	format string
	kind   formats.Kind
	own    ownSettings // of the format
}

type storageBody struct {
	BlobStore *string `json:"blobStoreName"`
	Strict    *bool   `json:"strictContentTypeValidation"`
	Write     *string `json:"writePolicy"`
	Latest    *bool   `json:"latestPolicy"`
}

type cleanupBody struct {
	Policies []string `json:"policyNames"`
}

type componentBody struct {
	Proprietary *bool `json:"proprietaryComponents"`
}

type proxyBody struct {
	URL            *string `json:"remoteUrl"`
	ContentMaxAge  *int    `json:"contentMaxAge"`
	MetadataMaxAge *int    `json:"metadataMaxAge"`
}

type negativeBody struct {
	Enabled *bool `json:"enabled"`
	TTL     *int  `json:"timeToLive"`
}

type httpClientBody struct {
	Blocked        *bool               `json:"blocked"`
	AutoBlock      *bool               `json:"autoBlock"`
	Connection     *connectionBody     `json:"connection"`
	Authentication *authenticationBody `json:"authentication"`
}

type connectionBody struct {
	Retries           *int    `json:"retries"`
	UserAgentSuffix   *string `json:"userAgentSuffix"`
	Timeout           *int    `json:"timeout"`
	CircularRedirects *bool   `json:"enableCircularRedirects"`
	Cookies           *bool   `json:"enableCookies"`
	UseTrustStore     *bool   `json:"useTrustStore"`
}

type authenticationBody struct {
	Type       *string `json:"type"`
	Username   *string `json:"username"`
	Password   *string `json:"password"`
	NTLMHost   *string `json:"ntlmHost"`
	NTLMDomain *string `json:"ntlmDomain"`
	Bearer     *string `json:"bearerToken"`
	Preemptive *bool   `json:"preemptive"`
}

type replicationBody struct {
	Preemptive *bool   `json:"preemptivePullEnabled"`
	Regex      *string `json:"assetPathRegex"`
}

type groupBody struct {
	Members []string `json:"memberNames"`
	Write   *string  `json:"writableMember"`
}

const (
	mustNotBeNull  = "must not be null"
	mustNotBeEmpty = "must not be empty"
	nameRule       = "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed and may not start with underscore or dot."
)

var repositoryName = regexp.MustCompile(`^[a-zA-Z0-9\-][a-zA-Z0-9_\-.]*$`)

// check reports what constraint checks of the old server report. Rules of the domain are the engine's.
func (b *settingsBody) check() violations {
	var v violations
	switch name := deref(b.Name); {
	case name == "":
		v.parameter("name", mustNotBeEmpty)
		if b.Name != nil {
			v.parameter("name", nameRule)
		}
	case !repositoryName.MatchString(name):
		v.parameter("name", nameRule)
	}
	need(&v, "online", b.Online)
	if need(&v, "storage", b.Storage) {
		needText(&v, "blobStoreName", b.Storage.BlobStore)
		need(&v, "strictContentTypeValidation", b.Storage.Strict)
		if b.kind == formats.Hosted {
			need(&v, "writePolicy", b.Storage.Write)
		}
	}
	switch b.kind {
	case formats.Cache:
		b.checkCache(&v)
	case formats.Proxy:
		if need(&v, "group", b.Group) && len(b.Group.Members) == 0 {
			v.parameter("memberNames", mustNotBeEmpty)
		}
	}
	return v
}

func (b *settingsBody) checkCache(v *violations) {
	if need(v, "proxy", b.Proxy) {
		b.Proxy.check(v)
	}
	if need(v, "negativeCache", b.NegativeCache) {
		need(v, "enabled", b.NegativeCache.Enabled)
		need(v, "timeToLive", b.NegativeCache.TTL)
	}
	if need(v, "httpClient", b.HTTPClient) {
		b.HTTPClient.check(v)
	}
	if len(*v) > 0 {
		return
	}
	if u, err := url.Parse(*b.Proxy.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		v.add("ProxyConfig.attributes[proxy].remoteUrl", "URL should be in the format 'http://www.example.com'")
	}
	if *b.NegativeCache.TTL < 0 {
		v.add("Config.attributes[negativeCache].timeToLive", "must be greater than or equal to 0")
	}
	if a := b.HTTPClient.Authentication; a != nil {
		a.check(v)
	}
}

func (p *proxyBody) check(v *violations) {
	if needText(v, "remoteUrl", p.URL) {
		u, err := url.Parse(*p.URL)
		if err != nil || strings.ContainsAny(*p.URL, " \"<>^`{|}\\") || u.Scheme != "" && strings.HasSuffix(*p.URL, "://") {
			v.parameter("remoteUrl", "URI should be in the format 'scheme:[//authority][/path][?query][#fragment]'")
		}
	}
	need(v, "contentMaxAge", p.ContentMaxAge)
	need(v, "metadataMaxAge", p.MetadataMaxAge)
}

func (h *httpClientBody) check(v *violations) {
	need(v, "blocked", h.Blocked)
	need(v, "autoBlock", h.AutoBlock)
	if c := h.Connection; c != nil {
		within(v, "retries", c.Retries, 0, 10)
		within(v, "timeout", c.Timeout, 1, 3600)
	}
	if h.Authentication != nil {
		needText(v, "type", h.Authentication.Type)
	}
}

// check finds what is missing for a way to sign in.
func (a *authenticationBody) check(v *violations) {
	missing := func(class, name, message string) {
		v.add(class+"AuthenticationConfiguration.attributes[httpclient].authentication."+name, message)
	}
	switch *a.Type {
	case "username", "ntlm":
		class := map[string]string{"username": "Username", "ntlm": "Ntlm"}[*a.Type]
		if strings.TrimSpace(deref(a.Username)) == "" {
			missing(class, "username", "must not be blank")
		}
		if a.Password == nil {
			missing(class, "password", mustNotBeNull)
		}
	case "bearerToken":
		if a.Bearer == nil {
			missing("BearerToken", "bearerToken", mustNotBeNull)
		}
	}
}

// policies are the names of cleanup policies, each once and in order. nil means that none were ever given.
func (b *cleanupBody) policies() []string {
	if b == nil || b.Policies == nil {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(b.Policies), func(name string) bool { return name == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

// refusal is what the domain has no words for: values that are none of those there are.
func (b *settingsBody) refusal() error {
	if b.kind == formats.Hosted {
		switch write := *b.Storage.Write; repository.WritePolicy(strings.ToUpper(write)) {
		case repository.WriteAllow, repository.WriteOnce, repository.WriteDeny:
		default:
			return facetRefusal("Cannot deserialize value from String %q: not one of the values accepted: [ALLOW, DENY, ALLOW_ONCE]", write)
		}
	}
	if b.kind == formats.Cache && b.HTTPClient.Authentication != nil {
		switch t := *b.HTTPClient.Authentication.Type; t {
		case "username", "ntlm", "bearerToken":
		default:
			return facetRefusal("Unknown AuthenticationConfiguration type: %s", t)
		}
	}
	return nil
}

func facetRefusal(format string, args ...any) error {
	return quotedf(http.StatusBadRequest, "Failed to validate facets; 1 failure\n"+format, args...)
}

func need[T any](v *violations, name string, value *T) bool {
	if value == nil {
		v.parameter(name, mustNotBeNull)
	}
	return value != nil
}

func needText(v *violations, name string, value *string) bool {
	if deref(value) == "" {
		v.parameter(name, mustNotBeEmpty)
		return false
	}
	return true
}

func within(v *violations, name string, value *int, low, high int) {
	switch {
	case value == nil:
	case *value < low:
		v.parameter(name, "must be greater than or equal to "+strconv.Itoa(low))
	case *value > high:
		v.parameter(name, "must be less than or equal to "+strconv.Itoa(high))
	}
}

// definition gives the settings in the domain's words. They passed check before. before is what stands now, nil for a new repository:
// it keeps what clients cannot send, and secrets for which they sent the placeholder.
func (b *settingsBody) definition(before *repository.Definition) repository.Definition {
	d := repository.Definition{
		Name: *b.Name, Format: b.format, Kind: b.kind, Online: *b.Online, BlobStore: *b.Storage.BlobStore, Strict: *b.Storage.Strict,
		Settings: b.own.plain, Secrets: b.own.withStored(before), RoutingRule: deref(b.RoutingRule), Cleanup: b.Cleanup.policies(),
	}
	if b.Component != nil {
		d.Proprietary = deref(b.Component.Proprietary)
	}
	switch b.kind {
	case formats.Hosted:
		d.Write, d.LatestTag = repository.WritePolicy(strings.ToUpper(*b.Storage.Write)), deref(b.Storage.Latest)
	case formats.Cache:
		b.cache(&d, before)
	case formats.Proxy:
		d.Members, d.WriteMember = b.Group.Members, deref(b.Group.Write)
	}
	return d
}

func (b *settingsBody) cache(d *repository.Definition, before *repository.Definition) {
	d.NegativeCache = repository.NegativeCache{Enabled: *b.NegativeCache.Enabled, TTL: minutes(*b.NegativeCache.TTL)}
	d.Upstream = &repository.Upstream{
		URL: *b.Proxy.URL, ContentMaxAge: minutes(*b.Proxy.ContentMaxAge), MetadataMaxAge: minutes(*b.Proxy.MetadataMaxAge),
		Blocked: *b.HTTPClient.Blocked, AutoBlock: *b.HTTPClient.AutoBlock,
	}
	if c := b.HTTPClient.Connection; c != nil {
		d.Upstream.Connection = &repository.Connection{
			Retries: c.Retries, UserAgentSuffix: c.UserAgentSuffix, Timeout: time.Duration(deref(c.Timeout)) * time.Second,
			CircularRedirects: deref(c.CircularRedirects), Cookies: deref(c.Cookies), UseTrustStore: deref(c.UseTrustStore),
		}
	}
	if a := b.HTTPClient.Authentication; a != nil {
		var old *repository.Credentials
		if before != nil && before.Upstream != nil {
			old = before.Upstream.Authentication
		}
		d.Upstream.Authentication = a.credentials(old)
		if d.Format != "maven2" { // the other formats have no such setting
			d.Upstream.Authentication.Preemptive = nil
		}
	}
	if r := b.Replication; r != nil {
		d.Replication = &repository.Replication{PreemptivePull: deref(r.Preemptive), AssetPathRegex: deref(r.Regex)}
	}
}

// placeholder is what the old server shows instead of a secret; sent back, it means the secret that is stored.
const placeholder = "#~NXRM~PLACEHOLDER~PASSWORD~#"

func (a *authenticationBody) credentials(old *repository.Credentials) *repository.Credentials {
	c := &repository.Credentials{
		Type: deref(a.Type), Username: deref(a.Username), Password: repository.Secret(deref(a.Password)), NTLMHost: deref(a.NTLMHost),
		NTLMDomain: deref(a.NTLMDomain), Bearer: repository.Secret(deref(a.Bearer)), Preemptive: a.Preemptive,
	}
	if old != nil && c.Password == placeholder {
		c.Password = old.Password
	}
	if old != nil && c.Bearer == placeholder {
		c.Bearer = old.Bearer
	}
	return c
}

// minutes gives an age in minutes as a duration; negative ones mean for ever.
func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// formatOf gives the format of a path like repositories/maven/proxy; false when the path spells it as no client does, or when there are
// no such repositories.
func formatOf(c *call, kind formats.Kind) (string, bool) {
	format := names.FormatOf(c.Param("format"))
	_, known := repository.FormatSettings(format, kind)
	return format, known && names.Segment(format) == c.Param("format")
}
