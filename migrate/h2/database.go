package h2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
)

// defaultMaxValue is Options.MaxValue when that is zero.
const defaultMaxValue = 256 << 20

// Options change how a database is opened. The zero value is good for every Nexus.
type Options struct {
	// MaxValue is the longest single value, and the longest expanded page, that is read into memory, in bytes. 0 means 256 MiB.
	MaxValue int64
	// FallBack takes an older version of a store when the newest one cannot be read, as H2 does by itself. Everything is read once
	// to find one that is whole; what is given up stands in Info.Rejected. Without it such a store is an error.
	FallBack bool
	// TempDir is where compressed input is unpacked; the file is removed by Close. Empty means the system's folder.
	TempDir string
}

// Info tells what was opened.
type Info struct {
	// Script is true for SQL text and false for an MVStore file.
	Script bool
	// Engine is the version of H2 that wrote the file, as far as the file says: "2.3.232" in a script, "build 232" in a store.
	Engine string
	// Format is the number of the MVStore format; 0 for a script.
	Format int64
	// Version counts the writes of the store; Written is when the version that is read was begun.
	Version int64
	Written time.Time
	// Clean says that the store was closed in an orderly way. Servers of 3.75 and later do not leave it that way.
	Clean bool
	// Recovered says that the newest version had to be searched for.
	Recovered bool
	// Torn lists writes that were under way when the server was killed. H2 does not recover them either.
	Torn []Torn
	// Rejected lists the versions that Options.FallBack gave up because they could not be read.
	Rejected []Rejected
	// OpenTransactions counts transactions that had not been committed; their changes are left out.
	OpenTransactions int
	// Short names the tables of a script that have fewer rows than its own comments announce. The announced number is an
	// estimate that counts uncommitted rows, so this is a reason to look, not an error.
	Short []string
}

// Torn is a write that did not end.
type Torn struct {
	Offset  int64 // in the file
	Version int64
}

// Rejected is a version of a store that cannot be read.
type Rejected struct {
	Version int64
	Reason  error
}

// Database is an opened database. It may be used by many goroutines.
type Database struct {
	source  source
	closers []io.Closer
	tables  []*Table
	byName  map[string]*Table
}

// source is one kind of input.
type source interface {
	// tables lists the tables, in any order.
	tables() []*Table
	// rows delivers the committed rows of a table in the order of the source.
	rows(ctx context.Context, t *Table) iter.Seq2[Row, error]
	about() Info
}

// newDatabase indexes the tables of a source. Names without a schema mean the schema PUBLIC first.
func newDatabase(src source, closers []io.Closer) *Database {
	db := &Database{source: src, closers: closers, tables: src.tables(), byName: map[string]*Table{}}
	slices.SortFunc(db.tables, func(a, b *Table) int {
		return strings.Compare(a.Schema+"."+a.Name, b.Schema+"."+b.Name)
	})
	for _, t := range db.tables {
		db.byName[strings.ToLower(t.Schema+"."+t.Name)] = t
		short := strings.ToLower(t.Name)
		if _, taken := db.byName[short]; !taken || t.Schema == "PUBLIC" {
			db.byName[short] = t
		}
	}
	return db
}

// Info tells what was opened.
func (db *Database) Info() Info { return db.source.about() }

// Tables lists all tables by schema and name. The slice belongs to the database.
func (db *Database) Tables() []*Table { return db.tables }

// Table finds a table by its name, with or without the schema, in any letter case.
func (db *Database) Table(name string) (*Table, bool) {
	t, ok := db.byName[strings.ToLower(name)]
	return t, ok
}

// Rows delivers the committed rows of a table in the order of their row ids. A sequence that ends without an error is complete;
// after an error nothing follows. Each row belongs to the caller. Several sequences may run at once.
func (db *Database) Rows(ctx context.Context, table string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		t, ok := db.Table(table)
		if !ok {
			yield(Row{}, fmt.Errorf("%w: table %s", ErrNotFound, table))
			return
		}
		for row, err := range db.source.rows(ctx, t) {
			if err != nil {
				yield(Row{}, fmt.Errorf("table %s: %w", t.Name, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Close releases the file. Sequences that are still running end with an error.
func (db *Database) Close() error {
	var errs []error
	for _, c := range db.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
