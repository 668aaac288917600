package webhooks

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"entrepot/app/audit"
	"entrepot/app/repository"
	"entrepot/storage/catalog"
)

// The kinds of events, as receivers know them.
const (
	eventAudit      = "rm:global:audit"
	eventRepository = "rm:global:repository"
	eventAsset      = "rm:repository:asset"
	eventComponent  = "rm:repository:component"
)

// The actions in bodies.
const (
	actionCreated = "CREATED"
	actionUpdated = "UPDATED"
	actionDeleted = "DELETED"
)

// event is something to tell one hook.
type event struct {
	Kind     string          `json:"kind"`
	Time     time.Time       `json:"time"`
	Delivery string          `json:"delivery"` // the same however often it is sent
	Body     json.RawMessage `json:"body"`
}

// common is what every body begins with.
type common struct {
	Timestamp string `json:"timestamp"`
	NodeID    string `json:"nodeId"`
	Initiator string `json:"initiator"`
}

func (s *Service) common(at time.Time, initiator string) common {
	if initiator == "" {
		initiator = audit.System().UserID
	}
	return common{at.UTC().Format("2006-01-02T15:04:05.000-07:00"), s.opts.NodeID(), initiator}
}

// Initiator words who did something, as receivers of events know it.
func Initiator(a audit.Actor) string {
	if a.Address == "" {
		return a.UserID
	}
	return a.UserID + "/" + a.Address
}

// encode gives JSON without white space, and as other languages write it too: receivers sign what they parsed and wrote again.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("webhooks: encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// delivery names an event for a hook.
func delivery(parts ...string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(strings.Join(parts, "\x00"))).String()
}

// signature is the HMAC-SHA1 of a body in hexadecimal digits.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// domains are the words of receivers for what is changed, where they differ from the audit's. Those of settings of which there is one have a
// verb and an object of their own, see singles.
var domains = map[string]string{
	"user": "security.user", "role": "security.role", "privilege": "security.privilege", "certificate": "security.sslcertificate",
	"asset": "repository.asset", "component": "repository.component", "blob-store": "blobstore", "routing-rule": "RoutingRule",
	"selector": "ContentSelector", "cleanup-policy": "cleanupPolicy", "task": "tasks",
}

var (
	verbs   = map[string]string{"create": "created", "update": "updated", "delete": "deleted", "clone": "created", "invalidate-cache": "cacheInvalidated"}
	singles = map[string]string{
		"settings.anonymous": "security.anonymous", "settings.realms": "security.realm", "email.update": "email", "email.delete": "email",
		"http.update": "httpclient",
	}
)

// auditData is what a body says of a change of settings.
type auditData struct {
	Domain     string            `json:"domain"`
	Type       string            `json:"type"`
	Context    string            `json:"context"`
	Attributes map[string]string `json:"attributes"`
}

// auditBody tells of a change of settings, or of content that somebody removed.
func (s *Service) auditBody(e audit.Entry) (json.RawMessage, error) {
	document := e.After
	if document == nil {
		document = e.Before
	}
	domain, verb, _ := strings.Cut(e.Action, ".")
	data := auditData{cmp.Or(domains[domain], domain), cmp.Or(verbs[verb], verb), e.Object, attributes(document)}
	if single := singles[e.Action]; single != "" {
		data.Domain, data.Type, data.Context = single, "changed", "system"
	}
	switch domain {
	case "asset":
		repository, path, _ := strings.Cut(e.Object, "/")
		data.Context = "/" + path
		data.Attributes = map[string]string{"repository.name": repository, "path": data.Context}
	case "component":
		data.Context = data.Attributes["name"]
		data.Attributes["repository.name"], data.Attributes["namespace"] = e.Object, data.Attributes["group"]
		delete(data.Attributes, "group")
	}
	return encode(struct {
		common
		Audit auditData `json:"audit"`
	}{s.common(e.Time, Initiator(e.Actor)), data})
}

