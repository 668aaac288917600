package catalog

import (
	"hash/maphash"
	"maps"
	"time"

	"entrepot/storage/kv"
)

// treeOps counts the asset in every folder above its browse path. A folder's counter is written even when its number stays, because
// the version of its row is the folder's generation.
func (w *write) treeOps() {
	if w.old != nil {
		w.folderOps(w.old, -1)
	}
	if w.new != nil {
		w.folderOps(w.new, 1)
	}
	oldBrowse, newBrowse := "", ""
	if w.old != nil {
		oldBrowse = w.old.Browse
	}
	if w.new != nil {
		newBrowse = w.new.Browse
	}
	if oldBrowse == newBrowse {
		return
	}
	if oldBrowse != "" {
		w.add(kv.Delete(w.pointerKey(oldBrowse)))
	}
	if newBrowse != "" {
		w.add(kv.Put(w.pointerKey(newBrowse), append([]byte{pointerFormat}, w.new.Path...)))
	}
}

func (w *write) folderOps(a *Asset, delta int64) {
	eachFolder(a.browsePath(), func(sort string) {
		w.add(kv.Add(kv.Key{Partition: w.t.parts.assets, Sort: sort}, delta))
	})
}

func (w *write) pointerKey(browse string) kv.Key {
	return kv.Key{Partition: w.t.parts.assets, Sort: pointerSort(browse, w.present().ID)}
}

// checksumOps enters the asset under each of its digests.
func (w *write) checksumOps() error {
	owner := ownerSuffix(w.t.id, w.present().ID)
	for _, d := range digestSet {
		was, is := "", ""
		if w.old != nil {
			was = *d.field(&w.old.Digests)
		}
		if w.new != nil {
			is = *d.field(&w.new.Digests)
		}
		if was == is {
			continue
		}
		for _, row := range []struct {
			digest string
			make   func(kv.Key) kv.Op
		}{
			{was, kv.Delete},
			{is, func(k kv.Key) kv.Op { return kv.Put(k, nil) }},
		} {
			if row.digest == "" {
				continue
			}
			prefix, err := checksumKey(d.name, row.digest)
			if err != nil {
				return err
			}
			w.add(row.make(kv.Key{Partition: checksumPartition, Sort: prefix + owner}))
		}
	}
	return nil
}

// blobOps moves the asset's reference from one blob to another.
func (w *write) blobOps() error {
	if w.old != nil && w.new != nil && w.old.Blob == w.new.Blob {
		return nil
	}
	owner := ownerSuffix(w.t.id, w.present().ID)
	if w.new != nil {
		if err := w.acquireBlob(w.new, owner); err != nil {
			return err
		}
	}
	if w.old != nil {
		return w.releaseBlob(w.old, owner)
	}
	return nil
}

// acquireBlob makes the asset the first or a further one of its blob.
func (w *write) acquireBlob(a *Asset, owner string) error {
	home := homeKey(a.Blob)
	var e kv.Entry
	if !w.fresh {
		var err error
		if e, err = w.t.catalog.find(w.ctx, home.Partition, home.Sort); err != nil {
			return err
		}
	}
	if e.Version == 0 {
		w.add(kv.PutNew(home, blobValue(a.Size, owner)))
		w.storeOps(a, 1)
		return nil
	}
	w.add(kv.Op{Kind: kv.OpCheck, Key: home, If: kv.IfExists})
	w.add(kv.Put(refKey(a.Blob, owner), blobValue(a.Size, "")))
	w.add(kv.Add(extraKey(a.Blob), 1))
	return nil
}

// releaseBlob takes the asset from its blob. When it is the first one, another moves up.
func (w *write) releaseBlob(a *Asset, owner string) error {
	home := homeKey(a.Blob)
	e, err := w.t.catalog.find(w.ctx, home.Partition, home.Sort)
	if err != nil {
		return err
	}
	if e.Version == 0 { // gone meanwhile, with the asset: the batch's conditions find out
		w.add(kv.Op{Kind: kv.OpCheck, Key: home, If: kv.IfExists})
		return nil
	}
	size, first, err := blobRow(&e)
	if err != nil {
		return err
	}
	if first != owner {
		w.add(kv.Op{Kind: kv.OpDelete, Key: refKey(a.Blob, owner), If: kv.IfExists})
		w.add(kv.Add(extraKey(a.Blob), -1))
		return nil
	}
	heir, err := w.heir(a.Blob)
	if err != nil {
		return err
	}
	if heir.Version == 0 {
		w.add(kv.DeleteIf(home, e.Version))
		w.add(kv.CheckAbsent(extraKey(a.Blob)))
		w.storeOps(a, -1)
		return nil
	}
	w.add(kv.PutIf(home, blobValue(size, heir.Sort[hashSize:]), e.Version))
	w.add(kv.DeleteIf(kv.Key{Partition: home.Partition, Sort: heir.Sort}, heir.Version))
	w.add(kv.Add(extraKey(a.Blob), -1))
	return nil
}

