package h2_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrepot/migrate/h2"
	"entrepot/migrate/h2/h2test"
)

// unpackDatabase gives the database file of a recorded server.
func unpackDatabase(t testing.TB, fixture string) string {
	t.Helper()
	return filepath.Join(h2test.Unpack(t, fixture, "db"), "db", "nexus.mv.db")
}

// wantTable is a table as H2 itself read it.
type wantTable struct {
	Table   string
	Columns [][3]any
	Rows    int
	rows    map[int64]map[string]any // by row id
}

func expectedTables(t testing.TB, fixture string) map[string]*wantTable {
	t.Helper()
	tables := map[string]*wantTable{}
	lines := bufio.NewScanner(bytes.NewReader(h2test.Expected(t, fixture, "tables.jsonl.gz")))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			wantTable
			RowID int64
			Row   map[string]any
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Row == nil {
			line.rows = map[int64]map[string]any{}
			tables[line.Table] = &line.wantTable
			continue
		}
		tables[line.Table].rows[line.RowID] = line.Row
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// asExpected writes a value the way tables.jsonl.gz does.
func asExpected(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(fmt.Sprint(v))
	case h2.Decimal:
		return json.Number(v.String())
	case []byte:
		return hex.EncodeToString(v)
	case json.RawMessage:
		return string(v)
	case h2.UUID:
		return v.String()
	case time.Time:
		return v
	}
	return v
}

// sameValue compares a value with what H2 gave; times are written with as many digits as they need.
func sameValue(got, want any) bool {
	got = asExpected(got)
	if g, ok := got.(time.Time); ok {
		s, _ := want.(string)
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999"} {
			if w, err := time.Parse(layout, s); err == nil {
				return g.Equal(w)
			}
		}
		return false
	}
	return got == want
}

// compare checks every row and column of every table. byID says that row ids are known; else rows come in the order of the ids.
func compare(t *testing.T, db *h2.Database, want map[string]*wantTable, byID bool) {
	t.Helper()
	if len(db.Tables()) != len(want) {
		t.Errorf("%d tables, want %d", len(db.Tables()), len(want))
	}
	total := 0
	for name, w := range want {
		table, ok := db.Table(name)
		if !ok {
			t.Errorf("no table %s", name)
			continue
		}
		compareColumns(t, table, w)
		n := 0
		for row, err := range db.Rows(context.Background(), strings.ToLower(name)) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n++
			compareRow(t, row, w.next(row.ID, byID))
		}
		total += n
		if n != w.Rows {
			t.Errorf("%s: %d rows, want %d", name, n, w.Rows)
		}
	}
	if total < 50 {
		t.Errorf("only %d rows in all", total)
	}
}

func (w *wantTable) next(id int64, byID bool) map[string]any {
	if byID {
		return w.rows[id]
	}
	least := int64(math.MaxInt64)
	for id := range w.rows {
		least = min(least, id)
	}
	row := w.rows[least]
	delete(w.rows, least)
	return row
}

func compareColumns(t *testing.T, table *h2.Table, w *wantTable) {
	t.Helper()
	if len(table.Columns) != len(w.Columns) {
		t.Fatalf("%s has %d columns, want %d", table.Name, len(table.Columns), len(w.Columns))
	}
	for i, c := range table.Columns {
		if got := [3]any{c.Name, c.Type, c.Nullable}; got != w.Columns[i] {
			t.Errorf("%s: column %v, want %v", table.Name, got, w.Columns[i])
		}
	}
}

func compareRow(t *testing.T, row h2.Row, want map[string]any) {
	t.Helper()
	if want == nil {
		t.Errorf("%s: row %d should not be there", row.Table.Name, row.ID)
		return
	}
	for i, c := range row.Table.Columns {
		if !sameValue(row.Values[i], want[c.Name]) {
			t.Errorf("%s row %d column %s: %#v, want %#v", row.Table.Name, row.ID, c.Name, row.Values[i], want[c.Name])
		}
	}
}

func TestFixtureStores(t *testing.T) {
	for _, fixture := range h2test.Fixtures() {
		t.Run(fixture, func(t *testing.T) {
			db, err := h2.Open(unpackDatabase(t, fixture), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			t.Logf("%+v", db.Info())
			compare(t, db, expectedTables(t, fixture), true)
		})
	}
}

func TestFixtureScripts(t *testing.T) {
	for _, fixture := range h2test.Fixtures() {
		t.Run(fixture, func(t *testing.T) {
			db, err := h2.Open(filepath.Join(h2test.Dir(t), fixture+".expected", "db.sql.gz"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			t.Logf("%+v", db.Info())
			compare(t, db, expectedTables(t, fixture), false)
		})
	}
}
