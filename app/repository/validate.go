package repository

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"entrepot/formats"
)

// Limits of definitions.
const (
	maxName   = 200    // characters of a repository's name
	maxDepth  = 20     // proxies inside proxies
	maxLeaves = 10_000 // repositories behind one proxy
)

const nameRule = "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed and may not start with underscore or dot."

// problems gathers what is wrong with the members of a definition.
type problems struct {
	list formats.FieldErrors
}

func (p *problems) add(field, message string) {
	p.list = append(p.list, formats.FieldError{Field: field, Message: message})
}

// check applies all rules to a definition that is to take the place of before, nil when it is new, and fills in the defaults of the
// format's settings.
func (e *Engine) check(s *state, before *repo, d *Definition) error {
	p := e.checkParts(d)
	if e.formats[d.Format] == nil && d.Format != "" {
		p.checkKnown(s, d)
	}
	switch {
	case d.Kind == formats.Cache && d.Upstream != nil:
		p.checkCache(d.Upstream)
	case d.Kind == formats.Proxy:
		p.checkMembers(s, *d)
	}
	if d.RoutingRule != "" && s.rules[d.RoutingRule] == nil {
		p.add("routingRule", "Did not find a routing rule with the name '"+d.RoutingRule+"'")
	}
	if len(p.list) > 0 {
		return p.list
	}
	if err := e.checkCleanup(d); err != nil {
		return err
	}
	if taken := s.find(d.Name); before == nil && taken != nil {
		return &formats.Error{Kind: formats.Denied, Message: "Name is already used, must be unique (ignoring case)", Err: ErrExists}
	}
	if s.stores[d.BlobStore] == nil {
		return &formats.Error{Kind: formats.Invalid, Message: "Blob store not found", Err: ErrNoBlobStore}
	}
	return checkFixed(before, *d)
}

// checkParts refuses what no repository can be, whatever else there is, and fills in the settings of a format that is served.
func (e *Engine) checkParts(d *Definition) *problems {
	p := &problems{}
	p.checkName(d.Name)
	p.checkSettings(e.formats[d.Format], d)
	if d.Format == "" {
		p.add("format", "must not be empty")
	}
	switch d.Kind {
	case formats.Hosted:
		p.checkHosted(d.Write)
	case formats.Cache:
		if d.Upstream == nil {
			p.add("upstream.url", "must not be null")
		}
	case formats.Proxy:
	default:
		p.add("kind", "must be one of hosted, cache, proxy")
	}
	return p
}

// checkFixed refuses changes that a repository with content cannot take.
func checkFixed(before *repo, d Definition) error {
	message := ""
	switch {
	case before == nil:
	case before.def.Name != d.Name:
		message = "Renaming a repository is not supported"
	case before.def.Format != d.Format || before.def.Kind != d.Kind:
		message = "The format and the kind of a repository cannot be changed"
	case before.def.BlobStore != d.BlobStore:
		message = "You cannot change a repository’s blob store through the API"
	}
	if message == "" {
		return nil
	}
	return &formats.Error{Kind: formats.Denied, Message: message, Err: ErrFixed}
}

func (p *problems) checkName(name string) {
	switch {
	case name == "":
		p.add("name", "must not be empty")
	case !validName(name):
		p.add("name", nameRule)
	case len(name) > maxName:
		p.add("name", "must not be longer than 200 characters")
	}
}

// validName reports whether a name is made of the characters that names may have.
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		case (c == '_' || c == '.') && i > 0:
		default:
			return false
		}
	}
	return name != ""
}

// checkSettings fills in the settings of a format that can be served.
func (p *problems) checkSettings(f formats.Format, d *Definition) {
	configurer, ok := f.(formats.Configurer)
	if !ok {
		return
	}
	settings, err := configurer.Configure(d.Kind, d.Settings)
	var wrong formats.FieldErrors
	switch {
	case errors.As(err, &wrong):
		p.list = append(p.list, wrong...)
	case err != nil:
		p.add("settings", err.Error())
	default:
		d.Settings = settings
	}
}

func (p *problems) checkHosted(policy WritePolicy) {
	switch policy {
	case WriteAllow, WriteOnce, WriteDeny:
	case "":
		p.add("writePolicy", "must not be null")
	default:
		p.add("writePolicy", "must be one of ALLOW, ALLOW_ONCE, DENY")
	}
}

