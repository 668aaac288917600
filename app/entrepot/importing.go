package main

import (
	"errors"
	"fmt"

	"entrepot/app/progress"
	"entrepot/migrate/blobs"
	"entrepot/migrate/importer"
)

type importCmd struct {
	Nexus     importNexusCmd     `cmd:"" help:"Import the data directory of a stopped Nexus, with everything in it."`
	NexusRest importNexusRestCmd `cmd:"" name:"nexus-rest" help:"Import what a living Nexus gives away by its REST API: no passwords, no tokens."`
	Export    importExportCmd    `cmd:"" help:"Import what export nexus wrote."`
	Blobs     importBlobsCmd     `cmd:"" help:"Import a file blob store, without its database."`
}

// Help gives an example.
func (importCmd) Help() string {
	return `Example:

  entrepot import nexus --data ./data --plan /old/sonatype-work/nexus3`
}

type importBlobsCmd struct {
	shared
	importFlags
	deletionFlag
	Folder    string   `arg:"" help:"The old blob store's folder: the one that holds metadata.properties and content." type:"existingdir"`
	BlobStore string   `help:"Blob store for repositories that are made." default:"default"`
	Format    []string `help:"Format of a repository, over what its paths look like." placeholder:"REPOSITORY=FORMAT"`
}

// Help gives an example.
func (importBlobsCmd) Help() string {
	return `Reads the .properties and .bytes files of a stopped server's blob store; the store itself is never changed. Deleted blobs stay
behind. Every body is checked against its SHA-1. Killed at any moment and run again, the import goes on; a second run adds nothing.
The server must not run on the data folder meanwhile.

Examples:

  entrepot import blobs --data ./data --plan /old/sonatype-work/nexus3/blobs/default
  entrepot import blobs --data ./data /old/sonatype-work/nexus3/blobs/default`
}

// errIncomplete makes the exit status tell that something did not come over.
var errIncomplete = errors.New("not everything was imported; what was not is listed above")

// Run imports.
func (c *importBlobsCmd) Run(env *environment) (err error) {
	chosen, err := importer.ParseFormats(c.Format)
	if err != nil {
		return err
	}
	source, err := blobs.Open(c.Folder)
	if err != nil {
		return err
	}
	a, done, err := c.open(env, true, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	plan, err := importer.Prepare(env.ctx, a.importTarget(), source, importer.Options{BlobStore: c.BlobStore, Formats: chosen, Again: c.Again})
	if err != nil {
		return err
	}
	if err := c.show(env, plan); err != nil || c.Plan {
		return err
	}
	return c.run(env, plan)
}

// importTarget gives what an import writes to.
func (a *appliance) importTarget() importer.Target {
	target := importer.NewTarget(a.Domains, a.store, a.sealer)
	target.FreeSpace, target.Adopted = a.freeBytes, a.adopted
	return target
}

// importFlags are the flags of every import.
type importFlags struct {
	Plan bool `help:"Only print what would be done."`
	JSON bool `help:"Print plan and report as JSON." name:"json"`
}

// deletionFlag is the flag of imports that leave deleted what was deleted here.
type deletionFlag struct {
	Again bool `help:"Bring also what an earlier import brought and was deleted here since."`
}

// show prints the plan, and closes it when that is all.
func (f *importFlags) show(env *environment, plan *importer.Plan) error {
	write := plan.Print
	if f.JSON {
		write = plan.JSON
	}
	err := write(env.stdout)
	if f.Plan {
		err = errors.Join(err, plan.Close())
	}
	return err
}

// run does what the plan says and prints what came of it.
func (f *importFlags) run(env *environment, plan *importer.Plan) error {
	meter := progress.Start(env.stderr, progress.Options{Title: "import", Terminal: progress.IsTerminal(env.stderr)})
	report, err := plan.Run(env.ctx, meter)
	meter.Close()
	if f.JSON {
		err = errors.Join(err, report.JSON(env.stdout))
	} else {
		err = errors.Join(err, report.Print(env.stdout))
	}
	if err == nil && report.Failed > 0 {
		return fmt.Errorf("%w (%d)", errIncomplete, report.Failed)
	}
	return err
}
