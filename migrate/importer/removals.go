package importer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"entrepot/formats"
	"entrepot/migrate/inventory"
	"entrepot/storage/blob"
	"entrepot/storage/kv"
)

// Removal is something that is here and not, or not any more, in the source. It goes only when an earlier import from there made it
// and nobody changed it here since.
type Removal struct {
	Section string `json:"section"`        // of a setting, or "assets"
	Name    string `json:"name"`           // of an asset: repository and path
	Kept    string `json:"kept,omitempty"` // why it stays; "" when it goes
}

// sectionAssets stands in a Removal for an asset.
const sectionAssets = "assets"

// Bounds of what is done at once and listed one by one.
const (
	removalBatch    = 500
	maxAssetsListed = 1000
)

const storedHere = "was stored or changed here"

// markOf gives the mark of the assets that come from an old server: short, as every record has it.
func markOf(systemID string) string {
	sum := sha256.Sum256([]byte(systemID))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// planRemovals finds what went from the source since it was imported.
func (p *Plan) planRemovals(ctx context.Context, inv *inventory.Inventory) error {
	if !p.complete || p.journal.key == nil {
		return nil
	}
	there := make(map[[2]string]bool, len(p.todo)+len(inv.Repositories))
	for _, s := range p.todo {
		there[[2]string{s.section, s.name}] = true
	}
	for _, r := range inv.Repositories {
		there[[2]string{sectionRepositories, r.Name}] = true
	}
	for k, err := range p.journal.all(ctx) {
		if err != nil {
			return err
		}
		if there[[2]string{k.section, k.name}] {
			continue
		}
		why, gone, err := p.keeps(ctx, k)
		if err != nil {
			return err
		}
		if gone {
			p.forgotten = append(p.forgotten, k)
			continue
		}
		p.Removals = append(p.Removals, Removal{Section: k.section, Name: k.name, Kept: why})
	}
	order := func(r Removal) int { return slices.Index(removalOrder, r.Section) } // records first
	slices.SortStableFunc(p.Removals, func(a, b Removal) int { return order(a) - order(b) })
	return p.planAssetRemovals(ctx)
}

// keeps says why a setting stays that the source has no more, "" when it goes; or that it is gone here as well.
func (p *Plan) keeps(ctx context.Context, k known) (why string, gone bool, err error) {
	state, err := p.homeOf(k.section).state(ctx, k.name)
	if err != nil {
		return "", false, err
	}
	if state == nil {
		if !slices.Contains(removalOrder, k.section) {
			return "has a place of its own here", false, nil
		}
		return "", true, nil
	}
	digest, err := p.journal.digestOf(state)
	switch {
	case err != nil:
		return "", false, err
	case !k.entry.Made:
		return "was here before the import", false, nil
	case digest != k.entry.Here:
		return "was changed here since", false, nil
	case k.section == sectionRepositories:
		why, err = p.keepsContent(ctx, k.name)
		return why, false, err
	}
	return "", false, nil
}

// keepsContent says why a repository stays because of what it holds.
func (p *Plan) keepsContent(ctx context.Context, repository string) (string, error) {
	own := 0
	for a, err := range p.target.Engine.HeldAll(ctx, repository) {
		if err != nil {
			return "", err
		}
		if a.Origin != p.mark {
			own++
		}
	}
	if own == 0 {
		return "", nil
	}
	return fmt.Sprintf("holds %d assets that were stored or changed here", own), nil
}

// openPaths makes the set of the source's paths, when there can be something here that it does not have.
func (p *Plan) openPaths(ctx context.Context, count int64) error {
	if !p.complete || p.journal.key == nil {
		return nil
	}
	for name := range p.wanted {
		usage, err := p.target.Engine.HeldUsage(ctx, name)
		if err != nil {
			return err
		}
		if usage.Assets > 0 {
			p.paths, err = newPathSet(count)
			return err
		}
	}
	return nil
}

// remember notes a path of the source, and that this server has it.
func (p *Plan) remember(repository, path string, held bool) error {
	if p.paths == nil {
		return nil
	}
	fresh, err := p.paths.add(repository, path)
	if fresh && held {
		p.matched[repository]++
	}
	return err
}

// planAssetRemovals counts the assets that are here and not there, and lists the first of them.
func (p *Plan) planAssetRemovals(ctx context.Context) error {
	if p.paths == nil {
		return nil
	}
	listed := 0
	for _, name := range slices.Sorted(maps.Keys(p.wanted)) {
		usage, err := p.target.Engine.HeldUsage(ctx, name)
		if err != nil {
			return err
		}
		if !p.wanted[name] || usage.Assets == p.matched[name] {
			continue
		}
		p.surplus = append(p.surplus, name)
		err = p.eachSurplus(ctx, name, func(path string, own bool) error {
			r := Removal{Section: sectionAssets, Name: name + path}
			if own {
				p.OwnAssets++
				r.Kept = storedHere
			} else {
				p.RemovedAssets++
			}
			if listed++; listed <= maxAssetsListed {
				p.Removals = append(p.Removals, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachSurplus visits what a repository has here and not there. own says that it does not come from there, or was stored anew here.
func (p *Plan) eachSurplus(ctx context.Context, repository string, visit func(path string, own bool) error) error {
	for a, err := range p.target.Engine.HeldAll(ctx, repository) {
		if err != nil {
			return err
		}
		there, err := p.paths.has(repository, a.Path)
		if err == nil && !there {
			err = visit(a.Path, a.Origin != p.mark)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close gives free what the plan holds on disk. A plan that was run is closed already.
func (p *Plan) Close() error {
	if p.paths == nil {
		return nil
	}
	err := p.paths.close()
	p.paths = nil
	return err
}

// printRemovals lists what goes and what stays.
func (p *Plan) printRemovals(t io.Writer) {
	if len(p.Removals) == 0 {
		return
	}
	fmt.Fprintln(t, "\nONLY HERE\tNAME\tACTION\t\t\t\t")
	for _, r := range p.Removals {
		action := "remove: was deleted there"
		if r.Kept != "" {
			action = "keep: " + r.Kept
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t\t\t\t\n", r.Section, r.Name, action)
	}
	fmt.Fprintf(t, "assets in all\t\tremove %d, keep %d\t\t\t\t\n", p.RemovedAssets, p.OwnAssets)
}

// removals brings over what was deleted in the source.
func (r *run) removals(ctx context.Context) error {
	p := r.plan
	for _, name := range p.surplus {
		if !p.wanted[name] {
			continue
		}
		if err := r.removeAssets(ctx, name); err != nil {
			return err
		}
	}
	for _, k := range p.forgotten {
		if err := p.journal.forget(ctx, k.section, k.name); err != nil {
			return err
		}
	}
	unchanged, err := p.unchanged(ctx)
	if err != nil {
		return err
	}
	for _, removal := range p.Removals {
		if removal.Kept == "" && removal.Section != sectionAssets {
			if removal.Kept, err = r.remove(ctx, removal); err != nil {
				return err
			}
		}
		if removal.Kept != "" {
			r.report.Stayed = append(r.report.Stayed, removal)
		}
	}
	if r.report.Removed == 0 {
		return nil
	}
	return p.noteAgain(ctx, unchanged)
}

// remove removes a setting. Where that is refused, it gives the reason; the error is not nil only when nothing more can be written.
func (r *run) remove(ctx context.Context, removal Removal) (refused string, err error) {
	p := r.plan
	err = p.homeOf(removal.Section).remove(ctx, removal.Name)
	switch {
	case err == nil:
		r.report.Removed++
		return "", p.journal.forget(ctx, removal.Section, removal.Name)
	case ctx.Err() != nil, errors.Is(err, kv.ErrNoSpace), errors.Is(err, kv.ErrReadOnly):
		return "", err
	}
	var refusal *formats.Error
	if errors.As(err, &refusal) && refusal.Message != "" {
		return refusal.Message, nil
	}
	return err.Error(), nil
}

// removeAssets removes the surplus of one repository that came from the source, some at a time.
func (r *run) removeAssets(ctx context.Context, repository string) error {
	var paths []string
	flush := func() error {
		n, err := r.plan.target.Engine.RemoveRestored(ctx, repository, r.plan.mark, paths)
		r.report.RemovedAssets += n
		paths = paths[:0]
		if err == nil || ctx.Err() != nil || errors.Is(err, blob.ErrNoSpace) || errors.Is(err, kv.ErrNoSpace) || errors.Is(err, kv.ErrReadOnly) {
			return err
		}
		r.fail(Failure{Repository: repository, Reason: "removing what was deleted there: " + err.Error()})
		return nil
	}
	err := r.plan.eachSurplus(ctx, repository, func(path string, own bool) error {
		if own {
			return nil
		}
		if paths = append(paths, path); len(paths) < removalBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// unchanged gives the settings that are here as the import left them.
func (p *Plan) unchanged(ctx context.Context) ([]known, error) {
	var list []known
	for k, err := range p.journal.all(ctx) {
		if err != nil {
			return nil, err
		}
		digest, err := p.stateDigest(ctx, k.section, k.name)
		if err != nil {
			return nil, err
		}
		if digest != "" && digest == k.entry.Here {
			list = append(list, k)
		}
	}
	return list, nil
}

// noteAgain remembers how settings are after others went that they named: that is no change by an administrator.
func (p *Plan) noteAgain(ctx context.Context, unchanged []known) error {
	for _, k := range unchanged {
		digest, err := p.stateDigest(ctx, k.section, k.name)
		if err != nil {
			return err
		}
		if digest == "" || digest == k.entry.Here {
			continue
		}
		k.entry.Here = digest
		if err := p.journal.enter(ctx, k.section, k.name, k.entry); err != nil {
			return err
		}
	}
	return nil
}

// stateDigest tells one state of a setting here from another; "" when it is not here.
func (p *Plan) stateDigest(ctx context.Context, section, name string) (string, error) {
	state, err := p.homeOf(section).state(ctx, name)
	if err != nil || state == nil {
		return "", err
	}
	return p.journal.digestOf(state)
}
