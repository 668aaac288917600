package diagnostics

import (
	"bytes"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"entrepot/app/telemetry"
)

// Information tells what the server is and runs on, in the sections that clients of the old server know. Values are texts, numbers
// and maps of them; the environment and the configuration, which may hold secrets, are not part of it.
func (d *Diagnostics) Information() map[string]any {
	now := d.opts.Now()
	return map[string]any{
		"system-time": map[string]any{
			"timezone": now.Location().String(), "current": now.UnixMilli(), "iso8601": now.Format("2006-01-02T15:04:05.000Z07:00"),
		},
		"system-runtime":    d.runtime(),
		"system-properties": properties(),
		"system-network":    network(),
		"system-filestores": d.filestores(),
		"nexus-status": map[string]any{
			"version": d.opts.Claimed, "edition": d.opts.Edition, "state": "STARTED", "product": "Entrepot", "productVersion": d.opts.Version,
			"started": d.started.UTC().Format(time.RFC3339),
		},
		"nexus-node":          map[string]any{"node-id": d.nodeID()},
		"nexus-license":       map[string]any{"licenseType": "none needed"},
		"nexus-configuration": map[string]any{"workingDirectory": d.opts.Folder, "temporaryDirectory": os.TempDir()},
		"nexus-modules":       modules(),
	}
}

func (d *Diagnostics) nodeID() string {
	if d.opts.NodeID == nil {
		return ""
	}
	return d.opts.NodeID()
}

func (d *Diagnostics) runtime() map[string]any {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	number := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	return map[string]any{
		"availableProcessors": runtime.GOMAXPROCS(0), "totalMemory": number(0), "usedMemory": number(1), "freeMemory": number(2),
		"maxMemory": debug.SetMemoryLimit(-1), "threads": number(3), "uptime": strconv.FormatInt(int64(d.opts.Now().Sub(d.started)/time.Second), 10) + " s",
	}
}

// properties are of the platform; those of the process that may hold secrets are left out.
func properties() map[string]any {
	p := map[string]any{"os.name": runtime.GOOS, "os.arch": runtime.GOARCH, "go.version": runtime.Version(), "process.id": os.Getpid(), "user.id": os.Getuid()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		p["os.version"] = string(bytes.TrimRight(name.Release[:], "\x00"))
	}
	return p
}

func network() map[string]any {
	out := map[string]any{}
	all, err := net.Interfaces()
	if err != nil {
		return out
	}
	for _, i := range all {
		var addresses []string
		if list, err := i.Addrs(); err == nil {
			for _, a := range list {
				addresses = append(addresses, a.String())
			}
		}
		out[i.Name] = map[string]any{"displayName": i.Name, "up": i.Flags&net.FlagUp != 0, "mtu": i.MTU, "inetAddresses": strings.Join(addresses, ",")}
	}
	return out
}

// filestores tells how much room there is for records and for each blob store.
func (d *Diagnostics) filestores() map[string]any {
	out := map[string]any{}
	folders := []string{d.opts.Folder}
	for _, b := range d.opts.Engine.BlobStores() {
		if strings.HasPrefix(b.Path, "/") {
			folders = append(folders, b.Path)
		}
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		var s unix.Statfs_t
		if folder == "" || unix.Statfs(folder, &s) != nil {
			continue
		}
		size := int64(s.Bsize)
		out[folder] = map[string]any{"totalSpace": int64(s.Blocks) * size, "unallocatedSpace": int64(s.Bfree) * size, "usableSpace": int64(s.Bavail) * size}
	}
	return out
}

func modules() map[string]any {
	out := map[string]any{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	for _, m := range info.Deps {
		out[m.Path] = m.Version
	}
	return out
}

// Threads writes what every goroutine does, as text.
func Threads() []byte {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil { // a buffer never fails
		return nil
	}
	return b.Bytes()
}

// Prometheus gives all figures in Prometheus' text format, with its content type.
func (d *Diagnostics) Prometheus() (text []byte, contentType string, err error) {
	return telemetry.Exposition(d.opts.Gatherer)
}

// Figures gives all figures as JSON, in the layout that clients of the old server know.
func (d *Diagnostics) Figures(indented bool) ([]byte, error) {
	return telemetry.Figures(d.opts.Gatherer, indented)
}

// Threads gives what every goroutine does, as text.
func (d *Diagnostics) Threads() []byte { return Threads() }