func (p *problems) checkCache(u *Upstream) {
	secure := false
	if u.URL != "" {
		target, err := url.Parse(u.URL)
		if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
			p.add("upstream.url", "URL should be in the format 'http://www.example.com'")
			return
		}
		secure = target.Scheme == "https"
	}
	if c := u.Connection; c != nil {
		p.checkConnection(c, secure || u.URL == "")
	}
	if a := u.Authentication; a != nil {
		p.checkCredentials(a, secure || u.URL == "")
	}
}

func (p *problems) checkConnection(c *Connection, secure bool) {
	if c.Retries != nil && *c.Retries < 0 {
		p.add("upstream.connection.retries", "must be greater than or equal to 0")
	}
	if c.Retries != nil && *c.Retries > 10 {
		p.add("upstream.connection.retries", "must be less than or equal to 10")
	}
	if c.Timeout != 0 && c.Timeout < time.Second {
		p.add("upstream.connection.timeout", "must be greater than or equal to 1")
	}
	if c.Timeout > time.Hour {
		p.add("upstream.connection.timeout", "must be less than or equal to 3600")
	}
	if c.UseTrustStore && !secure {
		p.add("upstream.connection.useTrustStore", "TrustStore is available only with HTTPS remote URLs")
	}
}

func (p *problems) checkCredentials(a *Credentials, secure bool) {
	switch a.Type {
	case "username", "ntlm":
		if strings.TrimSpace(a.Username) == "" {
			p.add("upstream.authentication.username", "must not be blank")
		}
	case "bearerToken":
		if a.Bearer == "" {
			p.add("upstream.authentication.bearerToken", "must not be null")
		}
	case "":
		p.add("upstream.authentication.type", "must not be empty")
	default:
		p.add("upstream.authentication.type", "must be one of username, ntlm, bearerToken")
	}
	if valueOf(a.Preemptive) && !secure {
		p.add("upstream.authentication.preemptive", "Pre-emptive authentication is allowed only when using HTTPS remote URL")
	}
}

// checkMembers refuses members that are not there or of another format, and circles and depths that would make every request slow.
func (p *problems) checkMembers(s *state, d Definition) {
	known := true
	for _, name := range d.Members {
		m := s.find(name)
		switch {
		case strings.EqualFold(name, d.Name):
			p.add("members", circular(d.Name, name))
		case m == nil:
			p.add("members", "Member repository does not exist: "+name)
			known = false
		case m.def.Format != d.Format:
			p.add("members", "Member repository format does not match group repository format: "+name)
		}
	}
	if d.WriteMember != "" {
		if m := s.find(d.WriteMember); m == nil || m.def.Kind != formats.Hosted || m.def.Format != d.Format {
			p.add("writeMember", "must be a hosted repository of the same format")
		}
	}
	if known && len(p.list) == 0 {
		p.checkTree(s, d)
	}
}

// checkTree looks at the definitions as they would be: a circle, too deep a nest and too many repositories behind one are refused.
func (p *problems) checkTree(s *state, d Definition) {
	self := &repo{def: d}
	next := &state{byName: maps.Clone(s.byName), ordered: append(slices.Clone(s.ordered), self)}
	next.byName[d.Name], next.byName[strings.ToLower(d.Name)] = self, self
	for _, name := range d.Members {
		if m := next.find(name); m.def.Kind == formats.Proxy && next.holds(m, self, nil) {
			p.add("members", circular(d.Name, name))
			return
		}
	}
	depths := make(map[*repo]int)
	for _, r := range next.ordered {
		if next.depth(r, depths) > maxDepth {
			p.add("members", "Repositories are nested too deeply")
			return
		}
	}
	if len(next.expand(self)) > maxLeaves {
		p.add("members", "Too many repositories behind one")
	}
}

// depth is the number of proxies on the longest way down from r, r included. depths keeps what is known, and ends circles.
func (s *state) depth(r *repo, depths map[*repo]int) int {
	if r.def.Kind != formats.Proxy {
		return 0
	}
	if d, known := depths[r]; known {
		return d
	}
	depths[r] = 0
	deepest := 0
	for _, name := range r.def.Members {
		if m := s.find(name); m != nil {
			deepest = max(deepest, s.depth(m, depths))
		}
	}
	depths[r] = deepest + 1
	return deepest + 1
}

func circular(name, member string) string {
	return "Group '" + member + "' has a member repository '" + name + "' and cannot be added to this list."
}
