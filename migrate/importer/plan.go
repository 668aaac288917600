// Package importer writes a source's inventory into the server. It is the one way in, whatever the source.
//
// Invariants: the plan is made before anything is written and tells everything that stays behind, with the reason; a run can be
// killed at any moment and run again, and ends the same; a second run adds nothing; every body is checked against the source's own
// checksum before it becomes visible; what fails is listed with path and reason and does not stop the rest.
//
//	plan, err := importer.Prepare(ctx, engine, source, importer.Options{})
//	plan.Print(os.Stdout)
//	report, err := plan.Run(ctx, meter)
package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// Options tune an import. The zero value is a good default.
type Options struct {
	Actor     string            // who the made repositories are said to be made by; default "system"
	BlobStore string            // blob store of repositories that are made; default "default"
	Formats   map[string]string // format by repository, over what a source guesses
	Workers   int               // assets copied at once; default 8
}

// Plan is what an import would do.
type Plan struct {
	Origin       string       `json:"origin"`
	Repositories []Repository `json:"repositories"`
	Assets       int64        `json:"assets"` // that are to come over
	Bytes        int64        `json:"bytes"`
	Notes        []string     `json:"notes,omitempty"`

	engine *repository.Engine
	source inventory.Source
	opts   Options
	wanted map[string]bool // repositories whose assets come over
}

// Repository is one line of a plan.
type Repository struct {
	Name   string `json:"name"`
	Format string `json:"format"`
	Kind   string `json:"kind"`
	Assets int64  `json:"assets"`
	Bytes  int64  `json:"bytes"`
	Action Action `json:"action"`
	Why    string `json:"why,omitempty"`

	definition *repository.Definition // when it is to be made
}

// Action is what happens to a repository.
type Action string

// The actions.
const (
	ActionCreate Action = "create" // it is made and filled
	ActionFill   Action = "fill"   // it is there and gets the content
	ActionSkip   Action = "skip"   // it stays behind
)

// Prepare reads the source's inventory and decides what is to be done. It writes nothing.
func Prepare(ctx context.Context, engine *repository.Engine, source inventory.Source, opts Options) (*Plan, error) {
	if opts.Actor == "" {
		opts.Actor = "system"
	}
	if opts.BlobStore == "" {
		opts.BlobStore = "default"
	}
	if opts.Workers <= 0 {
		opts.Workers = 8
	}
	inv, err := source.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	p := &Plan{Origin: inv.Origin, Notes: inv.Notes, engine: engine, source: source, opts: opts, wanted: make(map[string]bool)}
	for _, r := range inv.Repositories {
		line := p.decide(r)
		p.Repositories = append(p.Repositories, line)
		if line.Action != ActionSkip {
			p.wanted[r.Name] = true
			p.Assets += r.Assets
			p.Bytes += r.Bytes
		}
	}
	return p, nil
}

func (p *Plan) decide(r inventory.Repository) Repository {
	d := r.Definition
	if format := p.opts.Formats[d.Name]; format != "" {
		d.Format, d.Settings, r.Skip = format, nil, ""
	}
	line := Repository{Name: d.Name, Format: d.Format, Kind: string(d.Kind), Assets: r.Assets, Bytes: r.Bytes, Action: ActionSkip}
	present, there := p.engine.Lookup(d.Name)
	if there {
		line.Format, line.Kind = present.Format, string(present.Kind)
	}
	switch {
	case there && present.Kind == formats.Proxy:
		line.Why = "is a proxy (group) here: what it holds is derived from its members"
	case there && !p.engine.Served(present.Format), !there && !p.engine.Served(d.Format):
		line.Why = fmt.Sprintf("format %s is not available", line.Format)
	case there && !r.Guessed && present.Format != d.Format:
		line.Why = fmt.Sprintf("is a %s repository here, and %s there", present.Format, d.Format)
	case there:
		line.Action = ActionFill
	case r.Skip != "":
		line.Why = r.Skip
	default:
		line.Action = ActionCreate
		if d.BlobStore == "" {
			d.BlobStore = p.opts.BlobStore
		}
		line.definition = &d
	}
	return line
}

// Print writes the plan as a table for people.
func (p *Plan) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Import from %s\n\n", p.Origin)
	fmt.Fprintln(t, "REPOSITORY\tFORMAT\tKIND\tASSETS\tBYTES\tACTION\t")
	for _, r := range p.Repositories {
		action := string(r.Action)
		if r.Why != "" {
			action += ": " + r.Why
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t\n", r.Name, r.Format, r.Kind, r.Assets, progress.Bytes(r.Bytes), action)
	}
	fmt.Fprintf(t, "total\t\t\t%d\t%s\t\t\n", p.Assets, progress.Bytes(p.Bytes))
	for _, note := range p.Notes {
		fmt.Fprintf(t, "\nNote: %s", note)
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// JSON writes the plan for programs.
func (p *Plan) JSON(w io.Writer) error { return writeJSON(w, p) }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// ParseFormats reads NAME=FORMAT pairs.
func ParseFormats(pairs []string) (map[string]string, error) {
	chosen := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, format, ok := strings.Cut(pair, "=")
		if !ok || name == "" || format == "" {
			return nil, fmt.Errorf("import: %q is not REPOSITORY=FORMAT", pair)
		}
		chosen[name] = format
	}
	return chosen, nil
}
