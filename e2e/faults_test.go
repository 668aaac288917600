//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const rawRepository = `{"name":"files","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false,"writePolicy":"ALLOW"}}`

func (s *server) makeRaw() {
	s.t.Helper()
	s.json(http.MethodPost, "/service/rest/v1/repositories/raw/hosted", rawRepository)
}

// acked keeps what the server has confirmed.
type acked struct {
	mu   sync.Mutex
	sums map[string]string
}

func (a *acked) add(path string, body []byte) {
	sum := sha1.Sum(body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sums[path] = hex.EncodeToString(sum[:])
}

// load writes until stop is closed or the server is gone.
func (s *server) load(worker, round int, a *acked, stop <-chan struct{}) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r := rand.New(rand.NewPCG(uint64(worker), uint64(round)))
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		body := make([]byte, r.IntN(200_000))
		for i := range body {
			body[i] = byte(r.Uint32())
		}
		path := fmt.Sprintf("/repository/files/%d/%d/%d.bin", round, worker, n)
		req, err := http.NewRequest(http.MethodPut, s.url(path), bytes.NewReader(body))
		if err != nil {
			return
		}
		req.SetBasicAuth("admin", adminPassword)
		resp, err := client.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusCreated {
			a.add(path, body)
		}
	}
}

// check reads everything that was confirmed.
func (a *acked) check(t *testing.T, s *server) {
	t.Helper()
	for path, want := range a.sums {
		status, body := s.do(http.MethodGet, path, nil)
		if sum := sha1.Sum([]byte(body)); status != http.StatusOK || hex.EncodeToString(sum[:]) != want {
			t.Fatalf("%s was confirmed and is now %d with other bytes", path, status)
		}
	}
}

// verify runs the command on a stopped server's data.
func verify(t *testing.T, data string) {
	t.Helper()
	out := run(t, t.TempDir(), binary(t), "verify", "--data", data)
	if !strings.Contains(out, " 0 differences") {
		t.Errorf("verify: %s", out)
	}
}

// TestKillUnderLoad kills the server again and again while it takes writes, and wants every confirmed one back.
func TestKillUnderLoad(t *testing.T) {
	s := start(t)
	s.makeRaw()
	a := &acked{sums: make(map[string]string)}
	for round := range 8 {
		var writers sync.WaitGroup
		stop := make(chan struct{})
		for worker := range 8 {
			writers.Add(1)
			go func() { defer writers.Done(); s.load(worker, round, a, stop) }()
		}
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		s.kill()
		close(stop)
		writers.Wait()
		s.run()
	}
	if len(a.sums) == 0 {
		t.Fatal("nothing was confirmed")
	}
	a.check(t, s)
	t.Logf("%d confirmed writes survived 8 kills", len(a.sums))
	s.stop()
	noTemporaries(t, s.data)
	verify(t, s.data)
}

// noTemporaries wants no spool left.
func noTemporaries(t *testing.T, data string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(data, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) == "tmp" {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLostDatabase deletes the database's folder: the log and its checkpoint give everything back.
func TestLostDatabase(t *testing.T) {
	s := start(t)
	s.makeRaw()
	for i := range 50 {
		s.do(http.MethodPut, fmt.Sprintf("/repository/files/%d.txt", i), strings.NewReader(fmt.Sprint("body ", i)))
	}
	s.stop()
	if err := os.RemoveAll(filepath.Join(s.data, "records", "db")); err != nil {
		t.Fatal(err)
	}
	s.run()
	for i := range 50 {
		if status, body := s.do(http.MethodGet, fmt.Sprintf("/repository/files/%d.txt", i), nil); status != 200 || body != fmt.Sprint("body ", i) {
			t.Fatalf("%d: %d %q", i, status, body)
		}
	}
	s.stop()
	run(t, t.TempDir(), binary(t), "rebuild", "--data", s.data)
	verify(t, s.data)
	s.run()
}

// TestSecondServerIsRefused starts two servers on one data folder.
func TestSecondServerIsRefused(t *testing.T) {
	s := start(t)
	out, err := command(t, t.TempDir(), binary(t), "serve", "--data", s.data, "--listen", freeAddress(t))
	if err == nil || !strings.Contains(out, s.data) {
		t.Errorf("second server: %v\n%s", err, out)
	}
	if status, _ := s.do(http.MethodGet, "/service/rest/v1/status", nil); status != http.StatusOK {
		t.Errorf("first server answers %d", status)
	}
}

// TestClientGoes breaks uploads off in the middle.
func TestClientGoes(t *testing.T) {
	s := start(t)
	s.makeRaw()
	for _, head := range []string{"Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n10000\r\n"} {
		conn := s.dial()
		fmt.Fprintf(conn, "PUT /repository/files/half.bin HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n%s", basic, head)
		if _, err := conn.Write(bytes.Repeat([]byte("x"), 30_000)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if status, _ := s.do(http.MethodGet, "/repository/files/half.bin", nil); status != http.StatusNotFound {
		t.Errorf("half an upload is visible: %d", status)
	}
	s.kill()
	s.run()
	if status, _ := s.do(http.MethodGet, "/repository/files/half.bin", nil); status != http.StatusNotFound {
		t.Errorf("half an upload is visible after a restart: %d", status)
	}
	s.stop()
	noTemporaries(t, s.data)
	verify(t, s.data)
}

// TestFullDisk runs a server on a small file system until it is full, makes room, and goes on.
func TestFullDisk(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", data).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: cannot mount a small file system here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", data).Run() })
	s := startIn(t, data)
	s.makeRaw()
	body := make([]byte, 4<<20)
	full := 0
	for i := 0; full == 0 && i < 64; i++ {
		body[0], body[1] = byte(i), 1
		if status, text := s.do(http.MethodPut, fmt.Sprintf("/repository/files/%d.bin", i), bytes.NewReader(body)); status != http.StatusCreated {
			full = i
			if status < 500 || strings.Contains(text, data) {
				t.Errorf("full disk answers %d %q", status, text)
			}
		}
	}
	if full == 0 {
		t.Fatal("the disk never filled")
	}
	if status, got := s.do(http.MethodGet, "/repository/files/0.bin", nil); status != 200 || len(got) != len(body) {
		t.Errorf("reading on a full disk: %d", status)
	}
	if status, _ := s.do(http.MethodGet, fmt.Sprintf("/repository/files/%d.bin", full), nil); status != http.StatusNotFound {
		t.Errorf("the refused file is there: %d", status)
	}
	s.stop()
	verify(t, data)
}

// raw sends a target byte for byte.
func (s *server) raw(method, target, body string) (int, string) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, target, basic, len(body), body)
	answer, err := io.ReadAll(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	var status int
	if _, err := fmt.Sscanf(string(answer), "HTTP/1.1 %d", &status); err != nil {
		s.t.Fatalf("%s %.60s: answer %.100q", method, target, answer)
	}
	return status, string(answer)
}
