//go:build e2e

// Package e2e drives the built binary the way users do: with recorded requests, with real clients, with bad input and with kill -9.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const adminPassword = "admin123"

// server is one running binary with a data folder of its own.
type server struct {
	t    testing.TB
	data string
	args []string
	env  []string // variables over those of every server
	addr string
	cmd  *exec.Cmd
	log  *tail
	done chan error
}

// tail keeps the last lines that a process wrote.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) follow(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		l.mu.Lock()
		l.lines = append(l.lines, s.Text())
		if len(l.lines) > 200 {
			l.lines = l.lines[1:]
		}
		l.mu.Unlock()
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("ENTREPOT_BINARY")
	if path == "" {
		path = filepath.Join(root(t), "bin", "entrepot")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	return path
}

// fixtures is the folder of recordings and data directories of a real server.
func fixtures(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("ENTREPOT_FIXTURES")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "fixtures")
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: set ENTREPOT_FIXTURES to the folder of the recorded fixtures", err)
	}
	return path
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a server with a new data folder until the test ends.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	return startIn(t, t.TempDir(), args...)
}

// startIn runs a server on a data folder.
func startIn(t testing.TB, data string, args ...string) *server {
	t.Helper()
	return (&server{t: t, data: data, args: args}).start()
}

// start runs the server that s describes until the test ends.
func (s *server) start() *server {
	s.t.Helper()
	s.addr = freeAddress(s.t)
	s.run()
	s.t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
	})
	return s
}

func (s *server) run() {
	s.t.Helper()
	args := append([]string{"serve", "--data", s.data, "--listen", s.addr}, s.args...)
	s.cmd = exec.Command(binary(s.t), args...)
	s.cmd.Env = append(append(os.Environ(), "ENTREPOT_ADMIN_PASSWORD="+adminPassword), s.env...)
	out, in, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = in, in
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	in.Close()
	s.log = &tail{}
	go func() { s.log.follow(out); out.Close() }()
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
	s.await()
}

// await polls until the server answers.
func (s *server) await() {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case err := <-s.done:
			s.t.Fatalf("server ended: %v\n%s", err, s.log)
		default:
		}
		resp, err := http.Get(s.url("/service/rest/v1/status"))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("server does not answer\n%s", s.log)
}

// stop ends the server the way an operator does and wants a clean end.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("SIGTERM: %v", err)
	}
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("server ended with %v\n%s", err, s.log)
		}
	case <-time.After(60 * time.Second):
		s.t.Errorf("server does not end\n%s", s.log)
		s.kill()
	}
	s.cmd = nil
}

// kill ends the server without a warning.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended meanwhile
	<-s.done
	s.cmd = nil
}

func (s *server) url(path string) string { return "http://" + s.addr + path }

// do sends a request as admin and gives status and body.
func (s *server) do(method, path string, body io.Reader, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url(path), body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth("admin", adminPassword)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(text)
}

// json sends a JSON body as admin and wants one of the 2xx.
func (s *server) json(method, path, body string) {
	s.t.Helper()
	if status, text := s.do(method, path, strings.NewReader(body), "Content-Type", "application/json"); status/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
}

// run gives the output of a command and fails the test when the command does.
func run(t testing.TB, dir string, name string, args ...string) string {
	t.Helper()
	out, err := command(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func command(t testing.TB, dir string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ENTREPOT_ADMIN_PASSWORD="+adminPassword)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return out.String(), err
}
