package main

import (
	"errors"
	"fmt"

	"entrepot/app/progress"
	"entrepot/migrate/export"
	"entrepot/migrate/importer"
)

type exportCmd struct {
	Nexus exportNexusCmd `cmd:"" help:"Write all content as a Nexus keeps it, with a description of the settings."`
}

type exportNexusCmd struct {
	shared
	Folder string `arg:"" help:"Folder to write to." type:"path"`
}

// Help gives an example.
func (exportNexusCmd) Help() string {
	return `Writes blob stores in the layout of a Nexus, whose task "Reconcile component database from blob store" rebuilds its records from
them once the repositories exist, and the files inventory.json and assets.jsonl, from which "import export" brings everything back but
the tokens. The file inventory.json holds password hashes and secrets in the clear. Killed and run again, an export goes on. The
server must not run on the data folder meanwhile.

Example:

  entrepot export nexus --data ./data /backup/as-nexus`
}

// Run exports.
func (c *exportNexusCmd) Run(env *environment) (err error) {
	a, done, err := c.open(env, false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	meter := progress.Start(env.stderr, progress.Options{Title: "export", Terminal: progress.IsTerminal(env.stderr)})
	report, err := export.Run(env.ctx, a.importTarget(), c.Folder, meter)
	meter.Close()
	if err != nil {
		return err
	}
	for _, note := range report.Notes {
		fmt.Fprintln(env.stdout, "Note:", note)
	}
	_, err = fmt.Fprintf(env.stdout, "exported %d assets (%s); %d were there already\n", report.Assets, progress.Bytes(report.Bytes), report.Present)
	return err
}

type importExportCmd struct {
	shared
	importFlags
	Folder string `arg:"" help:"The folder that was exported to." type:"existingdir"`
}

// Help gives an example.
func (importExportCmd) Help() string {
	return `Brings back what "export nexus" wrote.

Example:

  entrepot import export --data ./data /backup/as-nexus`
}

// Run imports.
func (c *importExportCmd) Run(env *environment) (err error) {
	source, err := export.Open(c.Folder)
	if err != nil {
		return err
	}
	a, done, err := c.openTarget(env, &c.importFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	plan, err := importer.Prepare(env.ctx, a.importTarget(), source, importer.Options{Again: true})
	if err != nil {
		return err
	}
	if err := c.show(env, plan); err != nil || c.Plan {
		return err
	}
	return c.finish(env, a, plan)
}
