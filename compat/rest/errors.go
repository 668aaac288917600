package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

// validationType is the content type of an array of validation errors.
const validationType = "application/vnd.siesta-validation-errors-v1+json"

const challenge = `BASIC realm="Sonatype Nexus Repository Manager"`

// violation is what is wrong with one part of a request.
type violation struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

// violations are all that is wrong with a request.
type violations []violation

func (v violations) Error() string {
	if len(v) == 0 {
		return "rest: no violations"
	}
	return v[0].ID + ": " + v[0].Message
}

// parameter adds what is wrong with a member of the body, as constraint checks name it.
func (v *violations) parameter(name, message string) {
	*v = append(*v, violation{"PARAMETER " + name, message})
}

// add adds what is wrong under an id of its own.
func (v *violations) add(id, message string) { *v = append(*v, violation{id, message}) }

// message is an error that clients see as an object with an id and a message.
type message struct {
	status int
	text   string
	quoted bool // the text stands in quotes of its own, as old clients know it
	plain  bool // written as text, whatever the client accepts
}

func (m *message) Error() string { return m.text }

// quotedf is an object whose message stands in quotes.
func quotedf(status int, format string, args ...any) error {
	return &message{status: status, text: fmt.Sprintf(format, args...), quoted: true}
}

// messagef is an object.
func messagef(status int, format string, args ...any) error {
	return &message{status: status, text: fmt.Sprintf(format, args...)}
}

// statusOnly is an answer without a body.
func statusOnly(status int) error { return &server.StatusError{Status: status, Bare: true} }

// absent is the answer of the few operations that say "not found" themselves instead of raising an error: it has no fault id.
func absent() *formats.Response { return &formats.Response{Status: http.StatusNotFound} }

// face words errors as clients of the old REST API know them.
type face struct{ api *API }

// Lines gives what every answer carries.
func (f face) Lines(r *server.Request, status int) []server.Line {
	if status == errAccept.Status && malformedAccept(r.Header) {
		return f.api.Pages.Lines(r, status)
	}
	return []server.Line{{Name: "X-Content-Type-Options", Value: "nosniff"}}
}

// Error gives the answer to an error. It is the only place that maps errors to HTTP here.
func (f face) Error(r *server.Request, err error) *formats.Response {
	resp := f.answer(r, err)
	if resp.Status == http.StatusInternalServerError {
		resp.Reason = "Server Error" // as the old server says it
	}
	return resp
}

func (f face) answer(r *server.Request, err error) *formats.Response {
	var list violations
	var said *message
	var fields formats.FieldErrors
	var denied *access.Error
	var refused *formats.Error
	var own *server.StatusError
	var unavailable *access.UnavailableError
	switch {
	case errors.Is(err, access.ErrBadCredentials) && !errors.As(err, &own):
		return unauthenticated()
	case malformedAccept(r.Header):
		return f.api.Pages.Error(r, errAccept)
	case errors.As(err, &list):
		return validation(r, list)
	case errors.As(err, &fields):
		return validation(r, fieldViolations(fields))
	case errors.As(err, &said):
		return said.response()
	case errors.As(err, &denied):
		return f.accessError(r, denied)
	case errors.As(err, &unavailable):
		return fault((&message{status: http.StatusServiceUnavailable, text: "The directory of these users cannot be asked now."}).response())
	case errors.As(err, &own):
		return fault(&formats.Response{Status: own.Status, Header: own.Header})
	case errors.Is(err, repository.ErrReadOnly):
		id := uuid.NewString()
		resp := textResponse(http.StatusServiceUnavailable, "Nexus Repository Manager is in read-only mode: (ID "+id+")")
		resp.Header.Set("X-Siesta-Faultid", id)
		return resp
	case errors.As(err, &refused):
		return f.formatsError(r, refused)
	}
	return f.bodyError(r, err)
}

