package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/app/api"
	"entrepot/app/configuration"
	"entrepot/app/progress"
)

// remote names a running server instead of a data folder.
type remote struct {
	Server   string `help:"URL of a running server; without it the data folder is opened, and no server may run on it." placeholder:"URL"`
	Token    string `help:"API token for the server." env:"ENTREPOT_TOKEN" placeholder:"TOKEN"`
	User     string `help:"User of the server, instead of a token." placeholder:"NAME"`
	Password string `help:"The user's password; better given by the variable." env:"ENTREPOT_PASSWORD" placeholder:"TEXT"`
}

type applyCmd struct {
	shared
	remote
	File   string `short:"f" required:"" help:"The configuration, in YAML or JSON; - reads the standard input." placeholder:"FILE"`
	Prune  bool   `help:"Also delete what the sections of the file do not name."`
	Yes    bool   `short:"y" help:"Do not ask."`
	DryRun bool   `help:"Only show the difference; the exit status is 2 when there is one."`
}

// Help gives an example.
func (applyCmd) Help() string {
	return `Shows how the server differs from what the file says, asks, and makes it so. What the file does not have is left alone, unless
--prune is given: then what a section of the file does not name is deleted. Applying a file again changes nothing. A file to begin
with comes from: entrepot config export

The exit status is 0 when the server is what the file says, 1 when nothing was changed for the reason that is shown, 2 when --dry-run
found a difference, and 3 when only some changes could be made: applying the file again makes the rest.

Examples:

  entrepot apply -f entrepot.yaml --server https://repository.example.org --token ent_…
  entrepot apply -f entrepot.yaml --data /var/lib/entrepot --yes`
}

// errDifferent ends a dry run that found something to do.
var errDifferent = &exitError{status: 2, message: "the server differs from the file"}

// partly ends a run that could make some changes only, and not put them back.
const partly = 3

// exitError ends the program with a status of its own.
type exitError struct {
	status  int
	message string
}

func (e *exitError) Error() string { return e.message }

// target is a configuration that a file is applied to.
type target interface {
	plan(ctx context.Context, data []byte, prune bool) (*configuration.Plan, error)
	apply(ctx context.Context, data []byte, prune bool) (*configuration.Plan, error)
	export(ctx context.Context, asJSON bool) ([]byte, error)
}

// Run applies the file.
func (c *applyCmd) Run(env *environment) (err error) {
	data, err := readFile(c.File)
	if err != nil {
		return err
	}
	t, done, err := c.remote.open(env, &c.shared)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	plan, err := t.plan(env.ctx, data, c.Prune)
	if err != nil {
		return err
	}
	if err := plan.Print(env.stdout); err != nil || len(plan.Changes) == 0 {
		return err
	}
	if c.DryRun {
		return errDifferent
	}
	if !c.Yes {
		if c.File == "-" || !progress.IsTerminal(os.Stdin) {
			return errors.New("nobody can be asked here: look at the difference, then give --yes")
		}
		fmt.Fprint(env.stdout, "Make these changes? [y/N] ")
		answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
			return errors.New("nothing was changed")
		}
	}
	made, err := t.apply(env.ctx, data, c.Prune)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "%d changes were made.\n", len(made.Changes))
	return err
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

type configCmd struct {
	Export configExportCmd `cmd:"" help:"Write all that administrators set as one file."`
}

type configExportCmd struct {
	shared
	remote
	Output string `short:"o" help:"File to write; default is the standard output." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"JSON instead of YAML."`
}

// Help gives an example.
func (configExportCmd) Help() string {
	return `The file has everything but secrets and what came with the server; entrepot apply takes it. Secrets that it does not have stay as
they are on the server that it is applied to.

Example:

  entrepot config export --server https://repository.example.org --token ent_… -o entrepot.yaml`
}

// Run exports.
func (c *configExportCmd) Run(env *environment) (err error) {
	t, done, err := c.remote.open(env, &c.shared)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	text, err := t.export(env.ctx, c.JSON)
	if err != nil {
		return err
	}
	if c.Output != "" {
		return os.WriteFile(c.Output, text, 0o600)
	}
	_, err = env.stdout.Write(text)
	return err
}

