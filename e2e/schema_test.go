//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// exchange is a request with its answer.
type exchange struct {
	method, path string
	status       int
	kind         string // content type of the answer
	body         []byte
}

// wiretap passes connections on to a server, byte by byte, and keeps what was said.
type wiretap struct {
	t       testing.TB
	to      string
	address string

	mu        sync.Mutex
	exchanges []exchange
	unread    int // connections that hold something else than HTTP
	open      sync.WaitGroup
}

// tap listens in front of a server until the test ends.
func tap(t testing.TB, to string) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{t: t, to: to, address: l.Addr().String()}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.open.Add(1)
			go w.pass(conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-accepting
	})
	return w
}

func (w *wiretap) pass(client net.Conn) {
	defer w.open.Done()
	defer client.Close()
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer server.Close()
	var asked, answered bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.MultiWriter(server, &asked), client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(io.MultiWriter(client, &answered), server)
	client.(*net.TCPConn).CloseWrite()
	client.Close() // ends the other direction too
	<-done
	w.read(&asked, &answered)
}

// read takes a connection's bytes apart.
func (w *wiretap) read(asked, answered *bytes.Buffer) {
	requests, answers := bufio.NewReader(asked), bufio.NewReader(answered)
	var all []exchange
	for {
		req, err := http.ReadRequest(requests)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			w.mu.Lock()
			w.unread++
			w.mu.Unlock()
			break
		}
		io.Copy(io.Discard, req.Body)
		resp, err := http.ReadResponse(answers, req)
		for err == nil && resp.StatusCode == http.StatusContinue {
			resp, err = http.ReadResponse(answers, req)
		}
		if err != nil {
			break
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			break
		}
		all = append(all, exchange{req.Method, req.URL.EscapedPath(), resp.StatusCode, resp.Header.Get("Content-Type"), body})
	}
	w.mu.Lock()
	w.exchanges = append(w.exchanges, all...)
	w.mu.Unlock()
}

// heard gives what was said on connections that have ended, when all have.
func (w *wiretap) heard() []exchange {
	http.DefaultClient.CloseIdleConnections()
	w.open.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.exchanges
}

// apiDocument is a description of the REST API whose schemas answers are held against.
type apiDocument struct {
	name  string
	paths []documentedPath
}

type documentedPath struct {
	segments []string
	answers  map[string]*jsonschema.Schema // by method and status: "GET 200"
}

// readDocument compiles the schemas of a description. The old server's is silent about values that may be null, spells choices in lower
// case that the server answers in upper case, and has a pattern for names and a minimum of numbers that its own answers do not meet:
// lenient takes these all the same.
func readDocument(t testing.TB, name string, text []byte, lenient bool) *apiDocument {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	if err := compiler.AddResource("mem:///"+name, withNull(doc, lenient)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out := &apiDocument{name: name}
	for path, methods := range doc["paths"].(map[string]any) {
		p := documentedPath{segments: strings.Split(path, "/"), answers: map[string]*jsonschema.Schema{}}
		for method, operation := range methods.(map[string]any) {
			for status, answer := range operation.(map[string]any)["responses"].(map[string]any) {
				if answer.(map[string]any)["schema"] == nil {
					continue
				}
				escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path)
				at := fmt.Sprintf("mem:///%s#/paths/%s/%s/responses/%s/schema", name, escaped, method, status)
				schema, err := compiler.Compile(at)
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				p.answers[strings.ToUpper(method)+" "+status] = schema
			}
		}
		out.paths = append(out.paths, p)
	}
	return out
}

// withNull rewrites the schemas in a description so that null is a type of its own, as JSON Schema has it.
func withNull(v any, lenient bool) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withNull(e, lenient)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = withNull(e, lenient)
			properties, ok := e.(map[string]any)
			if name != "properties" || !ok {
				continue
			}
			members := make(map[string]any, len(properties))
			for member, schema := range properties {
				members[member] = withNull(schema, lenient)
				if s, ok := schema.(map[string]any); ok && (lenient || s["x-nullable"] == true) {
					members[member] = map[string]any{"anyOf": []any{members[member], map[string]any{"type": "null"}}}
				}
			}
			out[name] = members
		}
		if choices, ok := out["enum"].([]any); ok && lenient {
			for _, choice := range choices {
				if upper := strings.ToUpper(choice.(string)); !slices.Contains(choices, any(upper)) {
					choices = append(choices, upper)
				}
			}
			out["enum"] = choices
		}
		if lenient {
			delete(out, "pattern")
			delete(out, "minimum")
		}
		delete(out, "x-nullable")
		if out["type"] == "file" {
			delete(out, "type")
		}
		return out
	}
	return v
}

// find gives the path of a description that a request was made to; fixed segments count more than parameters.
func (d *apiDocument) find(segments []string) *documentedPath {
	var best *documentedPath
	literal := -1
	for i := range d.paths {
		p := &d.paths[i]
		if n := p.match(segments); n > literal {
			best, literal = p, n
		}
	}
	return best
}

// match counts the fixed segments that are equal; -1 when the path is another one.
func (p *documentedPath) match(segments []string) int {
	if len(p.segments) != len(segments) {
		return -1
	}
	literal := 0
	for i, s := range p.segments {
		switch {
		case s == segments[i]:
			literal++
		case !strings.HasPrefix(s, "{") || segments[i] == "":
			return -1
		}
	}
	return literal
}

// validate holds an answer against the description. It reports whether there was a schema for it.
func (d *apiDocument) validate(x exchange) (found bool, err error) {
	path, ok := strings.CutPrefix(x.path, "/service/rest")
	if !ok || x.method == http.MethodHead || !strings.HasPrefix(x.kind, "application/json") {
		return false, nil
	}
	p := d.find(strings.Split(strings.TrimSuffix(path, "/"), "/"))
	if p == nil || d.name == oldDocument && path == "/v1/tasks/templates" { // which the old server took for a task's id
		return false, nil
	}
	schema := p.answers[fmt.Sprintf("%s %d", x.method, x.status)]
	if schema == nil {
		return false, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(x.body))
	if err != nil {
		return true, fmt.Errorf("%s %s: %w", x.method, x.path, err)
	}
	if err := schema.Validate(value); err != nil {
		return true, fmt.Errorf("%s: %s %s: %w", d.name, x.method, x.path, err)
	}
	return true, nil
}

// oldDocument is the name of the old server's description.
const oldDocument = "old.json"

// documents are the old server's description and the one of the binary.
func documents(t testing.TB) []*apiDocument {
	t.Helper()
	old, err := os.ReadFile(fixtures(t, "corpus", "rest", "reference", "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	status, own := s.do(http.MethodGet, "/service/rest/swagger.json", nil)
	if status != http.StatusOK {
		t.Fatalf("swagger.json: %d", status)
	}
	return []*apiDocument{readDocument(t, oldDocument, old, true), readDocument(t, "own.json", []byte(own), false)}
}