// bodyError answers a body that could not be decoded, and everything unexpected.
func (f face) bodyError(r *server.Request, err error) *formats.Response {
	var shape *errShape
	var unparsable *errUnparsable
	switch {
	case errors.Is(err, errEmptyBody):
		return validation(r, violations{{"PARAMETER " + bodyArgument(r), mustNotBeNull}})
	case errors.As(err, &shape):
		list := make([]violation, 0, len(shape.path))
		for _, name := range shape.path {
			list = append(list, violation{name, shape.message})
		}
		return fault(jsonResponse(http.StatusBadRequest, list))
	case errors.As(err, &unparsable):
		return fault((&message{status: http.StatusBadRequest, text: unparsable.Error()}).response())
	}
	id := uuid.NewString()
	text := "ERROR: (ID " + id + ") the server could not do this; its log says why"
	if errors.Is(err, context.Canceled) {
		text = "ERROR: (ID " + id + ") the request was cancelled"
	}
	resp := textResponse(http.StatusInternalServerError, text)
	resp.Header.Set("X-Siesta-Faultid", id)
	return resp
}

// bodyArgument names a request's body as constraint checks do: by its place behind the parameters of the path.
func bodyArgument(r *server.Request) string {
	if r.Param("format") == "" && r.Param("name") != "" || r.Param("id") != "" {
		return "arg1"
	}
	return "arg0"
}

// unauthenticated answers wrong credentials. It is made before the REST layer is reached, so it has no fault id.
func unauthenticated() *formats.Response {
	return &formats.Response{Status: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {challenge}}}
}

func (f face) accessError(r *server.Request, e *access.Error) *formats.Response {
	if e.Kind == access.Invalid {
		var list violations
		for _, field := range e.Fields {
			id := field.Field
			if field.Shape {
				id = "PARAMETER " + id
			}
			list.add(id, field.Message)
		}
		return validation(r, list)
	}
	status := http.StatusBadRequest
	switch e.Kind {
	case access.NotFound:
		status = http.StatusNotFound
	case access.Withheld:
		status = http.StatusForbidden
	}
	return (&message{status: status, text: e.Message, quoted: true}).response()
}

func (f face) formatsError(r *server.Request, e *formats.Error) *formats.Response {
	switch e.Kind {
	case formats.NotFound, formats.Forbidden, formats.MethodNotAllowed:
		status := map[formats.ErrorKind]int{
			formats.NotFound: http.StatusNotFound, formats.Forbidden: http.StatusForbidden, formats.MethodNotAllowed: http.StatusMethodNotAllowed,
		}[e.Kind]
		return fault(&formats.Response{Status: status})
	case formats.Unauthenticated:
		return unauthenticated()
	case formats.Invalid, formats.Denied, formats.InvalidContent:
		return (&message{status: http.StatusBadRequest, text: e.Message, quoted: true}).response()
	case formats.Unavailable, formats.NoSpace:
		return (&message{status: http.StatusServiceUnavailable, text: e.Message}).response()
	}
	return f.bodyError(r, e)
}

func (m *message) response() *formats.Response {
	text := m.text
	if m.quoted {
		text = `"` + text + `"`
	}
	if m.plain {
		return textResponse(m.status, "ValidationErrorXO{id='*', message='"+text+"'}")
	}
	body, err := encode(violation{"*", text})
	if err != nil {
		return &formats.Response{Status: http.StatusInternalServerError}
	}
	return &formats.Response{
		Status: m.status, Header: http.Header{"Content-Type": {string(mediaJSON)}}, Body: formats.Body{Bytes: body, Size: int64(len(body))},
	}
}

func fieldViolations(fields formats.FieldErrors) violations {
	var list violations
	for _, f := range fields {
		id := f.Field
		if id == "" {
			id = "*"
		}
		list.add(id, f.Message)
	}
	return list
}

// validation answers with an array, under the type that the client asked for.
func validation(r *server.Request, list violations) *formats.Response {
	resp := jsonResponse(http.StatusBadRequest, list)
	resp.Header.Set("Vary", "Accept")
	if !asksFor(r.Header, mediaJSON) {
		resp.Header.Set("Content-Type", validationType)
	}
	return fault(resp)
}

func jsonResponse(status int, v any) *formats.Response {
	body, err := compact(v)
	if err != nil {
		return &formats.Response{Status: http.StatusInternalServerError}
	}
	return &formats.Response{
		Status: status, Header: http.Header{"Content-Type": {string(mediaJSON)}}, Body: formats.Body{Bytes: body, Size: int64(len(body))},
	}
}

// fault marks an answer as one that the REST layer made of an error.
func fault(resp *formats.Response) *formats.Response {
	if resp.Header == nil {
		resp.Header = make(http.Header)
	}
	resp.Header.Set("X-Siesta-Faultid", uuid.NewString())
	return resp
}