// open gives the server, or the data folder when none is named.
func (r *remote) open(env *environment, s *shared) (target, func() error, error) {
	if r.Server != "" {
		return &apiTarget{remote: *r, client: &http.Client{Timeout: 5 * time.Minute}}, func() error { return nil }, nil
	}
	a, done, err := s.open(env, false, nil)
	if err != nil {
		return nil, nil, err
	}
	return offlineTarget{configuration.New(a.Domains)}, done, nil
}

// offlineTarget is a data folder.
type offlineTarget struct{ *configuration.Configuration }

func (t offlineTarget) plan(ctx context.Context, data []byte, prune bool) (*configuration.Plan, error) {
	file, err := configuration.Parse(data)
	if err != nil {
		return nil, err
	}
	return t.Plan(ctx, access.System(), file, prune)
}

func (t offlineTarget) apply(ctx context.Context, data []byte, prune bool) (*configuration.Plan, error) {
	plan, err := t.plan(ctx, data, prune)
	if err != nil {
		return nil, err
	}
	err = t.Apply(ctx, access.System(), plan)
	var failed *configuration.ApplyError
	if errors.As(err, &failed) && len(failed.Stays) > 0 {
		err = &exitError{status: partly, message: err.Error()}
	}
	return plan, err
}

func (t offlineTarget) export(ctx context.Context, asJSON bool) ([]byte, error) {
	all, err := t.Export(ctx)
	if err != nil {
		return nil, err
	}
	if !asJSON {
		return all.YAML()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(all)
	return b.Bytes(), err
}

// apiTarget is a running server.
type apiTarget struct {
	remote
	client *http.Client
	tag    string // of the configuration as the plan saw it
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// call asks the server; problems become errors that say what is wrong.
func (t *apiTarget) call(ctx context.Context, r *http.Request) ([]byte, error) {
	switch {
	case t.Token != "":
		r.Header.Set("Authorization", "Bearer "+t.Token)
	case t.User != "":
		r.SetBasicAuth(t.User, t.Password)
	}
	resp, err := t.client.Do(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", r.URL.Redacted(), err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp, body)
	}
	t.tag = resp.Header.Get("ETag")
	return body, nil
}

func refusal(resp *http.Response, body []byte) error {
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Detail == "" {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	text := p.Detail
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimPrefix(e.Pointer, "#/") + ": " + e.Detail
	}
	err := fmt.Errorf("the server answers %s: %s", resp.Status, text)
	if len(p.Applied) > 0 {
		return &exitError{status: partly, message: err.Error()}
	}
	return err
}

func (t *apiTarget) send(ctx context.Context, method, path string, data []byte, prune bool) (*configuration.Plan, error) {
	url := strings.TrimRight(t.Server, "/") + "/api/v1/" + path
	if prune {
		url += "?prune=true"
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/yaml")
	if t.tag != "" {
		r.Header.Set("If-Match", t.tag)
	}
	body, err := t.call(ctx, r)
	if err != nil {
		return nil, err
	}
	plan := &configuration.Plan{}
	return plan, json.Unmarshal(body, plan)
}

func (t *apiTarget) plan(ctx context.Context, data []byte, prune bool) (*configuration.Plan, error) {
	return t.send(ctx, http.MethodPost, "configuration/plan", data, prune)
}

func (t *apiTarget) apply(ctx context.Context, data []byte, prune bool) (*configuration.Plan, error) {
	return t.send(ctx, http.MethodPut, "configuration", data, prune)
}

func (t *apiTarget) export(ctx context.Context, asJSON bool) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, strings.TrimRight(t.Server, "/")+"/api/v1/configuration", nil)
	if err != nil {
		return nil, err
	}
	if !asJSON {
		r.Header.Set("Accept", "application/yaml")
	}
	body, err := t.call(ctx, r)
	if err != nil || !asJSON {
		return body, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, body, "", "  ")
	return b.Bytes(), err
}
