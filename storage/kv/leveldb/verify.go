package leveldb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"

	"entrepot/storage/kv/leveldb/checkpoint"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// missingAtOnce bounds the keys that Verify keeps in mind because the index lacks them. Where there are more, it reads
// everything several times and looks at a part of the keys each time.
const missingAtOnce = 1 << 16

var errTooManyMissing = errors.New("more missing keys than fit in memory")

// Report is what Verify has read.
type Report struct {
	Sequence       uint64 // of the last change
	Rows           int64  // in the index
	Frames         int64  // in the log
	CheckpointRows int64
}

// Verify reads the whole log, the checkpoint and the index, and checks that the index is what log and checkpoint say. It goes on
// beside reads and writes, with memory for few rows. The first difference or damage is returned as an error.
func (d *Driver) Verify(ctx context.Context) (Report, error) {
	var report Report
	err := d.copier.ask(ctx, func(ctx context.Context) error {
		snapshot, err := d.index.db.GetSnapshot()
		if err != nil {
			return err
		}
		defer snapshot.Release()
		v := &verification{d: d, snapshot: snapshot, parts: 1, seed: maphash.MakeSeed(), limit: missingAtOnce}
		report, err = v.run(ctx)
		return d.index.noted(err)
	})
	if err != nil {
		return report, fmt.Errorf("verify records in %s: %w", d.dir, err)
	}
	return report, nil
}

// verification compares a snapshot of the index with the newest checkpoint and the log behind it.
type verification struct {
	d        *Driver
	snapshot *leveldb.Snapshot
	seed     maphash.Seed
	limit    int    // of missing
	parts    uint64 // that the keys are divided into
	part     uint64 // whose missing keys are looked at

	base     uint64 // the checkpoint's sequence
	sequence uint64 // the snapshot's
	it       iterator.Iterator
	rows     int64               // of the index, so far
	young    int64               // rows of the index that are not from the checkpoint, less those met in the log
	missing  map[string]struct{} // keys that the index lacks and whose removal was not found yet
}

func (v *verification) run(ctx context.Context) (report Report, err error) {
	if v.sequence, err = appliedIn(v.snapshot); err != nil {
		return report, err
	}
	for v.part < v.parts {
		report, err = v.pass(ctx)
		switch {
		case errors.Is(err, errTooManyMissing):
			v.parts *= 4
			v.part = 0
		case err != nil:
			return report, err
		default:
			v.part++
		}
	}
	return report, nil
}

// pass reads everything once. Values are compared every time, missing keys only if they belong to the part.
func (v *verification) pass(ctx context.Context) (Report, error) {
	v.missing, v.rows, v.young, v.base = make(map[string]struct{}), 0, 0, 0
	report := Report{Sequence: v.sequence}
	v.it = v.snapshot.NewIterator(&util.Range{Start: []byte(firstRow)}, &opt.ReadOptions{DontFillCache: true})
	defer v.it.Release()
	v.it.Next()
	var err error
	if newest, ok := v.d.copier.newest(); ok {
		v.base = newest.Sequence
		if report.CheckpointRows, err = checkpoint.Read(ctx, newest, v.d.opts.FS, v.rowOfCheckpoint); err != nil {
			return report, err
		}
	}
	if err := v.rowsBefore(ctx, nil); err != nil {
		return report, err
	}
	report.Rows = v.rows
	if report.Frames, err = v.d.log.Verify(func(number uint64, payload []byte) error {
		return errors.Join(v.frame(number, payload), ctx.Err())
	}); err != nil {
		return report, err
	}
	for key := range v.missing {
		return report, v.differs([]byte(key))
	}
	if v.young != 0 {
		return report, fmt.Errorf("%w: %d rows of the index come from nowhere", errBadRow, v.young)
	}
	return report, nil
}

// rowsBefore walks over the rows of the index in front of a key, nil for all. They are not in the checkpoint, so they must be
// younger.
func (v *verification) rowsBefore(ctx context.Context, key []byte) error {
	for ; v.it.Valid() && (key == nil || bytes.Compare(v.it.Key(), key) < 0); v.it.Next() {
		version, err := v.count(v.it.Key())
		if err == nil && version <= v.base {
			err = v.differs(v.it.Key())
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	return v.it.Error()
}

// rowOfCheckpoint compares a row of the checkpoint with the index; the log may have changed or removed it since.
func (v *verification) rowOfCheckpoint(key, stored []byte) error {
	if err := v.rowsBefore(context.Background(), key); err != nil {
		return err
	}
	if !v.it.Valid() || !bytes.Equal(v.it.Key(), key) {
		return v.lacks(key)
	}
	version, err := v.count(key)
	if err == nil && version <= v.base && !bytes.Equal(v.it.Value(), stored) {
		err = v.differs(key)
	}
	v.it.Next()
	return err
}

// count counts the row of the index that the iterator is at, and gives its version.
func (v *verification) count(key []byte) (version uint64, err error) {
	v.rows++
	if version, err = versionOf(key, v.it.Value()); version > v.base {
		v.young++
	}
	return version, err
}

func (v *verification) lacks(key []byte) error {
	if maphash.Bytes(v.seed, key)%v.parts != v.part {
		return nil
	}
	if len(v.missing) >= v.limit {
		return errTooManyMissing
	}
	v.missing[string(key)] = struct{}{}
	return nil
}

// frame compares a frame with the index. Frames up to the checkpoint are in it; those after the snapshot came later.
func (v *verification) frame(number uint64, payload []byte) error {
	if number <= v.base || number > v.sequence {
		return nil
	}
	var batch leveldb.Batch
	if err := batch.Load(payload); err != nil {
		return err
	}
	f := &frameCheck{v: v, number: number}
	if err := batch.Replay(f); err != nil {
		return err
	}
	return f.err
}

// frameCheck compares the changes of one frame with the index.
type frameCheck struct {
	v      *verification
	number uint64
	err    error // the first
}

// Put checks a row that was written: it is there, or younger, or was removed later.
func (f *frameCheck) Put(key, stored []byte) {
	found, version, err := f.row(key)
	switch {
	case f.err != nil:
	case err != nil:
		f.err = err
	case version == 0:
		f.err = f.v.lacks(key)
	case version < f.number || version == f.number && !bytes.Equal(found, stored):
		f.err = f.v.differs(key)
	case version == f.number:
		f.v.young--
	}
}

// Delete checks a row that was removed: it is absent or younger.
func (f *frameCheck) Delete(key []byte) {
	_, version, err := f.row(key)
	switch {
	case f.err != nil:
	case err != nil:
		f.err = err
	case version != 0 && version <= f.number:
		f.err = f.v.differs(key)
	default:
		delete(f.v.missing, string(key))
	}
}

// row reads a row of the index; one with version 0 is absent.
func (f *frameCheck) row(key []byte) (stored []byte, version uint64, err error) {
	stored, err = f.v.snapshot.Get(key, &opt.ReadOptions{DontFillCache: true})
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, 0, nil
	}
	if err == nil {
		version, err = versionOf(key, stored)
	}
	return stored, version, err
}

func versionOf(key, stored []byte) (uint64, error) {
	row, err := decodeRow(string(key), stored)
	return row.Version, err
}

// differs is the error of an index that is not what checkpoint and log say.
func (v *verification) differs(key []byte) error {
	n, width := binary.Uvarint(key)
	if width <= 0 || n > uint64(len(key)-width) {
		return fmt.Errorf("%w: bad key %q", errBadRow, key)
	}
	key = key[width:]
	return fmt.Errorf("%w: the index is not what checkpoint and log say at %q/%q", errBadRow, key[:n], key[n:])
}
