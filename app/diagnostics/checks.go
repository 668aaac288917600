// Package diagnostics looks at the server itself: the checks that monitoring asks for, what the machine and the process are, and an
// archive of all that for whoever has to find a fault.
//
// Invariants: nothing here changes anything; no secret is in what it gives; the archive is streamed.
//
//	d := diagnostics.New(diagnostics.Options{Engine: engine, Access: users, …})
//	for _, r := range d.Checks(ctx) { … }
package diagnostics

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"entrepot/app/access"
	"entrepot/app/access/password"
	"entrepot/app/repository"
)

// Document is a part of the configuration that the archive may hold. It writes JSON without secrets.
type Document struct {
	Name  string // of the file, for example "repositories.json"
	Write func(ctx context.Context, w io.Writer) error
}

// Options say what is looked at. Engine, Access and Health are required; of the others the zero value leaves a part out.
type Options struct {
	Engine   *repository.Engine
	Access   *access.Service
	Health   func() error // whether records can be read and written
	Gatherer prometheus.Gatherer

	SealKeys    func() []string // ids of the keys that secrets are sealed with, the one in use first
	Connections int             // the server's limit of connections
	Folder      string          // the data folder

	Version, Claimed, Edition string        // of this program, and what it claims to be
	NodeID                    func() string // this server's id

	Configuration []Document // what is set
	Security      []Document // who may do what
	Audit         []Document // what was changed

	Now func() time.Time // default time.Now
}

// Diagnostics looks at a server. Its methods may be called from many goroutines.
type Diagnostics struct {
	opts    Options
	started time.Time
	hasher  *password.Hasher
	zips    zipNumbers

	mu        sync.Mutex
	hash      string // of the administrator's password when it was last tried
	byDefault bool   // it was the one that every new server had once
}

// New makes Diagnostics.
func New(o Options) *Diagnostics {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Diagnostics{opts: o, started: o.Now(), hasher: password.New(nil)}
}

// Result is the outcome of a check.
type Result struct {
	Name     string
	Healthy  bool
	Message  string // "" for nothing to say
	At       time.Time
	Duration time.Duration
}

// Checks does all checks and gives their results by name, under the names that clients of the old server look for.
func (d *Diagnostics) Checks(ctx context.Context) []Result {
	checks := map[string]func(context.Context) (bool, string){
		"Available CPUs":               d.processors,
		"Blob Stores Quota":            d.quotas,
		"Blob Stores Ready":            d.stores,
		"Coordinate Content Selectors": d.selectors,
		"Default Admin Credentials":    d.credentials,
		"Default Secret Encryption Key": func(context.Context) (bool, string) {
			return true, "Secrets are sealed with a key of this server's own."
		},
		"DefaultRoleRealm":         d.defaultRole,
		"File Blob Stores Path":    d.folders,
		"File Descriptors":         d.descriptors,
		"Lifecycle Phase":          silent,
		"Re-encryption required":   d.sealing,
		"Read-Only Detector":       d.readOnly,
		"Scheduler":                silent,
		"Scripting":                func(context.Context) (bool, string) { return true, "Scripts are kept and never run." },
		"Thread Deadlock Detector": silent,
	}
	results := make([]Result, 0, len(checks))
	for name, check := range checks {
		begun := d.opts.Now()
		healthy, message := check(ctx)
		results = append(results, Result{Name: name, Healthy: healthy, Message: message, At: begun, Duration: d.opts.Now().Sub(begun)})
	}
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Name, b.Name) })
	return results
}

// silent is the check of what cannot fail while the server answers.
func silent(context.Context) (bool, string) { return true, "" }

// minProcessors is what a busy server should have.
const minProcessors = 2

func (d *Diagnostics) processors(context.Context) (bool, string) {
	n := runtime.GOMAXPROCS(0)
	message := fmt.Sprintf("The host system is allocating a maximum of %d cores to the application.", n)
	if n < minProcessors {
		message += fmt.Sprintf(" A minimum of %d is recommended.", minProcessors)
	}
	return n >= minProcessors, message
}

func (d *Diagnostics) quotas(ctx context.Context) (bool, string) {
	return d.eachStore(ctx, "blob stores violating their quota", func(s repository.BlobStoreStatus) string {
		if s.Exceeded() {
			return s.Name + " is beyond its limit"
		}
		return ""
	})
}

func (d *Diagnostics) stores(ctx context.Context) (bool, string) {
	healthy, message := d.eachStore(ctx, "blob stores report issues", func(s repository.BlobStoreStatus) string {
		if s.Err != nil {
			return s.Name + " cannot be used"
		}
		return ""
	})
	if d.opts.Health() != nil {
		return false, message + "Records cannot be read and written<br>"
	}
	return healthy, message
}

