package leveldb

import (
	"errors"
	"fmt"
	"time"

	"entrepot/storage/kv"

	"github.com/syndtr/goleveldb/leveldb"
)

// Health tells whether records can be read and written; nil is yes. After a full disk it tries a write.
func (d *Driver) Health() error {
	d.life.RLock()
	closed := d.closed
	d.life.RUnlock()
	if closed {
		return kv.ErrClosed
	}
	if damage := d.index.damage.Load(); damage != nil {
		return fmt.Errorf("records: the index is damaged and will be rebuilt at the next start: %w", *damage)
	}
	failure := d.writer.failure.Load()
	switch {
	case failure == nil:
		return nil
	case errors.Is(*failure, kv.ErrNoSpace):
		return d.writer.probe()
	default:
		return *failure
	}
}

// Stats are figures of a driver.
type Stats struct {
	Sequence           uint64 // of the last change
	Batches            uint64 // committed since the folder was opened
	Groups             uint64 // frames they were written in, each with one sync
	LogBytes           int64
	CheckpointSequence uint64 // 0: there is no checkpoint
	CheckpointBytes    int64
	CheckpointMade     time.Time
	CheckpointError    error // why the last checkpoint that was due failed; nil when it did not
	IndexBytes         int64
	IndexTables        int
	WriteDelay         time.Duration // that the index has slowed down writers since the folder was opened
}

// Stats reads the figures.
func (d *Driver) Stats() (Stats, error) {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.closed {
		return Stats{}, kv.ErrClosed
	}
	s := Stats{
		Sequence: d.index.applied.Load(),
		Batches:  d.writer.stats.batches.Load(),
		Groups:   d.writer.stats.groups.Load(),
		LogBytes: d.log.Size(),
	}
	if failure := d.copier.failure.Load(); failure != nil {
		s.CheckpointError = *failure
	}
	if newest, ok := d.copier.newest(); ok {
		s.CheckpointSequence, s.CheckpointBytes, s.CheckpointMade = newest.Sequence, newest.Bytes, newest.Made
	}
	var db leveldb.DBStats
	if err := d.index.db.Stats(&db); err != nil {
		return Stats{}, fmt.Errorf("figures of the index: %w", err)
	}
	for level, tables := range db.LevelTablesCounts {
		s.IndexTables += tables
		s.IndexBytes += db.LevelSizes[level]
	}
	s.WriteDelay = db.WriteDelayDuration
	return s, nil
}
