package leveldb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"entrepot/storage/kv/leveldb/checkpoint"
	"entrepot/storage/kv/leveldb/commitlog"
	"entrepot/storage/kv/leveldb/frame"

	"github.com/syndtr/goleveldb/leveldb"
)

// recovery brings the index up to the end of the log.
type recovery struct {
	dir     string
	opts    Options
	rebuild bool // even if the index looks sound

	checkpoints []checkpoint.Info
	index       *index
	log         *commitlog.Log
	fresh       bool // the folder was empty
	built       bool
	replayed    uint64 // frames
}

func (r *recovery) path(name string) string { return filepath.Join(r.dir, name) }

func (r *recovery) run() error {
	if err := r.clean(); err != nil {
		return err
	}
	var err error
	if r.checkpoints, err = checkpoint.List(r.path(checkpointName)); err != nil {
		return err
	}
	if err = r.begin(); err != nil {
		return err
	}
	if err = r.indexAndLog(); err != nil {
		return errors.Join(remedy(err), r.giveUp())
	}
	if r.built {
		return errors.Join(os.RemoveAll(r.path(asideName)), os.RemoveAll(r.path(wantedName)))
	}
	return nil
}

// begin makes the log of a new folder. Nowhere else one is made: a folder with records and without a log has lost it.
func (r *recovery) begin() error {
	opts := &commitlog.Options{FS: r.opts.FS, Create: true}
	_, err := os.Stat(r.path(indexName))
	if r.rebuild || len(r.checkpoints) > 0 || !os.IsNotExist(err) {
		return nil
	}
	if r.fresh, err = commitlog.Empty(r.path(logName), opts); err != nil || !r.fresh {
		return err
	}
	log, _, err := commitlog.Open(r.path(logName), 0, opts, nil)
	if err != nil {
		return err
	}
	return errors.Join(log.Close(), r.opts.FS.SyncDir(r.dir), r.opts.FS.SyncDir(filepath.Dir(r.dir)))
}

// clean removes what an interrupted run has left. An index set aside comes back: its successor was not finished.
func (r *recovery) clean() error {
	if err := checkpoint.RemoveUnfinished(r.path(checkpointName), r.opts.FS); err != nil {
		return err
	}
	_, err := os.Stat(r.path(asideName))
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = os.RemoveAll(r.path(indexName))
	}
	if err == nil {
		err = os.Rename(r.path(asideName), r.path(indexName))
	}
	return err
}

// giveUp closes what is open and puts an index set aside back.
func (r *recovery) giveUp() error {
	var err error
	if r.index != nil {
		err = r.index.close()
	}
	if r.built {
		err = errors.Join(err, r.clean())
	}
	return err
}

func (r *recovery) indexAndLog() error {
	err := r.openIndex()
	if mustRebuild(err) {
		err = r.build(err)
	}
	if err != nil {
		return err
	}
	from := r.index.applied.Load() + 1
	err = r.replay()
	var gap *commitlog.GapError
	if !r.built && errors.As(err, &gap) && gap.From == from && len(r.checkpoints) > 0 {
		// The index is older than the log, say from a backup. A checkpoint may bridge the gap.
		if err = r.build(err); err == nil {
			err = r.replay()
		}
	}
	return err
}

func (r *recovery) openIndex() (err error) {
	if reason, err := os.ReadFile(r.path(wantedName)); err == nil {
		return fmt.Errorf("%w: %s", errNoIndex, bytes.TrimSpace(reason))
	}
	if r.rebuild {
		return fmt.Errorf("%w: a new one was asked for", errNoIndex)
	}
	r.index, err = openIndex(r.path(indexName), &r.opts)
	return err
}

// build makes an index of the newest sound checkpoint, or an empty one where there is no checkpoint.
func (r *recovery) build(reason error) error {
	r.built = true
	if r.index != nil {
		if err := r.index.close(); err != nil {
			return err
		}
		r.index = nil
	}
	if _, err := os.Stat(r.path(indexName)); err == nil {
		if err := os.Rename(r.path(indexName), r.path(asideName)); err != nil {
			return err
		}
	}
	var failed error
	for _, info := range r.checkpoints {
		r.opts.Logger.Warn("index of the records is rebuilt from a checkpoint and the log", "reason", reason, "checkpoint", info.Path)
		err := r.load(info)
		var damage *frame.DamageError
		if !errors.As(err, &damage) {
			return err
		}
		failed = errors.Join(failed, err)
	}
	switch {
	case failed != nil:
		r.opts.Logger.Error("no checkpoint is sound, trying the log alone", "error", failed)
	case r.fresh:
	case errors.Is(reason, errNoIndex): // of a young store nothing was ever written to tables
		r.opts.Logger.Info("index of the records is built from the log")
	default:
		r.opts.Logger.Warn("index of the records is rebuilt from the log", "reason", reason)
	}
	x, err := createIndex(r.path(indexName), &r.opts)
	r.index = x
	return err
}

// load makes the index of a checkpoint.
func (r *recovery) load(info checkpoint.Info) error {
	x, err := createIndex(r.path(indexName), &r.opts)
	if err != nil {
		return err
	}
	var rows leveldb.Batch
	_, err = checkpoint.Read(context.Background(), info, r.opts.FS, func(key, value []byte) error {
		rows.Put(key, value)
		if len(rows.Dump()) < groupBytes {
			return nil
		}
		defer rows.Reset()
		return x.db.Write(&rows, nil)
	})
	if err == nil {
		err = x.apply(&rows, info.Sequence)
	}
	if err == nil {
		err = x.flush()
	}
	if err != nil {
		return errors.Join(err, x.close(), os.RemoveAll(r.path(indexName)))
	}
	r.index = x
	return nil
}

// replay applies the frames that the index lacks and opens the log for appending.
func (r *recovery) replay() error {
	after := r.index.applied.Load()
	var gathered, payload leveldb.Batch
	var last uint64
	flush := func() error {
		defer gathered.Reset()
		return r.index.apply(&gathered, last)
	}
	log, tail, err := commitlog.Open(r.path(logName), after, &commitlog.Options{
		FS: r.opts.FS, SegmentBytes: r.opts.SegmentBytes,
	}, func(number uint64, data []byte) error {
		if err := payload.Load(data); err != nil {
			return err
		}
		if err := payload.Replay(&gathered); err != nil {
			return err
		}
		r.replayed++
		if last = number; len(gathered.Dump()) < groupBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	r.log = log
	if tail.Cut > 0 {
		r.opts.Logger.Warn("an unfinished write at the end of the log was removed", "file", tail.File, "offset", tail.Offset, "bytes", tail.Cut)
	}
	if gathered.Len() > 0 || last > r.index.applied.Load() {
		if err := flush(); err != nil {
			return errors.Join(err, log.Close())
		}
	}
	return nil
}

// isDamage tells damage of log and checkpoints from other failures.
func isDamage(err error) bool {
	var damage *frame.DamageError
	var gap *commitlog.GapError
	return errors.As(err, &damage) || errors.As(err, &gap) || errors.Is(err, commitlog.ErrNone)
}

// remedy tells what to do about damage of the log or the checkpoints.
func remedy(err error) error {
	if isDamage(err) {
		return fmt.Errorf("%w; nothing was changed: restore the file, or keep what can be kept with \"entrepot rebuild --salvage\"", err)
	}
	return err
}
