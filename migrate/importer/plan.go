// Package importer writes a source's inventory into the server. It is the one way in, whatever the source.
//
// Invariants: the plan is made before anything is written and tells everything that stays behind, with the reason; a run can be
// killed at any moment and run again, and ends the same; a second run adds nothing; every body is checked against the source's own
// checksum before it becomes visible; what fails is listed with path and reason and does not stop the rest.
//
//	plan, err := importer.Prepare(ctx, target, source, importer.Options{})
//	plan.Print(os.Stdout)
//	report, err := plan.Run(ctx, meter)
package importer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"entrepot/app/access"
	"entrepot/app/domains"
	"entrepot/app/kept"
	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/adopt"
	"entrepot/migrate/inventory"
	"entrepot/storage/kv"
)

// Target is the server that is imported into. All members but FreeSpace and Adopted are required.
type Target struct {
	Engine  *repository.Engine
	Access  *access.Service
	Records *kept.Store // takes what the server has no place for
	System  System      // takes what is set for the whole server
	Upkeep  Upkeep
	Store   *kv.Store // keeps the journal of what was imported
	Sealer  Sealer
	// FreeSpace tells how many bytes are free on the disk that takes blobs and records; nil when nobody knows.
	FreeSpace func() (int64, error)
	Adopted   *adopt.Copier // serves adopted blobs; nil when the server does not, then nothing can be adopted
}

// NewTarget gives the domains of a server as a target. FreeSpace and Adopted are the caller's to set.
func NewTarget(d *domains.Domains, store *kv.Store, sealer Sealer) Target {
	return Target{
		Engine: d.Engine, Access: d.Access, Records: kept.New(store, sealer), Store: store, Sealer: sealer,
		System: System{Node: d.Node, Trust: d.Trust, Outbound: d.Outbound, Mail: d.Mail, Settings: d.Settings, Scripts: d.Scripts, LDAP: d.LDAP, SAML: d.SAML, OAuth2: d.OAuth2},
		Upkeep: Upkeep{Cleanup: d.Cleanup, Tasks: d.Tasks},
	}
}

// Options tune an import. The zero value is a good default.
type Options struct {
	Actor     string            // who the made repositories are said to be made by; default "system"
	BlobStore string            // blob store of repositories whose own is not known; default "default"
	Formats   map[string]string // format by repository, over what a source guesses
	Move      bool              // remove from the source what came over, if it is an inventory.Mover
	Adopt     bool              // leave the bytes where they lie, if the source is inventory.Adoptable; the server copies them behind
	Again     bool              // bring also what was deleted here since it came
	Workers   int               // assets copied at once; default 32, because most of the time is spent waiting for the disk
}

// Plan is what an import would do.
type Plan struct {
	Origin       string            `json:"origin"`
	Settings     []Section         `json:"settings,omitempty"`
	Repositories []Repository      `json:"repositories"`
	Tables       []inventory.Table `json:"tables,omitempty"`       // of the source's database, without a place of their own here
	Assets       int64             `json:"assets"`                 // that the source has and that come over
	Bytes        int64             `json:"bytes"`                  // of these
	NewAssets    int64             `json:"newAssets"`              // that are not here yet, or older
	NewBytes     int64             `json:"newBytes"`               // of these: what the import needs on disk at most
	AdoptedBytes int64             `json:"adoptedBytes,omitempty"` // that an earlier import left in the old folders
	// Removals are what is here and not there, with what becomes of it; of assets the first thousand.
	Removals      []Removal `json:"removals,omitempty"`
	RemovedAssets int64     `json:"removedAssets"` // that were deleted there, and are to go here
	OwnAssets     int64     `json:"ownAssets"`     // of repositories that are there as well, stored or changed here: they stay
	// Deleted is what was deleted here since an import brought it; of assets the first thousand.
	Deleted         []Deleted `json:"deletedHere,omitempty"`
	DeletedAssets   int64     `json:"deletedAssets"`   // that stay deleted
	ReturningAssets int64     `json:"returningAssets"` // that come again
	Notes           []string  `json:"notes,omitempty"`
	Warnings        []string  `json:"warnings,omitempty"` // what is wrong with the source itself

	target   Target
	source   inventory.Source
	opts     Options
	journal  *journal
	adoption *adoption // nil when the source's blobs cannot be adopted
	todo     []*setting
	fresh    map[string]bool // of them, those that hold nothing here yet, and never did
	noted    map[string]bool // of them, those from which something was deleted that an import brought
	wanted   map[string]bool // repositories whose assets come over

	complete  bool             // what is not in the source was deleted there
	mark      string           // of assets that come from it
	paths     *pathSet         // nil when nothing can have been deleted
	matched   map[string]int64 // paths of the source that are here, by repository
	surplus   []string         // repositories with others
	forgotten []known          // settings that are gone on both sides
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

	setting *setting // when the definition is to be written
}

