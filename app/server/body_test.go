package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"entrepot/formats"
)

// reading answers with what it could read of the body.
func reading(r *Request) (*formats.Response, error) {
	if r.Body() == nil {
		return text("no body"), nil
	}
	n, err := io.Copy(io.Discard, r.Body())
	if err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", n, err)
	}
	return text(fmt.Sprintf("%d of %d", n, r.Size)), nil
}

func TestBodies(t *testing.T) {
	_, addr := start(t, Options{BodyTimeout: time.Second},
		Route{Methods: []string{"PUT", "POST"}, Pattern: "/read", Access: Public(), MaxBody: 1 << 20, Handler: reading})
	tests := []struct {
		name   string
		head   string
		body   string
		status int
		want   string
		kept   bool // the connection can carry another request
	}{
		{"none", "", "", 200, "no body", true},
		{"empty", "Content-Length: 0\r\n", "", 200, "0 of 0", true},
		{"whole", "Content-Length: 5\r\n", "hello", 200, "5 of 5", true},
		{"above the first read", "Content-Length: 100000\r\n", strings.Repeat("x", 100000), 200, "100000 of 100000", true},
		{"chunked", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", 200, "5 of -1", true},
		{"at the limit", "Content-Length: 1048576\r\n", strings.Repeat("x", 1<<20), 200, "1048576 of 1048576", true},
		{"above the limit", "Content-Length: 1048577\r\n", strings.Repeat("x", 1<<20+1), 413, "longer than 1048576 bytes", false},
		{"chunked above the limit", "Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 1<<20+1, strings.Repeat("x", 1<<20+1)), 413, "longer than", false},
		{"bad chunk", "Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n", 400, "cannot be read", false},
		{"length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400, "Bad Message 400", false},
		{"chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", 400, "Bad Message 400", false},
		{"two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello", 400, "Bad Message 400", false},
		{"identity", "Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello", 400, "Bad Message 400", false},
		{"unknown encoding", "Transfer-Encoding: gzip\r\n", "hello", 400, "Bad Message 400", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr)
			go func() { _, _ = io.WriteString(c, "PUT /read HTTP/1.1\r\nHost: h\r\n"+tt.head+"\r\n"+tt.body) }()
			resp, body := c.reply("PUT")
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %q; want %d %q", resp.StatusCode, body, tt.status, tt.want)
			}
			if resp.Close == tt.kept {
				t.Errorf("connection kept: %v; want %v", !resp.Close, tt.kept)
			}
		})
	}
}

// TestShortBody states that a body that ends before its length is never taken for a complete one.
func TestShortBody(t *testing.T) {
	seen := make(chan error, 1)
	_, addr := start(t, Options{}, Route{Pattern: "/up", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		_, err := io.Copy(io.Discard, r.Body())
		seen <- err
		return text("stored"), err
	}})
	for _, sent := range []int{9000, 60000} { // above what is read before the handler is asked
		c := dial(t, addr)
		c.send("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n%s", strings.Repeat("x", sent))
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := <-seen; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: the handler saw %v; want %v", sent, err, io.ErrUnexpectedEOF)
		}
		if resp, _ := c.reply("PUT"); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%d bytes: status %d", sent, resp.StatusCode)
		}
	}
}

// TestUnfinishedChunks states the same of a chunked body without its last chunk, over TLS too, where a client's end may be orderly.
func TestUnfinishedChunks(t *testing.T) {
	certFile, keyFile := certificate(t, t.TempDir(), 1)
	cert, err := LoadCertificate(certFile, keyFile, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan error, 1)
	s, plainAddr := start(t, Options{}, Route{Pattern: "/up", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		_, err := io.Copy(io.Discard, r.Body())
		seen <- err
		return text("stored"), err
	}})
	secureAddr, err := s.Listen(Listener{Address: "127.0.0.1:0", TLS: cert})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "3", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r\n", "3\r\nabc\r\n0", "3\r\nabc\r\n0\r\n", "3\r\nabc\r\n0\r\n\r\n"} {
		complete := strings.Contains(body, "\r\n0\r\n") // nothing of it is missing then
		for _, secure := range []bool{false, true} {
			var c interface {
				io.ReadWriteCloser
				CloseWrite() error
			}
			if secure {
				c, err = tls.Dial("tcp", secureAddr.String(), &tls.Config{InsecureSkipVerify: true})
			} else {
				var conn net.Conn
				conn, err = net.Dial("tcp", plainAddr)
				c, _ = conn.(*net.TCPConn)
			}
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "PUT /up HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%s", body)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := <-seen; (err == nil) != complete {
				t.Errorf("%q, TLS %v: the handler saw %v", body, secure, err)
			}
			answer, err := io.ReadAll(c)
			if ok := strings.HasPrefix(string(answer), "HTTP/1.1 200"); err != nil || ok != complete {
				t.Errorf("%q, TLS %v: %v %.40q", body, secure, err, answer)
			}
			c.Close()
		}
	}
}

