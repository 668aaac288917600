// Package extdirect answers the remote procedure calls of the old user interface at /service/extdirect. Scripts of administrators use
// a few of them, because the old REST API lacks what they do: above all setting the base URL. Each method translates to one call of
// the domain; what is not known is an exception that names it.
//
// A method is named ACTION.METHOD, takes an array of arguments and gives data or a message; a call that fails is answered with 200 like
// every other, as the protocol wants. Several calls may come in one request, as an array:
//
//	{"action":"coreui_RealmSettings","method":"read","data":null,"type":"rpc","tid":1}
//	{"tid":1,"action":"coreui_RealmSettings","method":"read","result":{"success":true,"data":{"realms":["NexusAuthenticatingRealm"]}},"type":"rpc"}
package extdirect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

const (
	prefix   = "/service/"
	path     = prefix + "extdirect"
	maxBody  = 1 << 20 // bytes of a request
	maxCalls = 100     // in one request
)

// Options are what the calls stand on. All are required.
type Options struct {
	*domains.Domains
	// Version and Edition are what the server claims to be, for example "3.77.0-08" and "OSS".
	Version, Edition string
}

// Calls answers remote procedure calls.
type Calls struct {
	Options
	methods map[string]method // by action and method: "coreui_User.read"
}

// method is one procedure.
type method struct {
	name  string
	needs string // application permission, for example "nexus:users:read"; "" leaves it to what is shown
	takes int    // number of arguments
	run   func(q *request) (any, error)
}

// changes reports whether the method changes something: nobody may without signing in.
func (m *method) changes() bool { return m.needs != "" && !strings.HasSuffix(m.needs, ":read") }

// request is a call to a method.
type request struct {
	*server.Request
	subject *access.Subject
	data    []json.RawMessage
}

// arguments reads the arguments of a method. Those at the end may be absent or null.
func (q *request) arguments(into ...any) error {
	for i, v := range into {
		if len(q.data) > len(into) || i < len(q.data) && json.Unmarshal(q.data[i], v) != nil {
			return formats.Errorf(formats.Invalid, "The method takes %d arguments of another shape", len(into))
		}
	}
	return nil
}

// argument reads the one argument of a method.
func (q *request) argument(into any) error {
	if len(q.data) != 1 || json.Unmarshal(q.data[0], into) != nil {
		return formats.Errorf(formats.Invalid, "The method takes one argument of another shape")
	}
	return nil
}

// New makes the calls.
func New(o Options) *Calls {
	c := &Calls{Options: o, methods: map[string]method{}}
	for _, all := range [][]method{c.sessionMethods(), c.capabilityMethods(), c.securityMethods(), c.repositoryMethods(), c.serverMethods(), c.taskMethods(), c.taskChangeMethods(), c.outboundMethods()} {
		for _, m := range all {
			c.methods[m.name] = m
		}
	}
	return c
}

// Mount puts the endpoint on a server. Each method checks its own permission.
func (c *Calls) Mount(s *server.Server, face server.Face, authenticator server.Authenticator) error {
	surface := server.Surface{Prefix: prefix, Face: face, Authenticator: authenticator}
	return s.Mount(surface,
		server.Route{Methods: []string{http.MethodPost}, Pattern: path, Access: server.Content(), Class: "rpc", MaxBody: maxBody, Handler: c.serve},
		server.Route{Methods: []string{http.MethodGet}, Pattern: path + "/api.js", Access: server.Public(), Class: "rpc", Handler: c.describe},
		server.Route{
			Methods: []string{http.MethodGet, http.MethodPost}, Pattern: path + "/poll/rapture_State_get", Access: server.Public(), Class: "rpc",
			MaxBody: maxBody, Handler: c.poll,
		})
}

// call is a remote procedure call.
type call struct {
	Action string            `json:"action"`
	Method string            `json:"method"`
	Data   []json.RawMessage `json:"data"`
	Type   string            `json:"type"`
	TID    json.RawMessage   `json:"tid"`
}

// reply is the answer to a call. The order of members is that of the old server.
type reply struct {
	TID    json.RawMessage `json:"tid"`
	Action string          `json:"action"`
	Method string          `json:"method"`
	Result any             `json:"result,omitempty"`
	// Message is what went wrong, with Type "exception".
	Message string  `json:"message,omitempty"`
	Where   *string `json:"where,omitempty"`
	Type    string  `json:"type"`
}

// success is the result of a call that was done.
type success struct {
	Success bool `json:"success"`
	Data    any  `json:"data"`
}

// failure is the result of a call that was not.
type failure struct {
	Message string `json:"message"`
	// Errors are messages by member of the argument.
	Errors         map[string]string `json:"errors,omitempty"`
	Authentication bool              `json:"authenticationRequired"`
	Success        bool              `json:"success"`
	Data           []any             `json:"data"`
}

func failed(format string, args ...any) failure {
	return failure{Message: fmt.Sprintf(format, args...), Data: []any{}}
}