// Action is what happens to a repository.
type Action string

// The actions.
const (
	ActionCreate Action = "create" // it is made and filled
	ActionChange Action = "change" // it is there, and its settings and content become those of the source
	ActionFill   Action = "fill"   // it is there and gets the content
	ActionSkip   Action = "skip"   // it stays behind
)

// adoptWorkers is how many assets are adopted at once at least.
const adoptWorkers = 128

// Prepare reads the source's inventory, compares it with what is here and decides what is to be done. It writes nothing. The caller
// closes the plan unless it is run.
func Prepare(ctx context.Context, target Target, source inventory.Source, opts Options) (*Plan, error) {
	if opts.Actor == "" {
		opts.Actor = "system"
	}
	if opts.BlobStore == "" {
		opts.BlobStore = repository.DefaultBlobStore
	}
	if opts.Workers <= 0 {
		opts.Workers = 32
	}
	if opts.Adopt { // which only writes records, and those of many together
		opts.Workers = max(opts.Workers, adoptWorkers)
	}
	if _, ok := source.(inventory.Mover); opts.Move && !ok {
		return nil, errors.New("import: nothing can be moved out of this source")
	}
	if _, ok := source.(inventory.Adoptable); opts.Adopt && (!ok || target.Adopted == nil) {
		return nil, errors.New("import: nothing can be adopted from this source")
	}
	if opts.Adopt && opts.Move {
		return nil, errors.New("import: what is adopted stays where it is and cannot be moved as well")
	}
	inv, err := source.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	p := &Plan{Origin: inv.Origin, Tables: inv.Tables, Notes: inv.Notes, Warnings: inv.Warnings, target: target, source: source, opts: opts, wanted: make(map[string]bool)}
	p.mark, p.matched = markOf(cmp.Or(inv.Installation, inv.SystemID, inv.Origin)), make(map[string]int64)
	p.complete = inv.Complete && inv.SystemID != "" && len(inv.Warnings) == 0
	if inv.Complete && len(inv.Warnings) > 0 {
		p.Notes = append(p.Notes, "What is not in the source is not taken for deleted there, because something is wrong with it.")
	}
	p.journal = &journal{store: target.Store, sealer: target.Sealer, origin: inv.SystemID}
	p.adoption = p.openAdoption(inv)
	if err := p.compare(ctx, inv); err != nil {
		return nil, fmt.Errorf("import: %w", errors.Join(err, p.Close()))
	}
	return p, nil
}