// heir finds a further asset of a blob; Version 0 means that there is none.
func (w *write) heir(ref BlobRef) (kv.Entry, error) {
	r := kv.Prefix(string(ref.Hash[:]))
	r.From = extraKey(ref).Sort + "\x00" // behind the first asset and the counter
	r.Limit = 1
	for e, err := range w.t.catalog.store.Scan(w.ctx, blobPartition(ref.Store), r) {
		return e, err
	}
	return kv.Entry{}, nil
}

func (w *write) storeOps(a *Asset, sign int64) {
	w.add(kv.Add(storeBlobsKey(a.Blob.Store), sign))
	w.add(kv.Add(storeBytesKey(a.Blob.Store), sign*a.Size))
}

func (w *write) usageOp() {
	delta := int64(0)
	if w.old != nil {
		delta -= w.old.Size
	}
	if w.new != nil {
		delta += w.new.Size
	}
	if delta != 0 {
		w.add(kv.Add(w.t.usageKey(usageBytes), delta))
	}
}

func (w *write) feedOp() {
	change := Change{
		Kind: ChangePut, Path: w.path(), Asset: w.present().ID, Created: w.old == nil, Component: w.component, Actor: w.actor(),
	}
	if w.new == nil {
		change.Kind = ChangeDelete
	}
	w.add(kv.PutNew(kv.Key{Partition: w.t.parts.feed, Sort: feedSort(w.sequence)}, change.encode()))
}

// actor names who makes the change.
func (w *write) actor() string {
	switch {
	case w.new != nil && w.new.Uploader != "" && w.new.UploaderIP != "":
		return w.new.Uploader + "/" + w.new.UploaderIP
	case w.new != nil && w.new.Uploader != "":
		return w.new.Uploader
	case w.t.catalog.opts.Actor != nil:
		return w.t.catalog.opts.Actor(w.ctx)
	}
	return ""
}

// componentOps moves the asset from one component to another, or brings the attributes of its component up to date.
func (w *write) componentOps() error {
	var was, is *Coordinates
	if w.old != nil {
		was = w.old.Component
	}
	if w.new != nil {
		is = w.new.Component
	}
	same := sameComponent(was, is)
	if is != nil {
		if err := w.joinComponent(is, !same); err != nil {
			return err
		}
	}
	if was != nil && !same {
		return w.leaveComponent(was)
	}
	return nil
}

// joinComponent makes the component when it is not there, and merges attributes into it when it is.
func (w *write) joinComponent(at *Coordinates, join bool) error {
	sort, _ := coordSort(at)
	key := kv.Key{Partition: w.t.parts.components, Sort: sort}
	count := kv.Op{Kind: kv.OpAdd, Key: kv.Key{Partition: w.t.parts.members, Sort: sort}, Delta: 1, If: kv.IfExists}
	if w.fresh && w.recent(sort) {
		w.add(count)
		w.memberOp(sort, w.new.Path, true)
		return nil
	}
	e, err := w.t.catalog.find(w.ctx, key.Partition, key.Sort)
	if err == nil && e.Version == 0 {
		// The files of a new component arrive together: one makes it, the others wait and join, instead of all but one failing.
		w.lockComponent(sort)
		e, err = w.t.catalog.find(w.ctx, key.Partition, key.Sort)
	}
	if err != nil {
		return err
	}
	if e.Version == 0 {
		count.If = kv.IfAbsent
		err = w.makeComponent(at, key)
	} else {
		w.unlockComponent()
		err = w.mergeComponent(&e, key)
	}
	if err != nil {
		return err
	}
	if join {
		w.add(count)
		w.memberOp(sort, w.new.Path, true)
	}
	return nil
}

// lockComponent makes other writers wait that would make the same component, until this attempt has ended.
func (w *write) lockComponent(sort string) {
	c := w.t.catalog
	w.creating = &c.creating[maphash.String(c.seed, sort)%uint64(len(c.creating))]
	w.creating.Lock()
}

func (w *write) unlockComponent() {
	if w.creating != nil {
		w.creating.Unlock()
		w.creating = nil
	}
}

