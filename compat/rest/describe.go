package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/compat/names"
	"entrepot/formats"
)

// description is what the API description says of an operation. Method, path, kinds of bodies and privilege are the operation's own.
type description struct {
	tag     string
	summary string
	query   []parameter
	form    []parameter // of a multipart body
	body    model
	reply   model // nil: no body
	refuses []int // statuses besides those that follow from the operation
	hidden  bool  // of the old user interface, or the same as another one: left out
}

// parameter is a parameter of an operation.
type parameter struct {
	Name     string  `json:"name"`
	In       string  `json:"in"`
	About    string  `json:"description,omitempty"`
	Required bool    `json:"required"`
	Type     string  `json:"type,omitempty"`
	Schema   *schema `json:"schema,omitempty"`
}

// documented is an operation in the document.
type documented struct {
	Tags       []string              `json:"tags"`
	Summary    string                `json:"summary"`
	ID         string                `json:"operationId"`
	Consumes   []string              `json:"consumes,omitempty"`
	Produces   []string              `json:"produces,omitempty"`
	Parameters []parameter           `json:"parameters,omitempty"`
	Responses  map[string]response   `json:"responses"`
	Security   []map[string][]string `json:"security,omitempty"`
	Privilege  string                `json:"x-privilege"`
}

type response struct {
	Description string  `json:"description"`
	Schema      *schema `json:"schema,omitempty"`
}

type tag struct {
	Name string `json:"name"`
}

// document is the description of the API as Swagger 2.0.
type document struct {
	Swagger string `json:"swagger"`
	Info    struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	} `json:"info"`
	BasePath    string                           `json:"basePath"`
	Tags        []tag                            `json:"tags"`
	Schemes     map[string]map[string]string     `json:"securityDefinitions"`
	Paths       map[string]map[string]documented `json:"paths"`
	Definitions definitions                      `json:"definitions"`
}

func (a *API) documentOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "swagger.json", access: server.Public(), run: a.documentJSON},
		{method: http.MethodGet, path: "swagger.yaml", access: server.Public(), produces: mediaAny, run: a.documentYAML},
	}
}

// descriptions are the descriptions of all operations, by method and path.
func (a *API) descriptions() map[string]description {
	all := make(map[string]description)
	for _, table := range []map[string]description{
		a.securityDescriptions(), a.privilegeDescriptions(), a.repositoryDescriptions(), a.contentDescriptions(), a.storeDescriptions(), a.systemDescriptions(), a.taskDescriptions(), a.cleanupDescriptions(), a.serverDescriptions(),
	} {
		for key, d := range table {
			all[key] = d
		}
	}
	return all
}

// hidden reports an operation that no document shows: what the old user interface asks for, and the documents themselves.
func hidden(path string) bool {
	return strings.HasPrefix(path, "internal/") || strings.HasPrefix(path, "wonderland/") || strings.HasPrefix(path, "swagger.")
}

// describe makes the document from the operations that are mounted.
func (a *API) describe() *document {
	doc := &document{
		Swagger: "2.0", BasePath: prefix, Paths: make(map[string]map[string]documented), Definitions: make(definitions),
		Schemes: map[string]map[string]string{"basic": {"type": "basic"}},
	}
	doc.Info.Title, doc.Info.Version = "Entrepot, as clients of Nexus know it", a.Version
	all := a.descriptions()
	for _, op := range a.operations() {
		d, ok := all[op.method+" "+op.path] // a test wants all of them
		if !ok || d.hidden || hidden(op.path) {
			continue
		}
		for _, one := range a.expand(op, d) {
			doc.add(one.op, one.description)
		}
	}
	return doc
}

// described is an operation with its description.
type described struct {
	op          operation
	description description
}

// expand gives an operation on settings for every format that has repositories of its kind.
func (a *API) expand(op operation, d description) []described {
	rest, ok := strings.CutPrefix(op.path, "v1/repositories/{format}/")
	if !ok {
		return []described{{op, d}}
	}
	word, _, _ := strings.Cut(rest, "/")
	kind, _ := names.Kind(word)
	var out []described
	for _, format := range repository.KnownFormats() {
		own, ok := repository.FormatSettings(format, kind)
		if !ok {
			continue
		}
		one := described{op, d}
		one.op.path = strings.Replace(op.path, "{format}", names.Segment(format), 1)
		if op.consumes != mediaNone {
			one.description.body = settingsRequest(format, kind, own)
		} else {
			one.description.reply = settingsReply(format, kind, own)
		}
		one.description.summary = fmt.Sprintf(d.summary, format+" "+names.Type(kind))
		out = append(out, one)
	}
	return out
}

