package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"entrepot/app/access"
	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/resource"
	"entrepot/app/scripts"
	"entrepot/app/search"
	"entrepot/app/server"
	"entrepot/app/tasks"
	"entrepot/app/trust"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// Problem is an error as of RFC 9457.
type Problem struct {
	Type   string    `json:"type" example:"about:blank"`
	Title  string    `json:"title" example:"Unprocessable Entity"`
	Status int       `json:"status" example:"422"`
	Detail string    `json:"detail,omitempty"`
	ID     string    `json:"id,omitempty"`     // of an error of the server, for its log
	Errors []Invalid `json:"errors,omitempty"` // what is wrong with members of the body
	// Of a configuration of which a change was refused: the changes that stay all the same, and those that are not made. Without members
	// of the first kind nothing was changed.
	Applied    []string `json:"applied,omitempty" example:"roles/developers"`
	NotApplied []string `json:"notApplied,omitempty" example:"users/jane"`
}

// Invalid is what is wrong with a member of a body.
type Invalid struct {
	Pointer string `json:"pointer" example:"#/upstream/url"` // JSON pointer as a URI fragment; "#" is the whole
	Detail  string `json:"detail"`
}

const mediaProblem = "application/problem+json"

// face words errors.
type face struct{}

// Lines gives what every answer carries.
func (face) Lines(*server.Request, int) []server.Line {
	return []server.Line{{Name: "X-Content-Type-Options", Value: "nosniff"}, {Name: "Cache-Control", Value: "private, no-cache"}}
}

// Error gives the answer to an error. It is the only place that maps errors to HTTP here.
func (face) Error(r *server.Request, err error) *formats.Response {
	p, header := problem(r, err)
	if p.Type == "" {
		p.Type = "about:blank"
	}
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusInternalServerError {
		p.ID = strconv.FormatUint(r.ID(), 10)
		p.Detail = "The server could not do this; its log says why, under this id"
	}
	partly(&p, err)
	data, err := resource.Encode(p)
	if err != nil {
		return &formats.Response{Status: p.Status}
	}
	resp := replyBytes(p.Status, mediaProblem, append(data, '\n'))
	for name, values := range header {
		resp.Header[name] = values
	}
	return resp
}

// problem finds out what kind of error it is.
func problem(r *server.Request, err error) (Problem, http.Header) {
	var syntax *resource.SyntaxError
	var fields formats.FieldErrors
	var denied *access.Error
	var refused *formats.Error
	var own *server.StatusError
	switch {
	case errors.As(err, &syntax):
		p := Problem{Status: http.StatusBadRequest, Detail: syntax.Error()}
		if syntax.Field != "" {
			p.Detail, p.Errors = "The body has a member that is wrong", []Invalid{{pointer(syntax.Field), syntax.Message}}
		}
		return p, nil
	case errors.As(err, &fields):
		p := Problem{Status: http.StatusUnprocessableEntity, Detail: "Members of the body are wrong"}
		for _, f := range fields {
			p.Errors = append(p.Errors, Invalid{pointer(f.Field), f.Message})
		}
		return p, nil
	case errors.Is(err, access.ErrBadCredentials) && !errors.As(err, &own):
		return unauthenticated("The credentials are wrong")
	case errors.As(err, &denied):
		return accessProblem(denied), nil
	case errors.As(err, &own):
		return Problem{Status: own.Status, Detail: own.Message}, own.Header
	case errors.As(err, &refused):
		return formatsProblem(r, refused)
	case errors.Is(err, trust.ErrNotFound):
		return Problem{Status: http.StatusNotFound, Detail: "There is no such certificate"}, nil
	case errors.Is(err, trust.ErrExists):
		return Problem{Status: http.StatusConflict, Detail: "The certificate is trusted already"}, nil
	case errors.Is(err, trust.ErrInvalid):
		return Problem{Status: http.StatusUnprocessableEntity, Detail: "This is no certificate", Errors: []Invalid{{"#/pem", "must be a certificate in PEM form"}}}, nil
	case errors.Is(err, scripts.ErrNotFound):
		return Problem{Status: http.StatusNotFound, Detail: "There is no such script"}, nil
	case errors.Is(err, scripts.ErrExists):
		return Problem{Status: http.StatusConflict, Detail: "There is a script of this name already"}, nil
	case errors.Is(err, scripts.ErrDisabled):
		return Problem{Status: http.StatusConflict, Detail: "Storing scripts is switched off: script_creation in the configuration of the server allows it"}, nil
	case errors.Is(err, cleanup.ErrNotFound):
		return Problem{Status: http.StatusNotFound, Detail: "There is no such cleanup policy"}, nil
	case errors.Is(err, tasks.ErrNotFound):
		return Problem{Status: http.StatusNotFound, Detail: "There is no such task"}, nil
	case errors.Is(err, tasks.ErrDisabled), errors.Is(err, tasks.ErrUnsupported), errors.Is(err, tasks.ErrNotRunning):
		return Problem{Status: http.StatusConflict, Detail: strings.TrimPrefix(err.Error(), "tasks: ")}, nil
	case errors.Is(err, tasks.ErrClosed):
		return Problem{Status: http.StatusServiceUnavailable, Detail: "Tasks are not run at the moment"}, nil
	case errors.Is(err, kv.ErrNoSpace):
		return Problem{Status: http.StatusInsufficientStorage, Detail: "The disk of the records is full"}, nil
	case overtaken(err):
		return Problem{Status: http.StatusConflict, Detail: "Somebody else changed this meanwhile"}, nil
	}
	return Problem{Status: http.StatusInternalServerError}, nil
}

