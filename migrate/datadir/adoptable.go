package datadir

import "entrepot/migrate/inventory"

// Folders gives the folders of blob stores that lie on this machine.
func (d *Directory) Folders() map[string][]string {
	all := make(map[string][]string)
	for name := range d.stores {
		for _, leaf := range d.leaves(name) {
			if leaf.kind == typeFile {
				all[name] = append(all[name], leaf.dir)
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
