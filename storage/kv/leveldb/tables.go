package leveldb

import (
	"sync"

	"github.com/syndtr/goleveldb/leveldb/cache"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// tables is goleveldb's storage without journals: the commit log is the journal. It also watches the journals that goleveldb
// believes to write, because their life tells what has become durable: a new one begins when the rows in memory are to become a
// table, and the old one is removed when that table is synced.
//
// The more tables there are, the larger their cache: a read that finds no index block of a table in memory decodes it as a whole.
type tables struct {
	storage.Storage
	blocks cache.Cacher
	most   int // bytes of blocks in memory

	mu       sync.Mutex
	applied  uint64           // last frame written
	journal  int64            // the one being written; 0 before the first
	boundary map[int64]uint64 // last frame in each journal that is not removed yet
	durable  uint64
	count    int // tables on the disk
}

const (
	leastCache    = 8 << 20  // bytes
	cachePerTable = 64 << 10 // bytes: index block, filter and some of the rows of a table
)

func newTables(files storage.Storage, cacheBytes int) (*tables, error) {
	found, err := files.List(storage.TypeTable)
	if err != nil {
		return nil, err
	}
	t := &tables{Storage: files, blocks: cache.NewLRU(0), most: cacheBytes, boundary: make(map[int64]uint64)}
	t.counted(len(found))
	return t, nil
}

// counted takes note of tables that came, or of one that went for -1, and gives the cache its room.
func (t *tables) counted(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count += n
	t.blocks.SetCapacity(min(t.most, max(leastCache, t.count*cachePerTable)))
}

func (t *tables) setApplied(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applied = number
}

func (t *tables) setDurable(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.durable = number
}

// Create makes a file; a journal leads nowhere.
func (t *tables) Create(fd storage.FileDesc) (storage.Writer, error) {
	if fd.Type != storage.TypeJournal {
		w, err := t.Storage.Create(fd)
		if err == nil && fd.Type == storage.TypeTable {
			t.counted(1)
		}
		return w, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.journal != 0 {
		t.boundary[t.journal] = t.applied
	}
	t.journal = fd.Num
	return nowhere{}, nil
}

// Remove removes a file.
func (t *tables) Remove(fd storage.FileDesc) error {
	if fd.Type != storage.TypeJournal {
		err := t.Storage.Remove(fd)
		if err == nil && fd.Type == storage.TypeTable {
			t.counted(-1)
		}
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.durable = max(t.durable, t.boundary[fd.Num])
	delete(t.boundary, fd.Num)
	return nil
}

// List finds files; there are no journals.
func (t *tables) List(ft storage.FileType) ([]storage.FileDesc, error) {
	return t.Storage.List(ft &^ storage.TypeJournal)
}

// Log drops goleveldb's messages.
func (t *tables) Log(string) {}

// nowhere is a journal that keeps nothing.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Sync() error                 { return nil }
func (nowhere) Close() error                { return nil }
