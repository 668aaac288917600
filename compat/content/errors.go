package content

import (
	"errors"
	"net/http"
	"strings"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
)

// challenge is what the old server asks for credentials with; clients compare it.
const challenge = `BASIC realm="Sonatype Nexus Repository Manager"`

// refusal is an error in HTTP's words.
type refusal struct {
	status int
	reason string
	header http.Header
}

// translate gives the status and reason phrase of an error. It is the only place that does; method is the request's.
func translate(err error, method string) refusal {
	var own *server.StatusError
	if !formats.IsPlain(err) && errors.As(err, &own) {
		return refusal{status: own.Status, reason: reasonOf(own.Status, own.Message), header: own.Header}
	}
	refused, ok := err.(*formats.Error) // nearly always
	if !ok && !errors.As(err, &refused) {
		return refusal{status: http.StatusInternalServerError, reason: reasonOf(http.StatusInternalServerError, "")}
	}
	status := statusOf(refused.Kind, method)
	out := refusal{status: status, reason: reasonOf(status, refused.Message), header: refused.Header}
	switch {
	case refused.Kind == formats.Internal:
		out.reason = reasonOf(status, "") // what happened is for the log
	case len(refused.Allow) > 0:
		out.header = http.Header{"Allow": {strings.Join(refused.Allow, ",")}}
	case errors.Is(err, repository.ErrReadOnly):
		out.reason = "Nexus Repository Manager is in read-only mode"
	case refused.Kind == formats.BadGateway:
		out.reason += howToMend(err)
	}
	return out
}

// howToMend says how a cache that has no upstream yet is given one.
func howToMend(err error) string {
	var untold *repository.NoUpstreamError
	if !errors.As(err, &untold) {
		return ""
	}
	return ", for example with PUT /service/rest/v1/repositories/" + names.Segment(untold.Format) + "/proxy/" + untold.Repository
}

func statusOf(kind formats.ErrorKind, method string) int {
	switch kind {
	case formats.Invalid, formats.Denied:
		return http.StatusBadRequest
	case formats.NotFound:
		return http.StatusNotFound
	case formats.Unauthenticated:
		return http.StatusUnauthorized
	case formats.Forbidden:
		return http.StatusForbidden
	case formats.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case formats.InvalidContent: // of an upload, or of an upstream
		if method == http.MethodGet || method == http.MethodHead {
			return http.StatusNotFound
		}
		return http.StatusBadRequest
	case formats.PreconditionFailed:
		return http.StatusPreconditionFailed
	case formats.Unavailable:
		return http.StatusServiceUnavailable
	case formats.BadGateway:
		return http.StatusBadGateway
	case formats.NoSpace:
		return http.StatusInsufficientStorage
	case formats.RangeNotSatisfiable:
		return http.StatusRequestedRangeNotSatisfiable
	}
	return http.StatusInternalServerError
}

// reasonOf gives a message, or the status' own words as the old server says them.
func reasonOf(status int, message string) string {
	switch {
	case message != "":
		return message
	case status == http.StatusInternalServerError:
		return "Server Error"
	}
	return http.StatusText(status)
}

// hasPage reports whether an error has a page: of the other methods' errors clients see the status line alone.
func hasPage(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost
}

// Face is what the answers of the content URLs look like. Other packages under compat use it for the pages they share.
type Face struct {
	brand brand
	lines lineSets
	view  bool // of content of repositories
}

// Error implements server.Face.
func (f *Face) Error(r *server.Request, err error) *formats.Response {
	out := translate(err, r.Method)
	if out.status == http.StatusUnauthorized {
		return &formats.Response{Status: out.status, Reason: out.reason, Header: http.Header{"Www-Authenticate": {challenge}}}
	}
	resp := &formats.Response{Status: out.status, Reason: out.reason, Header: out.header}
	if hasPage(r.Method) {
		resp.Body.Bytes = f.brand.errorPage(r.Target, out.status, http.StatusText(out.status), out.reason)
	}
	return resp
}

// Lines implements server.Face.
func (f *Face) Lines(r *server.Request, status int) []server.Line {
	set := setPlain
	if r.Failed() && status != http.StatusUnauthorized {
		switch {
		case hasPage(r.Method):
			set = setPage
		case status == http.StatusInternalServerError:
			set = setFramed
		}
	}
	if f.view && r.Reached() {
		set += setSandboxed
	}
	if r.TLS() {
		set += setSecure
	}
	return f.lines[set]
}

// lineSets are the header lines of each kind of answer, made once.
type lineSets [12][]server.Line

// The kinds of answers: one of the first three, with one or both of the others added.
const (
	setPlain     = 0
	setPage      = 1 // an error page
	setFramed    = 2 // a failure without a page
	setSandboxed = 3 // content of a repository, which must not act as a page of this server
	setSecure    = 6 // on a TLS connection
)

func newLineSets() lineSets {
	noStore := []server.Line{
		{Name: "Cache-Control", Value: "no-cache, no-store, max-age=0, must-revalidate, post-check=0, pre-check=0"},
		{Name: "Pragma", Value: "no-cache"}, {Name: "Expires", Value: "0"},
	}
	frame := server.Line{Name: "X-Frame-Options", Value: "DENY"}
	var sets lineSets
	for i := range sets {
		lines := []server.Line{{Name: "X-Content-Type-Options", Value: "nosniff"}}
		if i%setSecure >= setSandboxed {
			lines = append(lines, server.Line{
				Name:  "Content-Security-Policy",
				Value: "sandbox allow-forms allow-modals allow-popups allow-presentation allow-scripts allow-top-navigation",
			}, server.Line{Name: "X-XSS-Protection", Value: "1; mode=block"})
		}
		switch i % setSandboxed {
		case setPage:
			lines = append(append(lines, noStore...), frame, server.Line{Name: "Content-Type", Value: "text/html"})
		case setFramed:
			lines = append(lines, frame)
		}
		if i >= setSecure {
			lines = append(lines, server.Line{Name: "Strict-Transport-Security", Value: "max-age=7776000"})
		}
		sets[i] = lines
	}
	return sets
}
