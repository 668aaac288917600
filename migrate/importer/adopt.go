package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"entrepot/app/progress"
	"entrepot/app/repository"
	"entrepot/migrate/adopt"
	"entrepot/migrate/inventory"
	"entrepot/storage/catalog"
)

// adoption is what an import knows of the blob stores that are served where they lie.
type adoption struct {
	origin  string // tells old servers apart in the names of adopted stores
	name    string // of the old server, for people
	folders map[string][]string
}

// openAdoption reads where the source's blobs lie; nil when they cannot be adopted.
func (p *Plan) openAdoption(inv *inventory.Inventory) *adoption {
	source, ok := p.source.(inventory.Adoptable)
	if !ok || p.target.Adopted == nil {
		return nil
	}
	id := inv.SystemID
	if id == "" {
		id = inv.Origin
	}
	sum := sha256.Sum256([]byte(id))
	return &adoption{origin: hex.EncodeToString(sum[:4]), name: inv.Origin, folders: source.Folders()}
}

// stores gives the adopted stores that this source's blobs may lie in.
func (a *adoption) stores() []adopt.Store {
	var all []adopt.Store
	for _, name := range slices.Sorted(maps.Keys(a.folders)) {
		store := adopt.Store{Name: adopt.StoreName(a.origin, name), Origin: "blob store " + name + " of " + a.name, Folders: a.folders[name]}
		if len(store.Name) <= catalog.MaxStoreName {
			all = append(all, store)
		}
	}
	return all
}

// ref names an asset's blob where it lies. It is false for a blob that has to be copied at once, because too little is known of it.
func (a *adoption) ref(source inventory.Adoptable, of *inventory.Asset) (catalog.BlobRef, bool) {
	place, ok := source.Place(of)
	if !ok || len(a.folders[place.Store]) == 0 || of.ContentType == "" || of.Size < 0 {
		return catalog.BlobRef{}, false
	}
	name := adopt.StoreName(a.origin, place.Store)
	hash, ok := adopt.NameOf(place.ID, place.Created, of.Digests.SHA1)
	return catalog.BlobRef{Store: name, Hash: hash}, ok && len(name) <= catalog.MaxStoreName
}

// adopting makes the stores known before the first record names them. Those of an earlier adoption may lie elsewhere now.
func (r *run) adopting(ctx context.Context) error {
	if r.plan.adoption == nil {
		return nil
	}
	stores := r.plan.target.Adopted.Stores()
	for _, store := range r.plan.adoption.stores() {
		if !r.plan.opts.Adopt && stores.Blobs(store.Name) == nil {
			continue
		}
		usage, err := r.plan.target.Adopted.Usage(ctx, store.Name)
		if err != nil {
			return err
		}
		if !r.plan.opts.Adopt && usage.Blobs == 0 {
			continue
		}
		if err := stores.Put(ctx, store); err != nil {
			return err
		}
	}
	return nil
}

// adopt leaves the bytes of an asset where they lie; false when they have to be copied.
func (r *run) adopt(ctx context.Context, a *inventory.Asset, restored repository.Restored) (outcome repository.RestoreOutcome, adopted bool, err error) {
	if !r.plan.opts.Adopt {
		return 0, false, nil
	}
	ref, ok := r.plan.adoption.ref(r.plan.source.(inventory.Adoptable), a)
	if !ok {
		return 0, false, nil
	}
	outcome, err = r.plan.target.Engine.Adopt(ctx, a.Repository, restored, ref)
	return outcome, true, err
}

// settle ends an earlier adoption from the same source, so that nothing here needs its folders any more.
func (r *run) settle(ctx context.Context) error {
	if r.plan.adoption == nil || r.plan.opts.Adopt {
		return nil
	}
	copier := r.plan.target.Adopted
	for _, store := range r.plan.adoption.stores() {
		usage, err := copier.Usage(ctx, store.Name)
		if err != nil || usage.Blobs == 0 {
			if err != nil {
				return err
			}
			continue
		}
		r.meter.Total(r.plan.Assets+usage.Blobs, r.plan.Bytes+usage.Bytes)
		if err := copier.Pass(ctx, store.Name, r.meter.Add); err != nil {
			return err
		}
		left, err := copier.Usage(ctx, store.Name)
		if err != nil {
			return err
		}
		r.report.Settled += usage.Blobs - left.Blobs
		r.report.Bytes += usage.Bytes - left.Bytes
		for f, err := range copier.Stores().Failures(ctx, store.Name) {
			if err != nil {
				return err
			}
			for _, path := range f.Paths {
				r.fail(Failure{Path: path, Blob: store.Name, Reason: f.Reason})
			}
		}
	}
	return nil
}

// readFresh finds the repositories that hold nothing here yet and never did, and tells whether that is all of them.
func (p *Plan) readFresh(ctx context.Context) (all bool, err error) {
	p.fresh, p.noted, all = make(map[string]bool), make(map[string]bool), true
	for name := range p.wanted {
		usage, err := p.target.Engine.HeldUsage(ctx, name)
		if err != nil {
			return false, err
		}
		if p.noted[name], err = p.target.Engine.HasDeletions(ctx, name); err != nil {
			return false, err
		}
		p.fresh[name] = usage.Assets == 0 && !p.noted[name]
		all = all && p.fresh[name]
	}
	return all, nil
}

// adoptedBytes is what an earlier adoption left to copy.
func (p *Plan) adoptedBytes(ctx context.Context) (int64, error) {
	total := int64(0)
	if p.adoption == nil {
		return 0, nil
	}
	for _, store := range p.adoption.stores() {
		usage, err := p.target.Adopted.Usage(ctx, store.Name)
		if err != nil {
			return 0, err
		}
		total += usage.Bytes
	}
	return total, nil
}

// noteAdoption says what is served from the old folders.
func (p *Plan) noteAdoption(ctx context.Context) error {
	left, err := p.adoptedBytes(ctx)
	if err != nil {
		return err
	}
	p.AdoptedBytes = left
	switch {
	case p.opts.Adopt:
		p.Notes = append(p.Notes, fmt.Sprintf("Adopted: %s are served from the old folders and copied behind while the server runs; until "+
			"it says that they are not needed any more, they have to stay, and the old server must not run.", progress.Bytes(left+p.NewBytes)))
	case left > 0:
		p.Notes = append(p.Notes, fmt.Sprintf("Adopted before: %s are still served from the old folders; they are copied now.", progress.Bytes(left)))
	}
	return nil
}
