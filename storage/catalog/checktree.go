package catalog

import (
	"fmt"
	"strings"

	"entrepot/storage/kv"
)

// treeCheck compares the rows of one content tree.
type treeCheck struct {
	*checker
	t *Content

	assets, bytes, members, pointers, components int64
}

// tree checks one content tree; of one that is being removed only what its assets share with others.
func (k *checker) tree(t *Content, live bool) error {
	c := &treeCheck{checker: k, t: t}
	if err := c.assetRows(live); err != nil || !live {
		return err
	}
	if err := c.componentRows(); err != nil {
		return err
	}
	if err := c.memberRows(); err != nil {
		return err
	}
	if err := c.idRows(); err != nil {
		return err
	}
	if err := c.noteRows(); err != nil {
		return err
	}
	usage, err := t.Usage(k.ctx)
	if err != nil {
		return err
	}
	for _, n := range []struct {
		what            string
		stored, counted int64
	}{
		{"assets", usage.Assets, c.assets}, {"components", usage.Components, c.components}, {"bytes", usage.Bytes, c.bytes},
	} {
		if err := k.equal(t.id, n.what, n.stored, n.counted); err != nil {
			return err
		}
	}
	return nil
}

// assetRows checks assets and the browse tree in one pass: the rows of a folder are neighbours, and its counter must be the number
// of assets hanging in it plus the counters of its own folders.
func (c *treeCheck) assetRows(live bool) error {
	dir, within := "", int64(0)
	for e, err := range c.catalog.store.Scan(c.ctx, c.t.parts.assets, kv.Range{}) {
		if err != nil {
			return err
		}
		kind, base := rowOf(&e)
		if kind == rowRoot {
			continue
		}
		if d, _, _ := strings.Cut(e.Sort, "\x00"); d != dir {
			if err := c.folder(dir, within, live); err != nil {
				return err
			}
			dir, within = d, 0
		}
		switch kind {
		case rowAsset:
			var hangs bool
			if hangs, err = c.asset(&e, live); hangs {
				within++
			}
		case rowPointer:
			within++
			c.pointers++
		case rowFolder:
			within += e.Counter
			if live {
				err = c.notEmpty(base)
			}
		default:
			err = c.report(c.t.id, e.Sort, "unknown row")
		}
		if err != nil {
			return err
		}
	}
	return c.folder(dir, within, live)
}

func (c *treeCheck) folder(dir string, within int64, live bool) error {
	if !live {
		return nil
	}
	stored, err := c.catalog.store.Count(c.ctx, kv.Key{Partition: c.t.parts.assets, Sort: folderSort(dir)})
	if err != nil {
		return err
	}
	return c.equal(c.t.id, "folder "+dir+"/", stored, within)
}

// notEmpty reports a folder's counter when the folder has no rows.
func (c *treeCheck) notEmpty(base string) error {
	dir := pathOfSort(base)
	r := kv.Prefix(dir + "\x00")
	r.Limit = 1
	for _, err := range c.catalog.store.Scan(c.ctx, c.t.parts.assets, r) {
		return err
	}
	return c.report(c.t.id, dir, "folder without entries")
}

// asset checks that every row an asset promises is there. It tells whether the asset hangs in the browse tree at its own path.
func (c *treeCheck) asset(e *kv.Entry, live bool) (hangs bool, err error) {
	a, err := assetOfRow(e)
	if err != nil {
		return false, c.report(c.t.id, e.Sort, "%v", err)
	}
	c.assets++
	c.bytes += a.Size
	if sort, _ := leafSort(a.Path); sort != e.Sort {
		return false, c.report(c.t.id, a.Path, "stored under key %q", e.Sort)
	}
	if err := c.shared(a); err != nil || !live {
		return false, err
	}
	id := kv.Key{Partition: c.t.parts.ids, Sort: numberSort(assetLetter, a.ID)}
	if err := c.row(c.t.id, a.Path, id, []byte(a.Path)); err != nil {
		return false, err
	}
	if a.Component != nil {
		c.members++
		component, _ := coordSort(a.Component)
		sort, _ := memberSort(component, a.Path)
		if err := c.row(c.t.id, a.Path, kv.Key{Partition: c.t.parts.members, Sort: sort}, nil); err != nil {
			return false, err
		}
	}
	if a.Browse == "" {
		return true, nil
	}
	c.pointers--
	pointer := kv.Key{Partition: c.t.parts.assets, Sort: pointerSort(a.Browse, a.ID)}
	return false, c.row(c.t.id, a.Path, pointer, append([]byte{pointerFormat}, a.Path...))
}

