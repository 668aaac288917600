package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// endpoint is a row of testdata/endpoints.tsv: what the old server answers, and what callers need for it.
type endpoint struct{ method, path, privilege string }

func endpoints(t *testing.T) []endpoint {
	t.Helper()
	text, err := os.ReadFile("testdata/endpoints.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []endpoint
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(columns) != 3 {
			t.Fatalf("testdata/endpoints.tsv: %q", line)
		}
		all = append(all, endpoint{columns[0], columns[1], columns[2]})
	}
	return all
}

// caller is who sends requests, and what the caller holds.
type caller struct {
	name    string
	user    string // "name:password", "" for no credentials
	holds   func(permission string) bool
	unknown bool // without credentials, while nobody may come in without
}

// callers are those whose requests are compared. holder is given the privilege of each endpoint in turn.
func callers() []caller {
	reading := regexp.MustCompile(`:(read|browse|browse\|read)$`)
	open := regexp.MustCompile(`^nexus:(search:read|healthcheck:read|repository-view:.*:(read|browse|browse\|read))$`)
	none := func(string) bool { return false }
	return []caller{
		{name: "ordinary", user: "ordinary:ordinary", holds: none},
		{name: "reader", user: "reader:reader", holds: func(p string) bool { return reading.MatchString(p) && p != "nexus:script:{name}:read" }},
		{name: "anonymous", holds: open.MatchString},
		{name: "nobody", holds: none, unknown: true},
		{name: "administrator", user: admin, holds: func(string) bool { return true }},
	}
}

// decision is what an endpoint's row says about a caller.
type decision uint8

const (
	open    decision = iota // anybody, maybe with less to see
	granted                 // the caller holds it
	refused                 // the caller does not
)

// need gives the permission that a row names, "" for none, and whether the caller has to be signed in.
func (e endpoint) need() (permission string, signedIn bool) {
	text, _, _ := strings.Cut(e.privilege, " ")
	text = strings.TrimSuffix(strings.TrimSuffix(text, "?"), ";")
	switch {
	case text == "none", e.privilege == "any known subject incl. anonymous", e.privilege == "authenticated or remembered user", text == "same":
		return "", false
	case text == "authenticated":
		return "", true
	}
	return text, e.method != http.MethodGet
}

func (e endpoint) decide(c caller) decision {
	permission, signedIn := e.need()
	switch {
	case permission == "" && !signedIn:
		return open
	case signedIn && c.user == "":
		return refused
	case permission == "" || c.holds(permission):
		return granted
	}
	return refused
}

// own are rows that this server decides in another way, with the reason.
var own = map[string]string{
	"GET v1/routing-rules":                 "needs rights on repositories, of which there are none here",
	"GET v1/routing-rules/{name}":          "needs rights on repositories, of which there are none here",
	"GET beta/routing-rules":               "needs rights on repositories, of which there are none here",
	"GET beta/routing-rules/{name}":        "needs rights on repositories, of which there are none here",
	"GET internal/ui/routing-rules":        "needs rights on repositories, of which there are none here",
	"GET internal/ui/routing-rules/{name}": "needs rights on repositories, of which there are none here",
}

// mountedAt gives the pattern under which a row's path is mounted.
func mountedAt(patterns map[string]bool, e endpoint) bool {
	segments := strings.Split(e.path, "/")
	for pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		parts := strings.Split(path, "/")
		if method == e.method && slices.EqualFunc(segments, parts, func(a, b string) bool { return a == b || strings.HasPrefix(b, "{") }) {
			return true
		}
	}
	return false
}