// TestSlowBody states that the body time-out is for silence, not for the whole.
func TestSlowBody(t *testing.T) {
	_, addr := start(t, Options{HeaderTimeout: 200 * time.Millisecond, BodyTimeout: 250 * time.Millisecond},
		Route{Pattern: "/read", Access: Public(), Handler: reading})

	t.Run("trickling", func(t *testing.T) {
		c := dial(t, addr)
		c.send("PUT /read HTTP/1.1\r\nHost: h\r\nContent-Length: 8197\r\n\r\n%s", strings.Repeat("x", 8192))
		for range 5 {
			<-time.After(100 * time.Millisecond)
			c.send("y")
		}
		if resp, body := c.reply("PUT"); resp.StatusCode != 200 || body != "8197 of 8197" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	})
	t.Run("stalled", func(t *testing.T) {
		c := dial(t, addr)
		c.send("PUT /read HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n%s", strings.Repeat("x", 9000))
		if resp, body := c.reply("PUT"); resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	})
	t.Run("stalled header", func(t *testing.T) {
		c := dial(t, addr)
		c.send("GET /read HTTP/1.1\r\nHost: h\r\nX-Slow: ")
		began := time.Now()
		resp, _ := c.reply("GET")
		if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
			t.Errorf("got %d", resp.StatusCode)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("after %v", took)
		}
	})
	t.Run("trickling header", func(t *testing.T) { // the head has one deadline as a whole
		c := dial(t, addr)
		c.send("GET /read HTTP/1.1\r\nHost: h\r\n")
		end := time.Now().Add(5 * time.Second)
		for time.Now().Before(end) {
			<-time.After(50 * time.Millisecond)
			if _, err := io.WriteString(c, "X: y\r\n"); err != nil {
				return
			}
		}
		t.Error("the header may go on for ever")
	})
}

// TestRefusedUploadIsAnswered states that a client that sends far more than is read still gets its answer: a plain close would
// reset the connection under it.
func TestRefusedUploadIsAnswered(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/**", Access: Public(), Handler: refusing})
	for range 20 {
		c := dial(t, addr)
		c.send("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n")
		if _, err := c.Write(bytes.Repeat([]byte("z"), 8000000)); err != nil {
			t.Fatalf("the connection broke before everything was sent: %v", err)
		}
		if resp, body := c.reply("PUT"); resp.StatusCode != http.StatusUnauthorized || body != "no" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	}
}

func TestExhaust(t *testing.T) {
	s := New(Options{})
	exhausted := false
	surface := Surface{Prefix: "/", Face: face{}, Exhaust: func(r *Request, status int) bool {
		exhausted = status == http.StatusUnauthorized && r.Header.Get("User-Agent") == "Apache-Maven/3.9"
		return exhausted
	}}
	if err := s.Mount(surface, Route{Pattern: "/**", Access: Public(), Handler: refusing}); err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen(Listener{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown(t.Context()) }()
	c := dial(t, addr.String())
	go func() {
		_, _ = io.WriteString(c, "PUT /x HTTP/1.1\r\nHost: h\r\nUser-Agent: Apache-Maven/3.9\r\nContent-Length: 3000000\r\n\r\n"+strings.Repeat("x", 3000000)+
			"PUT /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	}()
	if resp, _ := c.reply("PUT"); resp.Close || !exhausted {
		t.Errorf("the body was not read to its end (asked: %v)", exhausted)
	}
	if resp, _ := c.reply("PUT"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the next request got %d", resp.StatusCode)
	}
}

func TestExpect(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/read", Access: Public(), Handler: reading})
	c := dial(t, addr)
	c.send("PUT /read HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if line, err := c.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := c.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.send("hello")
	if resp, body := c.reply("PUT"); resp.StatusCode != 200 || body != "5 of 5" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	c = dial(t, addr)
	c.send("GET /read HTTP/1.1\r\nHost: h\r\nExpect: nonsense\r\n\r\n")
	if resp, _ := c.reply("GET"); resp.StatusCode != http.StatusExpectationFailed {
		t.Errorf("an unknown expectation got %d", resp.StatusCode)
	}
}

func TestPipelining(t *testing.T) {
	_, addr := start(t, Options{}, Route{Pattern: "/echo/{n}", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		return text(r.Param("n")), nil
	}})
	c := dial(t, addr)
	var all strings.Builder
	for i := range 50 {
		fmt.Fprintf(&all, "GET /echo/%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
	}
	go func() { _, _ = io.WriteString(c, all.String()) }()
	for i := range 50 {
		if _, body := c.reply("GET"); body != fmt.Sprint(i) {
			t.Fatalf("answer %d is %q", i, body)
		}
	}
}
