package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/diagnostics"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

// prefix is where the API begins.
const prefix = "/service/rest/"

// maxBody is the most that a JSON or text body may have, in bytes.
const maxBody = 4 << 20

// Options are what the API stands on. Domains, Diagnostics, Reseal and Pages are required.
type Options struct {
	*domains.Domains
	// Diagnostics looks at the server itself.
	Diagnostics *diagnostics.Diagnostics
	// Reseal stores all secrets again, sealed with the first key of the key file.
	Reseal func(context.Context) error
	// Pages words what is refused with a page for people: a request that is broken before it reaches the API.
	Pages server.Face
	// Version and Edition are what the server claims to be, for example "3.77.0-08" and "OSS".
	Version, Edition string
	// Health tells whether records and blobs can be read and written; nil means always.
	Health func() error
	Log    *slog.Logger // default discards
	// Level is what is logged at least; FirstLevel is what the configuration says about it. nil stands for a level that nothing looks at.
	Level      *slog.LevelVar
	FirstLevel slog.Level
	Now        func() time.Time // default time.Now
}

// API is the REST API. All its methods may be called from many goroutines.
type API struct {
	Options
	engine  *repository.Engine
	access  *access.Service
	tickets tickets

	written func() (written, error) // the API's description
}

// New makes the API.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Level == nil {
		o.Level = new(slog.LevelVar)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Health == nil {
		o.Health = func() error { return nil }
	}
	a := &API{Options: o, engine: o.Engine, access: o.Access}
	a.written = sync.OnceValues(a.write)
	return a
}

// Mount adds all operations to a server.
func (a *API) Mount(s *server.Server, authenticator server.Authenticator) error {
	surface := server.Surface{Prefix: prefix, Face: face{a}, Authenticator: authenticator, Matrix: true}
	for _, op := range a.operations() {
		for _, path := range spellings(op) {
			op.path = path
			if err := s.Mount(surface, a.route(op)); err != nil {
				return fmt.Errorf("rest: %w", err)
			}
		}
	}
	return nil
}

// spellings are all paths of an operation: its own, what it was called before it left beta, and both with a slash at the end.
func spellings(op operation) []string {
	paths := []string{op.path, op.path + "/"}
	if old := betaPath(op); old != "" {
		paths = append(paths, old, old+"/")
	}
	return paths
}

// betaPath gives the path below beta/ of what the old server answers there too; "" when it does not.
func betaPath(op operation) string {
	path := op.path
	rest, ok := strings.CutPrefix(path, "v1/")
	if !ok {
		return ""
	}
	switch {
	case strings.HasPrefix(rest, "repositories/{name}"):
		if op.method == http.MethodGet { // listed with the others only
			return ""
		}
		return "beta/" + rest
	case rest == "repositorySettings":
		return "beta/repositories"
	case strings.HasPrefix(rest, "blobstores/file"), strings.HasPrefix(rest, "blobstores/s3"):
		kind, name, _ := strings.Cut(strings.TrimPrefix(rest, "blobstores/"), "/")
		return strings.TrimSuffix("beta/blobstores/"+kind+"/"+kind+"/"+name, "/")
	case strings.HasPrefix(rest, "repositories/{format}/"):
		return "beta/" + rest
	case strings.HasPrefix(path, ldapPath), strings.HasPrefix(path, samlPath), strings.HasPrefix(path, userTokensPath), strings.HasPrefix(path, userTokenPath):
		return "" // younger than beta
	case strings.HasPrefix(rest, "security/"):
		return "beta/" + rest
	}
	for _, resource := range []string{"routing-rules", "email", "blobstores"} {
		if rest == resource || strings.HasPrefix(rest, resource+"/") {
			return "beta/" + rest
		}
	}
	return ""
}

// operations are all operations of the API, a resource after the other.
func (a *API) operations() []operation {
	var all []operation
	for _, resource := range [][]operation{
		a.statusOperations(), a.repositoryOperations(), a.settingsOperations(), a.userOperations(), a.roleOperations(),
		a.privilegeOperations(), a.selectorOperations(), a.realmOperations(), a.routingOperations(), a.assetOperations(), a.searchOperations(),
		a.blobStoreOperations(), a.readOnlyOperations(), a.specOperations(), a.scriptOperations(), a.emailOperations(), a.systemOperations(),
		a.ldapOperations(), a.oauth2Operations(), a.samlOperations(), a.userTokenOperations(), a.ownTokenOperations(), a.trustOperations(), a.httpOperations(), a.capabilityOperations(), a.supportOperations(),
		a.iqOperations(), a.sealingOperations(), a.clusterOperations(), a.uiOperations(), a.loggingOperations(), a.wonderlandOperations(), a.documentOperations(),
		a.taskOperations(), a.cleanupOperations(),
	} {
		all = append(all, resource...)
	}
	return all
}

// operation is one method on one path.
type operation struct {
	method   string
	path     string        // below the prefix, for example "v1/repositories/{name}"
	access   server.Access // PermissionAfterBody where there is a body
	consumes media         // what kind of body
	produces media         // what kind of answer; default JSON
	status   int           // of success; default 200 with a value, 204 without
	early    bool          // the permissions are checked before run; set when it is mounted
	// run answers. It returns nil, a value to be written as JSON, a text (string) where the operation produces text, or a
	// *formats.Response that is sent as it is.
	run func(c *call) (any, error)
}

