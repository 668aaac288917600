package api

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/configuration"
	"entrepot/app/domains"
	"entrepot/app/resource"
	"entrepot/app/server"
	"entrepot/formats"
)

// prefix is where the API begins.
const prefix = "/api/v1/"

// maxBody is the most that a body may have, in bytes.
const maxBody = 4 << 20

// Options are what the API stands on. Domains are required.
type Options struct {
	*domains.Domains
	Version string // of this program
	// Health tells whether records and blobs can be read and written; nil means always.
	Health func() error
	Log    *slog.Logger     // default discards
	Now    func() time.Time // default time.Now
}

// API is the native API. Its methods may be called from many goroutines.
type API struct {
	Options
	Resources *resource.Resources

	configuration *configuration.Configuration

	repositories kind[resource.Repository]
	blobStores   kind[resource.BlobStore]
	routingRules kind[resource.RoutingRule]
	users        kind[resource.User]
	roles        kind[resource.Role]
	privileges   kind[resource.Privilege]
	selectors    kind[resource.Selector]
	scripts      kind[resource.Script]
	certificates kind[resource.Certificate]
	capabilities kind[resource.Capability]
	ldapServers  kind[resource.LDAPServer]
	tasks        kind[resource.Task]

	cleanupPolicies kind[resource.CleanupPolicy]
}

// New makes the API.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Health == nil {
		o.Health = func() error { return nil }
	}
	a := &API{Options: o, Resources: o.Resources(), configuration: configuration.New(o.Domains)}
	a.repositories = kind[resource.Repository]{Set: a.Resources.Repositories(), may: administers}
	a.blobStores = kind[resource.BlobStore]{Set: a.Resources.BlobStores()}
	a.routingRules = kind[resource.RoutingRule]{Set: a.Resources.RoutingRules()}
	a.users = kind[resource.User]{Set: a.Resources.Users()}
	a.roles = kind[resource.Role]{Set: a.Resources.Roles()}
	a.privileges = kind[resource.Privilege]{Set: a.Resources.Privileges()}
	a.selectors = kind[resource.Selector]{Set: a.Resources.Selectors()}
	a.scripts = kind[resource.Script]{Set: a.Resources.Scripts(), may: mayScript}
	a.certificates = kind[resource.Certificate]{Set: a.Resources.Certificates()}
	a.capabilities = kind[resource.Capability]{Set: a.Resources.Capabilities()}
	a.ldapServers = kind[resource.LDAPServer]{Set: a.Resources.LDAPServers()}
	a.cleanupPolicies = kind[resource.CleanupPolicy]{Set: a.Resources.CleanupPolicies()}
	a.tasks = kind[resource.Task]{Set: a.Resources.Tasks()}
	return a
}

// Mount adds all operations to a server.
func (a *API) Mount(s *server.Server, authenticator server.Authenticator) error {
	surface := server.Surface{Prefix: prefix, Face: face{}, Authenticator: authenticator}
	for _, op := range a.operations() {
		if err := s.Mount(surface, a.route(op)); err != nil {
			return fmt.Errorf("api: %w", err)
		}
	}
	return nil
}

// operations are all operations of the API, a resource after the other.
func (a *API) operations() []operation {
	return slices.Concat(a.repositoryOperations(), a.blobStoreOperations(), a.routingRuleOperations(), a.userOperations(), a.tokenOperations(), a.roleOperations(),
		a.privilegeOperations(), a.selectorOperations(), a.scriptOperations(), a.settingsOperations(), a.outboundOperations(), a.certificateOperations(), a.capabilityOperations(), a.searchOperations(), a.ldapOperations(), a.oauth2Operations(), a.samlOperations(), a.cleanupPolicyOperations(), a.taskOperations(), a.contentOperations(), a.systemOperations(), a.auditOperations(), a.configurationOperations(), documentOperations())
}

// operation is one method on one path.
type operation struct {
	method string
	path   string // below the prefix, for example "roles/{id}"
	access server.Access
	media  []string // kinds of bodies besides JSON
	run    func(c *call) (*formats.Response, error)
}

// The kinds of bodies.
const (
	mediaJSON  = "application/json"
	mediaPatch = "application/merge-patch+json"
	mediaYAML  = "application/yaml"
)

// call is a request to an operation.
type call struct {
	*server.Request
	api     *API
	subject *access.Subject
}

// actor is the caller as the one who changes something.
func (c *call) actor() access.Actor { return c.subject.Actor(c.Remote) }

// permits reports whether the caller has an application permission, for example "nexus:users:read".
func (c *call) permits(name string) bool {
	p, err := permission.Parse(name)
	return err == nil && c.subject.Permits(p)
}

// body reads the whole body.
func (c *call) body() ([]byte, error) {
	if c.Body() == nil {
		return nil, nil
	}
	return io.ReadAll(c.Body())
}

// decode reads a JSON body.
func (c *call) decode(into any) error {
	data, err := c.body()
	if err != nil {
		return err
	}
	return resource.Decode(data, into)
}

func (a *API) route(op operation) server.Route {
	return server.Route{
		Methods: []string{op.method}, Pattern: prefix + op.path, Access: op.access, Class: "api", MaxBody: maxBody,
		Handler: func(r *server.Request) (*formats.Response, error) { return a.serve(op, r) },
	}
}

// serve runs an operation. Callers without credentials change nothing, whatever the anonymous user may do.
func (a *API) serve(op operation, r *server.Request) (*formats.Response, error) {
	subject, ok := r.Caller.(*access.Subject)
	if !ok {
		return nil, errors.New("api: the authenticator gives no subject")
	}
	if !subject.SignedIn() && op.method != http.MethodGet {
		return nil, &formats.Error{Kind: formats.Forbidden}
	}
	if r.Size != 0 && (op.method == http.MethodPost || op.method == http.MethodPut || op.method == http.MethodPatch) {
		if err := op.consumes(r.Header.Get("Content-Type")); err != nil {
			return nil, err
		}
	}
	return op.run(&call{Request: r, api: a, subject: subject})
}

// consumes refuses a kind of body that the operation does not read.
func (op *operation) consumes(contentType string) error {
	known := append([]string{mediaJSON}, op.media...)
	if op.method == http.MethodPatch {
		known = append(known, mediaPatch)
	}
	if name, _, err := mime.ParseMediaType(contentType); err == nil && slices.Contains(known, name) {
		return nil
	}
	return &server.StatusError{
		Status: http.StatusUnsupportedMediaType, Message: "The body must be " + strings.Join(known, " or "), Header: http.Header{"Accept": {strings.Join(known, ", ")}},
	}
}

// reply is an answer with a document.
func reply(status int, doc any) (*formats.Response, error) {
	data, err := resource.Encode(doc)
	if err != nil {
		return nil, err
	}
	return replyBytes(status, mediaJSON, append(data, '\n')), nil
}

func replyBytes(status int, contentType string, data []byte) *formats.Response {
	return &formats.Response{
		Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: formats.Body{Bytes: data, Size: int64(len(data))},
	}
}

// empty is an answer that says only that all is well.
func empty() *formats.Response { return &formats.Response{Status: http.StatusNoContent} }

// unreachable refuses what needs another server that does not do its part: what the request asks for cannot be done, and this server is
// well. The cause goes to the log, because it may tell of a network that the caller does not know.
func (a *API) unreachable(c *call, message string, err error) error {
	a.Log.InfoContext(c.Context(), "another server was asked in vain", "path", c.Target, "error", err)
	return formats.Errorf(formats.Invalid, "%s; the log says why", message)
}

func forbidden() error { return &formats.Error{Kind: formats.Forbidden} }