// parameterName is the name by which clients know a parameter of a path.
func parameterName(path, name string) string {
	switch {
	case strings.HasPrefix(path, "v1/repositories/"):
		return "repositoryName"
	case strings.HasPrefix(path, "v1/security/privileges"):
		return "privilegeName"
	case strings.HasPrefix(path, "v1/security/users/"):
		return "userId"
	}
	return name
}

func (doc *document) add(op operation, d description) {
	out := documented{
		Tags: []string{d.tag}, Summary: d.summary, Privilege: op.access.String(), Produces: []string{string(mediaJSON)},
		Responses: doc.responses(op, d),
	}
	if op.produces != mediaNone {
		out.Produces = []string{string(op.produces)}
	}
	segments := strings.Split(op.path, "/")
	for i, segment := range segments {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		name = parameterName(op.path, strings.TrimSuffix(name, "}"))
		segments[i] = "{" + name + "}"
		out.Parameters = append(out.Parameters, parameter{Name: name, In: "path", Required: true, Type: "string"})
	}
	for _, p := range d.query {
		p.In = "query"
		out.Parameters = append(out.Parameters, p)
	}
	for _, p := range d.form {
		p.In = "formData"
		out.Parameters = append(out.Parameters, p)
	}
	if op.consumes != mediaNone {
		out.Consumes = strings.Split(string(op.consumes), " or ")
	}
	if d.body != nil {
		out.Parameters = append(out.Parameters, parameter{Name: "body", In: "body", Required: true, Schema: d.body(doc.Definitions)})
	}
	if op.access.String() != server.Public().String() {
		out.Security = []map[string][]string{{"basic": {}}}
	}
	path := "/" + strings.Join(segments, "/")
	if doc.Paths[path] == nil {
		doc.Paths[path] = make(map[string]documented)
	}
	method := strings.ToLower(op.method)
	out.ID = method + strings.NewReplacer("/", "_", "{", "", "}", "", "-", "_").Replace(path)
	doc.Paths[path][method] = out
	if !slices.Contains(doc.Tags, tag{d.tag}) {
		doc.Tags = append(doc.Tags, tag{d.tag})
	}
}

// responses gives the answers of an operation: its success, and the refusals that follow from what it is.
func (doc *document) responses(op operation, d description) map[string]response {
	out := make(map[string]response)
	success := response{Description: "done"}
	status := op.status
	if d.reply != nil {
		success = response{Description: "the answer", Schema: d.reply(doc.Definitions)}
	}
	if status == 0 && d.reply != nil || strings.HasPrefix(op.path, "v1/status") {
		status = http.StatusOK
	} else if status == 0 {
		status = http.StatusNoContent
	}
	out[strconv.Itoa(status)] = success
	refuse := func(status int, why string) { out[strconv.Itoa(status)] = response{Description: why} }
	refuse(http.StatusBadRequest, "the request is wrong")
	refuse(http.StatusUnauthorized, "wrong credentials")
	refuse(http.StatusTooManyRequests, "too many wrong credentials")
	refuse(http.StatusNotAcceptable, "the answer has another content type than those that are accepted")
	if op.access.String() != server.Public().String() {
		refuse(http.StatusForbidden, "the caller may not do this")
	}
	if strings.Contains(op.path, "{") || strings.HasPrefix(op.path, "v1/repositories/") {
		refuse(http.StatusNotFound, "there is no such thing")
	}
	if op.consumes != mediaNone {
		refuse(http.StatusUnsupportedMediaType, "the body has another content type")
	}
	if op.method != http.MethodGet {
		refuse(http.StatusServiceUnavailable, "the server takes no changes now")
	}
	for _, status := range d.refuses {
		refuse(status, strings.ToLower(http.StatusText(status)))
	}
	return out
}

// written is the document in its two spellings. It is made when it is asked for first.
type written struct{ json, yaml *formats.Response }

func (a *API) documentJSON(*call) (any, error) {
	w, err := a.written()
	return w.json, err
}

func (a *API) documentYAML(*call) (any, error) {
	w, err := a.written()
	return w.yaml, err
}

func (a *API) write() (written, error) {
	text, err := json.MarshalIndent(a.describe(), "", "  ")
	if err != nil {
		return written{}, fmt.Errorf("rest: describe: %w", err)
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return written{}, fmt.Errorf("rest: describe: %w", err)
	}
	block(&tree)
	var y bytes.Buffer
	e := yaml.NewEncoder(&y)
	e.SetIndent(2)
	if err := e.Encode(&tree); err != nil {
		return written{}, fmt.Errorf("rest: describe: %w", err)
	}
	return written{documentAnswer(mediaJSON, text), documentAnswer("application/yaml", y.Bytes())}, nil
}

// block lays YAML out over lines, instead of in the JSON that it was read from.
func block(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		block(child)
	}
}

func documentAnswer(kind media, body []byte) *formats.Response {
	return &formats.Response{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {string(kind)}}, Body: formats.Body{Bytes: body, Size: int64(len(body))},
	}
}
