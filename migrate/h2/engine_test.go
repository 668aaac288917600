package h2_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"entrepot/migrate/h2"
	"entrepot/migrate/h2/h2test"
)

// unzipped reads a compressed file of testdata, which Make.java made with the real engines.
func unzipped(t testing.TB, name string) []byte {
	t.Helper()
	return h2test.Read(t, filepath.Join("testdata", name))
}

// dumpedRow is a row as H2 printed it.
type dumpedRow struct {
	Table string
	ID    int64
	Row   map[string]*string
}

func dumped(t testing.TB, name string) map[string][]dumpedRow {
	t.Helper()
	tables := map[string][]dumpedRow{}
	s := bufio.NewScanner(bytes.NewReader(unzipped(t, name)))
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var r dumpedRow
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		tables[r.Table] = append(tables[r.Table], r)
	}
	if len(tables) == 0 || s.Err() != nil {
		t.Fatalf("%s: %d tables, %v", name, len(tables), s.Err())
	}
	return tables
}

// printedAs reports whether H2 prints the value of a column as want.
func printedAs(v any, want string) bool {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v) == strings.ToLower(want)
	case int64:
		return strconv.FormatInt(v, 10) == want
	case float64:
		f, err := strconv.ParseFloat(want, 64)
		f32, err32 := strconv.ParseFloat(want, 32)
		return err == nil && f == v && math.Signbit(f) == math.Signbit(v) || err32 == nil && float64(float32(f32)) == v
	case h2.Decimal:
		want = strings.TrimPrefix(strings.Replace(want, "E+", "E", 1), "+")
		f, _ := strconv.ParseFloat(v.String(), 64)
		w, _ := strconv.ParseFloat(want, 64)
		return v.String() == want || strings.Contains(want, "E") && f == w
	case string:
		return v == want
	case []byte:
		return hex.EncodeToString(v) == want
	case h2.UUID:
		return v.String() == want
	case json.RawMessage:
		return string(v) == want
	case time.Duration:
		return time.Time{}.Add(v).Format("15:04:05.999999999") == want
	case time.Time:
		for _, layout := range []string{"2006-01-02", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999-07",
			"2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999-07:00:00"} {
			if w, err := time.Parse(layout, want); err == nil {
				_, got := v.Zone()
				_, offset := w.Zone()
				return v.Equal(w) && got == offset
			}
		}
	case []any:
		parts := strings.Split(strings.Trim(want, "[]"), ", ")
		if len(v) == 0 {
			return want == "[]"
		}
		for i := range v {
			if v[i] == nil && parts[i] != "null" || v[i] != nil && !printedAs(v[i], parts[i]) {
				return false
			}
		}
		return len(v) == len(parts)
	}
	return false
}

// compareDump checks every row and column against what H2 printed. A script has no row ids and no generated columns.
func compareDump(t *testing.T, db *h2.Database, want map[string][]dumpedRow) {
	t.Helper()
	total := 0
	for _, table := range db.Tables() {
		rows := want[table.Schema+"."+table.Name]
		i := 0
		for row, err := range db.Rows(context.Background(), table.Schema+"."+table.Name) {
			if err != nil {
				t.Fatal(err)
			}
			if i == len(rows) {
				t.Fatalf("%s: more than %d rows", table.Name, i)
			}
			if row.ID != rows[i].ID && !db.Info().Script {
				t.Fatalf("%s: row %d, want %d", table.Name, row.ID, rows[i].ID)
			}
			compareDumped(t, row, rows[i].Row, db.Info().Script)
			i++
		}
		if i != len(rows) {
			t.Errorf("%s: %d rows, want %d", table.Name, i, len(rows))
		}
		if table.Entries < int64(i) {
			t.Errorf("%s: about %d rows expected, there are %d", table.Name, table.Entries, i)
		}
		total += i
		delete(want, table.Schema+"."+table.Name)
	}
	if len(want) != 0 || total == 0 {
		t.Errorf("missing tables %v, %d rows in all", want, total)
	}
}

func compareDumped(t *testing.T, row h2.Row, want map[string]*string, script bool) {
	t.Helper()
	if len(row.Values) != len(want) && !script {
		t.Fatalf("%d columns, want %d", len(row.Values), len(want))
	}
	for i, c := range row.Table.Columns {
		w, known := want[c.Name]
		switch {
		case !known:
			t.Errorf("unknown column %s", c.Name)
		case w == nil || row.Values[i] == nil:
			if w != nil || row.Values[i] != nil {
				t.Errorf("%s.%s: %v, want %v", row.Table.Name, c.Name, row.Values[i], w)
			}
		case !printedAs(row.Values[i], *w):
			t.Errorf("%s.%s (%s) of row %d: %.200v, want %.200s", row.Table.Name, c.Name, c.Type, row.ID, row.Values[i], *w)
		}
	}
}

func TestEngineFiles(t *testing.T) {
	for _, c := range []struct {
		file, dump string
		open       int // transactions
	}{
		{"types-2.3.232.mv.db.gz", "types-2.3.232", 0},
		{"types-2.2.224.mv.db.gz", "types-2.2.224", 0},
		{"lzf-2.3.232.mv.db.gz", "lzf-2.3.232", 0},
		{"deflate-2.3.232.mv.db.gz", "deflate-2.3.232", 0},
		{"rolledback-2.3.232.mv.db.gz", "rolledback-2.3.232", 1},
		{"rolledback-2.2.224.mv.db.gz", "rolledback-2.2.224", 1},
		{"committed-2.3.232.mv.db.gz", "committed-2.3.232", 0},
		{"committed-2.2.224.mv.db.gz", "committed-2.2.224", 0},
		{"types-2.3.232.sql.gz", "types-2.3.232", 0},
		{"types-2.2.224.sql.gz", "types-2.2.224", 0},
		{"old-1.4.200.sql.gz", "old-1.4.200", 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			db, err := h2.Open(filepath.Join("testdata", c.file), &h2.Options{TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if n := db.Info().OpenTransactions; n != c.open {
				t.Errorf("%d open transactions, want %d", n, c.open)
			}
			compareDump(t, db, dumped(t, c.dump+".jsonl.gz"))
		})
	}
}

func TestRefused(t *testing.T) {
	for file, want := range map[string]error{
		"encrypted-2.3.232.mv.db.gz": h2.ErrEncrypted,
		"old-1.4.200.mv.db.gz":       h2.ErrFormat,
		"types-2.3.232.jsonl.gz":     h2.ErrFormat,
		"Make.java":                  h2.ErrFormat,
	} {
		db, err := h2.Open(filepath.Join("testdata", file), &h2.Options{TempDir: t.TempDir()})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", file, err, want)
		}
		if err == nil {
			db.Close()
		}
	}
}
