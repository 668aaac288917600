package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const password = "bench-password"

// process is a server under load.
type process struct {
	cmd     *exec.Cmd
	addr    string
	started time.Duration // from start to the first good answer
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// launch starts a program and waits until path answers.
func launch(cmd *exec.Cmd, addr, path string) (*process, error) {
	p := &process{cmd: cmd, addr: addr}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for time.Since(begin) < time.Minute {
		resp, err := http.Get("http://" + addr + path)
		if err == nil {
			resp.Body.Close()
			p.started = time.Since(begin)
			return p, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s does not answer", cmd.Path), cmd.Process.Kill())
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *process) url(path string) string { return "http://" + p.addr + path }

// memory gives a line of /proc/PID/status, such as VmRSS or VmHWM, in MiB.
func (p *process) memory(line string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, l := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in status", line)
}

// tick is the unit of processor time in /proc.
const tick = 10 * time.Millisecond

// cpu gives the processor time that a program and its children have used.
func (p *process) cpu() (time.Duration, error) {
	pid := strconv.Itoa(p.cmd.Process.Pid)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return 0, err
	}
	var ticks int
	for _, pid := range append(strings.Fields(string(children)), pid) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // what follows the name: state, ppid …
		user, userErr := strconv.Atoi(fields[11])
		system, systemErr := strconv.Atoi(fields[12])
		if err := errors.Join(userErr, systemErr); err != nil {
			return 0, err
		}
		ticks += user + system
	}
	return time.Duration(ticks) * tick, nil
}

// entrepot starts our server on a data folder. It writes its access log to a file, as nginx does.
func (b *bench) entrepot(data string) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(b.dir, "entrepot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(b.binary, "serve", "--data", data, "--listen", addr)
	cmd.Env = append(os.Environ(), "ENTREPOT_ADMIN_PASSWORD="+password)
	cmd.Stdout, cmd.Stderr = log, log
	return launch(cmd, addr, "/service/rest/v1/status")
}

// nginx starts the peer: files of root below /, and PUT without a sync below /dav/.
func (b *bench) nginx(root string) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(b.dir, "nginx")
	for _, dir := range []string{home, filepath.Join(root, "dav")} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
	}
	conf := fmt.Sprintf(`worker_processes 2;
daemon off;
pid %[1]s/pid;
error_log %[1]s/error.log;
user root;
events { worker_connections 4096; }
http {
  access_log %[1]s/access.log combined buffer=64k;
  sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_max_body_size 0; client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s; root %[3]s; location /dav/ { dav_methods PUT DELETE; create_full_put_path on; } }
}
`, home, addr, root)
	file := filepath.Join(home, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	return launch(exec.Command("nginx", "-p", home, "-c", file), addr, "/")
}

// request sends one request as admin and wants one of the 2xx.
func (p *process) request(ctx context.Context, method, path string, body io.Reader, contentType string) error {
	req, err := http.NewRequestWithContext(ctx, method, p.url(path), body)
	if err != nil {
		return err
	}
	if l, ok := body.(*io.LimitedReader); ok { // clients know the size of a file
		req.ContentLength = l.N
	}
	req.SetBasicAuth("admin", password)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s %s", method, path, resp.Status, bytes.TrimSpace(text[:min(len(text), 300)]))
	}
	return err
}

// rawRepository makes a raw hosted repository.
func (p *process) rawRepository(ctx context.Context, name string) error {
	body := fmt.Sprintf(`{"name":%q,"online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false,"writePolicy":"ALLOW"}}`, name)
	return p.request(ctx, http.MethodPost, "/service/rest/v1/repositories/raw/hosted", strings.NewReader(body), "application/json")
}
