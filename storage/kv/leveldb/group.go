package leveldb

import (
	"strings"

	"entrepot/storage/kv"

	"github.com/syndtr/goleveldb/leveldb"
)

// hotRows bounds the rows that are kept in memory between groups.
const hotRows = 4096

// group is the rows that one frame will change, seen by the conditions of its later batches. All its batches have one version:
// nobody can have read a row between two of them.
type group struct {
	index  *index
	size   int // about the bytes of all rows
	rows   []change
	at     map[kv.Key]int // positions in rows
	staged []kv.Entry     // outcomes of the batch being added
	// Counters of folders and the like change again and again, and each write of a tree asks whether the tree is still there. Only the
	// writer changes rows, so it need not read them again.
	hot   map[kv.Key]*kv.Entry
	batch *leveldb.Batch
	key   []byte
	value []byte
}

// change is what becomes of a row: removed when its Version is 0.
type change struct {
	key kv.Key
	row kv.Entry
}

func newGroup(x *index) *group {
	return &group{index: x, at: make(map[kv.Key]int), hot: make(map[kv.Key]*kv.Entry), batch: new(leveldb.Batch)}
}

func (g *group) reset() {
	clear(g.rows)
	clear(g.staged[:cap(g.staged)])
	clear(g.at)
	g.rows, g.size = g.rows[:0], 0
}

func (g *group) empty() bool { return len(g.rows) == 0 }

// add evaluates a batch. When it fails, the group is as it was.
func (g *group) add(ops []kv.Op, version uint64) error {
	g.staged = g.staged[:0]
	for i := range ops {
		row, err := g.current(&ops[i])
		if err == nil {
			row, err = kv.Outcome(&ops[i], row, version)
		}
		if err != nil {
			return err
		}
		g.staged = append(g.staged, row)
	}
	for i := range ops {
		if ops[i].Kind != kv.OpCheck {
			g.set(ops[i].Key, g.staged[i])
		}
	}
	return nil
}

// current is the row an operation is about. It is not read where the outcome does not depend on it.
func (g *group) current(op *kv.Op) (kv.Entry, error) {
	if op.If == kv.Always && op.Kind != kv.OpAdd {
		return kv.Entry{}, nil
	}
	if i, changed := g.at[op.Key]; changed {
		return g.rows[i].row, nil
	}
	if kept, known := g.hot[op.Key]; known {
		return *kept, nil
	}
	row, err := g.index.get(op.Key)
	if err == nil && op.Kind == kv.OpCheck && !row.IsCount && row.Version != 0 {
		g.keep(op.Key, kv.Entry{Version: row.Version})
	}
	return row, err
}

// keep remembers a row between groups: a counter, or of another row that conditions ask for its version.
func (g *group) keep(key kv.Key, row kv.Entry) {
	if len(g.hot) >= hotRows {
		clear(g.hot)
	}
	k := kv.Key{Partition: strings.Clone(key.Partition), Sort: strings.Clone(key.Sort)} // not the caller's memory
	row.Sort = k.Sort
	g.hot[k] = &row
}

// committed keeps the counters of a group that is in the index now.
func (g *group) committed() {
	for i := range g.rows {
		c := &g.rows[i]
		if !c.row.IsCount {
			delete(g.hot, c.key)
			continue
		}
		if kept, known := g.hot[c.key]; known {
			kept.Counter, kept.IsCount, kept.Version = c.row.Counter, true, c.row.Version
			continue
		}
		g.keep(c.key, kv.Entry{Counter: c.row.Counter, IsCount: true, Version: c.row.Version})
	}
}

func (g *group) set(k kv.Key, row kv.Entry) {
	if i, changed := g.at[k]; changed {
		g.rows[i].row = row
	} else {
		g.at[k] = len(g.rows)
		g.rows = append(g.rows, change{k, row})
	}
	g.size += len(k.Partition) + len(k.Sort) + len(row.Value) + 24
}

// encode gives the rows in their stored form. The batch is valid until the next call. Its Dump, the payload of frames, is a list
// of changes: a byte 1, key and row, each preceded by its length as uvarint; or a byte 0, length and key of a removed row.
func (g *group) encode() *leveldb.Batch {
	g.batch.Reset()
	for i := range g.rows {
		c := &g.rows[i]
		g.key = appendKey(g.key[:0], c.key)
		if c.row.Version == 0 {
			g.batch.Delete(g.key)
			continue
		}
		g.value = appendRow(g.value[:0], &c.row)
		g.batch.Put(g.key, g.value)
	}
	return g.batch
}