// serve answers one call, or an array of them one after the other.
func (c *Calls) serve(r *server.Request) (*formats.Response, error) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.Body() == nil || strings.TrimSpace(media) != "application/json" {
		return nil, formats.Errorf(formats.Invalid, "Send a call as application/json")
	}
	data, err := io.ReadAll(r.Body())
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		var in call
		if err := json.Unmarshal(data, &in); err != nil || in.Action == "" || in.Method == "" {
			return nil, formats.Errorf(formats.Invalid, "The call is no JSON object with action and method")
		}
		out, err := c.answer(r, in)
		if err != nil {
			return nil, err
		}
		return jsonResponse(out)
	}
	var in []call
	if err := json.Unmarshal(data, &in); err != nil || len(in) > maxCalls {
		return nil, formats.Errorf(formats.Invalid, "The calls are no JSON array of at most %d objects with action and method", maxCalls)
	}
	out := make([]*reply, 0, len(in))
	for _, one := range in {
		answer, err := c.answer(r, one)
		if err != nil {
			return nil, err
		}
		out = append(out, answer)
	}
	return jsonResponse(out)
}

func jsonResponse(v any) (*formats.Response, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("extdirect: %w", err)
	}
	return respond("application/json;charset=utf-8", bytes.TrimRight(b.Bytes(), "\n")), nil
}

func respond(contentType string, body []byte) *formats.Response {
	return &formats.Response{
		Status: http.StatusOK, Body: formats.Body{Bytes: body, Size: int64(len(body))},
		Header: http.Header{"Content-Type": {contentType}, "X-Frame-Options": {"DENY"}},
	}
}

// answer does one call. Its error is for what a client cannot help.
func (c *Calls) answer(r *server.Request, in call) (*reply, error) {
	out := &reply{TID: in.TID, Action: in.Action, Method: in.Method, Type: "rpc"}
	if len(out.TID) == 0 {
		out.TID = json.RawMessage("null")
	}
	m, ok := c.methods[in.Action+"."+in.Method]
	if !ok {
		out.Type, out.Message, out.Where = "exception", c.unknown(in), new(string)
		return out, nil
	}
	subject, ok := r.Caller.(*access.Subject)
	if !ok {
		return nil, errors.New("extdirect: the authenticator gives no subject")
	}
	if !permitted(subject, m.needs) || m.changes() && subject.Anonymous() {
		out.Result = failed("User is not permitted: %s", m.needs)
		return out, nil
	}
	v, err := m.run(&request{r, subject, in.Data})
	if err == nil {
		out.Result = success{Success: true, Data: v}
		return out, nil
	}
	out.Result, err = word(err)
	return out, err
}

func permitted(s *access.Subject, needs string) bool {
	if needs == "" {
		return true
	}
	p, err := permission.Parse(needs)
	return err == nil && s.Permits(p)
}

// unknown says what of a call is not known.
func (c *Calls) unknown(in call) string {
	for _, m := range c.methods {
		if strings.HasPrefix(m.name, in.Action+".") {
			return fmt.Sprintf("RequestException: No method registered as '%s' in action '%s'", in.Method, in.Action)
		}
	}
	return fmt.Sprintf("RequestException: No action registered as '%s'", in.Action)
}

// word gives the result of a call that was refused, or the error when it was not a refusal.
func word(err error) (any, error) {
	var fields formats.FieldErrors
	var refused *formats.Error
	var denied *access.Error
	switch {
	case errors.As(err, &fields):
		out := failed("The form has mistakes")
		out.Errors = make(map[string]string, len(fields))
		for _, f := range fields {
			out.Errors[f.Field] = f.Message
		}
		return out, nil
	case errors.As(err, &denied) && len(denied.Fields) > 0:
		out := failed("The form has mistakes")
		out.Errors = make(map[string]string, len(denied.Fields))
		for _, f := range denied.Fields {
			out.Errors[f.Field] = f.Message
		}
		return out, nil
	case errors.As(err, &denied):
		return failed("%s", denied.Message), nil
	case errors.Is(err, repository.ErrReadOnly):
		return failed("The server is in read-only mode"), nil
	case errors.As(err, &refused):
		return failed("%s", refused.Message), nil
	}
	return nil, err
}

// describe gives the methods as a script that makes them known to the protocol's client in a browser.
func (c *Calls) describe(*server.Request) (*formats.Response, error) {
	type signature struct {
		Name  string `json:"name"`
		Takes int    `json:"len"`
	}
	actions := map[string][]signature{}
	for _, m := range c.methods {
		action, name, _ := strings.Cut(m.name, ".")
		actions[action] = append(actions[action], signature{name, m.takes})
	}
	for _, list := range actions {
		slices.SortFunc(list, func(a, b signature) int { return strings.Compare(a.Name, b.Name) })
	}
	body, err := json.Marshal(map[string]any{"type": "remoting", "url": "service/extdirect", "actions": actions})
	if err != nil {
		return nil, fmt.Errorf("extdirect: %w", err)
	}
	script := slices.Concat([]byte("Ext.namespace('NX.direct.api');\nNX.direct.api.REMOTING_API = "), body, []byte(";\n"))
	return respond("text/javascript;charset=utf-8", script), nil
}
