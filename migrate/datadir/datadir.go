// Package datadir reads the data directory of a stopped Nexus 3.71 or newer: its H2 database with all settings, accounts and content
// records, and the file blob stores beside it. Together they are everything there is to bring over.
//
// Invariants: nothing in the directory is ever opened for writing, and nothing is made in it; only Remove, which an operator has to
// ask for, takes anything away; a directory that a server is using,
// or whose database this package does not know, is refused; a secret that cannot be opened makes Describe fail, naming all such
// secrets, so that nobody finds out afterwards; memory grows with the number of repositories and accounts, not with that of assets.
//
//	dir, err := datadir.Open("/old/sonatype-work/nexus3", &datadir.Options{SecretsFile: "/etc/nexus-secret-keys.json"})
//	if err != nil { … }
//	defer dir.Close()
//	plan, err := importer.Prepare(ctx, target, dir, importer.Options{})
package datadir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"entrepot/app/repository"
	"entrepot/migrate/h2"
	"entrepot/migrate/inventory"
	"entrepot/migrate/properties"
	"entrepot/migrate/secrets"
)

// Refusals of Open.
var (
	// ErrRunning reports that a server is using the directory.
	ErrRunning = errors.New("datadir: a running server uses it")
	// ErrEra reports a directory whose records are not in H2: of a release before 3.71, or kept in PostgreSQL.
	ErrEra = errors.New("datadir: no H2 database")
	// ErrVersion reports a database of a release that is not known to be read rightly.
	ErrVersion = errors.New("datadir: unknown version")
)

// Options tune how a directory is read. The zero value is right for a server with default keys and relative blob stores.
type Options struct {
	// SecretsFile and PhraseFile stand for the key files that etc/nexus.properties names; "" takes those.
	SecretsFile, PhraseFile string
	// Properties are set over those of etc/nexus.properties, for what the old server was given on its command line.
	Properties map[string]string
	// Database is read instead of db/nexus.mv.db: a zip made by the database backup task, or the text of H2's SCRIPT command.
	Database string
	// ForceVersion reads a database of an unknown release.
	ForceVersion bool
	// FallBack takes an older version of the database when the newest cannot be read. The inventory's warnings tell what was given up.
	FallBack bool
	// Moved says where folders of blob stores with absolute paths are now: the new prefix by the old one.
	Moved map[string]string
	// TempDir is where an index of the content records is kept while the directory is open. "" means the system's folder.
	TempDir string
}

// Directory is an opened data directory. It is a source of inventory.
type Directory struct {
	dir   string // absolute
	opts  Options
	db    *h2.Database
	vault *secrets.Vault

	inventory *inventory.Inventory // nil until it was described

	survey  *secrets.Survey
	sealed  map[place]repository.Secret // what the survey opened; columns with the path of a member in them
	taken   map[place]bool              // rows of closed parts that were understood
	stores  map[string]blobStore        // by name
	repos   map[string]string           // names of repositories whose assets are delivered, by id
	content []*contentTables            // one for each format
}

var (
	_ inventory.Source    = (*Directory)(nil)
	_ inventory.Mover     = (*Directory)(nil)
	_ inventory.Adoptable = (*Directory)(nil)
)

// Open checks that nothing uses the directory and that its database is of a known release. The caller closes what it returns.
func Open(ctx context.Context, dir string, opts *Options) (_ *Directory, err error) {
	d := &Directory{}
	if opts != nil {
		d.opts = *opts
	}
	if d.dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("datadir: %w", err)
	}
	if err := checkLock(filepath.Join(d.dir, "lock")); err != nil {
		return nil, err
	}
	if err := d.openDatabase(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := d.checkVersion(ctx); err != nil {
		return nil, err
	}
	keys, err := secrets.ReadKeys(d.dir, &secrets.Options{
		Properties: d.opts.Properties, SecretsFile: d.opts.SecretsFile, PhraseFile: d.opts.PhraseFile,
	})
	if err != nil {
		return nil, fmt.Errorf("datadir: %w", err)
	}
	if d.vault, err = secrets.Open(ctx, d.db, keys); err != nil {
		return nil, fmt.Errorf("datadir: %w", err)
	}
	return d, nil
}

// Close releases the database and the index made while reading.
func (d *Directory) Close() error { return errors.Join(d.closeContent(), d.db.Close()) }