// compare finds what is new and what changed.
func (p *Plan) compare(ctx context.Context, inv *inventory.Inventory) error {
	if err := p.journal.open(ctx); err != nil {
		return err
	}
	p.noteRealms(inv)
	p.todo = p.settings(inv)
	for _, s := range p.todo {
		e, err := p.journal.state(ctx, s)
		if err != nil {
			return err
		}
		if err := p.deletedHere(ctx, s, e); err != nil {
			return err
		}
	}
	p.Settings = sections(p.todo)
	for _, b := range inv.BlobStores {
		if b.Note != "" {
			p.Notes = append(p.Notes, fmt.Sprintf("Blob store %s: %s.", b.Name, b.Note))
		}
	}
	named := uniqueNames(inv.Repositories)
	for _, r := range inv.Repositories {
		if other := named[strings.ToLower(r.Name)]; other != r.Name && r.Skip == "" {
			r.Skip = "its name differs from that of " + other + " in letter case only"
		}
		line, err := p.decide(ctx, inv, r)
		if err != nil {
			return err
		}
		if r.Note != "" {
			p.Notes = append(p.Notes, fmt.Sprintf("Repository %s: %s.", r.Name, r.Note))
		}
		p.Repositories = append(p.Repositories, line)
		if p.wanted[r.Name] {
			p.Assets += r.Assets
			p.Bytes += r.Bytes
		}
	}
	if err := p.openPaths(ctx, inv.Assets); err != nil {
		return err
	}
	if err := p.compareAssets(ctx); err != nil {
		return err
	}
	if err := p.planRemovals(ctx, inv); err != nil {
		return err
	}
	return p.noteAdoption(ctx)
}

// uniqueNames chooses of repositories whose names differ in letter case only, which are one name here, that with the most assets.
func uniqueNames(all []inventory.Repository) map[string]string {
	most, names := make(map[string]int64, len(all)), make(map[string]string, len(all))
	for _, r := range all {
		name := strings.ToLower(r.Name)
		if _, taken := names[name]; !taken || r.Assets > most[name] {
			names[name], most[name] = r.Name, r.Assets
		}
	}
	return names
}

