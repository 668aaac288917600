package h2

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// mvSource gives the tables of a store.
type mvSource struct {
	store     *store
	lobs      *lobStore
	committed map[int64]int64 // for transactions whose commit was recorded but not finished: the number of their changes
	list      []*Table
}

// Types of catalogue entries that matter.
const (
	entryTable   = 0
	entrySetting = 6
)

// transactionShift separates the transaction's number from that of its change in an operation id; a change with all ones marks
// the transaction as committed.
const (
	transactionShift = 40
	commitMark       = 1<<transactionShift - 1
)

// openSource reads the state of transactions and the catalogue.
func openSource(s *store) (*mvSource, error) {
	src := &mvSource{store: s, lobs: s.openLobs(), committed: map[int64]int64{}}
	if err := src.readTransactions(); err != nil {
		return nil, err
	}
	return src, src.readCatalogue()
}

func (m *mvSource) tables() []*Table { return m.list }
func (m *mvSource) about() Info      { return m.store.info }

// readTransactions finds out which transactions left an undo log behind, and for which of them H2 would finish the commit: those
// whose log ends with the commit mark (H2 2.x), or is named with a dash (before).
func (m *mvSource) readTransactions() error {
	m.store.info.OpenTransactions = 0
	for name, id := range m.store.maps {
		rest, ok := strings.CutPrefix(name, "undoLog")
		if !ok || len(rest) < 2 {
			continue
		}
		transaction, err := strconv.ParseInt(rest[1:], 10, 32)
		if err != nil {
			return damaged(m.store.newest.offset(), "undo log named %q", clip(name))
		}
		log := tree[int64, struct{}]{store: m.store, mapID: id, root: m.store.roots[id], key: (*decoder).varlong}
		last, found, err := log.last()
		if err != nil {
			return err
		}
		changes, err := log.count()
		if err != nil {
			return err
		}
		switch {
		case !found:
		case last>>transactionShift != transaction:
			return damaged(m.store.newest.offset(), "undo log of transaction %d holds change %x", transaction, last)
		case last&commitMark == commitMark:
			m.committed[transaction] = changes - 1
		case rest[0] == '-':
			m.committed[transaction] = changes
		default:
			m.store.info.OpenTransactions++
		}
	}
	return nil
}

// catalogueTable is the table in which H2 keeps the statements that create everything else.
func catalogueTable() *Table {
	t := &Table{Schema: "INFORMATION_SCHEMA", Name: "catalogue", index: map[string]int{}}
	for i, name := range []string{"ID", "HEAD", "TYPE", "SQL"} {
		c := Column{Name: name, Type: "INTEGER", kind: kindInt32}
		if name == "SQL" {
			c.Type, c.kind = "CHARACTER VARYING", kindText
		}
		t.Columns = append(t.Columns, c)
		t.index[strings.ToLower(name)] = i
	}
	return t
}

// readCatalogue parses the CREATE TABLE statements.
func (m *mvSource) readCatalogue() error {
	if _, ok := m.store.maps["table.0"]; !ok {
		return fmt.Errorf("%w: an MVStore without a catalogue is no H2 database", ErrFormat)
	}
	for row, err := range m.rows(context.Background(), catalogueTable()) {
		if err != nil {
			return fmt.Errorf("catalogue: %w", err)
		}
		id, kind, sql := row.Values[0].(int64), row.Values[2].(int64), row.Values[3].(string)
		if id != row.ID {
			return damaged(m.store.newest.offset(), "catalogue entry %d says it is %d", row.ID, id)
		}
		switch kind {
		case entrySetting:
			if build, ok := strings.CutPrefix(sql, "SET CREATE_BUILD "); ok {
				m.store.info.Engine = "build " + build
			}
		case entryTable:
			if err := m.addTable(int32(id), sql); err != nil {
				return err
			}
		}
	}
	return nil
}