func unauthenticated(detail string) (Problem, http.Header) {
	challenge := http.Header{"Www-Authenticate": {`Bearer realm="Entrepot"`, `Basic realm="Entrepot", charset="UTF-8"`}}
	return Problem{Status: http.StatusUnauthorized, Detail: detail}, challenge
}

// spelled gives the names of members of documents for those that the domain has other names for.
var spelled = map[string]string{
	"userId": "id", "emailAddress": "email", "contentSelector": "selector", "scriptName": "script", "realmName": "realm", "fromAddress": "from", "typeId": "type", "userAgent": "userAgentSuffix",
	"connectionTimeoutSeconds": "timeout", "connectionRetryDelaySeconds": "retryDelay", "maxIncidentsCount": "maxIncidents", "authUsername": "username",
	"authPassword": "password", "authScheme": "scheme", "userBaseDn": "users.baseDN", "userObjectClass": "users.objectClass", "userLdapFilter": "users.filter",
	"userIdAttribute": "users.id", "userRealNameAttribute": "users.realName", "userEmailAddressAttribute": "users.email",
	"userPasswordAttribute": "users.passwordAttribute", "groupType": "groups.type", "groupBaseDn": "groups.baseDN", "groupObjectClass": "groups.objectClass",
	"groupIdAttribute": "groups.id", "groupMemberAttribute": "groups.member", "groupMemberFormat": "groups.memberFormat", "userMemberOfAttribute": "groups.memberOf",
}

// pointer makes a JSON pointer of a field such as "upstream.connection.retries" or "matchers[0]".
func pointer(field string) string {
	if field == "" {
		return "#"
	}
	if name, ok := spelled[field]; ok {
		field = name
	}
	return "#/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(field)
}

func accessProblem(e *access.Error) Problem {
	p := Problem{Status: http.StatusUnprocessableEntity, Detail: e.Message}
	switch e.Kind {
	case access.NotFound:
		p.Status = http.StatusNotFound
	case access.Exists, access.InUse, access.ReadOnly:
		p.Status = http.StatusConflict
	case access.Withheld:
		p.Status = http.StatusForbidden
	}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, Invalid{pointer(f.Field), f.Message})
	}
	if p.Detail == "" {
		p.Detail = "Members of the body are wrong"
	}
	return p
}

// statuses are those of the kinds of refusals; the others are errors of the server.
var statuses = map[formats.ErrorKind]int{
	formats.Invalid: http.StatusUnprocessableEntity, formats.NotFound: http.StatusNotFound, formats.Unauthenticated: http.StatusUnauthorized,
	formats.Forbidden: http.StatusForbidden, formats.MethodNotAllowed: http.StatusMethodNotAllowed, formats.Denied: http.StatusConflict,
	formats.InvalidContent: http.StatusUnprocessableEntity, formats.PreconditionFailed: http.StatusPreconditionFailed,
	formats.Unavailable: http.StatusServiceUnavailable, formats.BadGateway: http.StatusBadGateway, formats.NoSpace: http.StatusInsufficientStorage,
	formats.RangeNotSatisfiable: http.StatusRequestedRangeNotSatisfiable,
}

func formatsProblem(r *server.Request, e *formats.Error) (Problem, http.Header) {
	status, ok := statuses[e.Kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	header := e.Header.Clone()
	switch {
	case e.Kind == formats.Unauthenticated:
		return unauthenticated("The credentials are wrong")
	case e.Kind == formats.Forbidden && !signedIn(r):
		return unauthenticated("This needs credentials")
	case e.Kind == formats.Forbidden && e.Message == "":
		e = &formats.Error{Message: "The caller lacks the permission for this"}
	case e.Kind == formats.MethodNotAllowed:
		header = http.Header{"Allow": {strings.Join(e.Allow, ", ")}}
	case errors.Is(e, repository.ErrBadToken), errors.Is(e, search.ErrBadCursor):
		status = http.StatusBadRequest
	case e.Kind == formats.NotFound && e.Message == "":
		e = &formats.Error{Message: "There is nothing at this address"}
	}
	return Problem{Status: status, Detail: e.Message}, header
}

func signedIn(r *server.Request) bool {
	subject, ok := r.Caller.(*access.Subject)
	return ok && !subject.Anonymous()
}
