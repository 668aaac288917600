// Command entrepot is an artifact repository server that takes the place of a Sonatype Nexus Repository 3, and the tool that moves an
// old server's content into it. This is the only place that wires the parts together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"entrepot/app/config"
)

// version is set by the build.
var version = "unknown"

// cli is the command line.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Import  importCmd  `cmd:"" help:"Bring an old server's content in."`
	Export  exportCmd  `cmd:"" help:"Write everything out for another server."`
	Apply   applyCmd   `cmd:"" help:"Make a server what a configuration file says."`
	Config  configCmd  `cmd:"" help:"Configuration as a file."`
	Verify  verifyCmd  `cmd:"" help:"Read everything again and check it."`
	Rebuild rebuildCmd `cmd:"" help:"Make the database anew from its log."`
	Admin   adminCmd   `cmd:"" help:"Help for administrators who are locked out."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// shared are the flags of every command that opens the data folder.
type shared struct {
	Data   string `help:"Folder that holds the server's data (default: ./data)." placeholder:"DIR" type:"path"`
	Config string `help:"YAML file with settings." placeholder:"FILE" type:"existingfile"`
}

// load gives the checked settings: file, environment, then flags.
func (s *shared) load(change func(*config.Config)) (config.Config, error) {
	c, err := config.Load(s.Config, os.LookupEnv)
	if err != nil {
		return c, err
	}
	if s.Data != "" {
		c.Data = s.Data
	}
	if change != nil {
		change(&c)
	}
	return c, c.Check()
}

// environment is what commands run in.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr *os.File
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parser, err := kong.New(&cli{}, kong.Name("entrepot"), kong.UsageOnError(),
		kong.Description("An artifact repository server that takes the place of a Nexus Repository 3."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "entrepot:", err)
		os.Exit(2)
	}
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := command.Run(&environment{ctx: ctx, stdout: os.Stdout, stderr: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, "entrepot:", err)
		status := 1
		if own := (*exitError)(nil); errors.As(err, &own) {
			status = own.status
		}
		os.Exit(status)
	}
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(env *environment) error {
	_, err := fmt.Fprintln(env.stdout, "entrepot", version)
	return err
}

// Help gives an example.
func (versionCmd) Help() string { return "Example:\n\n  entrepot version" }