// compareAssets counts what is not here yet.
func (p *Plan) compareAssets(ctx context.Context) error {
	if fresh, err := p.readFresh(ctx); err != nil || fresh && p.Assets > 0 { // the source has counted them
		p.NewAssets, p.NewBytes = p.Assets, p.Bytes
		return err
	}
	for a, err := range p.source.Assets(ctx) {
		var problem *inventory.Problem
		if errors.As(err, &problem) { // the run reports it
			if err := p.remember(problem.Repository, problem.Path, false); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if !p.wanted[a.Repository] {
			continue
		}
		held, err := p.target.Engine.Held(ctx, a.Repository, a.Path)
		if err != nil {
			return err
		}
		if err := p.remember(a.Repository, a.Path, held != nil); err != nil {
			return err
		}
		if held == nil {
			stays, err := p.assetDeletedHere(ctx, a)
			if err != nil {
				return err
			}
			if stays {
				continue
			}
		}
		if held == nil || held.BlobCreated.Before(a.BlobCreated.Truncate(time.Millisecond)) {
			p.NewAssets++
			p.NewBytes += max(a.Size, 0)
		}
	}
	return nil
}

// decide says what becomes of a repository, and whether its assets come over.
func (p *Plan) decide(ctx context.Context, inv *inventory.Inventory, r inventory.Repository) (Repository, error) {
	if r.Guessed {
		line := p.decideGuessed(r)
		p.wanted[r.Name] = line.Action != ActionSkip
		return line, nil
	}
	d := r.Definition
	line := Repository{Name: d.Name, Format: d.Format, Kind: string(d.Kind), Assets: r.Assets, Bytes: r.Bytes, Action: ActionSkip, Why: r.Skip}
	if r.Skip != "" {
		return line, nil
	}
	present, there := p.target.Engine.Lookup(d.Name)
	if there && (present.Format != d.Format || present.Kind != d.Kind) {
		line.Why = fmt.Sprintf("is a %s %s here", present.Format, present.Kind)
		return line, nil
	}
	s := p.repositorySetting(d)
	e, err := p.journal.state(ctx, s)
	if err == nil {
		err = p.deletedHere(ctx, s, e)
	}
	switch {
	case err != nil:
		return line, err
	case s.gone:
		line.Why = "was deleted here since"
		return line, nil
	case there && s.same:
		line.Action = ActionFill
	case there:
		line.Action, line.setting = ActionChange, s
	default:
		line.Action, line.setting = ActionCreate, s
	}
	if !p.target.Engine.Served(d.Format) {
		line.Why = fmt.Sprintf("format %s is not served yet: the repository is kept and answers once it is", d.Format)
	}
	if !holdsContent(d) {
		return line, nil
	}
	if err := p.usable(inv, d.BlobStore); err != nil {
		line.Why = err.Error()
		return line, nil
	}
	p.wanted[d.Name] = true
	return line, nil
}

// decideGuessed decides on a repository of which the source knows little more than the name.
func (p *Plan) decideGuessed(r inventory.Repository) Repository {
	d := r.Definition
	if format := p.opts.Formats[d.Name]; format != "" {
		d.Format, d.Settings, r.Skip = format, nil, ""
	}
	line := Repository{Name: d.Name, Format: d.Format, Kind: string(d.Kind), Assets: r.Assets, Bytes: r.Bytes, Action: ActionSkip}
	present, there := p.target.Engine.Lookup(d.Name)
	if there {
		line.Format, line.Kind = present.Format, string(present.Kind)
	}
	switch {
	case there && present.Kind == formats.Proxy:
		line.Why = "is a proxy (group) here: what it holds is derived from its members"
	case there && !p.target.Engine.Served(present.Format), !there && !p.target.Engine.Served(d.Format):
		line.Why = fmt.Sprintf("format %s is not available", line.Format)
	case there:
		line.Action = ActionFill
	case r.Skip != "":
		line.Why = r.Skip
	default:
		line.Action = ActionCreate
		if d.BlobStore == "" {
			d.BlobStore = p.opts.BlobStore
		}
		line.setting = p.repositorySetting(d)
	}
	return line
}

// Brings tells whether a user of the old server comes over with a password.
func (p *Plan) Brings(source, user string) bool {
	return slices.ContainsFunc(p.todo, func(s *setting) bool {
		u, ok := s.content.(access.ImportedUser)
		return ok && u.Source == source && u.ID == user && u.PasswordHash != ""
	})
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
	fmt.Fprintf(t, "total\t\t\t%d\t%s\tof which new or newer: %d, %s\t\n", p.Assets, progress.Bytes(p.Bytes), p.NewAssets, progress.Bytes(p.NewBytes))
	p.printSettings(t)
	p.printTables(t)
	p.printRemovals(t)
	p.printDeleted(t)
	for _, warning := range p.Warnings {
		fmt.Fprintf(t, "\nWarning: %s", warning)
	}
	for _, note := range p.Notes {
		fmt.Fprintf(t, "\nNote: %s", note)
	}
	if len(p.Notes)+len(p.Warnings) > 0 {
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func (p *Plan) printSettings(t io.Writer) {
	if len(p.Settings) == 0 {
		return
	}
	fmt.Fprintln(t, "\nSETTINGS\tTOTAL\tNEW\tCHANGED\t\t\t")
	for _, s := range p.Settings {
		remark := ""
		if s.Kept {
			remark = "kept, not active yet"
			if s.Why != "" {
				remark = "kept: " + s.Why
			}
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\t%s\t\n", s.Name, s.Total, s.New, s.Changed, remark)
	}
}

// printTables tells what becomes of tables that have no place of their own here.
func (p *Plan) printTables(t io.Writer) {
	if len(p.Tables) == 0 {
		return
	}
	fmt.Fprintln(t, "\nOTHER TABLES\tROWS\tACTION\t\t\t\t")
	for _, table := range p.Tables {
		fmt.Fprintf(t, "%s\t%d\t%s: %s\t\t\t\t\n", table.Name, table.Rows, table.Action, table.Why)
	}
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
