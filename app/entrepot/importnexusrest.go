package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"entrepot/app/repository"
	"entrepot/migrate/importer"
	"entrepot/migrate/rest"
)

// importPasswordVariable holds the password of the old server's administrator.
const importPasswordVariable = "ENTREPOT_IMPORT_PASSWORD"

type importNexusRestCmd struct {
	serverImport
	URL          string  `arg:"" help:"The old server's address, for example https://nexus.example.com." name:"url"`
	User         string  `help:"An administrator of the old server." default:"admin"`
	PasswordFile string  `help:"File whose first line is the password; default: the variable ENTREPOT_IMPORT_PASSWORD." type:"existingfile" placeholder:"FILE"`
	Rate         float64 `help:"Requests in a second at most." default:"50"`
	Bandwidth    int64   `help:"Bytes of bodies in a second at most; 0 means no limit." placeholder:"BYTES"`
	Workers      int     `help:"Assets that are downloaded at once." default:"8"`
}

// Help gives an example.
func (importNexusRestCmd) Help() string {
	return `Brings what an administrator can read from a living server: blob stores as folders here, repositories, routing rules, content
selectors, privileges, roles, users without their passwords, realms, anonymous access, and all content of hosted repositories and
caches as clients download it. Every body is checked against the checksums of the listing. The old server is only read.

Passwords, tokens, upstream credentials, tasks, LDAP, mail and HTTP settings come from its stopped data directory only:
run "import nexus" for those, before or after this; what one brought, the other keeps.

Killed at any moment and run again, the import goes on; run again later, it brings the difference. The server must not run on the
data folder meanwhile.

Examples:

  ENTREPOT_IMPORT_PASSWORD=… entrepot import nexus-rest --data ./data --plan https://nexus.example.com
  entrepot import nexus-rest --data ./data --password-file ./password --rate 20 https://nexus.example.com`
}

// Run imports.
func (c *importNexusRestCmd) Run(env *environment) (err error) {
	password, err := c.password()
	if err != nil {
		return err
	}
	source, err := rest.Open(env.ctx, c.URL, rest.Options{User: c.User, Password: password, Rate: c.Rate, Bandwidth: c.Bandwidth})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return c.bring(env, source, importer.Options{Workers: c.Workers})
}

func (c *importNexusRestCmd) password() (repository.Secret, error) {
	if c.PasswordFile == "" {
		return repository.Secret(os.Getenv(importPasswordVariable)), nil
	}
	text, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return repository.Secret(strings.TrimRight(first, "\r")), nil
}
