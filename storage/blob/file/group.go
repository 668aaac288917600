package file

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"entrepot/storage/blob"
)

// groupWriters is how many small bodies of a group are written to files at once.
const groupWriters = 4

var _ blob.GroupDriver = (*Driver)(nil)

// CommitAll makes many bodies durable with two syncs of the whole file system: one for the bytes, after which the files get their
// names, and one for the names. Where such a sync is not to be relied on, each body is committed for itself.
func (d *Driver) CommitAll(ctx context.Context, all []blob.Commitment) error {
	if d.whole == nil {
		for _, c := range all {
			if err := c.Spool.Commit(ctx, c.Hash); err != nil {
				return err
			}
		}
		return nil
	}
	d.life.RLock()
	defer d.life.RUnlock()
	if d.closed {
		return blob.ErrClosed
	}
	absent, err := d.spillAll(all)
	if err == nil {
		err = d.whole.SyncAll()
	}
	if err != nil {
		return writeError(err)
	}
	for _, c := range absent {
		s := c.Spool.(*spool)
		if err := d.moveIn(s.name, c.Hash); err != nil {
			return writeError(err)
		}
		s.committed = true
	}
	if len(absent) == 0 { // the bodies that are there are durable now, and so are their names
		return nil
	}
	return writeError(d.whole.SyncAll())
}

// spillAll gives those bodies that are not there yet, each in a file.
func (d *Driver) spillAll(all []blob.Commitment) ([]blob.Commitment, error) {
	there := make([]bool, len(all))
	var g errgroup.Group
	g.SetLimit(groupWriters)
	for i, c := range all {
		g.Go(func() (err error) {
			s, ours := c.Spool.(*spool)
			if !ours {
				return errors.New("spool of another driver")
			}
			if there[i], err = d.refresh(c.Hash, s.size); err != nil || there[i] || s.file != nil {
				return err
			}
			return s.spill()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var absent []blob.Commitment
	for i, c := range all {
		if !there[i] {
			absent = append(absent, c)
		}
	}
	return absent, nil
}
