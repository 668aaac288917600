package datadir

import "entrepot/migrate/inventory"

// Folders gives the folders of blob stores that lie on this machine.
func (d *Directory) Folders() map[string][]string {
	all := make(map[string][]string)
	for name, s := range d.stores {
		for _, candidate := range append([]blobStore{s}, d.members(s)...) {
			if candidate.kind == typeFile {
				all[name] = append(all[name], candidate.dir)
			}
		}
	}
	return all
}

// Place tells where an asset's bytes lie.
func (d *Directory) Place(a *inventory.Asset) (inventory.Place, bool) {
	ref, err := parseBlobRef(a.Blob)
	if err != nil {
		return inventory.Place{}, false
	}
	_, ok := d.stores[ref.store]
	return inventory.Place{Store: ref.store, ID: ref.id, Created: ref.created}, ok
}
