// Package extdirect answers the remote procedure calls of the old user interface at /service/extdirect. Scripts of administrators use
// a few of them, because the old REST API lacks what they do: above all setting the base URL. Each method translates to one call of
// the domain; what is not known is an exception that names it.
package extdirect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/access/permission"
	"entrepot/app/server"
	"entrepot/app/settings"
	"entrepot/formats"
)

const (
	prefix  = "/service/"
	path    = prefix + "extdirect"
	maxBody = 1 << 20 // bytes of a call
)

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
	Message string `json:"message,omitempty"`
	Type    string `json:"type"`
}

type result struct {
	Success bool   `json:"success"`
	Data    any    `json:"data"`
	Message string `json:"message,omitempty"`
	// Errors are messages by member.
	Errors map[string]string `json:"errors,omitempty"`
}

// Calls answers remote procedure calls.
type Calls struct {
	settings *settings.Settings
	methods  map[string]method
}

// method is one procedure and the permission that it needs.
type method struct {
	needs permission.Permission
	run   func(r *server.Request, data []json.RawMessage) (any, error)
}

// New makes the calls.
func New(s *settings.Settings) *Calls {
	c := &Calls{settings: s}
	needs := func(action string) permission.Permission { return permission.Application("capabilities", action) }
	c.methods = map[string]method{
		"capability_Capability.read":   {needs("read"), c.readCapabilities},
		"capability_Capability.create": {needs("create"), c.createCapability},
		"capability_Capability.update": {needs("update"), c.updateCapability},
		"capability_Capability.remove": {needs("delete"), c.removeCapability},
	}
	return c
}

// Mount puts the endpoint on a server. Each method checks its own permission.
func (c *Calls) Mount(s *server.Server, face server.Face, authenticator server.Authenticator) error {
	surface := server.Surface{Prefix: prefix, Face: face, Authenticator: authenticator}
	return s.Mount(surface, server.Route{
		Methods: []string{http.MethodPost}, Pattern: path, Access: server.Content(), Class: "rpc", MaxBody: maxBody, Handler: c.serve,
	})
}

func (c *Calls) serve(r *server.Request) (*formats.Response, error) {
	if r.Body() == nil {
		return nil, formats.Errorf(formats.Invalid, "The call is empty")
	}
	data, err := io.ReadAll(r.Body())
	if err != nil {
		return nil, err
	}
	var in call
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, formats.Errorf(formats.Invalid, "The call is no JSON object with action and method")
	}
	out, err := c.answer(r, in)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("extdirect: %w", err)
	}
	return &formats.Response{
		Status: http.StatusOK, Body: formats.Body{Bytes: body, Size: int64(len(body))},
		Header: http.Header{"Content-Type": {"application/json;charset=utf-8"}, "X-Frame-Options": {"DENY"}},
	}, nil
}

func (c *Calls) answer(r *server.Request, in call) (*reply, error) {
	out := &reply{TID: in.TID, Action: in.Action, Method: in.Method, Type: "rpc"}
	if len(out.TID) == 0 {
		out.TID = json.RawMessage("null")
	}
	m, ok := c.methods[in.Action+"."+in.Method]
	if !ok {
		out.Type, out.Message = "exception", "There is no method "+in.Method+" of "+in.Action+" here"
		return out, nil
	}
	subject, ok := r.Caller.(*access.Subject)
	if !ok || subject.Anonymous() || !subject.Permits(m.needs) {
		out.Result = result{Message: "You do not have permission for " + in.Action + "." + in.Method}
		return out, nil
	}
	v, err := m.run(r, in.Data)
	var fields formats.FieldErrors
	var refused *formats.Error
	switch {
	case errors.As(err, &fields):
		wrong := make(map[string]string, len(fields))
		for _, f := range fields {
			wrong[f.Field] = f.Message
		}
		out.Result = result{Errors: wrong}
	case errors.As(err, &refused):
		out.Result = result{Message: refused.Message}
	case err != nil:
		return nil, err
	default:
		out.Result = result{Success: true, Data: v}
	}
	return out, nil
}
