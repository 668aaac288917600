package rest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// described fetches the API's description.
func fetchDocument(t *testing.T, r *rig) *document {
	t.Helper()
	status, text := r.do(t, "", http.MethodGet, "swagger.json", "")
	if status != http.StatusOK {
		t.Fatalf("swagger.json: %d %s", status, text)
	}
	var doc document
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return &doc
}

// TestEveryOperationIsDescribed walks the router: what is mounted and no business of the old user interface is in the document with
// what it needs, and the document tells of nothing else.
func TestEveryOperationIsDescribed(t *testing.T) {
	r := newRig(t)
	doc := fetchDocument(t, r)
	api := &API{Options: Options{Domains: r.Domains}, engine: r.Engine}
	descriptions := api.descriptions()
	for _, op := range api.operations() {
		if _, ok := descriptions[op.method+" "+op.path]; !ok && !hidden(op.path) {
			t.Errorf("%s %s is not described: add it to a table in describe_*.go", op.method, op.path)
		}
		delete(descriptions, op.method+" "+op.path)
	}
	for key := range descriptions {
		t.Errorf("%s is described, but there is no such operation", key)
	}
	mounted := make(map[string]bool) // by method and the literal parts of the path
	shape := func(method, path string) string {
		segments := strings.Split(strings.Trim(path, "/"), "/")
		for i, s := range segments {
			if strings.HasPrefix(s, "{") {
				segments[i] = "{}"
			}
		}
		return method + " " + strings.Join(segments, "/")
	}
	for _, route := range r.edge.Routes(prefix) {
		if route.Access.String() == "none" {
			t.Errorf("%v %s names no privilege", route.Methods, route.Pattern)
		}
		for _, method := range route.Methods {
			mounted[shape(method, strings.TrimPrefix(route.Pattern, prefix))] = true
		}
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			want := shape(strings.ToUpper(method), path)
			if parts := strings.Split(want, "/"); len(parts) > 3 && parts[1] == "repositories" && slices.Contains([]string{"hosted", "proxy", "group"}, parts[3]) {
				parts[2] = "{}"
				want = strings.Join(parts, "/")
			}
			if !mounted[want] {
				t.Errorf("%s %s is described but not mounted", method, path)
			}
			if op.Summary == "" || op.Privilege == "" || len(op.Tags) != 1 || op.Tags[0] == "" {
				t.Errorf("%s %s lacks a summary, a privilege or a tag: %+v", method, path, op)
			}
		}
	}
}

// TestDefinitionsAreWhole wants every reference to lead somewhere, and no definition that nothing refers to.
func TestDefinitionsAreWhole(t *testing.T) {
	r := newRig(t)
	doc := fetchDocument(t, r)
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), `"$ref":"`+definitionPrefix) {
		name, _, _ := strings.Cut(part, `"`)
		if !strings.HasPrefix(part, "{") && doc.Definitions[name] == nil {
			t.Errorf("no definition %s", name)
		}
	}
	for name := range doc.Definitions {
		if !strings.Contains(string(text), `"`+definitionPrefix+name+`"`) {
			t.Errorf("nothing refers to %s", name)
		}
	}
	status, y := r.do(t, "", http.MethodGet, "swagger.yaml", "")
	var again document
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(y), &tree); err != nil || status != http.StatusOK {
		t.Fatalf("swagger.yaml: %d %v", status, err)
	}
	text, err = json.Marshal(tree)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil || len(again.Paths) != len(doc.Paths) || len(again.Definitions) != len(doc.Definitions) {
		t.Errorf("swagger.yaml: %v, %d paths, want %d", err, len(again.Paths), len(doc.Paths))
	}
}

// TestDocumentIsThatOfTheOldServer compares with the old server's own description: clients were generated from it.
func TestDocumentIsThatOfTheOldServer(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "fixtures", "corpus", "rest", "reference", "swagger.json"))
	if os.IsNotExist(err) {
		t.Skip("the fixtures are not beside this tree")
	}
	if err != nil {
		t.Fatal(err)
	}
	var old document
	if err := json.Unmarshal(text, &old); err != nil {
		t.Fatal(err)
	}
	doc := fetchDocument(t, newRig(t))
	for path, methods := range old.Paths {
		for method, want := range methods {
			got, ok := doc.Paths[path][method]
			if !ok {
				continue // no operation of this server
			}
			if !slices.Equal(got.Tags, want.Tags) {
				t.Errorf("%s %s: tags %v, want %v", method, path, got.Tags, want.Tags)
			}
			if g, w := parameters(got), parameters(want); !slices.Equal(g, w) {
				t.Errorf("%s %s: parameters %v, want %v", method, path, g, w)
			}
		}
	}
	for name, want := range old.Definitions {
		got := doc.Definitions[name]
		if got == nil {
			continue
		}
		for property := range want.Properties {
			if got.Properties[property] == nil {
				t.Errorf("%s lacks %s", name, property)
			}
		}
		for property := range got.Properties {
			// What a repository is and where stands in its settings since 3.86.
			later := strings.HasSuffix(name, "Repository") && slices.Contains([]string{"url", "format", "type"}, property)
			if want.Properties[property] == nil && !later {
				t.Errorf("%s has %s, which the old server's has not", name, property)
			}
		}
	}
}

// parameters names an operation's parameters, with their places. Those of forms depend on the formats.
func parameters(op documented) []string {
	var out []string
	for _, p := range op.Parameters {
		if p.In != "formData" {
			out = append(out, p.In+" "+p.Name)
		}
	}
	slices.Sort(out)
	return out
}
