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

// mountLegacy puts the URLs of Nexus 2 on a server. They lead to the same repositories by the same rules.
func (c *Content) mountLegacy(s *server.Server, auth server.Authenticator) error {
	surface := func(prefix string) server.Surface {
		return server.Surface{Prefix: prefix, Face: c.view, Authenticator: auth, Exhaust: Exhaust}
	}
	var content, service []server.Route
	for _, prefix := range legacyPrefixes {
		content = append(content, server.Route{Pattern: prefix + "/**", Access: server.Content(), Class: "legacy", Handler: func(r *server.Request) (*formats.Response, error) {
			return c.answer(r, strings.TrimPrefix(r.Path, prefix))
		}})
	}
	for _, prefix := range legacyServices {
		service = append(service, server.Route{Pattern: prefix + "/**", Access: server.Content(), Class: "legacy", Handler: func(r *server.Request) (*formats.Response, error) {
			name, below, ok := strings.Cut(strings.TrimPrefix(r.Path, prefix+"/"), "/content")
			if !ok || strings.Contains(name, "/") || below != "" && below[0] != '/' {
				return nil, &formats.Error{Kind: formats.NotFound}
			}
			return c.answer(r, "/"+name+below)
		}})
	}
	service = append(service, server.Route{
		Methods: []string{http.MethodGet}, Pattern: "/service/local/status", Access: server.Public(), Class: "legacy", Handler: legacyStatus,
	})
	if err := s.Mount(surface("/content/"), content...); err != nil {
		return err
	}
	return s.Mount(surface("/service/local/"), service...)
}

// legacyStatus tells clients of Nexus 2 that the server runs.
func legacyStatus(*server.Request) (*formats.Response, error) {
	body := "<status><data><state>STARTED</state></data></status>"
	return &formats.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}}, Body: formats.Body{Bytes: []byte(body)}}, nil
}
