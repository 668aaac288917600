//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestBadBodies sends bodies whose framing is wrong, and some whose framing is only odd.
func TestBadBodies(t *testing.T) {
	s := start(t)
	s.makeRaw()
	for name, tt := range map[string]struct {
		framing, body string
		status        int
	}{
		"shorter-than-said":    {"Content-Length: 20", "short", 400},
		"none-at-all":          {"Content-Length: 20", "", 400},
		"two-lengths":          {"Content-Length: 3\r\nContent-Length: 4", "abcd", 400},
		"negative-length":      {"Content-Length: -3", "abc", 400},
		"length-and-chunks":    {"Content-Length: 3\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", 400},
		"unknown-encoding":     {"Transfer-Encoding: xchunked", "3\r\nabc\r\n0\r\n\r\n", 400},
		"no-chunk":             {"Transfer-Encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n", 400},
		"chunk-too-short":      {"Transfer-Encoding: chunked", "10\r\nabc\r\n", 400},
		"no-last-chunk":        {"Transfer-Encoding: chunked", "3\r\nabc\r\n", 400},
		"huge-chunk":           {"Transfer-Encoding: chunked", "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400},
		"good-length":          {"Content-Length: 3", "abc", 201},
		"good-chunks":          {"Transfer-Encoding: chunked", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", 201},
		"good-chunks-with-ado": {"Transfer-Encoding: chunked", "3;name=value\r\nabc\r\n0\r\nX-Trailer: x\r\n\r\n", 201},
	} {
		path := "/repository/files/" + name
		c := s.dial()
		fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n%s\r\n\r\n%s", path, basic, tt.framing, tt.body)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if want := fmt.Sprintf("HTTP/1.1 %d ", tt.status); err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("%s: %v %.100q; want %s", name, err, answer, want)
		}
		visible := http.StatusNotFound
		if tt.status == http.StatusCreated {
			visible = http.StatusOK
		}
		if status, body := s.do(http.MethodGet, path, nil); status != visible || status == http.StatusOK && body != "abc" {
			t.Errorf("%s: afterwards %d %q", name, status, body)
		}
	}
}

// TestRefusedBodyIsNoRequest sends requests as the body of uploads that are refused: nobody may take them for requests.
func TestRefusedBodyIsNoRequest(t *testing.T) {
	s := start(t)
	s.makeRaw()
	const keep = "/repository/files/keep.txt"
	if status, _ := s.do(http.MethodPut, keep, strings.NewReader("keep")); status != http.StatusCreated {
		t.Fatal(status)
	}
	inner := strings.Repeat(fmt.Sprintf("DELETE %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n", keep, basic), 2000)
	for _, head := range []string{
		"PUT /repository/maven-public/a HTTP/1.1\r\nAuthorization: " + basic, // nothing is written there
		"PUT /repository/files/b HTTP/1.1",                                   // without credentials
		"PUT /repository/none/a HTTP/1.1\r\nAuthorization: " + basic,
		"POST /nowhere HTTP/1.1\r\nAuthorization: " + basic,
		"GET /repository/files/keep.txt HTTP/1.1",
	} {
		c := s.dial()
		fmt.Fprintf(c, "%s\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", head, len(inner), inner)
		fmt.Fprint(c, "GET /service/rest/v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(c)
		if n := strings.Count(string(answer), "HTTP/1.1 "); err != nil || n < 1 || n > 2 || strings.Contains(string(answer), "HTTP/1.1 204") {
			t.Errorf("%.40s: %d answers, %v", head, n, err)
		}
		if status, _ := s.do(http.MethodGet, keep, nil); status != http.StatusOK {
			t.Fatalf("%.40s: a request in its body was taken for one", head)
		}
	}
}

// TestOddPaths wants every path either refused or answered with exactly what was stored under it.
func TestOddPaths(t *testing.T) {
	s := start(t)
	s.makeRaw()
	for path, want := range map[string]int{
		"a+b": 201, "a%2Bb2": 201, "a;v=1": 201, "a%3Bb": 201, "a%20b": 201, "%C3%BC.txt": 201, "日本.txt": 201, "a%25b": 201, "%F0%9F%93%A6": 201,
		"a%2Fc": 201, "x/%2e%2e%2fy": 201, "..%2fy": 400, "%2e%2e/%2e%2e/y": 405, "x%00y": 400, "%zz": 400, "%": 400,
		strings.Repeat("p/", 1000) + "p": 201, strings.Repeat("p", 10_000): 414, strings.Repeat("p", 100_000): 431,
	} {
		body := "body of " + path[:min(len(path), 50)]
		if status, text := s.raw(http.MethodPut, "/repository/files/"+path, body); status != want {
			t.Errorf("PUT %.60s: %d; want %d\n%.200s", path, status, want, text)
			continue
		}
		if status, text := s.raw(http.MethodGet, "/repository/files/"+path, ""); want == 201 && (status != 200 || !strings.HasSuffix(text, "\r\n\r\n"+body)) {
			t.Errorf("GET %.60s: %d %.300s", path, status, text)
		}
	}
	s.stop()
	verify(t, s.data)
}