// TestEndpointsAndCallers asks for every row that this server answers, as each kind of caller. Who may not, is refused whatever is sent;
// who may, is not.
func TestEndpointsAndCallers(t *testing.T) {
	r := newRig(t)
	doc := fetchDocument(t, r)
	r.play(t, []exchange{
		{admin, "POST", "v1/security/roles", `{"id":"none","name":"none","privileges":[],"roles":[]}`, 200, nil},
		{admin, "POST", "v1/security/privileges/wildcard", `{"name":"reads","pattern":"nexus:*:read"}`, 201, nil},
		{admin, "POST", "v1/security/privileges/wildcard", `{"name":"browses","pattern":"nexus:*:*:*:read,browse"}`, 201, nil},
		{admin, "POST", "v1/security/roles", `{"id":"reads","name":"reads","privileges":["reads","browses","nx-script-*-browse"],"roles":[]}`, 200, nil},
	})
	for name, role := range map[string]string{"ordinary": "none", "reader": "reads"} {
		body := fmt.Sprintf(`{"userId":%q,"firstName":"N","lastName":"N","emailAddress":"n@example.org","password":%q,"status":"active","roles":[%q]}`, name, name, role)
		r.play(t, []exchange{{admin, "POST", "v1/security/users", body, 200, nil}})
	}
	patterns := map[string]bool{}
	for _, route := range r.edge.Routes(prefix) {
		for _, method := range route.Methods {
			patterns[method+" "+strings.TrimPrefix(route.Pattern, prefix)] = true
		}
	}
	asked, turned := 0, map[int]int{} // how those were answered who may not
	for _, c := range callers() {
		if c.user == "" {
			body := fmt.Sprintf(`{"enabled":%v,"userId":"anonymous","realmName":"NexusAuthorizingRealm"}`, !c.unknown)
			r.play(t, []exchange{{admin, "PUT", "v1/security/anonymous", body, 200, nil}})
		}
		for _, e := range endpoints(t) {
			if !mountedAt(patterns, e) || own[e.method+" "+e.path] != "" || c.name == "administrator" && e.method != http.MethodGet {
				continue
			}
			asked++
			status, text := r.ask(t, c, e, doc)
			e.judge(t, c, status, text)
			if e.decide(c) == refused {
				turned[status]++
			}
		}
	}
	t.Logf("%d requests; refusals by status: %v", asked, turned)
	if turned[http.StatusForbidden] < asked/5 {
		t.Errorf("only %d of %d requests were refused for want of a privilege", turned[http.StatusForbidden], asked)
	}
}

// judge holds an answer against what the row says of the caller.
func (e endpoint) judge(t *testing.T, c caller, status int, text string) {
	t.Helper()
	wrong := false
	switch decision := e.decide(c); {
	case status >= 500:
		wrong = true
	case decision == refused && strings.HasPrefix(e.path, "v1/repositories/") && e.method == http.MethodGet:
		wrong = status != http.StatusNotFound && status != http.StatusForbidden // a refusal looks as if there were no such thing
	case decision == refused: // the body may be complained about first; a repository that is not there is told of to those who signed in
		wrong = status < 400 || status == http.StatusUnauthorized
	case c.unknown && status == http.StatusForbidden: // what is for known callers only
		wrong = e.privilege == "none"
	default:
		wrong = status == http.StatusForbidden || status == http.StatusUnauthorized
	}
	if wrong {
		t.Errorf("%s %s as %s: %d %.200s; it needs %s", e.method, e.path, c.name, status, text, e.privilege)
	}
}

// ask sends a request with a body made from the description, or with none.
func (r *rig) ask(t *testing.T, c caller, e endpoint, doc *document) (status int, text string) {
	t.Helper()
	path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(e.path, "x")
	body := ""
	for _, p := range doc.at(e).Parameters {
		if p.In != "body" {
			continue
		}
		value, err := json.Marshal(doc.sample(p.Schema, 0))
		if err != nil {
			t.Fatal(err)
		}
		body = string(value)
		if p.Schema.Type == "string" {
			body = "x"
		}
	}
	return r.do(t, c.user, e.method, path, body)
}

// at gives the description of a row's operation, whatever its parameters are called there; what left beta is described under v1.
func (doc *document) at(e endpoint) documented {
	want := strings.Split("/"+strings.Replace(e.path, "beta/", "v1/", 1), "/")
	for path, methods := range doc.Paths {
		same := slices.EqualFunc(strings.Split(path, "/"), want, func(a, b string) bool {
			return a == b || strings.HasPrefix(a, "{") && strings.HasPrefix(b, "{")
		})
		if op, ok := methods[strings.ToLower(e.method)]; ok && same {
			return op
		}
	}
	return documented{}
}

// sample makes a value that a schema takes.
func (doc *document) sample(s *schema, depth int) any {
	if name, ok := strings.CutPrefix(s.Ref, definitionPrefix); ok {
		return doc.sample(doc.Definitions[name], depth)
	}
	switch {
	case depth > 6:
		return nil
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == "string":
		return "x"
	case s.Type == "integer":
		return 1
	case s.Type == "boolean":
		return true
	case s.Type == "array":
		return []any{doc.sample(s.Items, depth+1)}
	}
	out := map[string]any{}
	for name, property := range s.Properties {
		value, ok := samples[name]
		if !ok {
			value = doc.sample(property, depth+1)
		}
		out[name] = value
	}
	return out
}

// samples are values of members that take no others.
var samples = map[string]any{
	"blobStoreName": "default", "remoteUrl": "http://upstream.example/", "writePolicy": "ALLOW", "authentication": nil, "connection": nil,
	"emailAddress": "x@example.org", "fromAddress": "x@example.org", "actions": []string{"READ"}, "matchers": []string{".*"}, "pattern": "x:y",
	"expression": `path =~ ".*"`, "mode": "BLOCK", "host": "mail.example", "port": 25, "domain": "users", "repository": "*", "format": "*",
}