func (d *Directory) closeContent() error {
	var errs []error
	for _, c := range d.content {
		errs = append(errs, c.close())
	}
	d.content = nil
	return errors.Join(errs...)
}

func (d *Directory) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

func (d *Directory) openDatabase() error {
	name := d.opts.Database
	if name == "" {
		name = d.path("db", "nexus.mv.db")
		if err := d.checkEra(name); err != nil {
			return err
		}
	}
	db, err := h2.Open(name, &h2.Options{TempDir: d.opts.TempDir, FallBack: d.opts.FallBack})
	switch {
	case errors.Is(err, h2.ErrLocked):
		return fmt.Errorf("%w: %w; stop it first", ErrRunning, err)
	case errors.Is(err, h2.ErrFormat):
		return fmt.Errorf("%w: %s: %w", ErrVersion, name, err)
	case err != nil:
		return fmt.Errorf("datadir: %s: %w", name, err)
	}
	d.db = db
	return nil
}

// checkEra tells the directories that hold no H2 database apart.
func (d *Directory) checkEra(database string) error {
	url, err := d.databaseURL()
	if err != nil {
		return err
	}
	if strings.HasPrefix(url, "jdbc:postgresql:") {
		return fmt.Errorf("%w: %s keeps its records in PostgreSQL (%s), which this command cannot read", ErrEra, d.dir, url)
	}
	if _, err := os.Stat(database); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, name := range []string{"config", "component", "security"} {
		if _, err := os.Stat(d.path("db", name, "database.ocf")); err == nil {
			return fmt.Errorf("%w: %s is of a release before 3.71, with OrientDB. Update it to 3.70 and run the vendor's database migrator "+
				"(nexus-db-migrator with --migration_type=h2), then import the result", ErrEra, d.dir)
		}
	}
	return fmt.Errorf("%w: %s has no db/nexus.mv.db; name the folder that holds db, blobs and etc", ErrEra, d.dir)
}

// databaseURL gives the connection of the old server, "" for the one it has by default.
func (d *Directory) databaseURL() (string, error) {
	for file, key := range map[string]string{"nexus.properties": "nexus.datastore.nexus.jdbcUrl", "fabric/nexus-store.properties": "jdbcUrl"} {
		f, err := os.Open(d.path("etc", file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("datadir: %w", err)
		}
		props, err := properties.Read(f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("datadir: etc/%s: %w", file, err)
		}
		if url := strings.ReplaceAll(props[key], `\:`, ":"); url != "" {
			return url, nil
		}
	}
	return "", nil
}

// The oldest and newest migration of the database's schema whose tables are known: those of 3.71 and 3.77.
var (
	oldestSchema = [2]int{2, 0}
	newestSchema = [2]int{2, 12}
)

// checkVersion looks at the history of schema migrations, the only trace of the release in the database.
func (d *Directory) checkVersion(ctx context.Context) error {
	var newest [2]int
	for r, err := range d.rows(ctx, "flyway_schema_history") {
		if err != nil {
			return err
		}
		if version, ok := parseSchema(r.text("version")); ok && before(newest, version) {
			newest = version
		}
		if r.err != nil {
			return r.err
		}
	}
	text := fmt.Sprintf("%d.%d", newest[0], newest[1])
	switch {
	case d.opts.ForceVersion:
		return nil
	case newest == [2]int{}:
		return fmt.Errorf("%w: the database has no history of its schema", ErrVersion)
	case before(newest, oldestSchema):
		return fmt.Errorf("%w: the database has schema %s, of a release before 3.71; update the old server first, or insist with --force-version", ErrVersion, text)
	case before(newestSchema, newest):
		return fmt.Errorf("%w: the database has schema %s, newer than the newest that is known (%d.%d); insist with --force-version, and look at the plan",
			ErrVersion, text, newestSchema[0], newestSchema[1])
	}
	return nil
}

func before(a, b [2]int) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }

func parseSchema(text string) ([2]int, bool) {
	major, minor, _ := strings.Cut(text, ".")
	a, err := strconv.Atoi(major)
	if err != nil {
		return [2]int{}, false
	}
	b, err := strconv.Atoi(minor)
	return [2]int{a, b}, err == nil || minor == ""
}