// shared checks the asset's rows among those of all trees.
func (c *treeCheck) shared(a *Asset) error {
	owner := ownerSuffix(c.t.id, a.ID)
	c.refs[a.Blob.Store]++
	if err := c.blob(a, owner); err != nil {
		return err
	}
	for _, d := range digestSet {
		digest := *d.field(&a.Digests)
		if digest == "" {
			continue
		}
		prefix, err := checksumKey(d.name, digest)
		if err != nil {
			return err
		}
		c.sums++
		if err := c.row(c.t.id, a.Path, kv.Key{Partition: checksumPartition, Sort: prefix + owner}, nil); err != nil {
			return err
		}
	}
	return nil
}

// blob checks that the asset is the first or a further one of its blob.
func (c *treeCheck) blob(a *Asset, owner string) error {
	home, ref := homeKey(a.Blob), refKey(a.Blob, owner)
	e, err := c.catalog.find(c.ctx, home.Partition, home.Sort)
	if err != nil {
		return err
	}
	if e.Version != 0 {
		if _, first, err := blobRow(&e); err != nil || first == owner {
			return c.row(c.t.id, a.Path, home, blobValue(a.Size, owner))
		}
	}
	return c.row(c.t.id, a.Path, ref, blobValue(a.Size, ""))
}

func (c *treeCheck) componentRows() error {
	for e, err := range c.catalog.store.Scan(c.ctx, c.t.parts.components, kv.Range{}) {
		if err != nil {
			return err
		}
		c.components++
		component, err := componentOfRow(&e)
		if err != nil {
			if err := c.report(c.t.id, e.Sort, "%v", err); err != nil {
				return err
			}
			continue
		}
		where := fmt.Sprint(component.Coordinates)
		if sort, _ := coordSort(&component.Coordinates); sort != e.Sort {
			if err := c.report(c.t.id, where, "component stored under key %q", e.Sort); err != nil {
				return err
			}
			continue
		}
		id := kv.Key{Partition: c.t.parts.ids, Sort: numberSort(componentLetter, component.ID)}
		if err := c.row(c.t.id, where, id, []byte(coordString(&component.Coordinates))); err != nil {
			return err
		}
		if err := c.row(c.t.id, where, kv.Key{Partition: c.t.parts.members, Sort: e.Sort}, nil); err != nil {
			return err
		}
	}
	return nil
}

// memberRows checks the number of assets of every component: a counter, followed by one row for each asset.
func (c *treeCheck) memberRows() error {
	component, stored, found, total, counters := "", int64(0), int64(0), int64(0), int64(0)
	for e, err := range c.catalog.store.Scan(c.ctx, c.t.parts.members, kv.Range{}) {
		if err != nil {
			return err
		}
		if e.IsCount {
			if err := c.equal(c.t.id, "assets of component "+component, stored, found); err != nil {
				return err
			}
			component, stored, found = e.Sort, e.Counter, 0
			counters++
			continue
		}
		found++
		total++
		if err := c.member(&e, component); err != nil {
			return err
		}
	}
	if err := c.equal(c.t.id, "assets of component "+component, stored, found); err != nil {
		return err
	}
	if err := c.equal(c.t.id, "components with assets", counters, c.components); err != nil {
		return err
	}
	return c.equal(c.t.id, "assets in components", total, c.members)
}

// member checks that a row of a component's assets leads to an asset that says the same.
func (c *treeCheck) member(e *kv.Entry, component string) error {
	if !strings.HasPrefix(e.Sort, component+"\x00") {
		return c.report(c.t.id, e.Sort, "asset of no component")
	}
	a, err := c.t.load(c.ctx, memberPath(e, len(component)+1))
	if ignoreAbsent(err) != nil {
		return err
	}
	if err == nil && a.Component != nil {
		if sort, _ := coordSort(a.Component); sort == component {
			return nil
		}
	}
	return c.report(c.t.id, e.Sort, "the asset is not in this component")
}

// idRows finds numbers that lead nowhere. Those of assets and components were found already, so only a surplus is left to find.
func (c *treeCheck) idRows() error {
	n, err := c.rows(c.t.parts.ids)
	if err != nil {
		return err
	}
	if err := c.equal(c.t.id, "browse paths", c.pointers, 0); err != nil {
		return err
	}
	return c.equal(c.t.id, "numbers", n, c.assets+c.components)
}
