package importer

import (
	"context"
	"fmt"
	"io"

	"entrepot/migrate/inventory"
)

// Deleted is something that an earlier import brought and that was deleted here since. It comes again only when it changed in the source.
type Deleted struct {
	Section string `json:"section"` // of a setting, or "assets"
	Name    string `json:"name"`    // of an asset: repository and path
	Again   bool   `json:"again,omitempty"`
}

// deletedHere finds settings that were deleted here, and leaves them alone while they are the same in the source.
func (p *Plan) deletedHere(ctx context.Context, s *setting, e *entry) error {
	if e == nil || e.There == "" { // never written
		return nil
	}
	state, err := p.homeOf(s.section).state(ctx, s.name)
	if err != nil || state != nil {
		return err
	}
	again := !s.same || p.opts.Again
	s.same, s.gone = !again, !again
	p.Deleted = append(p.Deleted, Deleted{s.section, s.name, again})
	return nil
}

// staysDeleted tells whether a setting was deleted here and does not come again.
func (p *Plan) staysDeleted(section, name string) bool {
	for _, d := range p.Deleted {
		if d.Section == section && d.Name == name && !d.Again {
			return true
		}
	}
	return false
}

// assetDeletedHere counts an asset that was deleted here, lists the first of them, and tells whether it stays deleted.
func (p *Plan) assetDeletedHere(ctx context.Context, a *inventory.Asset) (stays bool, err error) {
	if !p.noted[a.Repository] {
		return false, nil
	}
	deleted, changed, err := p.target.Engine.DeletedHere(ctx, a.Repository, a.Restored())
	if err != nil || !deleted {
		return false, err
	}
	again := changed || p.opts.Again
	if again {
		p.ReturningAssets++
	} else {
		p.DeletedAssets++
	}
	if p.DeletedAssets+p.ReturningAssets <= maxAssetsListed {
		p.Deleted = append(p.Deleted, Deleted{sectionAssets, a.Repository + a.Path, again})
	}
	return !again, nil
}

// printDeleted lists what was deleted here.
func (p *Plan) printDeleted(t io.Writer) {
	if len(p.Deleted) == 0 {
		return
	}
	fmt.Fprintln(t, "\nDELETED HERE SINCE\tNAME\tACTION\t\t\t\t")
	for _, d := range p.Deleted {
		action := "stays deleted"
		switch {
		case d.Again && p.opts.Again:
			action = "comes again"
		case d.Again:
			action = "comes again: was changed there since"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t\t\t\t\n", d.Section, d.Name, action)
	}
	fmt.Fprintf(t, "assets in all\t\t%d stay deleted, %d come again\t\t\t\t\n", p.DeletedAssets, p.ReturningAssets)
}