func (w *write) makeComponent(at *Coordinates, key kv.Key) error {
	c := &Component{
		Coordinates: *at, Kind: w.opts.ComponentKind,
		Created: storedTime(orDefault(w.opts.ComponentCreated, w.now)), Updated: storedTime(orDefault(w.opts.ComponentUpdated, w.now)),
		Attributes: w.opts.ComponentAttributes, ID: w.sequence,
	}
	w.component = &ChangedComponent{*at, c.ID, ComponentCreated}
	record := encodeComponent(c)
	w.add(kv.PutNew(key, record))
	w.add(kv.PutNew(kv.Key{Partition: w.t.parts.ids, Sort: numberSort(componentLetter, c.ID)}, []byte(coordString(at))))
	w.add(kv.Add(w.t.usageKey(usageComponent), 1))
	return checkRecord(record)
}

func (w *write) mergeComponent(e *kv.Entry, key kv.Key) error {
	c, err := componentOfRow(e)
	if err != nil {
		return err
	}
	merged := maps.Clone(c.Attributes)
	if merged == nil {
		merged = make(map[string]string)
	}
	maps.Copy(merged, w.opts.ComponentAttributes)
	kind := orDefault(w.opts.ComponentKind, c.Kind)
	created, updated := w.componentDates(c)
	switch changed := kind != c.Kind || !maps.Equal(merged, c.Attributes); {
	case changed && w.opts.ComponentUpdated.IsZero():
		updated = storedTime(w.now)
	case !changed && created.Equal(c.Created) && updated.Equal(c.Updated):
		return nil
	}
	c.Kind, c.Attributes, c.Created, c.Updated = kind, merged, created, updated
	w.component = &ChangedComponent{c.Coordinates, c.ID, ComponentUpdated}
	record := encodeComponent(c)
	w.add(kv.PutIf(key, record, e.Version))
	return checkRecord(record)
}

// componentDates gives the earlier creation and the later update of what is known here and what another server said.
func (w *write) componentDates(c *Component) (created, updated time.Time) {
	created, updated = c.Created, c.Updated
	if at := storedTime(w.opts.ComponentCreated); !w.opts.ComponentCreated.IsZero() && at.Before(created) {
		created = at
	}
	if at := storedTime(w.opts.ComponentUpdated); !w.opts.ComponentUpdated.IsZero() && at.After(updated) {
		updated = at
	}
	return created, updated
}

// leaveComponent removes the asset from a component, and the component with its last asset.
func (w *write) leaveComponent(at *Coordinates) error {
	sort, _ := coordSort(at)
	w.memberOp(sort, w.old.Path, false)
	last, err := w.leaveCount(kv.Key{Partition: w.t.parts.members, Sort: sort})
	if err != nil || !last {
		return err
	}
	e, err := w.t.catalog.find(w.ctx, w.t.parts.components, sort)
	if err != nil || e.Version == 0 { // gone meanwhile: the condition on the counter finds out
		return err
	}
	c, err := componentOfRow(&e)
	if err != nil {
		return err
	}
	w.add(kv.DeleteIf(kv.Key{Partition: w.t.parts.components, Sort: sort}, e.Version))
	w.add(kv.Delete(kv.Key{Partition: w.t.parts.ids, Sort: numberSort(componentLetter, c.ID)}))
	w.add(kv.Add(w.t.usageKey(usageComponent), -1))
	if w.component == nil {
		w.component = &ChangedComponent{*at, c.ID, ComponentDeleted}
	}
	return nil
}

// leaveCount takes one from the number of a component's assets, on which joining writes condition, and tells whether it was the last.
func (w *write) leaveCount(key kv.Key) (last bool, err error) {
	count, err := w.t.catalog.find(w.ctx, key.Partition, key.Sort)
	switch {
	case err != nil:
		return false, err
	case count.Version == 0: // gone meanwhile, with the asset: the batch's conditions find out
		w.add(kv.Op{Kind: kv.OpCheck, Key: key, If: kv.IfExists})
		return false, nil
	case count.Counter == 1:
		w.add(kv.DeleteIf(key, count.Version))
		return true, nil
	}
	w.add(kv.Op{Kind: kv.OpAdd, Key: key, Delta: -1, If: kv.IfVersion, Version: count.Version})
	return false, nil
}

// memberOp enters the path into a component's assets, or takes it out.
func (w *write) memberOp(component, path string, member bool) {
	sort, shortened := memberSort(component, path)
	key := kv.Key{Partition: w.t.parts.members, Sort: sort}
	switch {
	case !member:
		w.add(kv.Delete(key))
	case shortened:
		w.add(kv.Put(key, []byte(path)))
	default:
		w.add(kv.Put(key, nil))
	}
}