// addTable adds the table that a catalogue entry creates, unless it is a view or so.
func (m *mvSource) addTable(id int32, sql string) error {
	t, err := parseCreateTable(newLexer(strings.NewReader(sql), 0, m.store.opts.MaxValue), false)
	if err != nil {
		return fmt.Errorf("h2: catalogue entry %d, %q: %w", id, clip(sql), err)
	}
	if t == nil {
		return nil
	}
	for _, other := range m.list {
		if other.Schema == t.Schema && other.Name == t.Name {
			return damaged(m.store.newest.offset(), "catalogue entries %d and %d both create table %s", other.id, id, clip(t.Name))
		}
	}
	t.id = id
	rows, err := m.rowsTree(t)
	if err != nil {
		return err
	}
	if t.Entries, err = rows.count(); err != nil {
		return err
	}
	m.list = append(m.list, t)
	return nil
}

// rowsTree is the map of a table's rows.
func (m *mvSource) rowsTree(t *Table) (tree[int64, struct{}], error) {
	name := "table." + strconv.Itoa(int(t.id))
	id, ok := m.store.maps[name]
	if !ok {
		return tree[int64, struct{}]{}, damaged(m.store.newest.offset(), "table %s has no map %s", t.Name, name)
	}
	return tree[int64, struct{}]{store: m.store, mapID: id, root: m.store.roots[id], key: (*decoder).varlong}, nil
}

// rows delivers the committed rows.
func (m *mvSource) rows(ctx context.Context, t *Table) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		rows, err := m.rowsTree(t)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for l, err := range rows.leaves() {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			if more, err := m.leafRows(t, &l, yield); err != nil {
				yield(Row{}, err)
				return
			} else if !more {
				return
			}
		}
	}
}

// leafRows delivers the committed rows of one page. It reports whether the caller wants more.
func (m *mvSource) leafRows(t *Table, l *leaf[int64], yield func(Row, error) bool) (bool, error) {
	versioned := l.body.byte()
	if l.body.err == nil && versioned > 1 {
		l.body.fail("page of rows begins with %d", versioned)
	}
	for _, id := range l.keys {
		values := m.row(t, &l.body, versioned == 1)
		if l.body.err != nil {
			return false, l.body.err
		}
		if values != nil && !yield(Row{Table: t, ID: id, Values: values}, nil) {
			return false, nil
		}
	}
	return true, l.end()
}

// row reads one entry: a plain row, or with the id of the change that made it the current and the committed one. It gives nil for a
// row that no committed transaction left. A killed H2 can leave changes that no undo log lists, because logs reach the disk later
// than rows; they were not committed. (H2 itself takes them for committed in a session that happens to get the number of the dead
// transaction.)
func (m *mvSource) row(t *Table, d *decoder, versioned bool) []any {
	var operation int64
	if versioned {
		operation = d.varlong()
	}
	if operation == 0 {
		return m.values(t, d, m.lobs)
	}
	flags := d.byte()
	if d.err == nil && flags > 3 {
		d.fail("row has flags %d", flags)
	}
	committed := operation&commitMark < m.committed[operation>>transactionShift]
	var current, before []any
	if flags&1 != 0 {
		current = m.values(t, d, m.lobsFor(committed))
	}
	if flags&2 != 0 {
		before = m.values(t, d, m.lobsFor(!committed))
	}
	if committed {
		return current
	}
	return before
}

// lobsFor gives the large objects of a row that counts. Those of a row that does not may be gone.
func (m *mvSource) lobsFor(counts bool) *lobStore {
	if counts {
		return m.lobs
	}
	return &lobStore{limit: m.lobs.limit, absent: true}
}

// values reads the columns of one row.
func (m *mvSource) values(t *Table, d *decoder, lobs *lobStore) []any {
	values := make([]any, len(t.Columns))
	for i := range values {
		values[i] = d.value(&t.Columns[i], lobs)
		if d.err != nil {
			return nil
		}
	}
	return values
}
