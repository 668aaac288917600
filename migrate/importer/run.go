package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/migrate/inventory"
	"entrepot/storage/blob"
	"entrepot/storage/kv"
)

// maxListed is how many failures a report lists one by one; the rest are counted.
const maxListed = 10_000

// Report is what an import did.
type Report struct {
	Origin   string   `json:"origin"`
	Created  []string `json:"created,omitempty"` // repositories made
	Changed  []string `json:"changed,omitempty"` // repositories whose settings were replaced
	Settings int64    `json:"settingsWritten"`   // written, repositories not counted
	New      int64    `json:"new"`               // assets that were not there
	Replaced int64    `json:"replaced"`          // assets that were older here
	Updated  int64    `json:"updated"`           // assets that were here, and of which more is known now
	Kept     int64    `json:"kept"`              // assets that were here already
	Skipped  int64    `json:"skipped"`           // assets of repositories that stay behind
	Deleted  int64    `json:"deletedHere"`       // assets that were deleted here since they came, and stay deleted
	Moved    int64    `json:"moved"`             // assets whose bytes were removed from the source
	Adopted  int64    `json:"adopted"`           // new and newer assets whose bytes were left where they lie
	Settled  int64    `json:"settled"`           // blobs that an earlier run had adopted and this one copied
	Failed   int64    `json:"failed"`
	// What was deleted in the source since an earlier import.
	Removed       int64     `json:"removed"`          // settings and repositories that went
	RemovedAssets int64     `json:"removedAssets"`    // of repositories that stay
	Stayed        []Removal `json:"stayed,omitempty"` // what is here and not there, with the reason; of assets the first thousand

	Bytes    int64         `json:"bytes"` // read from the source
	Failures []Failure     `json:"failures,omitempty"`
	Warnings []string      `json:"warnings,omitempty"` // what was wrong with the source itself
	Duration time.Duration `json:"durationNanoseconds"`
}

// Failure is one asset or setting that did not come over.
type Failure struct {
	Setting    string `json:"setting,omitempty"` // section and name
	Repository string `json:"repository,omitempty"`
	Path       string `json:"path,omitempty"`
	Blob       string `json:"blob,omitempty"`
	Reason     string `json:"reason"`
}

// String gives the failure as one line.
func (f Failure) String() string {
	if f.Setting != "" {
		return f.Setting + ": " + f.Reason
	}
	return (&inventory.Problem{Repository: f.Repository, Path: f.Path, Blob: f.Blob, Reason: f.Reason}).Error()
}

// Run does what the plan says. The error is about what ended the run early; what concerns one asset is in the report, which is
// never nil.
func (p *Plan) Run(ctx context.Context, meter *progress.Meter) (*Report, error) {
	begin := time.Now()
	run := &run{plan: p, meter: meter, report: &Report{Origin: p.Origin, Warnings: p.Warnings}}
	meter.Total(p.Assets, p.Bytes)
	err := errors.Join(run.all(ctx), p.Close())
	run.report.Duration = time.Since(begin)
	slices.SortFunc(run.report.Failures, func(a, b Failure) int {
		return strings.Compare(a.Setting+a.Repository+a.Path+a.Blob, b.Setting+b.Repository+b.Path+b.Blob)
	})
	if err != nil {
		return run.report, fmt.Errorf("import: %w", err)
	}
	return run.report, nil
}

type run struct {
	plan   *Plan
	meter  *progress.Meter
	mu     sync.Mutex // guards report
	report *Report
}

// all writes settings first, so that a path is never served to somebody who may not have it.
func (r *run) all(ctx context.Context) error {
	if err := r.plan.checkRoom(); err != nil {
		return err
	}
	if err := r.plan.journal.begin(ctx); err != nil {
		return err
	}
	for _, s := range r.plan.todo {
		if s.same {
			continue
		}
		if ok, err := r.setting(ctx, s); err != nil {
			return err
		} else if ok {
			r.report.Settings++
		}
	}
	if err := r.repositories(ctx); err != nil {
		return err
	}
	if err := r.adopting(ctx); err != nil {
		return err
	}
	if err := r.assets(ctx); err != nil {
		return err
	}
	if err := r.removals(ctx); err != nil {
		return err
	}
	return r.settle(ctx)
}

// setting writes one setting and remembers it. Its error is not nil only when nothing more can be written.
func (r *run) setting(ctx context.Context, s *setting) (bool, error) {
	err := r.plan.write(ctx, s)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case ends(err):
		return false, err
	}
	r.fail(Failure{Setting: s.section + "/" + s.name, Reason: err.Error()})
	return false, nil
}