// media is a kind of body.
type media string

// The kinds of bodies.
const (
	mediaNone      media = ""
	mediaJSON      media = "application/json"
	mediaText      media = "text/plain"
	mediaMultipart media = "multipart/form-data"
	mediaAny       media = "*/*"
	// mediaTextOrJSON is a body that is taken as it is, whichever of the two it is said to be.
	mediaTextOrJSON media = "text/plain or application/json"
)

// call is a request to an operation.
type call struct {
	*server.Request
	api     *API
	subject *access.Subject
}

// actor is the caller as the one who changes something.
func (c *call) actor() access.Actor { return c.subject.Actor(c.Remote) }

// signedIn is an error for callers without credentials, and for the user they act as: the old server lets them change nothing, whatever
// their permissions.
func (c *call) signedIn() error {
	if !c.subject.SignedIn() {
		return forbidden()
	}
	return nil
}

// administers is an error unless the caller is signed in and may do something to the settings of a repository.
func (c *call) administers(format, repository string, action permission.Action) error {
	if !c.subject.SignedIn() || !c.subject.MayAdminister(format, repository, action) {
		return forbidden()
	}
	return nil
}

// permits tells whether the caller holds an application permission.
func (c *call) permits(name string) bool {
	p, err := permission.Parse(name)
	return err == nil && c.subject.Permits(p)
}

func forbidden() error { return &formats.Error{Kind: formats.Forbidden} }

// decode reads a JSON body. Call authorize afterwards: clients expect complaints about the body before those about their rights.
func (c *call) decode(into any) error {
	data, err := c.bytes()
	if err != nil {
		return err
	}
	return decode(data, into)
}

// authorize checks the permissions of an operation that was declared with PermissionAfterBody, and that the caller is signed in.
func (c *call) authorize() error {
	if err := c.Authorize(); err != nil {
		return err
	}
	return c.signedIn()
}

// bytes reads the whole body.
func (c *call) bytes() ([]byte, error) {
	if c.Body() == nil {
		return nil, nil
	}
	return io.ReadAll(c.Body())
}

func (a *API) route(op operation) server.Route {
	limit := int64(maxBody)
	if op.consumes == mediaMultipart {
		limit = 0
	}
	access, early := op.access.AfterBody()
	op.early = early
	return server.Route{
		Methods: []string{op.method}, Pattern: prefix + op.path, Access: access, Class: "rest", MaxBody: limit,
		Handler: func(r *server.Request) (*formats.Response, error) { return a.serve(op, r) },
	}
}

// serve runs an operation.
func (a *API) serve(op operation, r *server.Request) (*formats.Response, error) {
	produces := op.produces
	if produces == mediaNone {
		produces = mediaJSON
	}
	switch {
	case malformedAccept(r.Header):
		return nil, errAccept
	case !spelled(r.Target, op.path):
		return nil, statusOnly(http.StatusNotFound)
	case !accepts(r.Header, produces):
		return nil, &server.StatusError{Status: http.StatusNotAcceptable}
	case op.consumes != mediaNone && op.consumes != mediaAny && !consumes(r.Header, op.consumes):
		return nil, &server.StatusError{Status: http.StatusUnsupportedMediaType}
	}
	if op.early {
		if err := r.Authorize(); err != nil {
			return nil, err
		}
	}
	subject, ok := r.Caller.(*access.Subject)
	if !ok {
		return nil, errors.New("rest: the authenticator gives no subject")
	}
	v, err := op.run(&call{Request: r, api: a, subject: subject})
	if err != nil {
		return nil, err
	}
	return respond(op, produces, v)
}

func respond(op operation, produces media, v any) (*formats.Response, error) {
	status := op.status
	switch v := v.(type) {
	case *formats.Response:
		return v, nil
	case nil:
		if status == 0 {
			status = http.StatusNoContent
		}
		return &formats.Response{Status: status}, nil
	case string:
		if produces == mediaText {
			return textResponse(http.StatusOK, v), nil
		}
	}
	if status == 0 {
		status = http.StatusOK
	}
	return jsonAnswer(status, v)
}

// jsonAnswer lays a value out as clients know it.
func jsonAnswer(status int, v any) (*formats.Response, error) {
	body, err := encode(v)
	if err != nil {
		return nil, err
	}
	return &formats.Response{
		Status: status, Header: http.Header{"Content-Type": {string(mediaJSON)}}, Body: formats.Body{Bytes: body, Size: int64(len(body))},
	}, nil
}

func textResponse(status int, text string) *formats.Response {
	return &formats.Response{
		Status: status, Header: http.Header{"Content-Type": {"text/plain;charset=utf-8"}}, Body: formats.Body{Bytes: []byte(text), Size: int64(len(text))},
	}
}

// spelled reports whether the fixed parts of a path came as they are written, without escapes: the old server knows no others.
func spelled(target, path string) bool {
	have := strings.Split(strings.TrimPrefix(target, prefix), "/")
	want := strings.Split(path, "/")
	if len(have) != len(want) {
		return false
	}
	for i, segment := range want {
		literal, _, _ := strings.Cut(have[i], ";")
		if !strings.HasPrefix(segment, "{") && literal != segment {
			return false
		}
	}
	return true
}
