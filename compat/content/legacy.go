package content

import (
	"net/http"
	"strings"

	"entrepot/app/server"
	"entrepot/formats"
)

// legacyPrefixes are the URLs of Nexus 2 behind which a repository's name and path follow at once.
var legacyPrefixes = []string{"/content/groups", "/content/repositories", "/content/sites"}

// legacyServices are those where "content" stands between name and path.
var legacyServices = []string{"/service/local/repositories", "/service/local/repo_groups"}

// mountLegacy puts the URLs of Nexus 2 on a server. They lead to the same repositories by the same rules. While they are switched off,
// they are answered like every other path that leads nowhere.
func (c *Content) mountLegacy(s *server.Server, auth server.Authenticator) error {
	toggle := legacySwitch{c, auth}
	surface := func(prefix string) server.Surface {
		return server.Surface{Prefix: prefix, Face: toggle, Authenticator: toggle, Exhaust: Exhaust}
	}
	var content, service []server.Route
	for _, prefix := range legacyPrefixes {
		content = append(content, server.Route{Pattern: prefix + "/**", Access: server.Content(), Class: "legacy", Handler: toggle.handler(func(r *server.Request) (*formats.Response, error) {
			return c.answer(r, strings.TrimPrefix(r.Path, prefix))
		})})
	}
	content = append(content, server.Route{Pattern: "/content/**", Access: server.Public(), Class: "page", Handler: toggle.elsewhere})
	for _, prefix := range legacyServices {
		service = append(service, server.Route{Pattern: prefix + "/**", Access: server.Content(), Class: "legacy", Handler: toggle.handler(func(r *server.Request) (*formats.Response, error) {
			name, below, ok := strings.Cut(strings.TrimPrefix(r.Path, prefix+"/"), "/content")
			if !ok || strings.Contains(name, "/") || below != "" && below[0] != '/' {
				return nil, &formats.Error{Kind: formats.NotFound}
			}
			return c.answer(r, "/"+name+below)
		})})
	}
	service = append(service,
		server.Route{Methods: []string{http.MethodGet}, Pattern: "/service/local/status", Access: server.Public(), Class: "legacy", Handler: toggle.handler(legacyStatus)},
		server.Route{Pattern: "/service/local/**", Access: server.Public(), Class: "page", Handler: toggle.elsewhere},
	)
	if err := s.Mount(surface("/content/"), content...); err != nil {
		return err
	}
	return s.Mount(surface("/service/local/"), service...)
}

// legacySwitch looks at each request whether the URLs of Nexus 2 are on.
type legacySwitch struct {
	content *Content
	auth    server.Authenticator
}

func (l legacySwitch) face() *Face {
	if l.content.opts.LegacyURLs() {
		return l.content.view
	}
	return l.content.plain
}

// Lines implements server.Face.
func (l legacySwitch) Lines(r *server.Request, status int) []server.Line {
	return l.face().Lines(r, status)
}

// Error implements server.Face.
func (l legacySwitch) Error(r *server.Request, err error) *formats.Response {
	return l.face().Error(r, err)
}

// Authenticate implements server.Authenticator. Nobody is looked at while the URLs are off.
func (l legacySwitch) Authenticate(r *server.Request) (server.Caller, error) {
	if !l.content.opts.LegacyURLs() {
		return nil, nil
	}
	return l.auth.Authenticate(r)
}

// Permits implements server.Authenticator.
func (l legacySwitch) Permits(c server.Caller, permission string) bool {
	return l.auth.Permits(c, permission)
}

func (l legacySwitch) handler(h server.Handler) server.Handler {
	return func(r *server.Request) (*formats.Response, error) {
		if !l.content.opts.LegacyURLs() || r.Caller == nil {
			return nothing(r)
		}
		return h(r)
	}
}

// elsewhere answers what lies beside the URLs that are known.
func (l legacySwitch) elsewhere(r *server.Request) (*formats.Response, error) {
	if l.content.opts.LegacyURLs() {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	return nothing(r)
}

// legacyStatus tells clients of Nexus 2 that the server runs.
func legacyStatus(*server.Request) (*formats.Response, error) {
	body := "<status><data><state>STARTED</state></data></status>"
	return &formats.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}}, Body: formats.Body{Bytes: []byte(body)}}, nil
}