// eachStore counts the blob stores with a fault.
func (d *Diagnostics) eachStore(ctx context.Context, what string, fault func(repository.BlobStoreStatus) string) (bool, string) {
	all := d.opts.Engine.BlobStores()
	var faults []string
	for _, b := range all {
		s, err := d.opts.Engine.BlobStoreStatus(ctx, b.Name)
		text := b.Name + " cannot be asked"
		if err == nil {
			text = fault(s)
		}
		if text != "" {
			faults = append(faults, text+"<br>")
		}
	}
	return len(faults) == 0, fmt.Sprintf("%d/%d %s<br>%s", len(faults), len(all), what, strings.Join(faults, ""))
}

func (d *Diagnostics) selectors(ctx context.Context) (bool, string) {
	all, err := d.opts.Access.Selectors(ctx)
	if err != nil {
		return false, "The content selectors cannot be read."
	}
	count := 0
	for _, s := range all {
		if strings.Contains(s.Expression, "coordinate.") {
			count++
		}
	}
	if count == 0 {
		return true, "No content selectors using coordinates found."
	}
	return true, fmt.Sprintf("%d content selectors use coordinates.", count)
}

// defaultPassword is the one that every server had before releases that make a random one.
const defaultPassword = "admin123"

// credentials tries the default password once for each password that the administrator has had: that takes as long as a sign-in.
func (d *Diagnostics) credentials(ctx context.Context) (bool, string) {
	admin, err := d.opts.Access.ExportUser(ctx, access.SourceLocal, access.UserAdmin)
	if err != nil {
		return true, "There is no user " + access.UserAdmin + "."
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hash != admin.PasswordHash {
		result, err := d.hasher.Verify(ctx, admin.PasswordHash, defaultPassword)
		if ctx.Err() != nil {
			return true, ""
		}
		d.hash, d.byDefault = admin.PasswordHash, err == nil && result.OK
	}
	if d.byDefault {
		return false, "The default admin credentials have not been changed. It is strongly recommended that the default admin password be changed."
	}
	return true, "The default admin credentials have been changed."
}

func (d *Diagnostics) defaultRole(ctx context.Context) (bool, string) {
	realms, err := d.opts.Access.ConfiguredRealms(ctx)
	role, roleErr := d.opts.Access.DefaultRole(ctx)
	switch {
	case err != nil || roleErr != nil:
		return false, "The realms cannot be read."
	case !slices.Contains(realms, access.RealmDefaultRole) || role == "":
		return true, "Default Role Realm not in use."
	case role == access.RoleAdmin:
		return false, "Default Role Realm makes every signed-in user an administrator."
	}
	return true, "Default Role Realm in use with role " + role + "."
}

// folders finds blob stores that lie in each other.
func (d *Diagnostics) folders(context.Context) (bool, string) {
	var paths []string
	for _, b := range d.opts.Engine.BlobStores() {
		if b.Type == repository.BlobStoreFile {
			paths = append(paths, filepath.Clean(b.Path)+string(filepath.Separator))
		}
	}
	slices.Sort(paths)
	for i := 1; i < len(paths); i++ {
		if strings.HasPrefix(paths[i], paths[i-1]) {
			return false, "The folder " + filepath.Clean(paths[i]) + " lies in that of another blob store."
		}
	}
	return true, ""
}

// perConnection is how many files a connection needs open at most: itself, a blob, and one to an upstream.
const perConnection = 3

func (d *Diagnostics) descriptors(context.Context) (bool, string) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || d.opts.Connections == 0 {
		return true, ""
	}
	if wanted := uint64(perConnection * d.opts.Connections); limit.Cur < wanted {
		return false, fmt.Sprintf("Recommended file descriptor limit is %d but count is %d", wanted, limit.Cur)
	}
	return true, ""
}

func (d *Diagnostics) sealing(context.Context) (bool, string) {
	if keys := d.SealKeys(); len(keys) > 1 {
		return false, fmt.Sprintf("The key file holds %d keys. Once all secrets are sealed with the first, the others can be removed.", len(keys))
	}
	return true, "All secrets using same encryption key. Re-encryption is not required."
}

func (d *Diagnostics) readOnly(context.Context) (bool, string) {
	if frozen := d.opts.Engine.Frozen(); frozen != nil {
		return false, "The server is read-only since " + frozen.Since.UTC().Format(time.RFC3339) + "."
	}
	return true, ""
}

// SealKeys gives the ids of the keys that secrets are sealed with, the one in use first.
func (d *Diagnostics) SealKeys() []string {
	if d.opts.SealKeys == nil {
		return nil
	}
	return d.opts.SealKeys()
}