// write writes a setting, and remembers what it is there and here.
func (p *Plan) write(ctx context.Context, s *setting) error {
	e, err := p.journal.find(ctx, s.section, s.name)
	if err != nil {
		return err
	}
	if e == nil {
		before, err := p.homeOf(s.section).state(ctx, s.name)
		if err != nil {
			return err
		}
		e = &entry{Made: before == nil}
		if err := p.journal.enter(ctx, s.section, s.name, e); err != nil { // a run that is killed now is not to find it here
			return err
		}
	}
	if err := s.write(ctx); err != nil {
		return err
	}
	if e.There, err = p.journal.digest(s); err != nil {
		return err
	}
	if e.Here, err = p.stateDigest(ctx, s.section, s.name); err != nil {
		return err
	}
	return p.journal.enter(ctx, s.section, s.name, e)
}

func (r *run) repositories(ctx context.Context) error {
	for _, line := range r.plan.Repositories {
		if line.setting == nil {
			continue
		}
		ok, err := r.setting(ctx, line.setting)
		switch {
		case err != nil:
			return err
		case !ok:
			delete(r.plan.wanted, line.Name)
		case line.Action == ActionCreate:
			r.report.Created = append(r.report.Created, line.Name)
		default:
			r.report.Changed = append(r.report.Changed, line.Name)
		}
	}
	return nil
}

// moved removes from the source what is safe here, when that was asked for. What is newer here stays there.
func (r *run) moved(ctx context.Context, a *inventory.Asset) {
	mover, ok := r.plan.source.(inventory.Mover)
	if !ok || !r.plan.opts.Move {
		return
	}
	held, err := r.plan.target.Engine.Held(ctx, a.Repository, a.Path)
	if err == nil && held != nil && repository.IsAdopted(held.Blob.Store) {
		if err = r.plan.target.Engine.Settle(ctx, held.Blob, nil); err == nil {
			held, err = r.plan.target.Engine.Held(ctx, a.Repository, a.Path)
		}
	}
	if err == nil && (held == nil || repository.IsAdopted(held.Blob.Store) || !strings.EqualFold(held.Digests.SHA1, a.Digests.SHA1)) {
		return
	}
	if err == nil {
		err = mover.Remove(ctx, a)
	}
	if err != nil {
		r.fail(Failure{Repository: a.Repository, Path: a.Path, Blob: a.Blob, Reason: "came over, but its bytes are still there: " + err.Error()})
		return
	}
	r.count(func(rep *Report) { rep.Moved++ })
}

func reason(err error) string {
	if errors.Is(err, repository.ErrDigest) {
		return "its bytes are damaged: " + err.Error()
	}
	return err.Error()
}

// ends reports whether an error is one that the next asset would meet as well.
func ends(err error) bool {
	for _, cause := range []error{blob.ErrNoSpace, blob.ErrReadOnly, kv.ErrNoSpace, kv.ErrReadOnly} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

func (rep *Report) add(outcome repository.RestoreOutcome, size int64, adopted bool) {
	switch outcome {
	case repository.RestoreNew:
		rep.New++
	case repository.RestoreReplaced:
		rep.Replaced++
	case repository.RestoreUpdated:
		rep.Updated++
		return
	case repository.RestoreKept:
		rep.Kept++
		return
	case repository.RestoreDeleted:
		rep.Deleted++
		return
	}
	if adopted {
		rep.Adopted++
		return
	}
	rep.Bytes += max(size, 0)
}

func (r *run) count(change func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.report)
}

func (r *run) fail(f Failure) {
	r.count(func(rep *Report) {
		rep.Failed++
		if len(rep.Failures) < maxListed {
			rep.Failures = append(rep.Failures, f)
		}
	})
}

// JSON writes the report for programs.
func (rep *Report) JSON(w io.Writer) error { return writeJSON(w, rep) }

// Print writes the report for people.
func (rep *Report) Print(w io.Writer) error {
	for _, warning := range rep.Warnings {
		if _, err := fmt.Fprintf(w, "warning: %s\n", warning); err != nil {
			return err
		}
	}
	for _, f := range rep.Failures {
		if _, err := fmt.Fprintf(w, "not imported: %s\n", f); err != nil {
			return err
		}
	}
	for _, stayed := range rep.Stayed {
		if _, err := fmt.Fprintf(w, "not removed: %s %s: %s\n", stayed.Section, stayed.Name, stayed.Kept); err != nil {
			return err
		}
	}
	if rep.Adopted > 0 {
		if _, err := fmt.Fprintf(w, "adopted %d assets: the server answers them from the old folders and copies them behind\n", rep.Adopted); err != nil {
			return err
		}
	}
	if rep.Settled > 0 {
		if _, err := fmt.Fprintf(w, "copied %d blobs that were adopted before\n", rep.Settled); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "imported %d new and %d newer assets (%s), %d repositories and %d settings in %s; "+
		"%d assets were here already (%d with news), %d stay behind, %d stay deleted, %d failures; removed %d assets and %d settings that were deleted there\n",
		rep.New, rep.Replaced, progress.Bytes(rep.Bytes), len(rep.Created)+len(rep.Changed), rep.Settings, rep.Duration.Round(time.Millisecond),
		rep.Kept+rep.Updated, rep.Updated, rep.Skipped, rep.Deleted, rep.Failed, rep.RemovedAssets, rep.Removed)
	return err
}
