package leveldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"entrepot/storage/kv/leveldb/checkpoint"
	"entrepot/storage/kv/leveldb/commitlog"

	"github.com/syndtr/goleveldb/leveldb"
)

// Salvaged tells what Salvage has done.
type Salvaged struct {
	Sequence uint64 // of the last change that was kept
	Damage   error  // what later changes were lost to; nil when nothing was
	Aside    string // folder that the damaged log and checkpoints were moved to; "" when nothing was
}

// Salvage rebuilds the index like Rebuild. Where the log is damaged or has a gap, so that Rebuild would fail, it keeps the records
// as they were before the damaged change, or as the index has them if that is later, begins a new log there, and moves log and
// checkpoints aside. Changes after that point are lost. No process may have the folder open.
func Salvage(ctx context.Context, dir string, opts *Options) (Salvaged, error) {
	o := opts.orDefault()
	damage := Rebuild(dir, &o)
	if damage == nil {
		s, err := sequenceOf(dir, &o)
		return Salvaged{Sequence: s}, err
	}
	if !isDamage(damage) {
		return Salvaged{}, damage
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return Salvaged{}, err
	}
	s := &salvage{ctx: ctx, recovery: recovery{dir: dir, opts: o}}
	err = s.run()
	if s.index != nil {
		err = errors.Join(err, s.index.close())
	}
	if err != nil {
		err = errors.Join(err, s.clean())
	}
	if err = errors.Join(err, lock.Close()); err != nil {
		return Salvaged{}, fmt.Errorf("salvage records in %s: %w", dir, err)
	}
	return Salvaged{Sequence: s.sequence, Damage: damage, Aside: s.aside}, nil
}

// sequenceOf opens a sound folder to read its last sequence number.
func sequenceOf(dir string, opts *Options) (uint64, error) {
	d, err := Open(dir, opts)
	if err != nil {
		return 0, err
	}
	sequence := d.index.applied.Load()
	return sequence, d.Close()
}

// salvage makes an index that reaches as far as possible, and from it a checkpoint and a new log.
type salvage struct {
	recovery
	ctx      context.Context
	sequence uint64
	aside    string
}

func (s *salvage) run() (err error) {
	if s.checkpoints, err = checkpoint.List(s.path(checkpointName)); err != nil {
		return err
	}
	if err := s.bestIndex(); err != nil {
		return err
	}
	if s.sequence = s.index.applied.Load(); s.sequence == 0 {
		return errors.New("there are no records to keep")
	}
	if err := s.index.flush(); err != nil {
		return err
	}
	// From here on the index is the truth until there are a checkpoint and a log again.
	if err := os.RemoveAll(s.path(asideName)); err != nil {
		return err
	}
	if err := s.moveAside(); err != nil {
		return err
	}
	c := &copier{dir: s.path(checkpointName), opts: s.opts, index: s.index}
	if _, _, err := c.write(s.ctx); err != nil {
		return err
	}
	log, _, err := commitlog.Open(s.path(logName), s.sequence, &commitlog.Options{FS: s.opts.FS, Create: true}, nil)
	if err != nil {
		return err
	}
	return errors.Join(log.Close(), os.RemoveAll(s.path(wantedName)))
}

// bestIndex leaves the index open that got further: the one that exists, if it is sound, or one built of a checkpoint and the log.
func (s *salvage) bestIndex() error {
	x, err := s.soundIndex()
	if err != nil && !mustRebuild(err) {
		return err
	}
	if s.index = x; x != nil {
		if err := s.replayUntilDamage(); err != nil {
			return err
		}
	}
	if err := s.dropUnsoundCheckpoints(); err != nil {
		return err
	}
	reach, err := s.reach()
	if err != nil || s.index != nil && s.index.applied.Load() >= reach {
		return err
	}
	if err := s.build(errors.New("salvage")); err != nil {
		return err
	}
	return s.replayUntilDamage()
}

func (s *salvage) dropUnsoundCheckpoints() error {
	for len(s.checkpoints) > 0 {
		_, err := checkpoint.Read(s.ctx, s.checkpoints[0], s.opts.FS, func([]byte, []byte) error { return nil })
		if !isDamage(err) {
			return err
		}
		s.checkpoints = s.checkpoints[1:]
	}
	return nil
}

// soundIndex opens the index and reads all of it.
func (s *salvage) soundIndex() (*index, error) {
	x, err := openIndex(s.path(indexName), &s.opts)
	if err != nil {
		return nil, err
	}
	snapshot, err := x.db.GetSnapshot()
	if err == nil {
		c := &copier{index: x}
		_, err = c.rows(s.ctx, snapshot, func(key, stored []byte) error {
			_, err := versionOf(key, stored)
			return err
		})
		snapshot.Release()
	}
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

// reach is how far an index built of the newest checkpoint and the log gets.
func (s *salvage) reach() (last uint64, err error) {
	if len(s.checkpoints) > 0 {
		last = s.checkpoints[0].Sequence
	}
	err = s.readLog(last, func(number uint64, _ []byte) error {
		last = number
		return nil
	})
	return last, err
}

// readLog delivers frames up to the first damage.
func (s *salvage) readLog(after uint64, visit commitlog.Visit) error {
	_, err := commitlog.Read(s.path(logName), after, &commitlog.Options{FS: s.opts.FS}, func(number uint64, payload []byte) error {
		return errors.Join(visit(number, payload), s.ctx.Err())
	})
	if isDamage(err) {
		return nil
	}
	return err
}

// replayUntilDamage applies what the log has to add to the index.
func (s *salvage) replayUntilDamage() error {
	return s.readLog(s.index.applied.Load(), func(number uint64, payload []byte) error {
		var frame, own leveldb.Batch // payload is not ours to append to
		if err := frame.Load(payload); err != nil {
			return err
		}
		if err := frame.Replay(&own); err != nil {
			return err
		}
		return s.index.apply(&own, number)
	})
}

// moveAside puts log and checkpoints where they are out of the way and can be looked at.
func (s *salvage) moveAside() (err error) {
	if s.aside, err = freeName(s.path("damaged")); err != nil {
		return err
	}
	if err := os.Mkdir(s.aside, 0o700); err != nil {
		return err
	}
	for _, name := range []string{logName, checkpointName} {
		if err := os.Rename(s.path(name), filepath.Join(s.aside, name)); err != nil {
			return err
		}
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			return err
		}
	}
	return s.opts.FS.SyncDir(s.dir)
}

// freeName gives a path that does not exist: base-1, base-2, ...
func freeName(base string) (string, error) {
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%d", base, n)
		if _, err := os.Lstat(name); os.IsNotExist(err) {
			return name, nil
		} else if err != nil {
			return "", err
		}
	}
}
