package diagnostics

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"entrepot/app/telemetry"
)

// Parts say what goes into an archive.
type Parts struct {
	SystemInformation bool
	Threads           bool
	Metrics           bool
	Configuration     bool
	Security          bool
	Audit             bool
}

// zipNumbers numbers archives of the same second.
type zipNumbers struct {
	mu   sync.Mutex
	last int
}

// ArchiveName gives a new name for an archive: "support-YYYYMMDD-HHMMSS-N.zip".
func (d *Diagnostics) ArchiveName() string {
	d.zips.mu.Lock()
	defer d.zips.mu.Unlock()
	d.zips.last++
	return fmt.Sprintf("support-%s-%d.zip", d.opts.Now().UTC().Format("20060102-150405"), d.zips.last)
}

// WriteArchive writes the parts as a zip.
func (d *Diagnostics) WriteArchive(ctx context.Context, w io.Writer, p Parts) error {
	z := zip.NewWriter(w)
	for _, doc := range d.documents(p) {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, err := z.Create(doc.Name)
		if err == nil {
			err = doc.Write(ctx, entry)
		}
		if err != nil {
			return fmt.Errorf("diagnostics: %s: %w", doc.Name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("diagnostics: %w", err)
	}
	return nil
}

// documents lists the files of an archive.
func (d *Diagnostics) documents(p Parts) []Document {
	var all []Document
	if p.SystemInformation {
		all = append(all, JSON("info/sysinfo.json", func(context.Context) (any, error) { return d.Information(), nil }),
			JSON("info/checks.json", func(ctx context.Context) (any, error) { return d.Checks(ctx), nil }))
	}
	if p.Threads {
		all = append(all, Document{"info/threads.txt", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(Threads())
			return err
		}})
	}
	if p.Metrics && d.opts.Gatherer != nil {
		all = append(all, Document{"info/metrics.txt", func(_ context.Context, w io.Writer) error {
			text, _, err := telemetry.Exposition(d.opts.Gatherer)
			if err == nil {
				_, err = w.Write(text)
			}
			return err
		}})
	}
	for _, part := range []struct {
		wanted bool
		folder string
		docs   []Document
	}{{p.Configuration, "work/etc/", d.opts.Configuration}, {p.Security, "work/security/", d.opts.Security}, {p.Audit, "work/log/audit/", d.opts.Audit}} {
		if !part.wanted {
			continue
		}
		for _, doc := range part.docs {
			all = append(all, Document{part.folder + doc.Name, doc.Write})
		}
	}
	return all
}

// JSON makes a document of a value, whose secrets must encode as something else.
func JSON(name string, make func(context.Context) (any, error)) Document {
	return Document{name, func(ctx context.Context, w io.Writer) error {
		v, err := make(ctx)
		if err != nil {
			return err
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}}
}

// maxArchives is how many archives are kept in the folder; older ones are removed when another is made.
const maxArchives = 5

// archiveFolder is where SaveArchive puts archives, below the data folder.
const archiveFolder = "downloads"

// SaveArchive writes an archive below the data folder and gives its path and size in bytes.
func (d *Diagnostics) SaveArchive(ctx context.Context, p Parts) (path string, size int64, err error) {
	dir := filepath.Join(d.opts.Folder, archiveFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", 0, fmt.Errorf("diagnostics: %w", err)
	}
	path = filepath.Join(dir, d.ArchiveName())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("diagnostics: %w", err)
	}
	err = d.WriteArchive(ctx, f, p)
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(path) // the error that ended it counts
		return "", 0, err
	}
	return path, size, forgetArchives(dir)
}

// archiveNames are the names that ArchiveName gives.
var archiveNames = regexp.MustCompile(`^support-[0-9]{8}-[0-9]{6}-[0-9]+\.zip$`)

// OpenArchive opens an archive that SaveArchive left, by its name. The error says fs.ErrNotExist when there is none.
func (d *Diagnostics) OpenArchive(name string) (*os.File, error) {
	if !archiveNames.MatchString(name) {
		return nil, fmt.Errorf("diagnostics: %q: %w", name, fs.ErrNotExist)
	}
	f, err := os.Open(filepath.Join(d.opts.Folder, archiveFolder, name))
	if err != nil {
		return nil, fmt.Errorf("diagnostics: %w", err)
	}
	return f, nil
}

// forgetArchives removes the oldest archives.
func forgetArchives(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("diagnostics: %w", err)
	}
	type archive struct {
		path string
		at   int64
	}
	var all []archive
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), "support-") {
			continue
		}
		all = append(all, archive{filepath.Join(dir, e.Name()), info.ModTime().UnixNano()})
	}
	slices.SortFunc(all, func(a, b archive) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, old := range all[:max(0, len(all)-maxArchives)] {
		if err := os.Remove(old.path); err != nil {
			return fmt.Errorf("diagnostics: %w", err)
		}
	}
	return nil
}
