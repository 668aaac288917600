//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The public Go client for the API, whose own tests run against a server.
const (
	clientModule = "github.com/datadrivers/go-nexus-client"
	clientTests  = 115 // that the version in testdata/goclient has
)

// clientExceptions are the client's tests that need not pass, with the reason. All others must.
var clientExceptions = map[string]string{
	"pkg/blobstore/TestBlobstoreS3":                  "there is no driver for buckets yet: an S3 blob store is refused with that reason",
	"pkg/blobstore/TestBlobstoreAzure":               "Azure blob stores are absent, as on the open-source server",
	"pkg/blobstore/TestBlobstoreAzureTestConnection": "Azure blob stores are absent, as on the open-source server",
}

// clientRun is what go test said of the client's tests, by their name behind the module's.
type clientRun struct {
	listed []string
	result map[string]string // pass, fail or skip
	output map[string]string // what a test wrote; "" is what belongs to none
}

// TestGoClient runs the client's integration suite from the module cache, in a module of its own.
func TestGoClient(t *testing.T) {
	t.Parallel()
	// One test looks at the certificate of a site on the Internet. The server finds every site behind this proxy.
	s := &server{t: t, data: t.TempDir(), env: []string{"ENTREPOT_SCRIPT_CREATION=true", "ENTREPOT_HTTP_PROXY_URL=" + oneSite(t)}}
	s.start()
	listening := tap(t, s.addr)
	s.addr = listening.address
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("testdata", "goclient", name+".txt"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	listed := s.clientSuite(dir, "-list", ".").listed
	if len(listed) != clientTests {
		t.Errorf("the client has %d tests; want %d", len(listed), clientTests)
	}
	var skip []string // some of them take the whole package down
	for name, reason := range clientExceptions {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is excepted (%s), but there is no such test", name, reason)
		}
		skip = append(skip, "^"+path.Base(name)+"$")
	}
	run := s.clientSuite(dir, "-skip", strings.Join(skip, "|"))
	passed := 0
	for _, name := range listed {
		_, excepted := clientExceptions[name]
		switch result := run.result[name]; {
		case result == "pass":
			passed++
		case !excepted:
			t.Errorf("%s did not pass: %q\n%s", name, result, run.output[name])
		}
	}
	t.Logf("%d of %d tests of the client pass", passed, len(listed))
	if t.Failed() {
		t.Log(run.output[""])
	}
	listening.check(t, documents(t))
}

// oneSite gives the URL of a proxy that leads to the same site with a certificate whatever is asked for.
func oneSite(t *testing.T) string {
	t.Helper()
	site := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(site.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.NotFound(w, r)
			return
		}
		far, err := net.Dial("tcp", site.Listener.Addr().String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		if _, err := io.WriteString(near, "HTTP/1.1 200 Connected\r\n\r\n"); err != nil {
			return
		}
		go func() { _, _ = io.Copy(far, near) }() // ends when either side is closed
		_, _ = io.Copy(near, far)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// clientSuite runs go test over the client's packages, one after the other because they share the server.
func (s *server) clientSuite(dir string, args ...string) clientRun {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "go", append([]string{"test", "-count=1", "-p", "1", "-json"}, append(args, clientModule+"/nexus3/...")...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GOFLAGS=-mod=mod", "NEXUS_URL="+s.url(""), "NEXUS_USERNAME=admin", "NEXUS_USRNAME=admin", "NEXUS_PASSWORD="+adminPassword,
		"SKIP_AZURE_TESTS=true", "SKIP_PRO_TESTS=false",
	)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	run := clientRun{result: make(map[string]string), output: make(map[string]string)}
	for events := json.NewDecoder(&out); ; {
		var event struct{ Action, Package, Test, Output string }
		if err := events.Decode(&event); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			s.t.Fatalf("go test: %v\n%s", err, errs.String())
		}
		run.add(strings.TrimPrefix(strings.TrimPrefix(event.Package, clientModule+"/nexus3"), "/"), event.Action, event.Test, event.Output)
	}
	run.output[""] += errs.String()
	return run
}

// add takes in one event.
func (r *clientRun) add(folder, action, test, text string) {
	name := strings.TrimPrefix(folder+"/"+test, "/")
	listed := strings.TrimSpace(text)
	switch {
	case action == "output" && test != "":
		r.output[name] += text
	case action == "output" && strings.HasPrefix(listed, "Test") && !strings.Contains(listed, " "):
		r.listed = append(r.listed, strings.TrimPrefix(folder+"/"+listed, "/"))
	case action == "output":
		r.output[""] += text
	case test != "":
		r.result[name] = action
	}
}
