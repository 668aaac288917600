package repository

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Subject is what the engine asks about who makes a request.
type Subject interface {
	// UserID names the user in records; for a caller without credentials it is the anonymous user's.
	UserID() string
	// Anonymous reports whether no credentials were given.
	Anonymous() bool
	// MayView reports whether all the actions are allowed on a path of a repository.
	MayView(format, repository string, actions permission.Action, path string) bool
	// MayEnter reports whether one of the actions is allowed on some path of a repository.
	MayEnter(format, repository string, anyOf permission.Action) bool
}

var _ Subject = (*access.Subject)(nil)

// Call is one request of a client to one repository.
type Call struct {
	Repository string // name, in any case
	Subject    Subject
	Request    *formats.Request
	RemoteIP   string
	// Traits, when not nil, is filled in as far as the request comes.
	Traits *Traits
}

// Traits say what a request was about, in words of small closed sets, for metrics.
type Traits struct {
	Format string // of the repository
	Class  string // of the route, as the format calls it
}

// exchange is a call on its way through one repository.
type exchange struct {
	*repo
	call Call
	req  *formats.Request
	item formats.Item
	get  bool // GET
	read bool // GET or HEAD

	// Of the repository that was asked, also while its members are.
	disposition string
	bearing     http.Header
}

// Serve answers a request. Refusals are *formats.Error; any other error is a failure of the server.
func (e *Engine) Serve(ctx context.Context, c Call) (*formats.Response, error) {
	e.calm.requests.Add(1)
	r := e.state.Load().find(c.Repository)
	if r == nil {
		return nil, errRepositoryNotFound()
	}
	if c.Traits != nil {
		c.Traits.Format = r.def.Format
	}
	if !r.def.Online {
		return nil, &formats.Error{Kind: formats.Unavailable, Message: "Repository offline"}
	}
	action, ok := actionOf(c.Request.Method)
	if !ok {
		return nil, &formats.Error{Kind: formats.Internal, Err: errUnknownMethod}
	}
	if c.Subject == nil {
		return nil, &formats.Error{Kind: formats.Unauthenticated}
	}
	if !c.Subject.MayView(r.def.Format, r.def.Name, action, c.Request.Path) {
		return nil, refuse(c.Subject)
	}
	if r.format == nil {
		return unserved(r.def.Format)
	}
	x := exchange{repo: r, call: c, req: c.Request, get: c.Request.Method == http.MethodGet, disposition: r.disposition, bearing: r.bearing}
	x.read = x.get || c.Request.Method == http.MethodHead
	x.item = r.format.Classify(r.view, c.Request.Path)
	if c.Traits != nil {
		c.Traits.Class = x.item.Class
	}
	resp, err := e.answer(ctx, &x)
	if err != nil {
		return x.failed(err)
	}
	return resp, nil
}

// errUnknownMethod is the cause of the refusal of a method that stands for no action.
var errUnknownMethod = errors.New("repository: unknown method")

// actionOf tells what has to be allowed for a method.
func actionOf(method string) (permission.Action, bool) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return permission.Read, true
	case http.MethodPut:
		return permission.Edit, true
	case http.MethodPost, http.MethodPatch, "MKCOL":
		return permission.Add, true
	case http.MethodDelete:
		return permission.Delete, true
	}
	return 0, false
}

// refuse is the refusal of a subject that lacks a permission.
func refuse(s Subject) error {
	if s.Anonymous() {
		return &formats.Error{Kind: formats.Unauthenticated}
	}
	return &formats.Error{Kind: formats.Forbidden}
}

// answer takes the steps after authorisation.
func (e *Engine) answer(ctx context.Context, x *exchange) (*formats.Response, error) {
	it := &x.item
	if it.Route == formats.RouteNone || it.Route == formats.RouteOperation || it.Only != nil && !slices.Contains(it.Only, x.req.Method) {
		return nil, unmatched(it)
	}
	if it.Route == formats.RouteListing && x.get && it.Indexes == nil {
		return &formats.Response{Status: http.StatusOK, Landing: true}, nil
	}
	if err := x.refuseRoute(x.req); err != nil {
		return nil, err
	}
	if err := x.refuseMethod(); err != nil {
		return nil, err
	}
	if !x.read {
		if err := e.writable(); err != nil {
			return nil, err
		}
	}
	return e.dispatch(ctx, x)
}