// attributes gives the members of a document as texts.
func attributes(document any) map[string]string {
	all := make(map[string]string)
	members, ok := document.(map[string]any)
	if !ok {
		return all
	}
	for name, value := range members {
		switch v := value.(type) {
		case nil:
		case string:
			all[name] = v
		default:
			if text, err := encode(v); err == nil {
				all[name] = string(text)
			}
		}
	}
	return all
}

// repositoryActions are the events of the audit that are changes of a repository.
var repositoryActions = map[string]string{
	"repository.create": actionCreated, "repository.clone": actionCreated, "repository.update": actionUpdated, "repository.delete": actionDeleted,
}

// repositoryBody tells of a change of a repository; false when the event is none.
func (s *Service) repositoryBody(e audit.Entry) (json.RawMessage, bool, error) {
	action := repositoryActions[e.Action]
	document, ok := e.After.(map[string]any)
	if !ok {
		document, ok = e.Before.(map[string]any)
	}
	if action == "" || !ok {
		return nil, false, nil
	}
	text := func(names ...string) string {
		for _, name := range names {
			if v, ok := document[name].(string); ok {
				return v
			}
		}
		return ""
	}
	type body struct {
		Format string `json:"format"`
		Name   string `json:"name"`
		Type   string `json:"type"`
	}
	raw, err := encode(struct {
		common
		Action     string `json:"action"`
		Repository body   `json:"repository"`
	}{s.common(e.Time, Initiator(e.Actor)), action, body{text("format"), e.Object, s.opts.KindName(text("kind"))}})
	return raw, true, err
}

// contentEvents gives what a change of content has to tell: a component comes before its asset and goes after it.
func (s *Service) contentEvents(h *hook, d repository.Definition, c catalog.Change) ([]event, error) {
	var all []event
	add := func(kind string, body any) error {
		raw, err := encode(body)
		all = append(all, event{kind, c.Time, delivery(h.ID, d.Content, c.Sequence, kind), raw})
		return err
	}
	if component := c.Component; component != nil && component.Change != catalog.ComponentDeleted && h.tells("component") {
		if err := add(eventComponent, s.componentBody(d, c)); err != nil {
			return nil, err
		}
	}
	if h.tells("asset") {
		if err := add(eventAsset, s.assetBody(d, c)); err != nil {
			return nil, err
		}
	}
	if component := c.Component; component != nil && component.Change == catalog.ComponentDeleted && h.tells("component") {
		if err := add(eventComponent, s.componentBody(d, c)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *Service) assetBody(d repository.Definition, c catalog.Change) any {
	action := actionUpdated
	if c.Kind == catalog.ChangeDelete {
		action = actionDeleted
	} else if c.Created {
		action = actionCreated
	}
	type body struct {
		ID      string `json:"id"`
		AssetID string `json:"assetId"`
		Format  string `json:"format"`
		Name    string `json:"name"`
	}
	id, reference := s.opts.AssetID(d.Name, c.Asset)
	return struct {
		common
		Repository string `json:"repositoryName"`
		Action     string `json:"action"`
		Asset      body   `json:"asset"`
	}{s.common(c.Time, c.Actor), d.Name, action, body{id, reference, d.Format, c.Path}}
}

func (s *Service) componentBody(d repository.Definition, c catalog.Change) any {
	action := map[catalog.ComponentChange]string{
		catalog.ComponentCreated: actionCreated, catalog.ComponentUpdated: actionUpdated, catalog.ComponentDeleted: actionDeleted,
	}[c.Component.Change]
	type body struct {
		ID          string `json:"id"`
		ComponentID string `json:"componentId"`
		Format      string `json:"format"`
		Name        string `json:"name"`
		Group       string `json:"group"`
		Version     string `json:"version"`
	}
	id, reference := s.opts.ComponentID(d.Name, c.Component.ID)
	return struct {
		common
		Repository string `json:"repositoryName"`
		Action     string `json:"action"`
		Component  body   `json:"component"`
	}{
		s.common(c.Time, c.Actor), d.Name, action,
		body{id, reference, d.Format, c.Component.Name, c.Component.Group, c.Component.Version},
	}
}
