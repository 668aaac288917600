//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually polls until done is true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// as gives the status of a request of a user.
func (s *server) as(user, password, method, path, body string) int {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url(path), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "text/plain")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestFreshServer starts a server that was told nothing: it has the repositories of a fresh Nexus and a random first password.
func TestFreshServer(t *testing.T) {
	s := (&server{t: t, data: filepath.Join(t.TempDir(), "new", "data"), env: []string{"ENTREPOT_ADMIN_PASSWORD="}}).start()
	file := filepath.Join(s.data, "admin.password")
	if !strings.Contains(s.log.String(), file) {
		t.Errorf("the log does not name %s:\n%s", file, s.log)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("admin.password: %v %v; want mode 0600", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	password := strings.TrimSpace(string(text))
	const check = "/service/rest/v1/status/check"
	for given, want := range map[string]int{password: 200, "admin123": 401, "": 401} {
		if status := s.as("admin", given, http.MethodGet, check, ""); status != want {
			t.Errorf("password %q: %d; want %d", given, status, want)
		}
	}
	if got, want := s.repositories(), []string{"maven-central", "maven-public", "maven-releases", "maven-snapshots"}; !slices.Equal(got, want) {
		t.Errorf("repositories %v; want %v", got, want)
	}
	if status := s.as("admin", password, http.MethodPut, "/service/rest/v1/security/users/admin/change-password", "another"); status != http.StatusNoContent {
		t.Fatalf("change of the password: %d", status)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("admin.password outlives the password")
	}
	s.stop()
	s.run()
	if _, err := os.Stat(file); err == nil {
		t.Error("a restart writes admin.password again")
	}
	for given, want := range map[string]int{password: 401, "another": 200} {
		if status := s.as("admin", given, http.MethodGet, check, ""); status != want {
			t.Errorf("after a restart, password %q: %d; want %d", given, status, want)
		}
	}
}

// repositories are the names that everybody is told, in order.
func (s *server) repositories() []string {
	s.t.Helper()
	resp, err := http.Get(s.url("/service/rest/v1/repositories"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ Name string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("repositories: %d %v", resp.StatusCode, err)
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

// TestGivenPassword sets the first password by the variable, which counts on a new folder only.
func TestGivenPassword(t *testing.T) {
	s := start(t, "--skip-default-repositories")
	if got := s.repositories(); got != nil {
		t.Errorf("repositories that were not wanted: %v", got)
	}
	if _, err := os.Stat(filepath.Join(s.data, "admin.password")); err == nil {
		t.Error("a given password is written to a file")
	}
	if strings.Contains(s.log.String(), adminPassword) {
		t.Error("the log has the password")
	}
	s.stop()
	s.env = []string{"ENTREPOT_ADMIN_PASSWORD=later"}
	s.run()
	for given, want := range map[string]int{adminPassword: 200, "later": 401} {
		if status := s.as("admin", given, http.MethodGet, "/service/rest/v1/status/check", ""); status != want {
			t.Errorf("password %q: %d; want %d", given, status, want)
		}
	}
}

// TestResetPassword lets a locked-out administrator in again.
func TestResetPassword(t *testing.T) {
	s := start(t)
	out, err := command(t, t.TempDir(), binary(t), "admin", "reset-password", "--data", s.data)
	if err == nil || !strings.Contains(out, s.data) {
		t.Errorf("with the server running: %v %s; want a refusal that names the folder", err, out)
	}
	s.stop()
	made := lastLine(run(t, t.TempDir(), binary(t), "admin", "reset-password", "--data", s.data))
	s.run()
	for given, want := range map[string]int{made: 200, adminPassword: 401} {
		if status := s.as("admin", given, http.MethodGet, "/service/rest/v1/status/check", ""); status != want {
			t.Errorf("password %q: %d; want %d", given, status, want)
		}
	}
	if status, text := s.rest(http.MethodPut, "/v1/security/realms/active", made, `["OAuth2Realm"]`); status != http.StatusNoContent {
		t.Errorf("realms that let nobody in: %d %s", status, text)
	}
	s.stop()
	t.Setenv("ENTREPOT_NEW_PASSWORD", "chosen")
	if out := run(t, t.TempDir(), binary(t), "admin", "reset-password", "--data", s.data); strings.Contains(out, "chosen") {
		t.Errorf("a chosen password is printed: %s", out)
	}
	if out, err := command(t, t.TempDir(), binary(t), "admin", "reset-password", "--data", s.data, "--user", "nobody"); err == nil || !strings.Contains(out, "nobody") {
		t.Errorf("an unknown user: %v %s", err, out)
	}
	s.run()
	if status := s.as("admin", "chosen", http.MethodGet, "/service/rest/v1/status/check", ""); status != http.StatusOK {
		t.Errorf("the chosen password: %d", status)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// TestHelp wants an example from every command.
func TestHelp(t *testing.T) {
	line := regexp.MustCompile(`(?m)^  ((?:[a-z-]+ ?)+)(?: <.*| \[flags\].*)?$`)
	_, commands, _ := strings.Cut(run(t, t.TempDir(), binary(t), "--help"), "\nCommands:\n")
	found := line.FindAllStringSubmatch(commands, -1)
	for _, match := range found {
		name := strings.TrimSpace(match[1])
		_, example, _ := strings.Cut(run(t, t.TempDir(), binary(t), append(strings.Fields(name), "--help")...), "\nExample")
		if !strings.Contains(example, "    entrepot "+name) {
			t.Errorf("%s: help without an example", name)
		}
	}
	if len(found) < 7 {
		t.Errorf("only %d commands:\n%s", len(found), commands)
	}
}

// TestDrain stops the server while an upload and a download are in flight: both finish, and the server ends with 0.
func TestDrain(t *testing.T) {
	s := start(t)
	s.makeRaw()
	const size = 8 << 20
	if status, _ := s.do(http.MethodPut, "/repository/files/large.bin", strings.NewReader(strings.Repeat("l", size))); status != http.StatusCreated {
		t.Fatal(status)
	}
	up, down := s.dial(), s.dial()
	half := strings.Repeat("h", 64<<10)
	fmt.Fprintf(up, "PUT /repository/files/whole.txt HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", basic, 2*len(half), half)
	fmt.Fprint(down, "GET /repository/files/large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
	answer := bufio.NewReader(down)
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both requests are in flight", func() bool { return strings.Contains(s.metrics(), "entrepot_http_requests_in_flight 3") })

	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	fmt.Fprint(up, half)
	if text, err := io.ReadAll(up); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 201 ") {
		t.Errorf("the upload in flight: %v %q", err, text)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("the download in flight: %d bytes, %v", n, err)
	}
	down.Close()
	if err := <-s.done; err != nil {
		t.Errorf("the server ended with %v\n%s", err, s.log)
	}
	s.run()
	if status, body := s.do(http.MethodGet, "/repository/files/whole.txt", nil); status != http.StatusOK || body != half+half {
		t.Errorf("the upload is %d with %d bytes", status, len(body))
	}
}

// basic are the administrator's credentials as a header has them.
const basic = "Basic YWRtaW46YWRtaW4xMjM="

// dial connects to the server until the test ends. Nothing on the connection may take longer than 30 seconds.
func (s *server) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *server) metrics() string {
	s.t.Helper()
	_, body := s.do(http.MethodGet, "/metrics", nil)
	return body
}

// TestWrongSettings wants errors that say what is wrong and where.
func TestWrongSettings(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	write(t, file, "log:\n  levle: info\n")
	noFolder := filepath.Join(t.TempDir(), "file")
	write(t, noFolder, "")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"serve", "--listen", taken.Addr().String()}, taken.Addr().String()},
		{[]string{"serve", "--listen", "8081"}, "listen"},
		{[]string{"serve", "--config", file}, "levle"},
		{[]string{"serve", "--data", noFolder}, noFolder},
		{[]string{"verify", "--data", "/nowhere/at/all"}, "/nowhere/at/all"},
		{[]string{"rebuild", "--data", "/nowhere/at/all"}, "/nowhere/at/all"},
		{[]string{"import", "blobs", t.TempDir()}, "metadata.properties"},
	} {
		out, err := command(t, t.TempDir(), binary(t), tt.args...)
		if err == nil || !strings.Contains(lastLine(out), tt.want) {
			t.Errorf("%v: %v\n%s\nwant an error about %q", tt.args, err, out, tt.want)
		}
	}
	if _, err := os.Stat("/nowhere"); !os.IsNotExist(err) {
		t.Error("a command that only looks made a folder")
	}
}

// TestOwnersOnly wants nothing in the data folder that other users of the machine could read.
func TestOwnersOnly(t *testing.T) {
	s := start(t)
	s.makeRaw()
	s.do(http.MethodPut, "/repository/files/a.txt", strings.NewReader("a"))
	s.stop()
	err := filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == s.data {
			return err
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case info.Mode().Perm()&0o007 != 0:
			t.Errorf("%s has mode %v", strings.TrimPrefix(path, s.data), info.Mode())
		case d.IsDir():
			return fs.SkipDir // nobody else gets in
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
