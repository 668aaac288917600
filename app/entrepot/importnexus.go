package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"entrepot/app/access"
	"entrepot/app/config"
	"entrepot/app/progress"
	"entrepot/migrate/datadir"
	"entrepot/migrate/importer"
	"entrepot/migrate/inventory"
	"entrepot/migrate/verify"
)

type importNexusCmd struct {
	serverImport
	Folder       string            `arg:"" help:"The old server's data directory: the one that holds db, blobs and etc." type:"existingdir"`
	Database     string            `help:"Read this backup zip or SQL script instead of db/nexus.mv.db." type:"existingfile" placeholder:"FILE"`
	SecretsKey   string            `help:"The old server's secrets file, if it is not where its settings say." type:"existingfile" placeholder:"FILE"`
	Phrase       string            `help:"The old server's master phrase file, if it is not where its settings say." type:"existingfile" placeholder:"FILE"`
	Property     map[string]string `help:"A property that the old server was given on its command line." placeholder:"NAME=VALUE" mapsep:"none"`
	MapBlobs     map[string]string `help:"Where folders of blob stores are now." placeholder:"OLD=NEW" mapsep:"none"`
	FallBack     bool              `help:"Take an older version of a damaged database when the newest cannot be read; the plan says what is lost."`
	ForceVersion bool              `help:"Read a database of a release that is not known."`
	Move         bool              `help:"Remove each blob from the old server's folders once it is safe here, for want of space. There is no way back."`
	Adopt        bool              `help:"Copy no blobs now: serve them from the old folders at once, and copy them behind while the server runs."`
	Workers      int               `help:"Assets that are copied at once." default:"32"`
}

// Help gives an example.
func (importNexusCmd) Help() string {
	return `Brings a stopped Nexus 3.71 or newer over from its data directory: blob stores, repositories, rules, users with their passwords,
roles, privileges, tokens, and all content. The directory itself is never changed, except by --move. Secrets are opened with the keys that its settings
name; if some cannot be opened, they are listed and nothing is imported. Every body is checked against the checksums in the database.

Killed at any moment and run again, the import goes on. Run again after the old server ran on, it brings the difference: what changed
there since, deletions included; what was made or changed here stays, and what was deleted here stays deleted while it is the same there. The server must not run on the data folder meanwhile.

With --adopt the records are written and the blobs stay where they are: the server answers from the old folders at once, copies blob
by blob behind, checks each, and says when the old folders are not needed any more. Until then they have to stay, and the old server
must not run. An import without --adopt afterwards copies at once what is left.

Examples:

  entrepot import nexus --data ./data --plan /old/sonatype-work/nexus3
  entrepot import nexus --data ./data /old/sonatype-work/nexus3
  entrepot import nexus --data ./data --verify --report report.md /old/sonatype-work/nexus3
  entrepot import nexus --data ./data --secrets-key /etc/nexus-secret-keys.json --map-blobs /mnt/blobs=/old/blobs /old/sonatype-work/nexus3`
}

// Run imports.
func (c *importNexusCmd) Run(env *environment) (err error) {
	source, err := datadir.Open(env.ctx, c.Folder, &datadir.Options{
		Database: c.Database, SecretsFile: c.SecretsKey, PhraseFile: c.Phrase, Properties: c.Property, Moved: c.MapBlobs, ForceVersion: c.ForceVersion, FallBack: c.FallBack,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return c.bring(env, source, importer.Options{Workers: c.Workers, Move: c.Move, Adopt: c.Adopt})
}

// serverImport is an import of a whole server, with its settings.
type serverImport struct {
	shared
	importFlags
	verifyFlags
	deletionFlag
}

// bring plans, and imports or compares, as the flags say.
func (c *serverImport) bring(env *environment, source inventory.Source, o importer.Options) (err error) {
	if _, err := source.Describe(env.ctx); err != nil { // before a data folder is made
		return err
	}
	if c.Verify {
		return c.verify(env, &c.shared, c.JSON, source)
	}
	a, done, err := c.openTarget(env, &c.importFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	o.Again = c.Again
	plan, err := importer.Prepare(env.ctx, a.importTarget(), source, o)
	if err != nil {
		return err
	}
	if err := c.show(env, plan); err != nil || c.Plan {
		return err
	}
	return c.finish(env, a, plan)
}

// verifyFlags are the flags of comparing.
type verifyFlags struct {
	Verify bool   `help:"Only compare what is here with the old server; the exit status is 1 when there is a difference."`
	Read   bool   `help:"With --verify: read every blob here again."`
	Report string `help:"With --verify: write the report to this file as well, as JSON if it ends so, else as Markdown." placeholder:"FILE"`
}

// verify compares both sides.
func (f *verifyFlags) verify(env *environment, s *shared, asJSON bool, source inventory.Source) (err error) {
	a, done, err := s.open(env, false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	meter := progress.Start(env.stderr, progress.Options{Title: "verify", Terminal: progress.IsTerminal(env.stderr)})
	report, err := verify.Run(env.ctx, a.importTarget(), source, verify.Options{Read: f.Read, Meter: meter})
	meter.Close()
	if err != nil {
		return err
	}
	write := report.Markdown
	if asJSON {
		write = report.JSON
	}
	if err := write(env.stdout); err != nil {
		return err
	}
	if f.Report != "" {
		if err := saveReport(report, f.Report); err != nil {
			return err
		}
	}
	if report.Found > 0 {
		return fmt.Errorf("%d differences; they are listed above", report.Found)
	}
	return nil
}

func saveReport(report *verify.Report, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	write := report.Markdown
	if strings.HasSuffix(name, ".json") {
		write = report.JSON
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// finish runs an import of whole settings. The random password of a new data folder's administrator means nothing any more once the
// old one's came.
func (f *importFlags) finish(env *environment, a *appliance, plan *importer.Plan) error {
	if err := f.run(env, plan); err != nil {
		return err
	}
	if plan.Brings(access.SourceLocal, access.UserAdmin) {
		a.removeFirstPassword()
	}
	return nil
}

// openTarget opens the data folder. A new one gets no repositories but the old server's. A plan for one that does not exist is made
// against an empty one, so that it leaves nothing behind.
func (s *shared) openTarget(env *environment, flags *importFlags) (*appliance, func() error, error) {
	cfg, err := s.load(nil)
	if err != nil {
		return nil, nil, err
	}
	temporary := ""
	if _, err := os.Stat(cfg.Data); flags.Plan && errors.Is(err, os.ErrNotExist) {
		if temporary, err = os.MkdirTemp("", "entrepot-plan-*"); err != nil {
			return nil, nil, fmt.Errorf("plan: %w", err)
		}
	}
	a, done, err := s.open(env, true, func(cfg *config.Config) {
		cfg.SkipDefaultRepositories = true
		if temporary != "" {
			cfg.Data = temporary
		}
	})
	if temporary == "" {
		return a, done, err
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(temporary))
	}
	return a, func() error { return errors.Join(done(), os.RemoveAll(temporary)) }, nil
}

// freeBytes is the room for blobs and records.
func (a *appliance) freeBytes() (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(a.cfg.Data, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", a.cfg.Data, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
