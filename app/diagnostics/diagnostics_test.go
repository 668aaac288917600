package diagnostics

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/app/access"
	"entrepot/app/apptest"
	"entrepot/app/domains"
	"entrepot/app/repository"
	"entrepot/app/telemetry"
)

func must(t *testing.T, err error) {
	t.Helper()
	apptest.Must(t, err)
}

// server is one over memory whose administrator still has the default password.
func server(t *testing.T) Options {
	t.Helper()
	s := apptest.New(t, func(o *domains.Options) {
		o.Engine.FreeSpace = func(repository.BlobStore) (int64, error) { return 1000, nil }
	})
	return Options{
		Engine: s.Engine, Access: s.Access, Health: func() error { return nil }, Gatherer: telemetry.NewRegistry("1"), Folder: t.TempDir(), Claimed: "3.77.0-08",
	}
}

// outcome gives the result of one check.
func outcome(t *testing.T, d *Diagnostics, name string) Result {
	t.Helper()
	all := d.Checks(t.Context())
	i := slices.IndexFunc(all, func(r Result) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no check %s", name)
	}
	return all[i]
}

func TestChecks(t *testing.T) {
	o := server(t)
	keys := []string{"a"}
	o.SealKeys, o.Connections = func() []string { return keys }, 1<<40
	d := New(o)
	for name, message := range map[string]string{
		"Blob Stores Quota": "0/1 blob stores violating their quota<br>", "Blob Stores Ready": "0/1 blob stores report issues<br>",
		"Coordinate Content Selectors": "No content selectors using coordinates found.", "DefaultRoleRealm": "Default Role Realm not in use.",
		"Re-encryption required": "All secrets using same encryption key. Re-encryption is not required.", "Read-Only Detector": "", "Scheduler": "",
		"Thread Deadlock Detector": "", "Lifecycle Phase": "", "File Blob Stores Path": "",
	} {
		if r := outcome(t, d, name); !r.Healthy || r.Message != message {
			t.Errorf("%s: %t %q, want %q", name, r.Healthy, r.Message, message)
		}
	}
	if r := outcome(t, d, "Default Admin Credentials"); r.Healthy {
		t.Errorf("the default password goes unseen: %q", r.Message)
	}
	if r := outcome(t, d, "File Descriptors"); r.Healthy {
		t.Errorf("too few file descriptors go unseen: %q", r.Message)
	}
	must(t, o.Access.ChangePassword(t.Context(), access.System(), access.PasswordChange{UserID: access.UserAdmin, Password: "another-1"}))
	_, err := o.Engine.Freeze(t.Context(), repository.Freeze{Actor: "admin"})
	must(t, err)
	_, err = o.Engine.Release(t.Context())
	must(t, err)
	b, err := o.Engine.BlobStore(repository.DefaultBlobStore)
	must(t, err)
	b.Quota = &repository.SoftQuota{Type: repository.QuotaRemaining, Limit: 2000}
	must(t, o.Engine.UpdateBlobStore(t.Context(), b))
	keys = []string{"a", "b"}
	_, err = o.Engine.Freeze(t.Context(), repository.Freeze{Actor: "admin"})
	must(t, err)
	for name, want := range map[string]bool{
		"Default Admin Credentials": true, "Blob Stores Quota": false, "Read-Only Detector": false, "Re-encryption required": false,
	} {
		if r := outcome(t, d, name); r.Healthy != want || r.Message == "" {
			t.Errorf("%s: %t %q", name, r.Healthy, r.Message)
		}
	}
}

func TestArchive(t *testing.T) {
	o := server(t)
	o.Configuration = []Document{JSON("a.json", func(context.Context) (any, error) { return map[string]int{"a": 1}, nil })}
	o.Security = []Document{JSON("b.json", func(context.Context) (any, error) { return nil, nil })}
	d := New(o)
	var b bytes.Buffer
	must(t, d.WriteArchive(t.Context(), &b, Parts{SystemInformation: true, Threads: true, Metrics: true, Configuration: true}))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	must(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		r, err := f.Open()
		must(t, err)
		body, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		if len(body) == 0 || strings.HasSuffix(f.Name, ".json") && !json.Valid(body) {
			t.Errorf("%s: %.100s", f.Name, body)
		}
	}
	if want := []string{"info/sysinfo.json", "info/checks.json", "info/threads.txt", "info/metrics.txt", "work/etc/a.json"}; !slices.Equal(names, want) {
		t.Errorf("the archive holds %q, want %q", names, want)
	}
	b.Reset()
	must(t, d.WriteArchive(t.Context(), &b, Parts{}))
	if z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil || len(z.File) != 0 {
		t.Errorf("an empty archive: %v", err)
	}
}

func TestOldArchivesGo(t *testing.T) {
	o := server(t)
	d := New(o)
	var last string
	for range maxArchives + 3 {
		path, size, err := d.SaveArchive(t.Context(), Parts{Threads: true})
		if err != nil || size == 0 {
			t.Fatalf("%s: %d bytes, %v", path, size, err)
		}
		last = path
	}
	left, err := filepath.Glob(filepath.Join(o.Folder, archiveFolder, "*"))
	must(t, err)
	if len(left) != maxArchives || !slices.Contains(left, last) {
		t.Errorf("%q are left, %s among them", left, last)
	}
	if info, err := os.Stat(last); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestInformationNamesNoSecret(t *testing.T) {
	t.Setenv("ENTREPOT_ADMIN_PASSWORD", "geheim-1")
	o := server(t)
	o.NodeID, o.Now = func() string { return "1-2" }, func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	body, err := json.Marshal(New(o).Information())
	must(t, err)
	for _, want := range []string{`"node-id":"1-2"`, `"version":"3.77.0-08"`, `"iso8601":"2026-01-02T03:04:05.000Z"`, `"usableSpace":`, `"availableProcessors":`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the information lacks %s", want)
		}
	}
	if strings.Contains(string(body), "geheim") {
		t.Error("the information holds a secret of the environment")
	}
}

func TestFigures(t *testing.T) {
	o := server(t)
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "x", Help: "x"}, []string{"a"})
	gauge.WithLabelValues("b").Set(2)
	o.Gatherer.(*prometheus.Registry).MustRegister(gauge)
	body, err := New(o).Figures(false)
	must(t, err)
	var got struct {
		Version string
		Gauges  map[string]struct{ Value float64 }
	}
	must(t, json.Unmarshal(body, &got))
	if got.Version != "4.0.0" || got.Gauges[`x{a="b"}`].Value != 2 {
		t.Errorf("%.300s", body)
	}
}
