package leveldb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"entrepot/storage/kv"

	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// appliedKey holds the number of the last frame in the index, eight bytes big-endian. It is written with the frame's rows, and
// tables are made of the oldest rows first, so after a crash it names the last frame of which nothing is missing.
const appliedKey = "\x00applied"

// firstRow is where the rows begin behind the driver's own keys.
const firstRow = "\x01"

// errNoIndex reports an index that must be built.
var errNoIndex = errors.New("there is no sound index")

// index is the goleveldb database. Writes come from one goroutine.
type index struct {
	dir     string
	db      *leveldb.DB
	files   *tables
	applied atomic.Uint64 // number of the last frame that readers see
	damage  atomic.Pointer[error]
}

// openIndex opens the index in a folder. It returns errNoIndex when there is none, or one that was not built to the end.
func openIndex(dir string, opts *Options) (*index, error) {
	x, err := startIndex(dir, opts, true)
	if err != nil {
		return nil, err
	}
	applied, err := appliedIn(x.db)
	if err == nil && applied == 0 {
		err = errNoIndex
	}
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	x.applied.Store(applied)
	x.files.setApplied(applied)
	x.files.setDurable(applied)
	return x, nil
}

// appliedIn reads the number of the last frame; 0 means none.
func appliedIn(db leveldb.Reader) (uint64, error) {
	stored, err := db.Get([]byte(appliedKey), nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case len(stored) != 8:
		return 0, fmt.Errorf("%w at %q", errBadRow, appliedKey)
	}
	return binary.BigEndian.Uint64(stored), nil
}

// createIndex makes an empty index in a folder that does not exist.
func createIndex(dir string, opts *Options) (*index, error) { return startIndex(dir, opts, false) }

func startIndex(dir string, opts *Options, mustExist bool) (*index, error) {
	if _, err := os.Stat(dir); mustExist && os.IsNotExist(err) {
		return nil, errNoIndex
	}
	stor, err := storage.OpenFile(dir, false)
	if err != nil {
		return nil, err
	}
	files, err := newTables(stor, opts.CacheBytes)
	if err != nil {
		return nil, errors.Join(err, stor.Close())
	}
	db, err := leveldb.Open(files, &opt.Options{
		BlockCacher: opt.PassthroughCacher(files.blocks),
		// The index block of a table is decoded as a whole when it is not in the cache: small tables and few, larger blocks
		// keep that cheap when there are more tables than the cache can serve.
		CompactionTableSize:          1 << 20,
		BlockSize:                    8 << 10,
		WriteBuffer:                  opts.WriteBufferBytes,
		OpenFilesCacheCapacity:       opts.OpenTables,
		Filter:                       filter.NewBloomFilter(10),
		WriteL0SlowdownTrigger:       16,
		WriteL0PauseTrigger:          24,
		DisableSeeksCompaction:       true,
		DisableLargeBatchTransaction: true,
		ErrorIfMissing:               mustExist,
		Strict:                       opt.DefaultStrict | opt.StrictManifest, // else lost tables go unnoticed
	})
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = errNoIndex
		}
		return nil, errors.Join(err, stor.Close())
	}
	return &index{dir: dir, db: db, files: files}, nil
}

// mustRebuild tells errors that a new index cures from those of the operating system.
func mustRebuild(err error) bool {
	if errors.Is(err, errNoIndex) || errors.Is(err, errBadRow) {
		return true
	}
	var inDB *ldberrors.ErrCorrupted
	var inFiles *storage.ErrCorrupted
	return errors.As(err, &inDB) || errors.As(err, &inFiles)
}

// get reads a row; one with Version 0 is absent.
func (x *index) get(k kv.Key) (kv.Entry, error) {
	stored, err := x.db.Get(appendKey(make([]byte, 0, 2+len(k.Partition)+len(k.Sort)), k), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return kv.Entry{}, nil
	}
	if err != nil {
		return kv.Entry{}, x.noted(fmt.Errorf("get %q/%q: %w", k.Partition, k.Sort, err))
	}
	row, err := decodeRow(k.Sort, stored)
	return row, x.noted(err)
}

// noted takes care that an index that an error shows to be damaged is rebuilt at the next start.
func (x *index) noted(err error) error {
	if mustRebuild(err) && x.damage.CompareAndSwap(nil, &err) {
		wanted := filepath.Join(filepath.Dir(x.dir), wantedName)
		err = errors.Join(err, os.WriteFile(wanted, []byte(err.Error()+"\n"), 0o600))
	}
	return err
}

// apply makes the rows in batch visible as those of a frame. batch is the caller's to reset.
func (x *index) apply(batch *leveldb.Batch, number uint64) error {
	batch.Put([]byte(appliedKey), binary.BigEndian.AppendUint64(nil, number))
	if err := x.db.Write(batch, nil); err != nil {
		return x.noted(fmt.Errorf("apply frame %d: %w", number, err))
	}
	x.applied.Store(number)
	x.files.setApplied(number)
	return nil
}

// durable is the last frame that is in the tables, so that the log up to it is not needed to open the index.
func (x *index) durable() uint64 {
	x.files.mu.Lock()
	defer x.files.mu.Unlock()
	return x.files.durable
}

// flush makes what was applied durable. It also compacts some tables, so it is nothing for every day.
func (x *index) flush() error {
	// goleveldb flushes the rows in memory when a range to compact has one of them.
	if err := x.db.CompactRange(util.Range{Start: []byte(appliedKey), Limit: []byte(firstRow)}); err != nil {
		return fmt.Errorf("flush index: %w", err)
	}
	return nil
}

func (x *index) close() error { return errors.Join(x.db.Close(), x.files.Storage.Close()) }
