package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"entrepot/app/access"
	"entrepot/app/config"
	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/storage/archive"
	"entrepot/storage/kv/leveldb"
)

type verifyCmd struct {
	shared
}

// Help gives an example.
func (verifyCmd) Help() string {
	return `Reads the log and the database, checks the records against each other, and reads and hashes every blob again. Prints each
difference; the exit status is 1 when there is one. The server must not run on the data folder meanwhile.

Example:

  entrepot verify --data /var/lib/entrepot`
}

// Run verifies.
func (c *verifyCmd) Run(env *environment) (err error) {
	a, done, err := c.open(env, false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	records, err := a.records.Verify(env.ctx)
	if err != nil {
		return err
	}
	v := archive.Verification{Catalog: a.Catalog, Problem: func(p archive.Problem) { fmt.Fprintln(env.stdout, p) }}
	for _, d := range a.Engine.BlobStores() {
		if d.Type == repository.BlobStoreGroup { // its members hold the blobs
			continue
		}
		blobs, err := a.Engine.Blobs(d.Ref())
		if err != nil {
			return err
		}
		v.Stores = append(v.Stores, blobs)
	}
	for _, store := range a.adopted.Stores().List() {
		if store.Finished.IsZero() {
			v.Stores = append(v.Stores, a.adopted.Stores().Blobs(store.Name))
		}
	}
	meter := progress.Start(env.stderr, progress.Options{Title: "verify", Terminal: progress.IsTerminal(env.stderr)})
	v.Found, v.Read = meter.Total, meter.Add
	result, err := archive.Verify(env.ctx, v)
	meter.Close()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "verified %d records and %d blobs (%s): %d differences\n",
		records.Rows, result.Blobs, progress.Bytes(result.Bytes), result.Problems)
	if result.Problems > 0 {
		return fmt.Errorf("%d differences; they are listed above", result.Problems)
	}
	return nil
}

// open opens the data folder for a command that is not the server. Unless make is set, the folder has to be there.
// change, if not nil, changes the settings before.
func (s *shared) open(env *environment, make bool, change func(*config.Config)) (*appliance, func() error, error) {
	cfg, err := s.load(change)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(cfg.Data); err != nil && !make {
		return nil, nil, fmt.Errorf("data folder: %w (name it with --data)", err)
	}
	logs, err := newLogs(cfg, env.stderr)
	if err != nil {
		return nil, nil, err
	}
	a, err := openAppliance(env.ctx, cfg, logs.Logger)
	if err == nil {
		if err = a.Catalog.Complete(env.ctx, nil); err != nil {
			err = errors.Join(err, a.close())
		}
	}
	if err != nil {
		logs.Close()
		return nil, nil, err
	}
	return a, func() error { defer logs.Close(); return a.close() }, nil
}

type rebuildCmd struct {
	shared
	Salvage bool `help:"Where the log is damaged, keep the records as they were before the damage instead of failing."`
}

// Help gives an example.
func (rebuildCmd) Help() string {
	return `Makes the database anew from the last checkpoint and the log, beside the old one, and then takes its place. Blobs are not touched.
The server must not run on the data folder meanwhile.

A log that is damaged or has a gap is an error, because changes would be lost: restore the file that is named from a backup. Without
a backup, --salvage keeps the records as they were before the damage, moves the log aside and says how far the records go.

Example:

  entrepot rebuild --data /var/lib/entrepot`
}

// Run rebuilds.
func (c *rebuildCmd) Run(env *environment) error {
	cfg, err := c.load(nil)
	if err != nil {
		return err
	}
	logs, err := newLogs(cfg, env.stderr)
	if err != nil {
		return err
	}
	defer logs.Close()
	records := (&appliance{cfg: cfg}).path(recordsDir)
	if c.Salvage {
		return c.salvage(env, records, logs.Logger)
	}
	if err := leveldb.Rebuild(records, &leveldb.Options{Logger: logs.Logger}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.stdout, "the database was made anew")
	return err
}

func (c *rebuildCmd) salvage(env *environment, records string, log *slog.Logger) error {
	saved, err := leveldb.Salvage(env.ctx, records, &leveldb.Options{Logger: log})
	if err != nil {
		return err
	}
	if saved.Damage == nil {
		_, err = fmt.Fprintln(env.stdout, "the database was made anew; nothing was damaged")
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "the database was made anew up to change %d; later changes are lost: %v\nthe damaged log is in %s\n",
		saved.Sequence, saved.Damage, saved.Aside)
	return err
}

type adminCmd struct {
	ResetPassword resetPasswordCmd `cmd:"" help:"Give a local user a new password."`
}

// Help gives an example.
func (adminCmd) Help() string {
	return `Example:

  entrepot admin reset-password --data /var/lib/entrepot`
}

type resetPasswordCmd struct {
	shared
	User     string `help:"Whose password." default:"admin"`
	Password string `help:"The new password; without it a random one is made and printed." env:"ENTREPOT_NEW_PASSWORD"`
}

// Help gives an example.
func (resetPasswordCmd) Help() string {
	return `Where the realm of local users is not active, it is activated too.

The server must not run on the data folder meanwhile. Give the password by the variable ENTREPOT_NEW_PASSWORD rather than by the
flag, which others on the machine can read.

Example:

  entrepot admin reset-password --data /var/lib/entrepot`
}

// activateLocalRealm makes passwords count again where somebody switched that off.
func activateLocalRealm(env *environment, a *appliance) error {
	active, err := a.Access.ActiveRealms(env.ctx)
	if err != nil || slices.Contains(active, access.RealmLocal) {
		return err
	}
	if err := a.Access.SetActiveRealms(env.ctx, access.System(), append(active, access.RealmLocal)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "the realm %s is active again\n", access.RealmLocal)
	return err
}

// Run sets the password.
func (c *resetPasswordCmd) Run(env *environment) (err error) {
	a, done, err := c.open(env, false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	password := c.Password
	if password == "" {
		password = rand.Text()
	}
	if err := a.Access.ChangePassword(env.ctx, access.System(), access.PasswordChange{UserID: c.User, Password: password}); err != nil {
		return err
	}
	if err := activateLocalRealm(env, a); err != nil {
		return err
	}
	if c.Password == "" {
		_, err = fmt.Fprintln(env.stdout, password)
	}
	return err
}