// dispatch asks the format's policy and gives the kind's answer. Members of a proxy come in here.
func (e *Engine) dispatch(ctx context.Context, x *exchange) (*formats.Response, error) {
	if admitter, ok := x.format.(formats.Admitter); ok {
		if err := admitter.Admit(x.view, x.item, !x.read && x.req.Method != http.MethodDelete); err != nil {
			return nil, err
		}
	}
	switch {
	case x.def.Kind == formats.Proxy:
		return e.readProxy(ctx, x)
	case x.def.Kind == formats.Cache:
		return e.readCache(ctx, x)
	case x.read:
		return e.readHosted(ctx, x)
	case x.req.Method == http.MethodPut:
		return e.put(ctx, x)
	default:
		return e.delete(ctx, x)
	}
}

func unmatched(it *formats.Item) error {
	kind := it.Unmatched
	if kind == formats.Internal {
		kind = formats.NotFound
	}
	return &formats.Error{Kind: kind}
}

var (
	readMethods   = []string{http.MethodGet, http.MethodHead}
	hostedMethods = []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete}
)

// refuseMethod refuses what the route does not take.
func (x *exchange) refuseMethod() error {
	allowed := x.item.Methods
	if allowed == nil {
		allowed = readMethods
		if x.def.Kind == formats.Hosted {
			allowed = hostedMethods
		}
	}
	if slices.Contains(allowed, x.req.Method) {
		return nil
	}
	return &formats.Error{Kind: formats.MethodNotAllowed, Message: x.req.Method, Allow: allowed}
}

// title is what messages call the item.
func (x *exchange) title() string {
	if x.item.Title != "" {
		return x.item.Title
	}
	return x.item.Path
}

// notFound is the refusal of a hosted repository, which names what is missing.
func (x *exchange) notFound() error {
	return &formats.Error{Kind: formats.NotFound, Message: x.title()}
}

// failed gives an upstream's final answer where that is the failure, else the refusal.
func (x *exchange) failed(err error) (*formats.Response, error) {
	var final *finalError
	if !formats.IsPlain(err) && errors.As(err, &final) {
		return final.response(), nil
	}
	return nil, x.refusal(err)
}

// refusal makes an error fit to leave the engine: failures of the storage become refusals where they are ones, and refusals bear the
// same Content-Disposition as the content would. A refusal that has headers of its own is left alone.
func (x *exchange) refusal(err error) error {
	refused, ok := err.(*formats.Error) // nearly always
	if !ok && !errors.As(err, &refused) {
		return storageRefusal(err)
	}
	if refused.Header == nil && x.item.Disposition && x.showsDisposition(refused.Kind) {
		bearing := *refused
		bearing.Header = x.bearing
		return &bearing
	}
	return err
}

func (x *exchange) showsDisposition(kind formats.ErrorKind) bool {
	switch kind {
	case formats.PreconditionFailed:
		return x.req.Method != http.MethodHead
	case formats.NotFound, formats.Forbidden, formats.Unavailable, formats.BadGateway, formats.RangeNotSatisfiable, formats.InvalidContent:
		return x.get
	}
	return false
}

// storageRefusal turns a failure that a client can do something about, or wait for, into a refusal.
func storageRefusal(err error) error {
	switch {
	case errors.Is(err, catalog.ErrDropped):
		return errRepositoryNotFound()
	case errors.Is(err, blob.ErrNoSpace), errors.Is(err, kv.ErrNoSpace):
		return &formats.Error{Kind: formats.NoSpace, Message: "No space left on the server", Err: err}
	case errors.Is(err, blob.ErrReadOnly), errors.Is(err, kv.ErrReadOnly):
		return &formats.Error{Kind: formats.Unavailable, Message: "The storage of the server is read-only", Err: err}
	case errors.Is(err, catalog.ErrInvalid):
		return &formats.Error{Kind: formats.Invalid, Message: "The path is not one that can be stored", Err: err}
	}
	return err
}
